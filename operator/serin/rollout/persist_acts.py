"""What people did, to and from the resource's status. Absent means none: older statuses know nothing of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from serin.api.rollout_action import Answer
from serin.rollout.acts import Acted, Approved, Instead, Order, Retrying
from serin.rollout.state import Attempt, State

Json = dict[str, Any]


def dump_acts(state: State) -> Json:
    """The fields of a status that hold what people did."""
    stored: Json = {}
    if state.instead is not None:
        stored["instead"] = asdict(state.instead)
    if state.retrying is not None:
        stored["retrying"] = asdict(state.retrying)
    if state.acted:
        stored["acted"] = [_dump_acted(acted) for acted in state.acted]
    return stored


def load_acts(status: Mapping[str, Any]) -> Json:
    """What `dump_acts` wrote, as fields of a State."""
    instead, retrying = status.get("instead"), status.get("retrying")
    return {
        "instead": Instead(**instead) if instead else None,
        "retrying": Retrying(**retrying) if retrying else None,
        "acted": tuple(_load_acted(one) for one in status.get("acted") or ()),
    }


def dump_standing_acts(attempt: Attempt) -> Json:
    """What people have said to a running attempt."""
    stored: Json = {}
    if attempt.awaiting_since:
        stored["awaiting_since"] = attempt.awaiting_since
    if attempt.approvals:
        stored["approvals"] = [asdict(one) for one in attempt.approvals]
    if attempt.order is not None:
        stored["order"] = asdict(attempt.order)
    return stored


def load_standing_acts(evidence: Mapping[str, Any]) -> Json:
    """What `dump_standing_acts` wrote, as fields of an Attempt."""
    order = evidence.get("order")
    return {
        "awaiting_since": float(evidence.get("awaiting_since") or 0.0),
        "approvals": tuple(Approved(**one) for one in evidence.get("approvals") or ()),
        "order": Order(**order) if order else None,
    }


def _dump_acted(acted: Acted) -> Json:
    names = {"uid": acted.uid, "phase": acted.phase, "reason": acted.answer.value}
    return {**names, "message": acted.message, "at": acted.at}


def _load_acted(raw: Mapping[str, Any]) -> Acted:
    return Acted(raw["uid"], raw["phase"], Answer(raw["reason"]), raw.get("message", ""), raw["at"])
