"""A ModelDeployment that cannot be read: say so, and touch nothing. Stable serves on."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from serin.api.conditions import PROMOTED, READY, STALLED, Condition, ConditionStatus, find_condition, set_condition
from serin.api.parse import InvalidSpec

Json = dict[str, Any]


def invalid_status(raw: Json, fault: InvalidSpec, now: datetime) -> Json | None:
    """The status with the fault in its conditions; None when it says so already."""
    status: Json = dict(raw.get("status") or {})
    generation = int(raw["metadata"].get("generation", 0))
    before = [Condition.model_validate(one) for one in status.get("conditions") or ()]
    after = before
    said: list[tuple[str, ConditionStatus]] = [(PROMOTED, "False"), (STALLED, "True")]
    if find_condition(before, READY) is None:
        said.append((READY, "False"))  # nothing serves yet; where something does, what was said of it stays
    for kind, value in said:
        after = set_condition(after, kind, value, fault.reason, str(fault), now=now, generation=generation)
    new = status | {
        "observedGeneration": generation,
        "phase": "Stalled",
        "conditions": [condition.to_dict() for condition in after],
    }
    return new if new != status else None
