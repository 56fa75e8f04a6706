"""Conditions: what moves, what stays, and what excludes what."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from serin.api.conditions import (
    PROMOTED,
    READY,
    RECONCILING,
    STALLED,
    Condition,
    ConditionStatus,
    find_condition,
    is_true,
    remove_condition,
    set_condition,
)
from serin.api.reasons import Reason

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
LATER = NOON + timedelta(minutes=5)


def _set(
    conditions: list[Condition],
    kind: str,
    status: ConditionStatus = "True",
    reason: Reason = Reason.SERVING,
    *,
    message: str = "",
    now: datetime = NOON,
    generation: int = 1,
) -> list[Condition]:
    return set_condition(conditions, kind, status, reason, message, now=now, generation=generation)


def test_a_new_condition_carries_all_that_tools_read() -> None:
    """Type, status, reason, message, time and generation are there, in camelCase."""
    (condition,) = _set([], READY, message="iris-2 serves", generation=4)
    assert condition.to_dict() == {
        "type": "Ready",
        "status": "True",
        "reason": "Serving",
        "message": "iris-2 serves",
        "lastTransitionTime": "2026-11-21T12:00:00Z",
        "observedGeneration": 4,
    }


def test_the_time_moves_with_the_status() -> None:
    """A change of status is a transition."""
    conditions = _set(_set([], READY), READY, "False", Reason.NOT_READY, now=LATER)
    assert [condition.last_transition_time for condition in conditions] == [LATER]


def test_the_time_stays_when_only_words_change() -> None:
    """A message that counts requests is not news."""
    conditions = _set(_set([], READY), READY, reason=Reason.STABLE_DEGRADED, message="6 %", now=LATER, generation=2)
    (condition,) = conditions
    assert condition.last_transition_time == NOON
    assert (condition.reason, condition.message, condition.observed_generation) == (
        "StableDegraded",
        "6 %",
        2,
    )


def test_stalled_takes_the_place_of_reconciling() -> None:
    """With both, kstatus says InProgress for ever."""
    conditions = _set(_set([], RECONCILING, reason=Reason.ROLLING_OUT), STALLED, reason=Reason.ROLLED_BACK)
    assert [condition.type for condition in conditions] == [STALLED]


def test_an_abnormal_condition_that_ends_goes_away() -> None:
    """Absence says False."""
    assert _set(_set([], STALLED, reason=Reason.ROLLED_BACK), STALLED, "False") == []


def test_conditions_have_one_order() -> None:
    """Equal states are equal texts, whatever was set first."""
    one = _set(_set(_set([], RECONCILING), PROMOTED), READY)
    two = _set(_set(_set([], READY), PROMOTED), RECONCILING)
    assert one == two
    assert [condition.type for condition in one] == [READY, PROMOTED, RECONCILING]


def test_others_conditions_stay() -> None:
    """A condition of a type that we do not know is kept, behind ours."""
    foreign = Condition(type="Audited", status="True", reason="Ok", last_transition_time=NOON)
    assert [condition.type for condition in _set([foreign], READY)] == [READY, "Audited"]


def test_finding_and_removing() -> None:
    """A condition that is not there is neither found nor true, and removing it changes nothing."""
    conditions = _set([], READY)
    assert is_true(conditions, READY)
    assert not is_true(conditions, STALLED)
    assert find_condition(conditions, STALLED) is None
    assert remove_condition(conditions, STALLED) == conditions


@given(
    st.lists(st.tuples(st.sampled_from([READY, PROMOTED, RECONCILING, STALLED]), st.sampled_from(["True", "False"])))
)
def test_reconciling_and_stalled_are_never_both_there(steps: list[tuple[str, ConditionStatus]]) -> None:
    """Whatever is set in whatever order, each type is there once and the two exclude each other."""
    conditions: list[Condition] = []
    for kind, status in steps:
        conditions = _set(conditions, kind, status)
    kinds = [condition.type for condition in conditions]
    assert len(kinds) == len(set(kinds))
    assert not {RECONCILING, STALLED} <= set(kinds)


def test_a_time_keeps_its_fraction() -> None:
    """What is decided at a fraction of a second reads back as the same instant."""
    now = NOON + timedelta(microseconds=123)
    (condition,) = _set([], READY, now=now)
    assert condition.to_dict()["lastTransitionTime"] == "2026-11-21T12:00:00.000123Z"
    assert Condition.model_validate(condition.to_dict()).last_transition_time == now
