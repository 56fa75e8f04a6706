"""The comparison of two rates: what moves its verdict, and what never may."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serin.stats import Counts, RateSettings, RateTest
from tests.unit.stats.oracle import Slow

SETTINGS = RateSettings(margin=0.01, tolerance=0.0025, soak_seconds=60)
HISTORY = Counts(5000, 5)


def counts(most: int = 300) -> st.SearchStrategy[Counts]:
    """Any counts of up to `most` requests, many of them empty."""
    pair = st.integers(0, most).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n)))
    return st.one_of(st.just(Counts()), pair.map(lambda p: Counts(*p)))


def updates(most: int = 12) -> st.SearchStrategy[list[tuple[Counts, Counts, float]]]:
    """Any short series of updates."""
    return st.lists(st.tuples(counts(), counts(), st.sampled_from([0.0, 0.5, 15.0, 900.0])), max_size=most)


def run(test: RateTest, series: list[tuple[Counts, Counts, float]]) -> RateTest:
    """Update a test with a series."""
    for stable, candidate, seconds in series:
        test = test.update(stable, candidate, seconds)
    return test


def healthy(test: RateTest, times: int) -> RateTest:
    """Update with alike arms at 0.1 %: 1,000 requests and 1 bad one each, every 15 s."""
    return run(test, [(Counts(1000, 1), Counts(1000, 1), 15)] * times)


def test_starts_undecided() -> None:
    """A new test has no evidence, no difference, and an interval that excludes nothing."""
    evidence = RateTest(SETTINGS).evidence
    assert evidence.verdict == "undecided"
    assert evidence.log_e_fail == 0
    assert evidence.log_e_pass == pytest.approx(0, abs=1e-12)
    assert evidence.difference is None
    assert evidence.interval == (-1, 1)
    assert (evidence.stable, evidence.candidate, evidence.passed) == (Counts(), Counts(), False)


def test_a_bad_candidate_fails() -> None:
    """9 bad of 100 against 1 of 900 is a fail in a single block."""
    evidence = RateTest(SETTINGS, HISTORY).update(Counts(900, 1), Counts(100, 9), 15).evidence
    assert evidence.verdict == "fail"
    assert evidence.log_e_fail > math.log(100)
    assert evidence.difference == pytest.approx(0.09 - 1 / 900)


def test_an_equal_candidate_passes_after_the_soak_only() -> None:
    """The evidence for a pass is there after 15 s; the pass is latched at 60 s."""
    verdicts = [healthy(RateTest(SETTINGS, HISTORY), times).evidence.verdict for times in (1, 2, 3, 4)]
    assert healthy(RateTest(SETTINGS, HISTORY), 1).evidence.log_e_pass > math.log(20)
    assert verdicts == ["undecided", "undecided", "undecided", "pass"]


def test_time_counts_from_the_first_traffic_of_the_candidate() -> None:
    """An hour of stable alone does not shorten the soak."""
    test = run(RateTest(SETTINGS, HISTORY), [(Counts(1000, 1), Counts(), 900)] * 4)
    assert test.seconds == 0
    assert healthy(test, 3).evidence.verdict == "undecided"
    assert healthy(test, 4).evidence.verdict == "pass"


def test_a_pass_stays_and_a_fail_overrides_it() -> None:
    """A candidate that breaks after its pass is failed; `passed` still tells that it had passed."""
    passed = healthy(RateTest(SETTINGS, HISTORY), 10)
    broken = run(passed, [(Counts(1000, 1), Counts(1000, 300), 15)] * 2).evidence
    assert (broken.verdict, broken.passed) == ("fail", True)


def test_a_fail_stays() -> None:
    """After a fail no amount of good requests makes it anything else, and no pass is latched."""
    failed = RateTest(SETTINGS, HISTORY).update(Counts(900, 1), Counts(100, 9), 15)
    later = healthy(failed, 50).evidence
    assert later.log_e_fail < math.log(100)
    assert (later.verdict, later.passed) == ("fail", False)


def test_a_candidate_that_breaks_late_is_caught_late() -> None:
    """After six hours without fault, 10 % bad requests are a fail within a minute, not within hours."""
    long = healthy(RateTest(SETTINGS, HISTORY), 4 * 60 * 6)
    assert long.evidence.verdict == "pass"
    assert run(long, [(Counts(150, 0), Counts(150, 15), 15)] * 3).evidence.verdict == "fail"


@given(updates(6), st.lists(st.sampled_from([0.0, 15.0, 3600.0]), min_size=1, max_size=4))
@settings(max_examples=50, deadline=None)
def test_missing_data_never_changes_the_evidence(series: list[tuple[Counts, Counts, float]], idle: list[float]) -> None:
    """Updates without a request in either arm leave the evidence as it was, whatever the time."""
    test = run(RateTest(RateSettings(margin=0.05, tolerance=0.01, soak_seconds=1000), HISTORY), series)
    assert run(test, [(Counts(), Counts(), seconds) for seconds in idle]).evidence == test.evidence


@given(updates(6), st.integers(1, 5))
@settings(max_examples=30, deadline=None)
def test_splitting_an_empty_block_changes_nothing(series: list[tuple[Counts, Counts, float]], parts: int) -> None:
    """60 s without requests are the same as several updates of 60 s in all."""
    test = run(RateTest(SETTINGS, HISTORY), series)
    whole = test.update(Counts(), Counts(), 60.0 * parts)
    assert run(test, [(Counts(), Counts(), 60.0)] * parts) == whole


@given(updates(8))
@settings(max_examples=30, deadline=None)
def test_zero_updates_can_come_in_any_order(series: list[tuple[Counts, Counts, float]]) -> None:
    """Updates without requests and time can be put anywhere."""
    nothing = (Counts(), Counts(), 0.0)
    padded = [step for update in series for step in (nothing, update, nothing)]
    assert run(RateTest(SETTINGS, HISTORY), padded) == run(RateTest(SETTINGS, HISTORY), series)


def test_one_arm_alone_is_no_evidence() -> None:
    """Requests of one arm only, however bad, leave both e-values at 1."""
    for pair in ((Counts(5000, 5000), Counts()), (Counts(), Counts(5000, 5000))):
        evidence = RateTest(SETTINGS, HISTORY).update(*pair, 600).evidence
        assert evidence.log_e_fail == 0
        assert evidence.log_e_pass == pytest.approx(0, abs=1e-12)
        assert evidence.verdict == "undecided"


@given(updates(8))
@settings(max_examples=60, deadline=None)
def test_equals_the_slow_second_version(series: list[tuple[Counts, Counts, float]]) -> None:
    """The evidence of random updates is that of the plain program that goes through all blocks each time."""
    test = RateTest(SETTINGS, Counts(400, 3))
    slow = Slow(SETTINGS.margin, SETTINGS.tolerance, SETTINGS.overdispersion, (400, 3))
    for stable, candidate, seconds in series:
        test = test.update(stable, candidate, seconds)
        slow.update((stable.total, stable.bad, candidate.total, candidate.bad), seconds)
    fail, pass_ = slow.evidence()
    # rounding down costs at most a millionth a block
    assert test.evidence.log_e_fail == pytest.approx(fail, abs=2e-5)
    assert test.evidence.log_e_pass == pytest.approx(pass_, abs=2e-5) or pass_ < -690


def test_equals_the_slow_second_version_on_a_rollout() -> None:
    """The same for two hours at 1 % against 2 %, where blocks stay open and change points count."""
    rng = np.random.default_rng(7)
    test = RateTest(SETTINGS, Counts(3000, 30))
    slow = Slow(SETTINGS.margin, SETTINGS.tolerance, SETTINGS.overdispersion, (3000, 30))
    for _ in range(200):
        n0, n1 = int(rng.poisson(60)), int(rng.poisson(7))
        x0, x1 = int(rng.binomial(n0, 0.01)), int(rng.binomial(n1, 0.02))
        test = test.update(Counts(n0, x0), Counts(n1, x1), 36)
        slow.update((n0, x0, n1, x1), 36)
    fail, pass_ = slow.evidence()
    assert test.evidence.log_e_fail == pytest.approx(fail, abs=3e-4)
    assert test.evidence.log_e_pass == pytest.approx(pass_, abs=3e-4)


def test_the_soak_of_the_next_stage() -> None:
    """A longer soak keeps a pass that is latched already, and delays one that is not."""
    early, passed = healthy(RateTest(SETTINGS, HISTORY), 3), healthy(RateTest(SETTINGS, HISTORY), 4)
    assert passed.with_soak(600).evidence == passed.evidence
    assert healthy(early.with_soak(600), 36).evidence.verdict == "undecided"
    assert healthy(early.with_soak(600), 37).evidence.verdict == "pass"
    assert early.with_soak(30).evidence.verdict == "undecided"  # no data came with it
    assert healthy(early.with_soak(30), 1).evidence.verdict == "pass"


def test_a_margin_can_grow_and_a_tolerance_can_fall() -> None:
    """Freezing the margin keeps the evidence and closes the open block under the old margin."""
    first = RateTest(RateSettings(margin=0.002, tolerance=0.005), HISTORY)
    first = run(first, [(Counts(1000, 1), Counts(200, 0), 15), (Counts(100, 0), Counts(5, 5), 15)])
    frozen = first.with_margin(0.0045, 0.001125)
    assert frozen.settings.margin == 0.0045
    assert frozen.evidence.stable == first.evidence.stable
    assert frozen.evidence.log_e_fail > first.evidence.log_e_fail + 1  # the five bad requests were still open
    assert frozen.with_margin(0.0045, 0.001125) is frozen


@pytest.mark.parametrize(("margin", "tolerance", "want"), [(0.009, 0.0025, "margin"), (0.01, 0.003, "tolerance")])
def test_a_margin_never_shrinks(margin: float, tolerance: float, want: str) -> None:
    """A smaller margin or a larger tolerance would be a null that the evidence was not collected against."""
    with pytest.raises(ValueError, match=want):
        RateTest(SETTINGS).with_margin(margin, tolerance)


def test_immutable() -> None:
    """An update leaves the test it comes from as it was, and nothing can be written into it."""
    test = RateTest(SETTINGS, HISTORY)
    before = test.to_json()
    test.update(Counts(900, 1), Counts(100, 9), 15)
    assert test.to_json() == before
    with pytest.raises(AttributeError):
        test.settings = SETTINGS  # type: ignore[misc]
    with pytest.raises(ValueError, match="read-only"):
        test.row[0] = 1


@pytest.mark.parametrize("seconds", [math.nan, math.inf, -1, "15", None, 1e300])
def test_impossible_seconds(seconds: object) -> None:
    """Seconds that cannot be are a ValueError that names them."""
    with pytest.raises(ValueError, match="seconds"):
        RateTest(SETTINGS).update(Counts(1, 0), Counts(1, 0), seconds)  # type: ignore[arg-type]


def test_total_overflow() -> None:
    """Totals beyond 2^53 are an error that names the arm, not a verdict."""
    test = RateTest(SETTINGS).update(Counts(2**52, 0), Counts(2**53, 0), 15)
    with pytest.raises(ValueError, match=r"candidate .*2\^53"):
        test.update(Counts(1, 0), Counts(1, 0), 15)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("alpha", 0), ("alpha", 1), ("alpha", math.nan), ("beta", -0.1), ("beta", "5%"), ("margin", 0),
        ("margin", 1), ("margin", math.inf), ("tolerance", -0.001), ("tolerance", 1), ("soak_seconds", -1),
        ("soak_seconds", math.inf), ("overdispersion", 0.99), ("overdispersion", math.nan), ("alpha", True),
    ],
)  # fmt: skip
def test_impossible_settings(field: str, value: object) -> None:
    """A setting out of its range is a ValueError that names it."""
    with pytest.raises(ValueError, match=field):
        RateSettings(**{field: value})  # type: ignore[arg-type]


@given(
    margin=st.floats(1e-6, 0.999), tolerance=st.floats(0, 0.999), phi=st.floats(1, 100),
    history=counts(10**6), series=updates(5),
)  # fmt: skip
@settings(max_examples=100, deadline=None)
def test_any_settings_give_finite_evidence(
    margin: float, tolerance: float, phi: float, history: Counts, series: list[tuple[Counts, Counts, float]]
) -> None:
    """Whatever the settings and counts, the evidence is finite and the interval ordered."""
    test = run(RateTest(RateSettings(margin=margin, tolerance=tolerance, overdispersion=phi), history), series)
    evidence = test.evidence
    assert math.isfinite(evidence.log_e_fail)
    assert math.isfinite(evidence.log_e_pass)
    lower, upper = evidence.interval
    assert -1 <= lower <= upper <= 1
    if evidence.difference is not None:
        assert lower <= evidence.difference <= upper


@pytest.mark.parametrize("stable", [Counts(2**50, 0), Counts(2**50, 2**50), Counts(2**50, 2**49)])
@pytest.mark.parametrize("candidate", [Counts(2**50, 0), Counts(2**50, 2**50), Counts(2**50, 2**49)])
def test_enormous_counts_at_the_edges(stable: Counts, candidate: Counts) -> None:
    """With 10^15 requests, all good or all bad, the worse of two arms fails and the other does not.

    At the latest in the second block, when the guess of stable's rate knows that stable has changed.
    """
    evidence = run(RateTest(SETTINGS, HISTORY), [(stable, candidate, 3600)] * 2).evidence
    assert math.isfinite(evidence.log_e_fail)
    assert math.isfinite(evidence.log_e_pass)
    if candidate.bad > stable.bad:
        assert evidence.verdict == "fail"
    else:
        assert evidence.verdict != "fail"
