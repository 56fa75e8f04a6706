"""One rate against a maximum."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serin.stats import ConstantSettings, ConstantTest, Counts

SETTINGS = ConstantSettings(maximum=0.01, soak_seconds=60)


def test_starts_undecided() -> None:
    """A new test knows nothing but that a rate is not below 0."""
    evidence = ConstantTest(SETTINGS).evidence
    assert (evidence.verdict, evidence.difference, evidence.stable) == ("undecided", None, Counts())
    assert evidence.interval == (-0.01, 0.99)


def test_above_the_maximum_fails() -> None:
    """30 bad of 1,000 are proof enough of more than 1 %."""
    evidence = ConstantTest(SETTINGS).update(Counts(1000, 30), 15).evidence
    assert evidence.verdict == "fail"
    assert evidence.difference == pytest.approx(0.02)


def test_below_the_maximum_passes_after_the_soak() -> None:
    """1 bad of 1,000 is a pass of "at most 1 %", once the soak of 60 s is over."""
    test = ConstantTest(SETTINGS).update(Counts(1000, 1), 15)
    assert test.evidence.verdict == "undecided"
    assert test.update(Counts(), 60).evidence.verdict == "undecided"  # no data came with the time
    assert test.update(Counts(), 60).update(Counts(1, 0), 1).evidence.verdict == "pass"
    assert test.with_soak(10).update(Counts(1, 0), 1).evidence.verdict == "pass"


def test_breaking_late() -> None:
    """After ten hours at 0.2 %, 5 % is caught within a minute."""
    test = ConstantTest(SETTINGS)
    for _ in range(600):
        test = test.update(Counts(1000, 2), 60)
    assert test.evidence.verdict == "pass"
    for _ in range(4):
        test = test.update(Counts(250, 12), 15)
    assert (test.evidence.verdict, test.evidence.passed) == ("fail", True)


@pytest.mark.parametrize(
    ("field", "value"),
    [("maximum", 0), ("maximum", 1), ("maximum", math.nan), ("alpha", 0), ("beta", 2), ("tolerance", -1),
     ("tolerance", 0.99), ("soak_seconds", -1), ("overdispersion", 0.5)],
)  # fmt: skip
def test_impossible_settings(field: str, value: object) -> None:
    """A setting out of its range is a ValueError that names it."""
    with pytest.raises(ValueError, match=field):
        ConstantSettings(**{"maximum": 0.01, field: value})  # type: ignore[arg-type]


@given(
    st.floats(1e-6, 1 - 1e-6), st.floats(1, 50),
    st.lists(st.integers(0, 10**6).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))), max_size=4),
)  # fmt: skip
@settings(max_examples=80, deadline=None)
def test_any_maximum_gives_finite_evidence(maximum: float, phi: float, series: list[tuple[int, int]]) -> None:
    """Whatever the maximum and counts, the evidence is finite and the interval contains the difference."""
    test = ConstantTest(ConstantSettings(maximum=maximum, overdispersion=phi))
    for n, x in series:
        test = test.update(Counts(n, x), 15)
    evidence = test.evidence
    assert math.isfinite(evidence.log_e_fail)
    assert math.isfinite(evidence.log_e_pass)
    lower, upper = evidence.interval
    assert lower <= upper
    if evidence.difference is not None:
        assert lower <= evidence.difference <= upper
