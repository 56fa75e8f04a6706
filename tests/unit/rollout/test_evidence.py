"""How readings become evidence, time and expectations: boundaries and bugs of the past."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from serin.api.reasons import Reason
from serin.metrics.reading import Counted, Missing, Outage, Reading
from serin.rollout.evidence import Around, absorb, margin_of, open_gates, waiting_gates, with_soak
from serin.rollout.expected import unanswered
from serin.rollout.gates import CompareGate, LimitGate, MarginRule
from serin.rollout.judge import judge
from serin.rollout.plan import Plan
from serin.rollout.state import Attempt, GateState, Kind
from serin.stats import Counts
from serin.stats.constant import ConstantTest
from serin.stats.rate import RateTest
from tests.unit.rollout.looks import plan

AROUND = Around(weight=10, in_effect=True, ready=True, held=False, silent_seconds_max=30.0, lag_seconds=0.0)
BEGAN = 1000.0


HISTORY = Counts(10_000, 10)


def begun(by: Plan | None = None, history: Counts = HISTORY) -> Attempt:
    """An attempt at its first traffic, in the first stage, with the weight in effect."""
    by = by or plan(warm_in_seconds=30.0)
    gates = tuple(replace(gate, history=history) for gate in waiting_gates(by))
    attempt = Attempt(1, Kind.COMPARED, by, "2026-11-21T12:00:00Z", instant=BEGAN, gates=gates)
    attempt = replace(open_gates(attempt), stage=0, first_traffic=BEGAN, effect_since=BEGAN, warm_since=BEGAN)
    return with_soak(attempt, 60.0)


def reading(number: int, attempt: Attempt, stable: Counts, candidate: Counts, **fields: Any) -> Reading:
    """The reading of the `number`th interval of 15 s; every gate counts the same."""
    gates = {gate.name: Counted(stable, candidate) for gate in attempt.plan.rate_gates()}
    start = {"stable_requests": stable.total, "candidate_requests": candidate.total, "gates": gates}
    return Reading(
        BEGAN + 15.0 * number, **{"seconds": 15.0, "stable_seen": True, "candidate_seen": True, **start, **fields}
    )


def gate(attempt: Attempt, name: str) -> GateState:
    """A gate by its name."""
    return next(one for one in attempt.gates if one.name == name)


@pytest.mark.parametrize(
    ("sentence", "around", "fields", "soaked", "active"),
    [
        ("an interval that was measured counts", {}, {}, 15.0, 15.0),
        ("the part that was an outage does not", {}, {"seconds": 45.0, "outage_seconds": 30.0}, 15.0, 15.0),
        ("without the weight in effect there is no soak", {"in_effect": False}, {}, 0.0, 15.0),
        ("held time counts for neither", {"held": True}, {}, 0.0, 0.0),
        ("nor does time without a series of stable", {}, {"stable_seen": False}, 0.0, 0.0),
        ("but without a holdback it does", {"weight": 100}, {"stable_seen": False}, 15.0, 15.0),
    ],
)
def test_time_goes_on_when_it_was_measured(
    sentence: str, around: dict[str, Any], fields: dict[str, Any], soaked: float, active: float
) -> None:
    attempt = begun()
    after = absorb(attempt, reading(1, attempt, Counts(900, 0), Counts(100, 0), **fields), replace(AROUND, **around))
    assert (after.soaked_seconds, after.active_seconds) == (soaked, active), sentence


def test_the_deadline_counts_from_first_traffic() -> None:
    """Pulling an image for an hour is not the candidate's trial."""
    waiting = replace(begun(), stage=-1, first_traffic=0.0)
    assert absorb(waiting, reading(1, waiting, Counts(900, 0), Counts()), AROUND).active_seconds == 0.0


def test_time_stops_in_a_silent_night() -> None:
    attempt = begun()
    for number in range(1, 101):
        attempt = absorb(attempt, reading(number, attempt, Counts(), Counts()), AROUND)
    assert attempt.silent_seconds == 1500.0
    assert attempt.active_seconds == 15.0, "the first interval is not yet a silence"


def test_an_outage_in_the_latency_gates_soak_is_no_soak() -> None:
    """The test's own clock once took the whole span of the reading that ended an outage."""
    attempt = begun()
    long = reading(1, attempt, Counts(900, 0), Counts(100, 0), seconds=3000.0, outage_seconds=2985.0)
    test = gate(absorb(attempt, long, AROUND), "errors").test
    assert test is not None
    assert test.seconds == 15.0


def test_an_outage_changes_nothing_but_its_own_words() -> None:
    attempt = begun()
    after = absorb(attempt, Outage(0.0, Reason.METRICS_UNAVAILABLE, "refused"), AROUND)
    assert replace(after, outage=None) == attempt
    assert after.outage == (Reason.METRICS_UNAVAILABLE, "refused")


def test_only_gates_that_decide_at_the_stage_stop_time_when_they_are_missing() -> None:
    by = plan()
    stages = (replace(by.stages[0], gates=("errors",)), *by.stages[1:])
    attempt = begun(plan(stages=stages))
    nothing = Missing(Reason.NO_BUCKET_AT_OBJECTIVE, "no such edge")
    one = reading(1, attempt, Counts(900, 0), Counts(100, 0))
    slow = absorb(attempt, replace(one, gates={**one.gates, "slow": nothing}), AROUND)
    errors = absorb(attempt, replace(one, gates={**one.gates, "errors": nothing}), AROUND)
    assert (slow.soaked_seconds, errors.soaked_seconds) == (15.0, 0.0)


# --- a cold arm ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("number", "counts"), [(1, False), (2, False), (3, True)])
def test_latency_gates_leave_out_intervals_that_began_within_warm_in(number: int, counts: bool) -> None:
    """The second interval ends at 30 s but began at 15 s. Errors count from the first request."""
    attempt = begun()
    after = absorb(attempt, reading(number, attempt, Counts(900, 1), Counts(100, 50)), AROUND)
    assert (gate(after, "slow").candidate.total > 0) is counts
    assert gate(after, "errors").candidate.total == 100


def test_a_reading_is_about_what_settled_so_a_cold_arm_is_left_out_longer() -> None:
    attempt = begun()
    lagging = replace(AROUND, lag_seconds=20.0)
    for number, counts in ((3, False), (4, False), (5, True)):
        after = absorb(attempt, reading(number, attempt, Counts(900, 1), Counts(100, 50)), lagging)
        assert (gate(after, "slow").candidate.total > 0) is counts


def test_an_arm_that_lost_its_traffic_is_cold_when_it_comes_back() -> None:
    attempt = begun()
    for number in range(1, 5):
        attempt = absorb(attempt, reading(number, attempt, Counts(900, 1), Counts(100, 0)), AROUND)
    before = gate(attempt, "slow")
    lost = absorb(attempt, reading(5, attempt, Counts(900, 1), Counts()), replace(AROUND, in_effect=False))
    back = absorb(lost, reading(6, lost, Counts(900, 1), Counts(100, 90)), AROUND)
    after = gate(back, "slow")
    assert after.candidate == before.candidate
    assert after.test is not None
    assert before.test is not None
    assert after.test.seconds == before.test.seconds + 30.0, "its time counts for the soak all the same"


# --- requests that were expected ----------------------------------------------------------------------------------


def test_expected_requests_come_from_stables_count_and_the_weight() -> None:
    attempt = begun()
    after = absorb(attempt, reading(1, attempt, Counts(90, 0), Counts(3, 0)), AROUND)
    assert (after.expected, after.seen) == (10.0, 3.0)


def test_nothing_is_expected_of_an_interval_before_the_weight_was_in_effect() -> None:
    """Seen live: 25 requests of stable from before a step from 50 to 95 % made 475 that never were."""
    attempt = replace(begun(), effect_since=0.0)
    at_95 = replace(AROUND, weight=95)
    first = absorb(attempt, reading(1, attempt, Counts(25, 0), Counts(25, 0)), at_95)
    second = absorb(first, reading(2, first, Counts(1, 0), Counts(19, 0)), at_95)
    assert first.expected == 0.0
    assert second.expected == pytest.approx(19.0)


@pytest.mark.parametrize(
    ("sentence", "number", "fields", "expected"),
    [
        ("nothing has come: the gateway may be late", 2, {}, 0.0),
        ("nothing has come for half a minute: the candidate is asked for it", 3, {}, 50.0),
        ("a caller went away: the gateway does send requests", 2, {"candidate_given_up": 1}, 50.0),
    ],
)
def test_a_candidate_that_no_request_has_reached_is_given_time(
    sentence: str, number: int, fields: dict[str, Any], expected: float
) -> None:
    """Seen live: a gateway on a full machine acted on a weight 12 s late, and a good version was rolled back."""
    attempt = begun()
    after = absorb(attempt, reading(number, attempt, Counts(450, 0), Counts(0, 0), **fields), AROUND)
    assert after.expected == expected, sentence


def test_whether_requests_reach_the_candidate_is_asked_anew_after_weight_0() -> None:
    attempt = replace(begun(), reached=True)
    one = reading(1, attempt, Counts(450, 0), Counts(5, 0))
    assert absorb(attempt, one, AROUND).reached
    assert not absorb(attempt, one, replace(AROUND, weight=0)).reached


def test_the_books_are_closed_when_they_agree() -> None:
    attempt = begun()
    after = absorb(attempt, reading(1, attempt, Counts(450, 0), Counts(10, 0)), AROUND)
    assert (after.expected, after.seen) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("sentence", "weight", "expected", "seen", "hangs"),
    [
        ("49 of stable's count are too few to say", 50, 49.0, 0.0, False),
        ("50 expected at half of the traffic and none seen", 50, 50.0, 0.0, True),
        ("9 of 50 seen at 10 %", 10, 50.0, 9.0, False),
        ("5 of 50 seen at 10 %", 10, 50.0, 5.0, True),
        ("a fifth is enough", 10, 500.0, 100.0, False),
        ("in bake 3 of stable alone may be chance", 95, 57.0, 0.0, False),
        ("11 seen and 4 of stable too, one look in a hundred", 95, 76.0, 11.0, False),
        ("in bake 9 of stable alone are none", 95, 171.0, 0.0, True),
        ("no weight, no expectation", 0, 500.0, 0.0, False),
        ("without a holdback nothing can be expected", 100, 500.0, 0.0, False),
    ],
)
def test_requests_hang_when_so_few_cannot_be_chance(
    sentence: str, weight: int, expected: float, seen: float, hangs: bool
) -> None:
    assert unanswered(replace(begun(), expected=expected, seen=seen), weight) is hangs, sentence


def test_requests_of_a_stage_count_when_its_weight_was_in_effect() -> None:
    attempt = replace(begun(), effect_since=0.0)
    first = absorb(attempt, reading(1, attempt, Counts(900, 0), Counts(100, 0)), AROUND)
    second = absorb(first, reading(2, first, Counts(900, 0), Counts(100, 0)), AROUND)
    assert (second.requests, second.stage_requests) == (200, 100)


# --- margins and gates --------------------------------------------------------------------------------------------


def test_the_margin_freezes_in_mid_attempt_when_stable_reaches_a_thousand() -> None:
    attempt = begun(history=Counts(100, 2))
    margins = []
    for number in range(1, 4):
        attempt = absorb(attempt, reading(number, attempt, Counts(450, 9), Counts(50, 1)), AROUND)
        test = gate(attempt, "errors").test
        assert isinstance(test, RateTest)
        margins.append(test.settings.margin)
    assert margins == [0.01, pytest.approx(0.015), pytest.approx(0.015)]


def test_a_gate_alone_fails_only_where_the_rollout_does() -> None:
    """A latched failure below the rollout's own level could neither be rolled back nor promoted."""
    attempt = begun()
    test = gate(attempt, "errors").test
    assert isinstance(test, RateTest)
    assert test.settings.alpha == attempt.plan.alpha / 2, "errors and slow are required"


@pytest.mark.parametrize("maximum", [0.01, 0.5, 0.8, 0.99])
def test_a_limit_of_any_height_can_be_tested(maximum: float) -> None:
    """At 80 % and more a quarter of it as tolerance went beyond 100 %."""
    limit = LimitGate("ceiling", True, "serverErrors", None, maximum)
    assert isinstance(gate(begun(plan(gates=(limit,))), "ceiling").test, ConstantTest)


def test_the_margin_is_known_only_after_a_thousand_requests() -> None:
    compare = CompareGate("errors", True, "serverErrors", None, MarginRule(0.002, 0.25, 0.02), None)
    assert margin_of(compare, Counts(999, 9)).value is None
    assert margin_of(compare, Counts(1000, 10)).value == pytest.approx(0.0045)


def test_a_stage_that_leaves_gates_out_weighs_the_others_as_the_whole_rollout_does() -> None:
    """The mean over all gates must not be reached by judging only the worst one first."""
    attempt = begun()
    one = reading(1, attempt, Counts(900, 1), Counts(100, 0))
    errors = Counted(Counts(900, 1), Counts(100, 9))
    attempt = absorb(attempt, replace(one, gates={**one.gates, "errors": errors}), AROUND)
    test = gate(attempt, "errors").test
    assert test is not None
    assert judge(attempt, frozenset({"errors"})).verdict == judge(attempt, attempt.plan.judged(-1)).verdict
