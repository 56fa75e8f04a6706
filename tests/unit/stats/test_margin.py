"""Freezing the margin, and the estimate of over-dispersion: both from stable alone."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serin.stats import Counts, Margin, Overdispersion, RateSettings, RateTest, freeze_margin, overdispersion


@pytest.mark.parametrize(("total", "frozen"), [(0, False), (999, False), (1000, True)])
def test_a_thousand_requests_freeze_it(total: int, frozen: bool) -> None:
    """One request below 1,000 the margin is open, at 1,000 it is frozen."""
    margin = freeze_margin(0.002, 0.25, 0.02, Counts(total, 0))
    assert (margin.value is not None, margin.stable_missing) == (frozen, max(1000 - total, 0))


def test_the_rule() -> None:
    """0.2 points and a quarter of 1.6 % are 0.6 points; a quarter of 40 % is capped at 2 points."""
    assert freeze_margin(0.002, 0.25, 0.02, Counts(10_000, 160)).value == pytest.approx(0.006)
    assert freeze_margin(0.002, 0.25, 0.02, Counts(10_000, 4000)) == Margin(0.02, 0.02, 0.02, 0)


def test_a_margin_of_nothing_is_not_given() -> None:
    """A relative margin on a stable without a bad request is the least margin there is, not 0."""
    assert freeze_margin(0, 0.25, 0.02, Counts(10_000, 0)).value == 1e-5


@given(
    st.floats(0, 0.5), st.floats(0, 10), st.floats(1e-6, 0.99),
    st.integers(0, 3000).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))), st.integers(1000, 9000),
)  # fmt: skip
@settings(deadline=None)
def test_bounds_hold_for_whatever_comes(plus: float, of: float, most: float, now: tuple[int, int], more: int) -> None:
    """The margin frozen later lies within the bounds given before."""
    if plus == of == 0:
        return
    early = freeze_margin(plus, of, most, Counts(*now))
    late = freeze_margin(plus, of, most, Counts(now[0] + more, now[1]))
    assert late.value is not None
    if early.value is None:
        assert early.least <= late.value <= early.most
    assert early.least <= early.most


def test_from_unfrozen_to_frozen() -> None:
    """A test started at the least margin and largest tolerance goes on with the frozen ones."""
    history = Counts(300, 2)
    early = freeze_margin(0.002, 0.25, 0.02, history)
    test = RateTest(RateSettings(margin=early.least, tolerance=early.most / 4), history)
    for _ in range(3):
        test = test.update(Counts(270, 2), Counts(30, 0), 15)
    margin = freeze_margin(0.002, 0.25, 0.02, history + test.evidence.stable)
    assert margin.value == pytest.approx(0.002 + 0.25 * 8 / 1110)
    assert margin.value is not None
    frozen = test.with_margin(margin.value, margin.value / 4)
    assert frozen.evidence.log_e_pass == test.evidence.log_e_pass
    assert frozen.update(Counts(270, 2), Counts(30, 0), 15).settings.margin == margin.value


@pytest.mark.parametrize(
    ("args", "want"),
    [((-0.1, 0.25, 0.02), "plus"), ((0.002, math.nan, 0.02), "of_stable"), ((0.002, 0.25, 0), "maximum"),
     ((0, 0, 0.02), "plus and of_stable")],
)  # fmt: skip
def test_impossible_rules(args: tuple[float, float, float], want: str) -> None:
    """A rule that cannot be is a ValueError that names the field."""
    with pytest.raises(ValueError, match=want):
        freeze_margin(*args, Counts(5000, 5))


def drawn(rng: np.random.Generator, windows: int, p: float, clump: int, n: int = 600) -> list[Counts]:
    """Return windows of n requests at rate p whose bad ones come in clumps."""
    return [Counts(n, int(rng.binomial(n // clump, p)) * clump) for _ in range(windows)]


def test_assumed_without_data() -> None:
    """Nothing to measure gives 1.25 and says so."""
    assert overdispersion() == Overdispersion(1.25, "assumed")
    assert overdispersion([[Counts(100, 1)] * 50]) == Overdispersion(1.25, "assumed")
    assert overdispersion([[Counts(100, 0)] * 50] * 4, [Counts(100, 0)] * 99) == Overdispersion(1.25, "assumed")


@pytest.mark.parametrize("clump", [1, 4])
@pytest.mark.parametrize("p", [0.01, 0.2])
def test_between_pods(clump: int, p: float) -> None:
    """Bad requests in clumps of 4 are seen as 4 (times 1.25), independent ones as 1.

    From 60 windows of 3 pods, with the safety factor of about 120 degrees of freedom.

    Each window gives 2 degrees of freedom, 120 in all: standard deviation sqrt(2/120) = 13 % of phi, more for
        rare clumps; 45 % is three of these.
    """
    rng = np.random.default_rng(1)
    found = overdispersion([drawn(rng, 60, p, clump) for _ in range(3)])
    assert found.source == "pods"
    assert found.value == pytest.approx(max(1.25 * clump, 1), rel=0.45)


def test_a_shared_incident_is_no_difference_between_pods() -> None:
    """Ten windows in which all pods fail half of their requests do not move the estimate much."""
    rng = np.random.default_rng(2)
    pods = [[*drawn(rng, 50, 0.01, 1), *drawn(rng, 10, 0.5, 1)] for _ in range(3)]
    assert overdispersion(pods).value < 1.25 * 1.45


@pytest.mark.parametrize("clump", [1, 4])
def test_between_windows(clump: int) -> None:
    """From 200 windows of a single pod the clumps are seen too, and one incident does not decide."""
    rng = np.random.default_rng(3)
    windows = drawn(rng, 200, 0.02, clump)
    calm = overdispersion(windows=windows)
    windows[77] = Counts(600, 500)
    shaken = overdispersion(windows=windows)
    assert (calm.source, shaken.source) == ("windows", "windows")
    assert calm.value == pytest.approx(1.25 * clump, rel=0.45)
    assert shaken.value == pytest.approx(calm.value, rel=0.35)


def test_never_below_one() -> None:
    """Pods that are more alike than chance would have it give 1."""
    found = overdispersion([[Counts(1000, 10)] * 20] * 3)
    assert (found.value, found.source) == (1.0, "pods")


@pytest.mark.parametrize(("windows", "want"), [(20, 0.25), (40, 0.25), (80, 0.1768), (4000, 0.025)])
def test_the_more_is_measured_the_less_is_added_for_safety(windows: int, want: float) -> None:
    """A quarter is added up to 80 degrees of freedom, a fortieth at 8,000.

    Each window is (0, 2), (2, 0), (1, 1), (1, 1) of two pods: chi square 2, 2, 0, 0, as expected of two independent
    bad requests, and with 1 - 1/2 degrees of freedom each.
    """
    first = [Counts(1000, bad) for bad in (0, 2, 1, 1)] * windows
    second = [Counts(1000, bad) for bad in (2, 0, 1, 1)] * windows
    found = overdispersion([first, second])
    assert found.freedom == pytest.approx(2 * windows)
    assert found.value == pytest.approx(1 + want, rel=1e-3)


def test_a_single_bad_request_says_nothing() -> None:
    """Windows with one bad request, on whichever pod, are no measurement; ten pairs of two are."""
    alone = [[Counts(100, 1)] * 50, [Counts(100, 0)] * 50]
    assert overdispersion(alone).source == "assumed"
    assert overdispersion(windows=[Counts(100, 1), Counts(100, 0)] * 50).source == "assumed"
    assert overdispersion(windows=[Counts(100, 1), Counts(100, 1)] * 10).source == "windows"


def test_the_same_estimate_from_raw_requests() -> None:
    """Equal to a plain version that spells out every window's requests and averages their chi squares."""
    rng = np.random.default_rng(8)
    pods = [drawn(rng, 40, 0.02, 2, 300 + 100 * pod) for pod in range(3)]
    ratios, freedom = [], 0.0
    for window in zip(*pods, strict=True):
        outcomes = np.concatenate([np.repeat([1, 0], [c.bad, c.total - c.bad]) for c in window])
        pod = np.repeat(np.arange(3), [c.total for c in window])
        if outcomes.sum() < 2:
            continue
        expected = outcomes.mean() * np.bincount(pod)
        square = np.sum((np.bincount(pod, outcomes) - expected) ** 2 / (expected * (1 - outcomes.mean())))
        ratios.append(square * (len(pod) - 1) / len(pod) / 2)
        freedom += 2 * (1 - 1 / outcomes.sum())
    found = overdispersion(pods)
    assert found.freedom == pytest.approx(freedom, abs=0.05)
    assert found.value == pytest.approx(np.mean(ratios) * (1 + 0.25 * min(1, math.sqrt(80 / freedom))))


def test_pods_come_first() -> None:
    """Where both can be measured, pods are preferred: they leave out what hits both arms together."""
    rng = np.random.default_rng(4)
    found = overdispersion([drawn(rng, 60, 0.05, 1) for _ in range(2)], drawn(rng, 60, 0.05, 5))
    assert found.source == "pods"


def test_ragged_pods() -> None:
    """Pods with different windows are a ValueError."""
    with pytest.raises(ValueError, match="same windows"):
        overdispersion([[Counts(10, 1)] * 3, [Counts(10, 1)] * 2])
