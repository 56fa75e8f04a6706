"""The confidence sequence: sane from the first request on, and right often enough."""

from __future__ import annotations

import math

import numpy as np
import pytest

from serin.stats import Counts, RateSettings, RateTest
from serin.stats.interval import BETS, LOG_LEVEL, difference_grid, interval_bounds
from tests.unit.stats.simulation import Traffic, simulate

SETTINGS = RateSettings(margin=0.01, tolerance=0.0025)


def test_the_grid() -> None:
    """31 differences, ascending, around 0, from a quarter of the margin to 95 points."""
    grid = difference_grid(np.array([0.0025]))[0]
    assert len(grid) == BETS == 31
    assert (np.diff(grid) > 0).all()
    np.testing.assert_array_equal(grid, -grid[::-1])
    assert (grid[15], grid[16]) == (0, 0.0025)
    assert grid[-1] == pytest.approx(0.95)


def test_nothing_refuted_is_minus_one_to_one() -> None:
    """Bets that have not won exclude nothing."""
    grid = difference_grid(np.array([0.01]))
    lower, upper = interval_bounds(grid, np.zeros((1, BETS)), np.zeros((1, BETS)))
    assert (lower[0], upper[0]) == (-1, 1)


def test_ends_between_the_last_refuted_and_the_first_kept_point() -> None:
    """The lower end interpolates on the root of the log capital, the upper end is its mirror image."""
    grid = difference_grid(np.array([0.01]))
    at_most = np.where(grid <= grid[0, 9], 4 * LOG_LEVEL, 0.0)  # roots 2 and 0 of the level: half of the way
    lower, upper = interval_bounds(grid, at_most, at_most[:, ::-1])
    assert lower[0] == pytest.approx((grid[0, 9] + grid[0, 10]) / 2)
    assert upper[0] == pytest.approx(-lower[0])


def test_everything_refuted_is_the_hull() -> None:
    """If the arms changed so that both sides refuted everything, the interval covers what either believes."""
    grid = difference_grid(np.array([0.01]))
    lost = np.full((1, BETS), 100.0)
    lower, upper = interval_bounds(grid, lost, lost)
    assert lower[0] < -0.5
    assert upper[0] > 0.5


@pytest.mark.parametrize("candidate", [Counts(1, 0), Counts(1, 1), Counts(3, 3)])
def test_tiny_counts(candidate: Counts) -> None:
    """A few requests give an interval that is wide, within [-1, 1], and contains the difference."""
    evidence = RateTest(SETTINGS).update(Counts(2, 0), candidate, 15).evidence
    lower, upper = evidence.interval
    assert evidence.difference is not None
    assert -1 <= lower <= min(evidence.difference, 0)
    assert max(evidence.difference, 0.1) <= upper <= 1


def test_it_narrows() -> None:
    """With alike arms at 1 %, 100 times the requests give an interval at most a fifth as wide."""
    test, widths = RateTest(SETTINGS, Counts(5000, 50)), []
    for block in range(1, 1001):
        test = test.update(Counts(100, 1), Counts(100, 1), 1)
        if block in {10, 1000}:
            widths.append(test.evidence.interval[1] - test.evidence.interval[0])
    assert widths[1] < widths[0] / 5
    assert widths[1] < 0.004


@pytest.mark.parametrize(
    ("p0", "p1", "share"), [(0.01, 0.01, 0.5), (0.001, 0.02, 0.1), (0.05, 0.0412, 0.3), (0.3, 0.317, 0.5)]
)
def test_coverage_at_every_look(p0: float, p1: float, share: float) -> None:
    """The true difference is within the interval at all of 160 looks in at least 95 % of 400 rollouts.

    The bound is a probability of at most .05 ever to miss. With 400 rollouts the count of misses has a
    standard deviation of at most sqrt(400 .05 .95) = 4.4, so more than 20 + 4 x 4.4 = 37 misses are no
    accident.
    """
    missed = np.zeros(400, bool)

    def look(lower: np.ndarray, upper: np.ndarray) -> None:
        nonlocal missed
        missed |= (p1 - p0 < lower) | (p1 - p0 > upper)

    traffic = Traffic(p0=p0, p1=p1, share=share, requests_per_second=40)
    simulate(SETTINGS, Counts(2000, round(2000 * p0)), traffic, runs=400, looks=160, seed=5, on_interval=look)
    assert missed.sum() <= 37


def test_the_level() -> None:
    """Each end alone is held at 2.5 %."""
    assert math.exp(-LOG_LEVEL) == pytest.approx(0.025)
