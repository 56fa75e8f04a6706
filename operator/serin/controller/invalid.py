"""A ModelDeployment that cannot be read: say so, and touch nothing. Stable serves on."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from serin.api.conditions import PROMOTED, STALLED, Condition, set_condition
from serin.api.parse import InvalidSpec

Json = dict[str, Any]


def invalid_status(raw: Json, fault: InvalidSpec, now: datetime) -> Json | None:
    """The status with the fault in its conditions; None when it says so already."""
    status: Json = dict(raw.get("status") or {})
    generation = int(raw["metadata"].get("generation", 0))
    before = [Condition.model_validate(one) for one in status.get("conditions") or ()]
    after = before
    for kind, value in ((PROMOTED, "False"), (STALLED, "True")):
        after = set_condition(
            after,
            kind,
            "True" if value == "True" else "False",
            fault.reason,
            str(fault),
            now=now,
            generation=generation,
        )
    new = status | {
        "observedGeneration": generation,
        "phase": "Stalled",
        "conditions": [condition.to_dict() for condition in after],
    }
    return new if new != status else None
