"""How long it takes: the plan against simulated rollouts, and what it says when nothing will come of it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from serin.stats import Counts, Plan, RateSettings, RateTest, least_margin, plan, remaining
from tests.unit.stats.simulation import Traffic, simulate

SETTINGS = RateSettings(margin=0.01, tolerance=0.0025, soak_seconds=60)


@pytest.mark.parametrize(
    ("p0", "p1", "share", "want"),
    [(0.0, 0.0, 0.1, "pass"), (0.01, 0.01, 0.5, "pass"), (0.05, 0.05, 0.5, "pass"), (0.01, 0.03, 0.1, "fail"),
     (0.0, 0.03, 0.1, "fail"), (0.05, 0.07, 0.3, "fail")],
)  # fmt: skip
def test_the_plan_is_about_right(p0: float, p1: float, share: float, want: str) -> None:
    """The planned requests are between two thirds and one and a half times the simulated median."""
    planned = plan(SETTINGS, rate=p0, candidate_rate=p1, share=share, requests_per_second=50)
    traffic = Traffic(p0, p1, share, interval=2)
    assert planned.verdict == want
    assert planned.requests is not None
    no_soak = RateSettings(margin=0.01, tolerance=0.0025, soak_seconds=0)
    outcomes = simulate(no_soak, Counts(20_000, 0), traffic, runs=100, looks=600, seed=1)
    assert 1 / 1.5 < planned.requests / np.nanmedian(outcomes.requests) < 1.5


def test_seconds_follow_from_traffic_and_soak() -> None:
    """Seconds are requests over the candidate's speed, at least the soak for a pass."""
    long = plan(SETTINGS, rate=0.01, share=0.05, requests_per_second=10)
    assert long.requests is not None
    assert long.seconds == pytest.approx(long.requests / 0.5)
    assert plan(SETTINGS, rate=0.0, share=0.5, requests_per_second=1000).seconds == 60
    broken = plan(SETTINGS, rate=0.0, candidate_rate=0.9, share=0.5, requests_per_second=1000)
    assert broken.seconds is not None
    assert broken.seconds < 1


def test_between_the_nulls_nothing_may_ever_come() -> None:
    """Where no bet grows the plan is undecided, and knows neither requests nor seconds."""
    settings = RateSettings(margin=0.01, tolerance=0.0099)
    assert plan(settings, rate=0.01, candidate_rate=0.01995, share=0.1, requests_per_second=50) == Plan(
        "undecided", None, None
    )


def test_remaining_counts_down() -> None:
    """With alike arms at 0 % the requests that remain fall with each block, to 0 at the pass."""
    test = RateTest(SETTINGS, Counts(5000, 0))
    left: list[int] = []
    for _ in range(8):
        test = test.update(Counts(675, 0), Counts(75, 0), 15)
        now = remaining(test)
        assert now.verdict == "pass"
        assert now.requests is not None
        left.append(now.requests)
    assert left == sorted(left, reverse=True)
    assert left[0] == pytest.approx(360, abs=60)
    assert left[-1] == 0
    assert test.evidence.verdict == "pass"


def test_remaining_waits_for_the_soak() -> None:
    """With the evidence there and the soak not over, no requests remain but seconds do."""
    test = RateTest(RateSettings(margin=0.01, tolerance=0.0025, soak_seconds=300), Counts(5000, 0))
    test = test.update(Counts(5000, 0), Counts(5000, 0), 100)
    assert remaining(test) == Plan("pass", 0, 200.0)


def test_remaining_without_traffic() -> None:
    """Before any request the seconds are not known; given share and speed they are."""
    test = RateTest(SETTINGS, Counts(5000, 0))
    assert remaining(test).seconds is None
    assert remaining(test, share=0.1, requests_per_second=50).seconds == pytest.approx(
        plan(SETTINGS, rate=0.0001, share=0.1, requests_per_second=50).seconds, rel=0.1
    )


def test_a_verdict_needs_nothing_more() -> None:
    """After a fail no requests remain."""
    test = RateTest(SETTINGS, Counts(5000, 5)).update(Counts(900, 1), Counts(100, 9), 15)
    assert remaining(test) == Plan("fail", 0, 0.0)


def test_the_margin_that_would_do() -> None:
    """At the margin found the plan ends in time, and at nine tenths of it it does not."""
    traffic = {"rate": 0.01, "share": 0.1, "requests_per_second": 5.0}
    margin = least_margin(SETTINGS, **traffic, seconds=3600)
    assert margin is not None
    at, below = (
        plan(RateSettings(margin=m, tolerance=m / 4, soak_seconds=60), **traffic).seconds
        for m in (margin, margin * 0.9)
    )
    assert at is not None
    assert below is not None
    assert at <= 3600 < below
    assert least_margin(SETTINGS, **traffic, seconds=1) is None


@pytest.mark.parametrize(
    ("field", "value"),
    [("rate", -0.1), ("rate", math.nan), ("candidate_rate", 1.1), ("share", 0), ("share", 1), ("share", "10%"),
     ("requests_per_second", 0), ("requests_per_second", math.inf)],
)  # fmt: skip
def test_impossible_plans(field: str, value: object) -> None:
    """A value out of its range is a ValueError that names the field."""
    arguments: Any = {"rate": 0.01, "share": 0.1, "requests_per_second": 50, field: value}
    with pytest.raises(ValueError, match=field):
        plan(SETTINGS, **arguments)
