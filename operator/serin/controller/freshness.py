"""When a status has to be written: no write changes nothing, and numbers alone are no news.

at once                        stage, weight, stable, candidate, outcome, phase, a condition's status, generation
after a sixth of the interval  reasons: they may flicker while pods start
after the interval             messages and numbers
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from serin.rollout.persist import landmark


def due_seconds(
    stored: Mapping[str, Any], status: Mapping[str, Any], age_seconds: float, interval_seconds: float
) -> float | None:
    """In how many seconds a new status is to be written; None when the stored one says the same.

    age_seconds: since the stored one was written. interval_seconds: between two updates of mere numbers.
    """
    if _urgent(stored) != _urgent(status):
        return 0.0
    if _reasons(stored) != _reasons(status):
        return max(0.0, interval_seconds / 6 - age_seconds)
    if _rest(stored) != _rest(status):
        return max(0.0, interval_seconds - age_seconds)
    return None


def _urgent(status: Mapping[str, Any]) -> tuple[object, ...]:
    conditions = sorted((one["type"], one["status"]) for one in status.get("conditions") or ())
    weight = (status.get("rollout") or {}).get("weight")
    return (landmark(status), status.get("phase"), status.get("observedGeneration"), weight, tuple(conditions))


def _reasons(status: Mapping[str, Any]) -> tuple[object, ...]:
    conditions = sorted((one["type"], one.get("reason")) for one in status.get("conditions") or ())
    return (tuple(conditions), (status.get("rollout") or {}).get("reason"))


def _rest(status: Mapping[str, Any]) -> tuple[object, ...]:
    rollout = status.get("rollout") or {}
    messages = sorted((one["type"], one.get("message")) for one in status.get("conditions") or ())
    names = ("url", "address", "selector", "replicas")
    polled = (status.get("poll") or {}).get("message")
    return (tuple(messages), polled, rollout.get("instant"), *(status.get(name) for name in names))
