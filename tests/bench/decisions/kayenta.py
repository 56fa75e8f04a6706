"""Kayenta's judge: Mann-Whitney on one error rate a minute, judged after 15, 30, 45 and 60 minutes of growing data.

Its classifier calls the candidate High when the lower end of the 98 % interval for the shift between the arms' minutes
is above a quarter of the estimated shift; one metric that is High scores 0, which stops the canary. Minutes without
requests count as 0, its default for what is not a number. After the last judgement the canary is promoted.

The ends are order statistics of the differences between all pairs of minutes: the standardised rank sum of (candidate
- d) against stable, with continuity correction and the variance corrected for ties, is a falling step function of d,
and its zero is where Kayenta's root search ends up. Ties within an arm stay ties whatever d, so they are counted once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tests.bench.decisions.peers import Decisions
from tests.bench.decisions.traffic import Floats, Hour

__all__ = ["kayenta"]

_Z = 2.3263478740408408  # two-sided 98 %
_TOLERANCE = 0.25
_JUDGED_AT = (15, 30, 45, 60)


def kayenta(hour: Hour) -> Decisions:
    """The verdicts of four judgements."""
    n0, x0, n1, x1 = hour.minutes()
    read = hour.minutes_read()[:, None]
    stable, candidate = (np.where((n > 0) & read, x / np.maximum(n, 1), 0.0) for n, x in ((n0, x0), (n1, x1)))
    runs = n0.shape[1]
    verdict, seconds = np.ones(runs, np.int64), np.full(runs, 60.0 * _JUDGED_AT[-1])
    open_ = np.arange(runs)
    for minutes in _JUDGED_AT:
        high = _is_high(candidate[:minutes, open_].T, stable[:minutes, open_].T)
        verdict[open_[high]], seconds[open_[high]] = -1, 60.0 * minutes
        open_ = open_[~high]
    return Decisions(verdict, seconds)


def _is_high(candidate: Floats, stable: Floats) -> NDArray[np.bool_]:
    """Whether the judge calls the candidate High; shapes (runs, minutes)."""
    runs, m = candidate.shape
    high = np.zeros(runs, bool)
    # Equal series pass without a test. So does one whose mean is no higher: its shift cannot be proven positive.
    asked = np.flatnonzero(candidate.mean(axis=1) > stable.mean(axis=1))
    if not len(asked):
        return high
    a, b = np.sort(candidate[asked], axis=1), np.sort(stable[asked], axis=1)
    ties = _ties(a) + _ties(b)
    sigma = np.sqrt(m * m / 12 * (2 * m + 1 - ties / (2 * m * (2 * m - 1))))
    differences = np.sort((a[:, :, None] - b[:, None, :]).reshape(len(asked), -1).astype(np.float32), axis=1)
    pairs = m * m
    # #{differences > d} - pairs/2 - 1/2 = z sigma: the lower end has that many differences above it.
    above = np.floor(pairs / 2 + 0.5 + _Z * sigma).astype(np.int64)
    lower = np.where(
        above >= pairs, differences[:, 0], differences[np.arange(len(asked)), pairs - 1 - np.minimum(above, pairs - 1)]
    )
    estimate = np.median(differences, axis=1)
    high[asked] = lower > _TOLERANCE * np.abs(estimate)
    return high


def _ties(ordered: Floats) -> Floats:
    """Sum of t^3 - t over groups of t equal values in each row."""
    runs, m = ordered.shape
    new = np.ones((runs, m), bool)
    new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    group = np.cumsum(new, axis=1) - 1 + m * np.arange(runs)[:, None]
    sizes = np.bincount(group.ravel(), minlength=m * runs).astype(np.float64)
    total: Floats = (sizes**3 - sizes).reshape(runs, m).sum(axis=1)
    return total
