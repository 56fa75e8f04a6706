"""The weight by the harm that a candidate could still do."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serin.stats import Counts, RateSettings, RateTest, largest_share, plan
from serin.stats.ramp import shares_within
from serin.stats.rate import history_rate, parameters_of

SETTINGS = RateSettings(margin=0.005, tolerance=0.00125)
UNKNOWN = RateTest(SETTINGS, Counts(36_000, 180))


def share(test: RateTest, *, speed: float = 100, look: float = 15, budget: float = 20) -> float:
    """The share between 1 and 50 %."""
    return largest_share(test, least=0.01, most=0.5, requests_per_second=speed, look_seconds=look, budget=budget)


def test_an_unknown_candidate_starts_small() -> None:
    """With 100 requests/s and looks every 15 s, 1 % is 15 requests that may all fail, and 2 % would be 30."""
    assert share(UNKNOWN, budget=20) == 0.01
    assert share(UNKNOWN, speed=1) > 0.1  # 15 requests in all


def test_it_rises_while_nothing_speaks_against_it() -> None:
    """With looks that bring equal arms the share never falls, and gets to the top when the margin is excluded."""
    test, shares = UNKNOWN, [share(UNKNOWN)]
    for _ in range(40):
        candidate = round(1500 * shares[-1])
        test = test.update(Counts(1500 - candidate, round(0.005 * (1500 - candidate))), Counts(candidate, 0), 15)
        shares.append(share(test))
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(0.5)
    assert test.evidence.interval[1] < SETTINGS.margin


def test_bad_news_take_it_back() -> None:
    """The more of the last 40 requests failed, the smaller the share: it never rises, and falls to a half at least."""
    good = UNKNOWN.update(Counts(14_000, 70), Counts(1000, 5), 60)
    shares = [share(good.update(Counts(1000, 5), Counts(40, bad), 15)) for bad in (0, 2, 4, 8, 16, 32)]
    assert shares == sorted(shares, reverse=True)
    assert shares[-1] < shares[0] / 2


@pytest.mark.parametrize(("speed", "budget"), [(100, 20), (100, 3), (2, 3)])
def test_the_cost_is_what_the_plan_says(speed: float, budget: float) -> None:
    """At the share found the planned excess failures are within the budget, and at the next larger one they are not.

    Planned for a new test and a candidate at the upper end of the interval, and for one that is worse by the margin.
    """
    test = UNKNOWN.update(Counts(99_000, 495), Counts(1000, 5), 0.001)
    rate = float(history_rate(test.row[None, :])[0])
    steps = 0.01 * 50 ** (np.arange(13) / 12)
    here = int(np.flatnonzero(np.isclose(steps, share(test, speed=speed, budget=budget)))[0])
    assert 0 < here < 12

    def cost(worse: float, at: float, look: float) -> float:
        planned = plan(SETTINGS, rate=rate, candidate_rate=rate + worse, share=at, requests_per_second=speed)
        assert planned.verdict == "fail"
        assert planned.requests is not None
        return worse * (planned.requests + look * speed * at)

    def beyond(at: float) -> float:
        both = (SETTINGS.margin, test.evidence.interval[1])
        return max(cost(worse, at, 15) - cost(worse, 0.01, 0) for worse in both)

    assert beyond(float(steps[here])) <= budget + 0.05  # a plan counts whole requests
    assert beyond(float(steps[here + 1])) >= budget - 0.05


@given(
    st.integers(0, 5000).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))),
    st.integers(0, 5000).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))),
    st.floats(0, 1000),
    st.floats(0.01, 1e5),
)
@settings(max_examples=60, deadline=None)
def test_always_between_the_two_ends(a: tuple[int, int], b: tuple[int, int], budget: float, speed: float) -> None:
    """Whatever was seen, the share is within its ends, and a larger budget never gives a smaller one."""
    test = UNKNOWN.update(Counts(*a), Counts(*b), 15)
    small, large = share(test, budget=budget, speed=speed), share(test, budget=2 * budget + 1, speed=speed)
    assert 0.01 <= small <= large <= 0.5 + 1e-12


def test_many_equal_one_by_one() -> None:
    """Several gates together get what each gets alone."""
    tests = [UNKNOWN, UNKNOWN.update(Counts(14_000, 70), Counts(1000, 5), 60), RateTest(SETTINGS)]
    rows = np.stack([test.row for test in tests])
    together = shares_within(rows, parameters_of(tests), 0.01, 0.5, 1500, 20)
    assert together.tolist() == [share(test) for test in tests]


@pytest.mark.parametrize(
    ("field", "value"),
    [("least", 0), ("least", 1), ("most", 0.005), ("most", 1), ("requests_per_second", 0), ("look_seconds", -1),
     ("budget", -1), ("budget", math.nan)],
)  # fmt: skip
def test_impossible_arguments(field: str, value: float) -> None:
    """A value out of its range is a ValueError that names it."""
    given_ = {"least": 0.01, "most": 0.5, "requests_per_second": 100.0, "look_seconds": 15.0, "budget": 20.0}
    with pytest.raises(ValueError, match=field):
        largest_share(UNKNOWN, **{**given_, field: value})
