"""How much stable's bad requests clump: measured before first traffic, frozen with the test, told to everybody."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serin.api.reasons import Reason
from serin.api.status import RolloutStatus
from serin.metrics.reading import Counted, Missing, Reading, StableHistory
from serin.rollout.clumping import ASSUMED
from serin.rollout.evidence import absorb, open_gates, waiting_gates, with_soak
from serin.rollout.forecast import expect
from serin.rollout.gates import LimitGate
from serin.rollout.judge import reports
from serin.rollout.persist import UnreadableStatus, dump_state, load_state
from serin.rollout.state import Attempt, Kind, State
from serin.stats import Counts, overdispersion
from tests.unit.rollout.looks import look, plan
from tests.unit.rollout.test_evidence import AROUND, BEGAN, gate, reading

BURSTS = (Counts(600, 12), Counts(600, 0)) * 15
EVEN = (Counts(600, 6),) * 30
UNLIKE_PODS = ((Counts(300, 6),) * 30, (Counts(300, 0),) * 30)


def waiting(**changes: Any) -> Attempt:
    """An attempt whose candidate has had no traffic."""
    by = plan(**changes)
    return Attempt(1, Kind.COMPARED, by, "2026-11-21T12:00:00Z", instant=0.0, gates=waiting_gates(by))


def hour(attempt: Attempt, windows: tuple[Counts, ...], pods: tuple[tuple[Counts, ...], ...] = ()) -> Reading:
    """The reading that takes stable's history, the same for every gate."""
    total = sum(windows, Counts())
    past = StableHistory(total, windows, pods)
    names = [one.name for one in attempt.plan.rate_gates()]
    gates = {name: Counted(total, Counts()) for name in names}
    return Reading(BEGAN, 60.0 * len(windows), gates, total.total, history=dict.fromkeys(names, past), stable_seen=True)


def opened(windows: tuple[Counts, ...], pods: tuple[tuple[Counts, ...], ...] = (), **changes: Any) -> Attempt:
    """The same attempt at its first traffic."""
    attempt = waiting(**changes)
    attempt = open_gates(absorb(attempt, hour(attempt, windows, pods), AROUND))
    return with_soak(replace(attempt, stage=0, first_traffic=BEGAN, effect_since=BEGAN, warm_since=BEGAN), 60.0)


def test_what_stable_did_in_the_hour_before_is_measured_and_the_test_is_held_to_it() -> None:
    found = gate(opened(BURSTS), "errors")
    assert found.overdispersion == overdispersion(windows=BURSTS)
    assert found.overdispersion.source == "windows"
    assert found.overdispersion.value > 10
    assert found.test is not None
    assert found.test.settings.overdispersion == found.overdispersion.value


def test_where_pods_count_for_themselves_they_are_compared() -> None:
    found = gate(opened(EVEN, UNLIKE_PODS), "errors").overdispersion
    assert found == overdispersion(UNLIKE_PODS, EVEN)
    assert found.source == "pods"


def test_a_limit_gate_looks_at_the_time_only() -> None:
    """It has no stable arm beside it: what hits all pods in the same minute does not cancel."""
    limit = LimitGate("ceiling", True, "serverErrors", None, 0.01)
    found = gate(opened(EVEN, UNLIKE_PODS, gates=(limit,)), "ceiling")
    assert found.overdispersion.source == "windows"
    assert found.test is not None
    assert found.test.settings.overdispersion == found.overdispersion.value == 1.0


@pytest.mark.parametrize(
    ("sentence", "windows"),
    [
        ("a new stable has no hour behind it", ()),
        ("ten minutes are five pairs of neighbours, and ten are needed", EVEN[:10]),
        ("a stable without a bad request says nothing about clumps", (Counts(600, 0),) * 60),
    ],
)
def test_without_enough_it_is_assumed(sentence: str, windows: tuple[Counts, ...]) -> None:
    assert gate(opened(windows), "errors").overdispersion == ASSUMED, sentence


def test_what_comes_later_changes_nothing() -> None:
    """Frozen by what was before the candidate: else a verdict could be put off by the candidate's own burst."""
    attempt = opened(EVEN)
    before = gate(attempt, "errors").overdispersion
    for number in range(1, 20):
        attempt = absorb(attempt, reading(number, attempt, Counts(900, 90 * (number % 2)), Counts(100, 0)), AROUND)
    assert gate(attempt, "errors").overdispersion == before


def test_ordinary_readings_while_the_candidate_gets_ready_keep_what_was_measured() -> None:
    attempt = waiting()
    attempt = absorb(attempt, hour(attempt, BURSTS), AROUND)
    attempt = absorb(attempt, reading(1, attempt, Counts(900, 1), Counts()), AROUND)
    assert gate(attempt, "errors").overdispersion.source == "windows"
    assert gate(attempt, "errors").history == Counts(18_900, 181)


def test_a_candidate_that_is_not_scraped_yet_does_not_cost_stables_history() -> None:
    """A model server's pod that still starts made the hour before it unreadable once."""
    attempt = waiting()
    first = hour(attempt, BURSTS)
    blind = {name: Missing(Reason.NOT_ATTRIBUTABLE, "candidate: no scraped target") for name in first.gates}
    found = gate(absorb(attempt, replace(first, gates=blind), AROUND), "errors")
    assert found.history == Counts(18_000, 180)
    assert found.overdispersion.source == "windows"
    assert found.missing is not None


def test_the_same_evidence_is_worth_less_where_bad_requests_come_in_bursts() -> None:
    calm, bursts = opened(EVEN), opened(BURSTS)
    for number in range(1, 4):
        calm = absorb(calm, reading(number, calm, Counts(900, 9), Counts(100, 4)), AROUND)
        bursts = absorb(bursts, reading(number, bursts, Counts(900, 9), Counts(100, 4)), AROUND)
    first, second = gate(calm, "errors").test, gate(bursts, "errors").test
    assert first is not None
    assert second is not None
    assert first.evidence.log_e_fail > 3 * second.evidence.log_e_fail


def test_the_forecast_reckons_with_it_before_and_after_first_traffic() -> None:
    """Evidence that is worth a tenth takes ten times the requests."""
    for stage in (waiting(), None):
        needs = []
        for windows in (EVEN, BURSTS):
            attempt = opened(windows) if stage is None else absorb(stage, hour(stage, windows), AROUND)
            attempt = replace(attempt, requests_per_second=60.0)
            needs.append(expect(attempt, attempt.plan).requests["errors"])
        assert needs[1] > 5 * needs[0]


def test_the_status_says_how_much_and_from_where() -> None:
    report = next(one for one in reports(opened(BURSTS)) if one["name"] == "errors")
    phi = overdispersion(windows=BURSTS)
    assert (report["overdispersion"], report["overdispersionSource"]) == (round(phi.value, 3), "windows")
    report = next(one for one in reports(opened(())) if one["name"] == "errors")
    assert (report["overdispersion"], report["overdispersionSource"]) == (1.25, "assumed")


def stored(attempt: Attempt) -> dict[str, Any]:
    """The status of this attempt, through JSON."""
    found = look()
    state = State(found.stable, found.candidate, replace(attempt, started_at=found.attempt.started_at))
    result: dict[str, Any] = json.loads(json.dumps(dump_state(state)))
    return result


@pytest.mark.parametrize("windows", [BURSTS, EVEN, ()])
@pytest.mark.parametrize("begun", [False, True])
def test_a_restart_forgets_nothing(windows: tuple[Counts, ...], begun: bool) -> None:
    """Neither while the candidate gets ready nor afterwards; history is read once and could not be read again."""
    fresh = waiting()
    attempt = opened(windows) if begun else absorb(fresh, hour(fresh, windows), AROUND)
    loaded = load_state(stored(attempt)).attempt
    assert loaded is not None
    assert [one.overdispersion for one in loaded.gates] == [one.overdispersion for one in attempt.gates]
    assert [one.overdispersion for one in (loaded if begun else open_gates(loaded)).gates] == [
        one.overdispersion for one in attempt.gates
    ]


def test_a_status_from_before_there_was_a_measurement_is_read() -> None:
    """Its tests were begun with 1.25, and go on with it."""
    status = stored(opened(()))
    assert all("overdispersion" not in one for one in status["rollout"]["evidence"]["gates"])
    loaded = load_state(status).attempt
    assert loaded is not None
    assert {one.overdispersion for one in loaded.gates} == {ASSUMED}


@pytest.mark.parametrize("wrong", [[0.5, "pods", 9], [2.0, "guessed", 9], [2.0, "pods"], 2.0, ["2", "pods", 9]])
def test_a_stored_value_that_was_never_written_is_an_error(wrong: Any) -> None:
    status = stored(opened(BURSTS))
    status["rollout"]["evidence"]["gates"][0]["overdispersion"] = wrong
    with pytest.raises(UnreadableStatus):
        load_state(status)


counts = st.integers(1, 5000).flatmap(lambda n: st.builds(Counts, st.just(n), st.integers(0, n)))


@given(st.lists(counts, max_size=60), st.lists(st.lists(counts, min_size=8, max_size=8), max_size=4))
def test_whatever_stable_did_the_test_begins_and_comes_back(windows: list[Counts], pods: list[list[Counts]]) -> None:
    """Any history gives a phi of at least 1 that is stored and read back to the last bit, in few bytes."""
    attempt = opened(tuple(windows), tuple(map(tuple, pods)))
    loaded = load_state(stored(attempt)).attempt
    assert loaded is not None
    for before, after in zip(attempt.gates, loaded.gates, strict=True):
        assert after.overdispersion == before.overdispersion
        assert before.overdispersion.value >= 1.0
        assert after.test is not None
        assert after.test.settings.overdispersion == before.overdispersion.value


def test_the_schema_knows_it() -> None:
    fields = {"overdispersion": 1.4, "overdispersionSource": "windows"}
    raw = {"gates": [{"name": "errors", "kind": "compare", **fields}]}
    found = RolloutStatus.model_validate(raw)
    assert (found.gates[0].overdispersion, found.gates[0].overdispersion_source) == (1.4, "windows")
