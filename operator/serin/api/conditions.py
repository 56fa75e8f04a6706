"""Conditions: how tools learn whether a ModelDeployment is well, without knowing anything about Serin.

    Ready        the stable revision serves                                   always present
    Promoted     the revision that the spec asks for is the stable one        always present
    Reconciling  work is under way, wait                                      only while True
    Stalled      waiting will not help, somebody has to do something          only while True

Positive summaries are always there; abnormal ones appear only while true (Gateway API, GEP-1364). Reconciling
and Stalled exclude each other: with both, kstatus says InProgress and `wait` hangs on a deployment that needs
a person. After a rollback Ready is True (stable serves), Promoted False and Stalled True, so that GitOps
tools go red.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal

from serin.api.reasons import Reason
from serin.api.resource import ApiModel, Timestamp

READY = "Ready"
PROMOTED = "Promoted"
RECONCILING = "Reconciling"
STALLED = "Stalled"

ConditionStatus = Literal["True", "False", "Unknown"]

_ORDER = (READY, PROMOTED, RECONCILING, STALLED)
_EXCLUDES = {RECONCILING: STALLED, STALLED: RECONCILING}


class Condition(ApiModel):
    """One aspect of the resource's state, in the shape that all of Kubernetes uses."""

    type: str
    """What is said: Ready, Promoted, Reconciling or Stalled."""
    status: ConditionStatus
    """True, False or Unknown."""
    reason: str
    """Why, in one CamelCase word from a closed list."""
    message: str = ""
    """Why, in a sentence: what was seen, the value, the limit, and what happens next."""
    last_transition_time: Timestamp
    """When `status` last changed; a new reason or message does not move it."""
    observed_generation: int = 0
    """The metadata.generation that this was said about."""


def find_condition(conditions: Iterable[Condition], kind: str) -> Condition | None:
    """Return the condition of a type, if there is one."""
    return next((condition for condition in conditions if condition.type == kind), None)


def is_true(conditions: Iterable[Condition], kind: str) -> bool:
    """Say whether a condition is there and True."""
    found = find_condition(conditions, kind)
    return found is not None and found.status == "True"


def remove_condition(conditions: Iterable[Condition], kind: str) -> list[Condition]:
    """Return the conditions without the one of a type."""
    return [condition for condition in conditions if condition.type != kind]


def set_condition(
    conditions: Sequence[Condition],
    kind: str,
    status: ConditionStatus,
    reason: Reason,
    message: str,
    *,
    now: datetime,
    generation: int,
) -> list[Condition]:
    """Return the conditions with one of them set.

    `lastTransitionTime` moves only when the status changes, so that a message which counts requests does not
    look like news. Setting Reconciling to True removes Stalled, and the other way round; either set to False
    is removed, because their absence says the same. The order is always that of this module, so that equal
    states are equal texts.
    """
    before = find_condition(conditions, kind)
    rest = remove_condition(conditions, kind)
    if kind in _EXCLUDES:
        if status != "True":
            return rest
        rest = remove_condition(rest, _EXCLUDES[kind])
    moved = before is None or before.status != status
    condition = Condition(
        type=kind,
        status=status,
        reason=reason.value,
        message=message,
        last_transition_time=now if moved or before is None else before.last_transition_time,
        observed_generation=generation,
    )
    return sorted([*rest, condition], key=_position)


def _position(condition: Condition) -> int:
    return _ORDER.index(condition.type) if condition.type in _ORDER else len(_ORDER)
