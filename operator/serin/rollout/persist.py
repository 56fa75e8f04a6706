"""State to and from the resource's status: what survives a kill at any instant.

Everything a rollout remembers goes into the ModelDeployment's status in one write, so stage, instant and
evidence always belong together. Reading is strict: a status that cannot be read is an error with the field's
name and never an empty state, for an empty state would start a rollout anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from serin.api.reasons import Reason
from serin.rollout import clumping
from serin.rollout.persist_acts import dump_acts, dump_standing_acts, load_acts, load_standing_acts
from serin.rollout.plan import Plan
from serin.rollout.state import Attempt, End, GateState, KeptReport, Kind, Outcome, Placed, Poll, State, Step, Validated
from serin.stats import Counts
from serin.stats.constant import ConstantTest
from serin.stats.rate import RateTest
from serin.workloads.resolve import Artifact

Json = dict[str, Any]


class UnreadableStatus(ValueError):
    """The stored state is not one that this version wrote. Nothing may be decided on it."""


def dump_state(state: State) -> Json:
    """The stored part of a status: stable, candidate, rollout and outcome; absent means none."""
    stored: Json = {}
    if state.stable is not None:
        stored["stable"] = _dump_placed(state.stable)
    if state.candidate is not None:
        stored["candidate"] = _dump_placed(state.candidate)
    if state.attempt is not None:
        stored["rollout"] = _dump_attempt(state.attempt)
    if state.outcome is not None:
        stored["outcome"] = _dump_outcome(state.outcome)
    if state.poll is not None:
        stored["poll"] = _dump_poll(state.poll)
    return stored | dump_acts(state)


def load_state(status: Mapping[str, Any]) -> State:
    """The state that a status holds.

    Raises:
        UnreadableStatus: a field is not as `dump_state` writes it.
    """
    try:
        rollout = status.get("rollout")
        return State(
            stable=_load_placed(status.get("stable")),
            candidate=_load_placed(status.get("candidate")),
            attempt=_load_attempt(rollout) if rollout else None,
            outcome=_load_outcome(status["outcome"]) if status.get("outcome") else None,
            poll=_load_poll(status["poll"]) if status.get("poll") else None,
            **load_acts(status),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UnreadableStatus(f"status cannot be read: {type(error).__name__} {error}") from error


def landmark(status: Mapping[str, Any]) -> tuple[object, ...]:
    """What must be stored before anything is done about it; two statuses with equal landmarks act alike.

    Works on the stored form, for it is asked at each look, and of a status that cannot be read, too.
    """
    rollout, outcome = status.get("rollout") or {}, status.get("outcome") or {}
    evidence = rollout.get("evidence") or {}
    return (
        _landmark_of(status.get("stable")),
        _landmark_of(status.get("candidate")),
        tuple(rollout.get(name) for name in ("attempt", "kind", "stageIndex")),
        tuple((one.get("name"), one.get("tries"), one.get("verdict")) for one in evidence.get("validated") or ()),
        (evidence.get("shielded"), len(evidence.get("approvals") or ()), bool(evidence.get("order"))),
        tuple(outcome.get(name) for name in ("revision", "kind", "reason", "attempt")),
        tuple((status.get(name) or {}).get("revision") for name in ("instead", "retrying")),
        tuple(one.get("uid") for one in status.get("acted") or ()),
        tuple((status.get("poll") or {}).get(name) for name in ("of", "number", "at")),
    )


def _landmark_of(placed: Mapping[str, Any] | None) -> tuple[object, ...]:
    placed = placed or {}
    names = ("revision", "version", "slot")
    return (*(placed.get(name) for name in names), placed.get("proven", True), placed.get("adopted") or None)


def _dump_placed(placed: Placed) -> Json:
    raw: Json = {"revision": placed.revision, "version": placed.version, "slot": placed.slot}
    if not placed.proven:
        raw["proven"] = False
    if placed.adopted is not None:
        raw["adopted"] = placed.adopted
    return raw


def _load_placed(raw: Mapping[str, Any] | None) -> Placed | None:
    if not raw:
        return None
    return Placed(raw["revision"], raw["version"], raw["slot"], raw.get("proven", True), raw.get("adopted") or None)


def _dump_poll(poll: Poll) -> Json:
    return {
        "of": poll.of,
        "pinned": poll.pinned,
        "number": poll.number,
        "at": poll.at,
        **({"artifact": poll.artifact.to_status()} if poll.artifact is not None else {}),
        **({"message": poll.message} if poll.message else {}),
    }


def _load_poll(raw: Mapping[str, Any]) -> Poll:
    found = raw.get("artifact")
    artifact = Artifact.from_status(found) if found else None
    return Poll(raw["of"], raw["pinned"], int(raw["number"]), raw["at"], artifact, raw.get("message", ""))


_ATTEMPT_NUMBERS = (
    "history_since",
    "first_traffic",
    "stage_since",
    "effect_since",
    "warm_since",
    "silent_seconds",
    "unready_seconds",
    "expected",
    "seen",
    "requests_per_second",
    "placed_at",
)
_ATTEMPT_COUNTS = ("requests", "stage_requests", "stable_restarts")
_ATTEMPT_FLAGS = ("shielded", "stable_seen", "candidate_seen", "reached")


def _dump_attempt(attempt: Attempt) -> Json:
    return {
        "attempt": attempt.number,
        "kind": attempt.kind.value,
        "startedAt": attempt.started_at,
        "stageIndex": attempt.stage,
        "instant": attempt.instant,
        "activeSeconds": attempt.active_seconds,
        "soakedSeconds": attempt.soaked_seconds,
        "steps": [dump_step(step) for step in attempt.steps],
        "plan": attempt.plan.to_json(),
        "evidence": {
            **{name: getattr(attempt, name) for name in (*_ATTEMPT_NUMBERS, *_ATTEMPT_COUNTS, *_ATTEMPT_FLAGS)},
            **({"outage": list(attempt.outage)} if attempt.outage is not None else {}),
            **({"validated": [_dump_validated(one) for one in attempt.validated]} if attempt.validated else {}),
            "gates": [_dump_gate(gate) for gate in attempt.gates],
            **dump_standing_acts(attempt),
        },
    }


def _load_attempt(raw: Mapping[str, Any]) -> Attempt:
    evidence = raw["evidence"]
    numbers: dict[str, Any] = {
        **{name: float(evidence[name]) for name in _ATTEMPT_NUMBERS},
        **{name: int(evidence[name]) for name in _ATTEMPT_COUNTS},
        **{name: bool(evidence[name]) for name in _ATTEMPT_FLAGS},
    }
    return Attempt(
        number=int(raw["attempt"]),
        kind=Kind(raw["kind"]),
        plan=Plan.from_json(raw["plan"]),
        started_at=raw["startedAt"],
        stage=int(raw["stageIndex"]),
        instant=float(raw["instant"]),
        active_seconds=float(raw["activeSeconds"]),
        soaked_seconds=float(raw["soakedSeconds"]),
        gates=tuple(_load_gate(gate) for gate in evidence["gates"]),
        steps=tuple(load_step(step) for step in raw.get("steps") or ()),
        outage=_load_missing(evidence.get("outage")),
        validated=tuple(_load_validated(one) for one in evidence.get("validated") or ()),
        **load_standing_acts(evidence),
        **numbers,
    )


def _dump_gate(gate: GateState) -> Json:
    raw: Json = {
        "name": gate.name,
        "history": _dump_counts(gate.history),
        "stable": _dump_counts(gate.stable),
        "candidate": _dump_counts(gate.candidate),
        **clumping.dump(gate.overdispersion),
    }
    match gate.test:
        case RateTest():
            raw["rate"] = gate.test.to_json()
        case ConstantTest():
            raw["constant"] = gate.test.to_json()
        case None:
            pass
    if gate.missing is not None:
        raw["missing"] = list(gate.missing)
    return raw


def _load_gate(raw: Mapping[str, Any]) -> GateState:
    test: RateTest | ConstantTest | None = None
    if "rate" in raw:
        test = RateTest.from_json(raw["rate"])
    elif "constant" in raw:
        test = ConstantTest.from_json(raw["constant"])
    return GateState(
        name=raw["name"],
        test=test,
        history=Counts(*raw["history"]),
        stable=Counts(*raw["stable"]),
        candidate=Counts(*raw["candidate"]),
        missing=_load_missing(raw.get("missing")),
        overdispersion=clumping.load(raw),
    )


def _load_missing(raw: list[Any] | None) -> tuple[Reason, str] | None:
    return (Reason(raw[0]), str(raw[1])) if raw else None


def _dump_counts(counts: Counts) -> list[int]:
    return [counts.total, counts.bad]


def dump_step(step: Step) -> Json:
    """One entry of the record as it is stored."""
    return {
        "instant": step.instant,
        "at": step.at,
        "stage": step.stage,
        "weight": step.weight,
        "decision": step.decision,
        "reason": step.reason.value,
        "message": step.message,
        "gates": [dict(gate) for gate in step.gates],
        **({"actor": step.actor} if step.actor is not None else {}),
        **({"report": dump_report(step.report)} if step.report is not None else {}),
        **({"measured": [dict(gate) for gate in step.measured]} if step.measured else {}),
    }


def load_step(raw: Mapping[str, Any]) -> Step:
    """The entry that `dump_step` wrote."""
    fields = {**raw, "reason": Reason(raw["reason"]), "gates": tuple(raw.get("gates") or ())}
    fields["measured"] = tuple(raw.get("measured") or ())
    return Step(**fields | _load_report(raw))


def dump_report(report: KeptReport) -> Json:
    """What is known of a report, without what is not."""
    return {name: value for name, value in asdict(report).items() if value is not None}


def _load_report(raw: Mapping[str, Any]) -> dict[str, KeptReport]:
    return {"report": KeptReport(**raw["report"])} if raw.get("report") else {}


def _dump_validated(one: Validated) -> Json:
    stored = {**asdict(one), "report": dump_report(one.report) if one.report is not None else None}
    # A status that knows no report is as it was before there were any.
    return {name: value for name, value in stored.items() if name != "report" or value is not None}


def _load_validated(raw: Mapping[str, Any]) -> Validated:
    return Validated(**{**raw} | _load_report(raw))


def _dump_outcome(outcome: Outcome) -> Json:
    return {
        "revision": outcome.revision,
        "version": outcome.version,
        "kind": outcome.end.value,
        "reason": outcome.reason.value,
        "message": outcome.message,
        "at": outcome.at,
        "attempt": outcome.attempt,
        **({"stage": outcome.steps[-1].stage} if outcome.steps else {}),
        **({"unseen": True} if outcome.unseen else {}),
        "steps": [dump_step(step) for step in outcome.steps],
        "gates": [dict(gate) for gate in outcome.gates],
    }


def _load_outcome(raw: Mapping[str, Any]) -> Outcome:
    return Outcome(
        revision=raw["revision"],
        version=raw.get("version", ""),
        end=End(raw["kind"]),
        reason=Reason(raw["reason"]),
        message=raw.get("message", ""),
        at=raw["at"],
        attempt=int(raw.get("attempt", 1)),
        steps=tuple(load_step(step) for step in raw.get("steps") or ()),
        gates=tuple(raw.get("gates") or ()),
        unseen=bool(raw.get("unseen")),
    )
