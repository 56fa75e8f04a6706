"""What is stored and recorded: the state in the status, the decisions in the revision's record."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from serin.api.model_revision import ModelRevisionStatus
from serin.api.reasons import Reason
from serin.api.schema import structural_schema, unknown_fields
from serin.rollout.persist import UnreadableStatus, dump_state, landmark, load_state
from serin.rollout.record import is_recorded, with_outcome
from serin.rollout.state import Drain, End, Outcome, Placed, State, Step
from serin.traffic.weights import Weights
from tests.unit.rollout.looks import look

UID = "0c9e"
STEP = Step(1.0, "2026-11-21T12:00:00Z", "small", 10, "advance", Reason.ROLLING_OUT, "stage small at 10 %")
OUTCOME = Outcome(
    "iris-v2", "v2", End.ROLLED_BACK, Reason.GATE_FAILED, "errors", "2026-11-21T12:05:00Z", 2, (STEP, STEP)
)


def running() -> State:
    """A state with an attempt in it."""
    found = look()
    return State(found.stable, found.candidate, found.attempt)


def test_an_empty_status_is_an_empty_state() -> None:
    assert load_state({}) == State()
    assert dump_state(State()) == {}


@pytest.mark.parametrize("broken", ["kind", "attempt", "evidence", "plan", "stageIndex", "instant"])
def test_a_status_that_cannot_be_read_is_an_error_and_never_an_empty_state(broken: str) -> None:
    """An empty state would start a rollout anew."""
    stored = dump_state(running())
    del stored["rollout"][broken]
    with pytest.raises(UnreadableStatus, match=broken):
        load_state(stored)


@pytest.mark.parametrize(("part", "value"), [("stable", {"revision": "x"}), ("outcome", {"kind": "No"})])
def test_so_is_any_other_part(part: str, value: dict[str, Any]) -> None:
    with pytest.raises(UnreadableStatus):
        load_state({part: value})


def test_waits_and_what_the_route_carried_begin_anew_after_a_restart() -> None:
    state = replace(running(), drains=(Drain("iris-v0", "b", 1.0, 2),), carried=Weights(90, 10))
    loaded = load_state(dump_state(state))
    assert (loaded.drains, loaded.carried) == ((), None)


@pytest.mark.parametrize(
    ("sentence", "change", "moves"),
    [
        ("another stage", {"stage": 1}, True),
        ("another attempt", {"number": 2}, True),
        ("a candidate that lost its traffic", {"shielded": True}, True),
        ("more evidence", {"instant": 5.0, "requests": 7}, False),
    ],
)
def test_a_landmark_is_what_must_be_stored_before_it_is_acted_upon(
    sentence: str, change: dict[str, Any], moves: bool
) -> None:
    state = running()
    assert state.attempt is not None
    other = replace(state, attempt=replace(state.attempt, **change))
    assert (landmark(dump_state(other)) != landmark(dump_state(state))) is moves, sentence


# --- the record ---------------------------------------------------------------------------------------------------


def test_an_end_is_recorded_once() -> None:
    status = with_outcome(OUTCOME, {}, 1, UID)
    assert is_recorded(OUTCOME, status)
    assert not is_recorded(replace(OUTCOME, attempt=3), status)
    assert [entry["attempt"] for entry in with_outcome(OUTCOME, status, 1, UID)["record"]] == [2, 2]


def test_a_record_has_no_field_that_the_api_does_not_know() -> None:
    assert unknown_fields(structural_schema(ModelRevisionStatus), with_outcome(OUTCOME, {}, 1, UID)) == []


def test_a_rejection_is_not_forgotten_by_being_refused_for_it() -> None:
    """Once the record said Failed instead of Rejected, the same revision was tried again."""
    refused = replace(OUTCOME, end=End.REFUSED, reason=Reason.PREVIOUSLY_REJECTED, steps=())
    assert is_recorded(refused, with_outcome(OUTCOME, {}, 1, UID))


def test_what_was_stable_once_stays_so_in_the_record() -> None:
    promoted = with_outcome(replace(OUTCOME, end=End.PROMOTED, reason=Reason.PROMOTED), {}, 1, UID)
    assert promoted["wasStable"]
    assert with_outcome(replace(OUTCOME, end=End.SUPERSEDED, attempt=3), promoted, 1, UID)["wasStable"]


def test_totals_count_entries_that_the_record_no_longer_holds() -> None:
    status: dict[str, Any] = {}
    for number in range(1, 71):
        status = with_outcome(replace(OUTCOME, attempt=number), status, 1, UID)
    assert len(status["record"]) == 100
    assert status["recordTotals"] == {"advance": 140}
    assert status["record"][-1]["attempt"] == 70


def test_an_unproven_and_an_adopted_revision_are_stored_as_such() -> None:
    placed = Placed("iris-existing", "existing", "a", proven=False, adopted="legacy")
    assert load_state(dump_state(State(stable=placed))).stable == placed
