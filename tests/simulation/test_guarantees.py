"""The promises by simulation: false rollback at most alpha, false promotion at most beta, at any look.

Each run is looked at after every block, 160 times. With 500 runs and a true probability of at most a the
count of errors has mean at most 500 a and standard deviation sqrt(500 a (1 - a)); the limits are four of
these above: alpha = .01: 5 + 4 x 2.2 = 13; beta = .05: 25 + 4 x 4.9 = 44. The seeds are fixed, so the tests
are not flaky; the limits say how far a correct program can be from its bound.
"""

from __future__ import annotations

import pytest

from serin.stats import Counts, RateSettings
from tests.unit.stats.simulation import Traffic, simulate

RUNS, LOOKS = 500, 160
SETTINGS = RateSettings(margin=0.01, tolerance=0.0025, soak_seconds=60)
PLAIN = RateSettings(margin=0.01, tolerance=0.0025, soak_seconds=60, overdispersion=1)


@pytest.mark.parametrize(("p0", "share"), [(0.001, 0.5), (0.01, 0.1), (0.1, 0.3)])
def test_false_rollback_at_the_tolerance(p0: float, share: float) -> None:
    """A candidate worse by just the tolerance is failed in at most alpha of rollouts."""
    outcomes = simulate(PLAIN, Counts(1000, 0), Traffic(p0, p0 + 0.0025, share, 20), runs=RUNS, looks=LOOKS, seed=1)
    assert outcomes.ever_failed.sum() <= 13


@pytest.mark.parametrize(("p0", "share"), [(0.001, 0.5), (0.01, 0.1), (0.1, 0.3)])
def test_false_promotion_at_the_margin(p0: float, share: float) -> None:
    """A candidate worse by just the margin is passed in at most beta of rollouts."""
    outcomes = simulate(PLAIN, Counts(1000, 0), Traffic(p0, p0 + 0.01, share, 20), runs=RUNS, looks=LOOKS, seed=2)
    assert outcomes.ever_passed.sum() <= 44


def test_without_history() -> None:
    """The same promises hold when nothing is known of stable at first."""
    alike = simulate(PLAIN, Counts(), Traffic(0.03, 0.03, 0.2, 20), runs=RUNS, looks=LOOKS, seed=3)
    worse = simulate(PLAIN, Counts(), Traffic(0.03, 0.04, 0.2, 20), runs=RUNS, looks=LOOKS, seed=4)
    assert alike.ever_failed.sum() <= 13
    assert worse.ever_passed.sum() <= 44


def test_changing_weights() -> None:
    """Weights that rise on the way do not matter."""
    steps = ((300.0, 0.05), (600.0, 0.3), (1200.0, 0.9))
    alike = Traffic(0.02, 0.0225, 0.01, 20, steps=steps)
    worse = Traffic(0.02, 0.03, 0.01, 20, steps=steps)
    assert simulate(PLAIN, Counts(), alike, runs=RUNS, looks=LOOKS, seed=5).ever_failed.sum() <= 13
    assert simulate(PLAIN, Counts(), worse, runs=RUNS, looks=LOOKS, seed=6).ever_passed.sum() <= 44


def test_overdispersed_traffic() -> None:
    """Bad requests in threes are variance times three; with overdispersion=3 the promises hold."""
    settings = RateSettings(margin=0.01, tolerance=0.0025, soak_seconds=60, overdispersion=3)
    alike = Traffic(0.02, 0.0225, 0.3, 20, clump=3)
    worse = Traffic(0.02, 0.03, 0.3, 20, clump=3)
    assert simulate(settings, Counts(1000, 20), alike, runs=RUNS, looks=LOOKS, seed=7).ever_failed.sum() <= 13
    assert simulate(settings, Counts(1000, 20), worse, runs=RUNS, looks=LOOKS, seed=8).ever_passed.sum() <= 44


def test_power() -> None:
    """Not by doing nothing: equal candidates all pass within 40 minutes, five times worse ones all fail."""
    alike = simulate(SETTINGS, Counts(1000, 0), Traffic(0.01, 0.01, 0.5), runs=300, looks=LOOKS, seed=9)
    worse = simulate(SETTINGS, Counts(1000, 0), Traffic(0.01, 0.05, 0.1), runs=300, looks=LOOKS, seed=10)
    assert (alike.verdict == 1).mean() >= 0.99
    assert (worse.verdict == -1).mean() >= 0.99


def test_the_demo() -> None:
    """A candidate failing 3 % against 0 % fails at a median of 6 to 10 bad requests, at weight 10."""
    traffic = Traffic(0, 0.03, 0.1, interval=5)
    outcomes = simulate(SETTINGS, Counts(1000, 0), traffic, runs=300, looks=60, seed=11)
    assert (outcomes.verdict == -1).all()
    assert 5 <= sorted(outcomes.bad)[150] <= 10
    assert (outcomes.bad < 12).mean() >= 0.99
