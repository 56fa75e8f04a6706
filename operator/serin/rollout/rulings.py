"""What a rule may say about a running comparison: a closed set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from serin.api.reasons import Reason
from serin.rollout.state import End


@dataclass(frozen=True, slots=True)
class RollBack:
    """The candidate failed: all weight to stable in one write."""

    end: End
    reason: Reason
    message: str
    actor: str | None = None


@dataclass(frozen=True, slots=True)
class Hold:
    """Stay at the weight; something stands in the way that waiting or a person can change.

    stalled: only a person can. again_seconds: when to look again though nothing happens.
    """

    reason: Reason
    message: str
    stalled: bool = False
    again_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """Stay at the weight; all is well and time or traffic is still to come."""

    message: str


@dataclass(frozen=True, slots=True)
class Advance:
    """The next stage, or after the last one the promotion."""

    message: str


@dataclass(frozen=True, slots=True)
class TakeAll:
    """All traffic at once: stable is down and the policy lets a ready candidate take over, or a person says so."""

    message: str
    reason: Reason = Reason.STABLE_UNAVAILABLE
    actor: str | None = None


Ruling: TypeAlias = RollBack | Hold | Wait | Advance | TakeAll

# Holds of a rollout that is well and only waits for more: they keep nothing from a candidate that can answer again.
WAITING = frozenset(
    {
        Reason.TOO_FEW_SAMPLES,
        Reason.MARGIN_UNRESOLVED,
        Reason.TRAFFIC_TOO_LOW_FOR_MARGIN,
        Reason.INSUFFICIENT_CAPACITY,
        Reason.ARTIFACT_UNAVAILABLE,
        Reason.AWAITING_APPROVAL,
    }
)
