"""The confidence sequence: which differences between the arms can still be believed.

For each difference d on a fixed grid two bets run, one against "the difference is at most d" and one against
"it is at least d". Each bets in a block only if its past says that it is on the right side, with rates
estimated from the past. By Ville's inequality a true null is ever refuted (capital 40 or more = 1/0.025) with
probability at most 0.025, so both ends together miss the truth, at any look, with probability at most 0.05:
Turner and Gruenwald, https://arxiv.org/abs/2203.09785 (confidence sequences from block e-variables).

The grid has 31 points: 0 and 15 on each side, spaced by a constant factor, the finest near 0:

    margin 1 point:  0, +-.25, +-.38, +-.58, +-.89, +-1.4, +-2.1, +-3.2, ... +-95 points

The ends lie between the last refuted point and the first that is not. There we interpolate on the square root
of
the log capital: log capital grows like n (d - difference)^2 / 2v, a parabola in d, so its root is close to
    straight. A straight line through the log capital itself would end too early and claim too much; the last
    refuted point would be the exactly proven end and makes the interval up to half as wide again.
    `test_interval.py` measures the coverage.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["BETS", "GRID_MOST", "LOG_LEVEL", "difference_grid", "interval_bounds"]

Floats = NDArray[np.float64]

_EACH_SIDE = 15
BETS = 2 * _EACH_SIDE + 1
GRID_MOST = 0.95
LOG_LEVEL = math.log(2 / 0.05)  # 3.69: each end alone at 0.025


def difference_grid(scale: Floats) -> Floats:
    """Return the grid of differences, ascending: shape (gates,) -> (gates, 31).

    scale is the smallest difference above 0 on the grid, a fraction, in (0, 0.1].
    """
    powers = np.arange(_EACH_SIDE) / (_EACH_SIDE - 1)
    positive = scale[:, None] * (GRID_MOST / scale[:, None]) ** powers
    zero = np.zeros((len(scale), 1))
    return np.concatenate([-positive[:, ::-1], zero, positive], axis=1)


def interval_bounds(grid: Floats, log_at_most: Floats, log_at_least: Floats) -> tuple[Floats, Floats]:
    """Return the lower and upper ends for each gate.

    Args (shape (gates, 31)):
        grid: the differences d, ascending.
        log_at_most: log capital of the bets against "the difference is at most d"; large for small d.
        log_at_least: log capital of the bets against "the difference is at least d"; large for large d.

    An end that no bet has found yet is -1 or 1. If the arms changed on the way, both sides may have refuted
    everything; then the ends come out crossed and we return the hull of the two.
    """
    lower = _lower_end(grid, log_at_most)
    upper = -_lower_end(-grid[:, ::-1], log_at_least[:, ::-1])
    return np.minimum(lower, upper), np.maximum(lower, upper)


def _lower_end(grid: Floats, log_capital: Floats) -> Floats:
    """Return the end below which everything is refuted, -1 if the first point of the grid is not."""
    gate = np.arange(len(grid))
    kept = log_capital < LOG_LEVEL
    first = np.where(kept.any(axis=1), kept.argmax(axis=1), BETS - 1)
    last = np.maximum(first - 1, 0)
    root_out = np.sqrt(np.maximum(log_capital[gate, last], LOG_LEVEL))
    root_in = np.sqrt(np.clip(log_capital[gate, first], 0.0, LOG_LEVEL))
    share = (root_out - math.sqrt(LOG_LEVEL)) / np.maximum(root_out - root_in, 1e-12)
    between = grid[gate, last] + (grid[gate, first] - grid[gate, last]) * np.minimum(share, 1.0)
    end: Floats = np.where(first == 0, -1.0, between)
    return end
