"""Many gates, one verdict."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serin.stats import Combined, Counts, Evidence, Verdict, combine


def gate(e_fail: float = 1.0, *, passed: bool = False, verdict: Verdict | None = None) -> Evidence:
    """Return the evidence of a gate with this E_fail."""
    return Evidence(
        verdict=verdict or ("pass" if passed else "undecided"),
        log_e_fail=math.log(e_fail),
        log_e_pass=0.0,
        difference=None,
        interval=(-1, 1),
        stable=Counts(),
        candidate=Counts(),
        passed=passed,
    )


def test_passes_when_every_required_gate_has_passed() -> None:
    """An advisory gate without a pass does not hold the rollout."""
    gates = {"errors": gate(passed=True), "slow": gate(passed=True), "unsold": gate()}
    assert combine(gates, ["errors", "slow"]).verdict == "pass"
    assert combine(gates, ["errors", "slow", "unsold"]).verdict == "undecided"


@pytest.mark.parametrize("gates", [{}, {"errors": gate(passed=True)}])
def test_what_is_missing_never_passes(gates: dict[str, Evidence]) -> None:
    """A required gate without evidence keeps the verdict undecided."""
    assert combine(gates, ["errors", "slow"]) == Combined("undecided", (), 0.0)


def test_nothing_required_never_passes() -> None:
    """Without a required gate there is nothing that could have passed."""
    assert combine({"unsold": gate(passed=True)}, []).verdict == "undecided"


def test_a_gate_that_failed_by_itself_does_not_pass() -> None:
    """A gate that passed and later failed by itself blocks the pass, though the mean is below 1/alpha."""
    gates = {
        "errors": gate(150, passed=True, verdict="fail"),
        "slow": gate(passed=True),
        "slo": gate(passed=True),
    }
    assert combine(gates, list(gates)).verdict == "undecided"


def test_the_mean_decides() -> None:
    """Of three gates of equal weight one needs 300 instead of 100."""
    assert combine({"a": gate(296), "b": gate(), "c": gate()}, "abc").verdict == "undecided"
    assert combine({"a": gate(298.1), "b": gate(), "c": gate()}, "abc").verdict == "fail"


def test_the_culprit() -> None:
    """The example of the docstring: 900, 2 and 1 is the first gate's doing."""
    combined = combine({"a": gate(900), "b": gate(2), "c": gate(1)}, "abc")
    assert (combined.verdict, combined.culprits, combined.jointly) == ("fail", ("a",), False)
    assert math.exp(combined.log_e) == pytest.approx(301)


def test_two_culprits() -> None:
    """Two gates with strong evidence are both named, the stronger first."""
    assert combine({"a": gate(200), "b": gate(500), "c": gate(1)}, "abc").culprits == ("b", "a")


def test_jointly() -> None:
    """Where no gate is a culprit by itself, those that make up 80 % of the mean are named."""
    joint = combine({"a": gate(180), "b": gate(120), "c": gate(3)}, "abc")
    assert math.exp(joint.log_e) == pytest.approx(101)
    assert (joint.verdict, joint.culprits, joint.jointly) == ("fail", ("a", "b"), True)


def test_weights() -> None:
    """Weights are scaled to 1; a gate of weight 0 cannot roll back; one without evidence counts as 1."""
    gates = {"a": gate(150), "b": gate()}
    assert combine(gates, "ab").verdict == "undecided"
    assert combine(gates, "ab", weights={"a": 4, "b": 1}).verdict == "fail"
    assert combine(gates, "ab", weights={"a": 0, "b": 1}).log_e == pytest.approx(0)
    assert math.exp(combine(gates, "ab", weights={"a": 1, "new": 1}).log_e) == pytest.approx(75.5)


def test_advisory_gates_do_not_roll_back() -> None:
    """Without weights only required gates count in the mean."""
    assert combine({"a": gate(), "advice": gate(1e9)}, ["a"]).verdict == "undecided"


@pytest.mark.parametrize("weights", [{"a": -1}, {"a": math.nan}, {"a": 0}, {"a": math.inf}])
def test_impossible_weights(weights: dict[str, float]) -> None:
    """A weight that cannot be is a ValueError."""
    with pytest.raises(ValueError, match="weight"):
        combine({"a": gate()}, "a", weights=weights)


@pytest.mark.parametrize("alpha", [0, 1, math.nan])
def test_impossible_alpha(alpha: float) -> None:
    """Alpha out of (0, 1) is a ValueError."""
    with pytest.raises(ValueError, match="alpha"):
        combine({"a": gate()}, "a", alpha=alpha)


def test_evidence_that_is_not_a_number() -> None:
    """NaN as evidence is a ValueError, neither a pass nor a fail."""
    with pytest.raises(ValueError, match="log_e_fail of a"):
        combine({"a": gate(math.nan)}, "a")


@given(st.dictionaries(st.sampled_from("abcdef"), st.floats(-700, 700), min_size=1), st.randoms())
@settings(deadline=None)
def test_the_order_of_gates_does_not_matter(logs: dict[str, float], random: object) -> None:
    """Any order gives the same verdict and culprits; a fail always names someone."""
    gates = {name: gate() for name in logs}
    for name, log_e in logs.items():
        object.__setattr__(gates[name], "log_e_fail", log_e)
    names = sorted(gates)
    first = combine({name: gates[name] for name in names}, names)
    second = combine({name: gates[name] for name in reversed(names)}, names[::-1])
    assert (first.verdict, first.culprits) == (second.verdict, second.culprits)
    assert first.log_e == pytest.approx(second.log_e, abs=1e-9)
    assert bool(first.culprits) == (first.verdict == "fail")
