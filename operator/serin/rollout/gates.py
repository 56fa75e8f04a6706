"""The gates of a plan, with absolute numbers: rates and margins are fractions, times are seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias, assert_never

What: TypeAlias = Literal["serverErrors", "clientErrors", "slowerThan"]

# The part of the margin in which a worse candidate is not yet rolled back, where the policy names none. Errors
# are rare and each one hurts, so a quarter; latency differs between arms for innocent reasons, so half.
TOLERANCE_SHARE_ERRORS = 0.25
TOLERANCE_SHARE_LATENCY = 0.5


@dataclass(frozen=True, slots=True)
class MarginRule:
    """How much worse than stable still counts as good: plus + of_stable x stable's rate, at most `maximum`."""

    plus: float
    of_stable: float
    maximum: float


@dataclass(frozen=True, slots=True)
class CompareGate:
    """Candidate against stable, as the data plane or the model server counts."""

    name: str
    required: bool
    what: What
    objective_seconds: float | None
    margin: MarginRule
    tolerance: float | None


@dataclass(frozen=True, slots=True)
class QueryGate:
    """Candidate against stable, on two counters of the user's."""

    name: str
    required: bool
    total: str
    bad: str
    margin: MarginRule
    tolerance: float | None


@dataclass(frozen=True, slots=True)
class LimitGate:
    """Candidate against a constant rate."""

    name: str
    required: bool
    what: What
    objective_seconds: float | None
    maximum: float


@dataclass(frozen=True, slots=True)
class HardGate:
    """Facts about pods, outside alpha: they roll back at once. None switches a fact off."""

    name: str
    required: bool
    restarts: int | None
    out_of_memory: bool
    ready_within_seconds: float | None


Gate: TypeAlias = CompareGate | QueryGate | LimitGate | HardGate
RateGate: TypeAlias = CompareGate | QueryGate | LimitGate


def what_is_read(gate: RateGate) -> tuple[object, ...]:
    """What of a gate the metrics are asked for; gates that read the same may share what was read."""
    match gate:
        case QueryGate():
            return (gate.name, gate.total, gate.bad)
        case CompareGate() | LimitGate():
            return (gate.name, gate.what, gate.objective_seconds)
        case _:
            assert_never(gate)


def tolerance_of(gate: CompareGate | QueryGate, margin: float) -> float:
    """The gate's tolerance for a margin, both as fractions; never as large as the margin.

    With the margin at 1 point: errors 0.25 points, latency 0.5 points.
    """
    if gate.tolerance is not None:
        # A tolerance that reaches the margin would leave nothing between 'not bad' and 'good'.
        return min(gate.tolerance, 0.9 * margin)
    slow = isinstance(gate, CompareGate) and gate.what == "slowerThan"
    return margin * (TOLERANCE_SHARE_LATENCY if slow else TOLERANCE_SHARE_ERRORS)
