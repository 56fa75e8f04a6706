"""The decision record of a revision: what was decided about it, when, on which numbers, and how it ended.

It lives in the ModelRevision's status, is bounded, and outlives the rollout.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

from serin.api.reasons import Reason
from serin.rollout.persist import dump_report
from serin.rollout.state import End, Outcome, Step

ENTRIES_MAX = 100
BYTES_MAX = 48_000
"""Of the entries as JSON: with the rest of the object under the 64 KB that a revision's status may have."""

VERDICTS: dict[End, str] = {
    End.PROMOTED: "Stable",
    End.ROLLED_BACK: "Rejected",
    End.SUPERSEDED: "Superseded",
    End.ABORTED: "Aborted",
    End.EXPIRED: "Aborted",
    End.REFUSED: "Failed",
}


def is_recorded(outcome: Outcome, status: Mapping[str, Any]) -> bool:
    """Whether a revision's status already holds this end.

    A revision that is refused because it was rejected before keeps that verdict: nothing new was learnt of it.
    """
    return outcome.reason is Reason.PREVIOUSLY_REJECTED or (
        status.get("verdict") == VERDICTS[outcome.end]
        and status.get("attempts") == outcome.attempt
        and status.get("verdictReason") == outcome.reason.value
    )


def with_outcome(outcome: Outcome, status: Mapping[str, Any], generation: int, uid: str) -> dict[str, Any]:
    """The revision's status with this end in it. Entries that are already there are not repeated.

    uid: of the ModelDeployment whose attempt it was; a retained revision may have been stable for one before it.
    """
    kept = list(status.get("record") or ())
    there = {_key(entry) for entry in kept}
    news = [entry for step in outcome.steps if _key(entry := _entry(step, outcome.attempt)) not in there]
    entries = kept + news
    totals = Counter(status.get("recordTotals") or {})
    totals.update(entry["event"] for entry in news)
    return {
        **status,
        "observedGeneration": generation,
        "verdict": VERDICTS[outcome.end],
        "wasStable": bool(status.get("wasStable")) or outcome.end is End.PROMOTED,
        **({"stableFor": uid} if outcome.end is End.PROMOTED else {}),
        "attempts": outcome.attempt,
        "verdictReason": outcome.reason.value,
        "verdictMessage": outcome.message,
        "record": _bounded(entries),
        "recordTotals": dict(totals),
    }


def last_promotion(status: Mapping[str, Any]) -> str:
    """When the revision became stable last, as far as its record reaches back; texts that sort by time."""
    times = (str(entry.get("at")) for entry in status.get("record") or () if entry.get("event") == "promote")
    return max(times, default="")


def _key(entry: Mapping[str, Any]) -> tuple[object, ...]:
    """What tells entries apart; numbers may come back from the API server in another guise."""
    return tuple(entry.get(name) for name in ("attempt", "at", "event", "stage", "weight", "message"))


def _bounded(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The newest entries that fit the bounds; the totals still count those that do not."""
    kept: list[dict[str, Any]] = []
    size = 0
    for entry in reversed(entries[-ENTRIES_MAX:]):
        size += len(json.dumps(entry))
        if size > BYTES_MAX and kept:
            break
        kept.append(entry)
    return kept[::-1]


def _entry(step: Step, attempt: int) -> dict[str, Any]:
    return {
        "at": step.at,
        "attempt": attempt,
        "event": step.decision,
        "stage": step.stage,
        "weight": step.weight,
        "reason": step.reason.value,
        "message": step.message,
        **({"actor": step.actor} if step.actor is not None else {}),
        **({"report": dump_report(step.report)} if step.report is not None else {}),
        **({"measured": [dict(gate) for gate in step.measured]} if step.measured else {}),
        "numbers": {"instant": step.instant, "gates": [dict(gate) for gate in step.gates]},
    }
