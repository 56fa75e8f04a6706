"""How an attempt goes on, is written down, and ends: by a promotion, or with all weight back on stable."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from serin.api.reasons import Reason
from serin.rollout.decision import Decision, Note, Phase, Standing
from serin.rollout.desired import desired
from serin.rollout.instants import stamp
from serin.rollout.judge import reports
from serin.rollout.observation import Observation
from serin.rollout.plan import Bake
from serin.rollout.starting import put_in_place, resting
from serin.rollout.state import STEPS_MAX, Attempt, End, Kind, Outcome, Placed, State, Step
from serin.rollout.validation import shut, standing_of


def stay(
    seen: Observation,
    state: State,
    reason: Reason,
    message: str,
    *,
    stalled: bool = False,
    again_seconds: float | None = None,
    notes: tuple[Note, ...] = (),
) -> Decision:
    """Go on with the attempt where it is."""
    attempt = state.attempt
    assert attempt is not None  # noqa: S101 - only a running attempt can stay where it is
    return Decision(
        state=state,
        desired=desired(state, seen),
        standing=Standing("Stalled" if stalled else _phase(attempt), reason, message, stalled=stalled),
        notes=notes,
        look_again_seconds=again_seconds,
    )


def promote(
    seen: Observation,
    state: State,
    attempt: Attempt,
    candidate: Placed,
    reason: Reason,
    message: str,
    now: datetime,
    *,
    actor: str | None = None,
) -> Decision:
    """The candidate is stable from now on; what was stable before drains."""
    attempt = record(attempt, now, stage_name(attempt), 100, "promote", reason, message, actor=actor)
    outcome = _outcome(attempt, candidate, End.PROMOTED, reason, message, now)
    state = replace(state, stable=replace(candidate, proven=True), candidate=None, attempt=None, outcome=outcome)
    standing = Standing("Serving", reason, f"{candidate.revision} is stable: {message}")
    if state.instead is not None:
        # A person put it in place of what the spec asks for: that one is not promoted, whatever serves.
        standing = put_in_place(state.instead, candidate)
    return Decision(
        state=state,
        desired=desired(state, seen),
        standing=standing,
        notes=(Note("Normal", Reason.PROMOTED, f"{candidate.revision} promoted: {message}"),),
    )


def end(
    seen: Observation,
    state: State,
    attempt: Attempt,
    candidate: Placed,
    how: End,
    reason: Reason,
    message: str,
    now: datetime,
    *,
    actor: str | None = None,
) -> Decision:
    """End the attempt without a promotion: all weight to stable in one write."""
    attempt = record(attempt, now, stage_name(attempt), 0, _END_WORDS[how], reason, message, actor=actor)
    outcome = _outcome(attempt, candidate, how, reason, message, now)
    stable = state.stable
    health = seen.health.get(candidate.revision)
    opened = attempt.kind is Kind.FIRST and not shut(attempt)
    if opened and stable is None and health is not None and health.ready > 0:
        # Unproven, but it answers: its replacement takes over from it when that one is ready.
        stable = replace(candidate, proven=False)
    state = replace(state, stable=stable, candidate=None, attempt=None, outcome=outcome)
    return Decision(
        state=state,
        desired=desired(state, seen),
        standing=resting(outcome, state),
        notes=(_farewell(candidate, how, reason, message),),
        look_again_seconds=0.0 if how is End.SUPERSEDED else None,
    )


def record(
    attempt: Attempt,
    now: datetime,
    stage: str,
    weight: int,
    decision: str,
    reason: Reason,
    message: str,
    *,
    actor: str | None = None,
) -> Attempt:
    """The attempt with one more entry in its record, the oldest ones given up beyond the bound."""
    step = Step(attempt.instant, stamp(now), stage, weight, decision, reason, message, reports(attempt), actor)
    return replace(attempt, steps=(*attempt.steps, step)[-STEPS_MAX:])


def record_gap(attempt: Attempt, seconds: float) -> Attempt:
    """The attempt with the note that more than an hour went by unread: its counts are not evidence for anybody."""
    message = f"{seconds:.0f} s without readings are too long to read up; their requests are not counted"
    at = datetime.fromtimestamp(attempt.instant, UTC)
    weight = attempt.plan.stages[attempt.stage].weight if attempt.stage >= 0 else 0
    return record(attempt, at, stage_name(attempt), weight, "skip", Reason.METRICS_UNAVAILABLE, message)


def stage_name(attempt: Attempt) -> str:
    """The running stage, as people call it."""
    if attempt.stage >= 0:
        return attempt.plan.stages[attempt.stage].name
    asked = standing_of(attempt)
    return asked.name if asked is not None else "start"


def _farewell(candidate: Placed, how: End, reason: Reason, message: str) -> Note:
    if how is End.SUPERSEDED:
        return Note("Normal", reason, f"{candidate.revision} was taken back: {message}")
    return Note("Warning", reason, f"{candidate.revision}: {message}")


def _outcome(attempt: Attempt, candidate: Placed, how: End, reason: Reason, message: str, now: datetime) -> Outcome:
    return Outcome(
        revision=candidate.revision,
        version=candidate.version,
        end=how,
        reason=reason,
        message=message,
        at=stamp(now),
        attempt=attempt.number,
        steps=attempt.steps,
        gates=reports(attempt),
        unseen=shut(attempt),
    )


def _phase(attempt: Attempt) -> Phase:
    if attempt.stage < 0:
        return "Starting" if standing_of(attempt) is None else "Validating"
    return "Baking" if isinstance(attempt.plan.stages[attempt.stage], Bake) else "Canary"


_END_WORDS: dict[End, str] = {
    End.PROMOTED: "promote",
    End.ROLLED_BACK: "roll back",
    End.SUPERSEDED: "take back",
    End.ABORTED: "abort",
    End.EXPIRED: "roll back",
    End.REFUSED: "refuse",
}
