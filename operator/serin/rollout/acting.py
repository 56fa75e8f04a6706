"""What an act of a person does, and the answer to it.

                 an attempt of the revision runs           none runs
    Approve      counts for the stage that waits           too late
    Abort        the attempt ends, no verdict              too late
    Promote      an order that stands until it is done     too late
    Rollback     the attempt ends, Rejected                of stable: Rejected, and the one before it takes over
    Retry        nothing to retry                          another attempt, if it had failed

One act at a look, the oldest first. In a running attempt it becomes part of the attempt (an approval, an order), and
the rules give it its place among the verdicts (serin.rollout.rules).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, assert_never

from serin.api.reasons import Reason
from serin.api.rollout_action import Answer
from serin.rollout.acts import Act, Acted, Approved, Instead, Order, Retrying
from serin.rollout.decision import Decision, Note
from serin.rollout.ending import record, stage_name
from serin.rollout.instants import instant_of, stamp
from serin.rollout.observation import Observation, Past, Target
from serin.rollout.plan import Approval
from serin.rollout.rulings import RollBack, Ruling
from serin.rollout.starting import FINAL, tried
from serin.rollout.state import Attempt, End, Kind, Outcome, Placed, State, Step
from serin.rollout.validation import asked_again, shut, standing_of

# Besides those whose answer may not be written yet, as many stay for people to see.
ACTED_KEPT = 3


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to an act; note: what to tell of it besides."""

    phase: Literal["Done", "Refused", "Expired"]
    answer: Answer
    message: str
    note: Note | None = None


def next_act(seen: Observation) -> Act | None:
    """The oldest act that was not taken up yet."""
    done = {acted.uid for acted in seen.state.acted}
    return next((act for act in seen.acts if act.uid not in done), None)


def answered(decision: Decision, seen: Observation, act: Act, reply: Reply, now: datetime) -> Decision:
    """The decision with the act on its books: with that stored, it is never done again."""
    state = decision.state
    open_ones = {one.uid for one in seen.acts}
    recent = state.acted[-ACTED_KEPT:]
    kept = tuple(one for one in state.acted if one.uid in open_ones or one in recent)
    acted = Acted(act.uid, reply.phase, reply.answer, reply.message, stamp(now))
    notes = (reply.note, *decision.notes) if reply.note is not None else decision.notes
    return replace(decision, state=replace(state, acted=(*kept, acted)), notes=notes)


def after(ruling: Ruling, act: Act, reply: Reply) -> Reply:
    """The reply after the rules have spoken: nobody promotes a candidate that fails at this very look."""
    if act.action == "Promote" and reply.phase == "Done" and isinstance(ruling, RollBack):
        return Reply("Refused", Answer.GATE_FAILED, f"{act.revision} was rolled back: {ruling.message}")
    return reply


def tell_attempt(attempt: Attempt, candidate: Placed, act: Act, now: datetime) -> tuple[Attempt, Reply]:
    """Let an act into a running attempt."""
    if act.revision != candidate.revision:
        return attempt, Reply("Refused", Answer.OTHER_REVISION, f"{candidate.revision} is on trial")
    if act.created_at < instant_of(attempt.started_at):
        words = f"it was made before attempt {attempt.number} began at {attempt.started_at}"
        return attempt, Reply("Expired", Answer.ATTEMPT_OVER, words)
    match act.action:
        case "Abort":
            reply = Reply("Done", Answer.ABORTED, f"{candidate.revision} was taken back")
            return replace(attempt, order=Order("Abort", act.actor, act.words)), reply
        case "Rollback":
            reply = Reply("Done", Answer.ROLLED_BACK, f"{candidate.revision} was rolled back and is remembered")
            return replace(attempt, order=Order("Rollback", act.actor, act.words)), reply
        case "Promote":
            return _promote(attempt, candidate, act, now)
        case "Approve":
            return _approve(attempt, candidate, act, now)
        case "Retry":
            return _ask_again(attempt, candidate, act, now)
        case _:
            assert_never(act.action)


def tell_rest(seen: Observation, state: State, act: Act, now: datetime) -> tuple[State, Reply]:
    """Let an act into a state without an attempt."""
    match act.action:
        case "Approve" | "Abort" | "Promote":
            return state, _too_late(state, act)
        case "Retry":
            return _retry(seen, state, act)
        case "Rollback":
            return _roll_back(seen, state, act, now)
        case _:
            assert_never(act.action)


def _promote(attempt: Attempt, candidate: Placed, act: Act, now: datetime) -> tuple[Attempt, Reply]:
    if not act.verified:
        return attempt, _unverified(act)
    if attempt.kind is not Kind.COMPARED and not shut(attempt):
        return attempt, Reply("Refused", Answer.UNCOMPARED, "it takes all traffic by itself when its pods are ready")
    known = standing_of(attempt)
    if attempt.kind is Kind.FIRST and known is not None and known.verdict == "fail":
        return attempt, Reply("Refused", Answer.GATE_FAILED, f"stage {known.name}: {known.message}")
    words = f"{candidate.revision} skips what is left and takes all traffic when its pods are ready"
    attempt = replace(attempt, order=Order("Promote", act.actor, act.words))
    weight = attempt.plan.stages[attempt.stage].weight if attempt.stage >= 0 else 0
    message = f"promotion ordered {act.words}"
    attempt = record(attempt, now, stage_name(attempt), weight, "order", Reason.ROLLING_OUT, message, actor=act.actor)
    note = Note("Normal", Reason.ROLLING_OUT, f"{candidate.revision}: {message}")
    return attempt, Reply("Done", Answer.PROMOTING, words, note)


def _ask_again(attempt: Attempt, candidate: Placed, act: Act, now: datetime) -> tuple[Attempt, Reply]:
    """Of a first revision that data have refused: the data, too, may have been wrong."""
    anew = asked_again(attempt) if attempt.kind is Kind.FIRST else None
    if anew is None:
        return attempt, Reply("Refused", Answer.NOTHING_TO_RETRY, f"{candidate.revision} is on trial")
    stage = stage_name(attempt)
    message = f"stage {stage} is asked again {act.words}"
    anew = record(anew, now, stage, 0, "retry", Reason.VALIDATING, message, actor=act.actor)
    note = Note("Normal", Reason.VALIDATING, f"{candidate.revision}: {message}")
    return anew, Reply("Done", Answer.RETRYING, message, note)


def _approve(attempt: Attempt, candidate: Placed, act: Act, now: datetime) -> tuple[Attempt, Reply]:
    if not act.verified:
        return attempt, _unverified(act)
    if attempt.kind is not Kind.COMPARED:
        return attempt, Reply("Refused", Answer.UNCOMPARED, "this rollout has no stages")
    stage = attempt.plan.stages[attempt.stage] if attempt.stage >= 0 else None
    if not isinstance(stage, Approval) or act.stage not in (None, stage.name):
        return attempt, Reply("Refused", Answer.NOT_AWAITED, f"the rollout is at {stage_name(attempt)}")
    if any(one.actor == act.actor for one in attempt.approvals):
        return attempt, Reply("Refused", Answer.APPROVED_BEFORE, f"{act.actor} has approved stage {stage.name} before")
    if now.timestamp() >= attempt.awaiting_since + stage.expires_seconds and attempt.plan.on_timeout == "Rollback":
        return attempt, Reply("Expired", Answer.NOT_AWAITED, f"stage {stage.name} has waited too long")
    approvals = (*attempt.approvals, Approved(act.actor, stamp(now)))
    attempt = replace(attempt, approvals=approvals)
    message = f"approval {len(approvals)} of {stage.approvers} {act.words}"
    attempt = record(
        attempt, now, stage.name, stage.weight, "approve", Reason.AWAITING_APPROVAL, message, actor=act.actor
    )
    note = Note("Normal", Reason.AWAITING_APPROVAL, f"{candidate.revision}: stage {stage.name}, {message}")
    return attempt, Reply("Done", Answer.APPROVED, f"stage {stage.name}: {message}", note)


def _too_late(state: State, act: Act) -> Reply:
    ended = state.outcome
    if ended is not None and ended.revision == act.revision:
        return Reply("Expired", Answer.ATTEMPT_OVER, f"its rollout has ended: {ended.end}, {ended.message}")
    return Reply("Refused", Answer.OTHER_REVISION, f"{act.revision} is not on trial")


def _unverified(act: Act) -> Reply:
    words = (
        "this cluster does not keep people from acting in another's name: the ValidatingAdmissionPolicy of Serin is not"
        f" in force, so nobody knows who wants to {act.action.lower()} it"
    )
    return Reply("Refused", Answer.UNVERIFIED, words)


def _retry(seen: Observation, state: State, act: Act) -> tuple[State, Reply]:
    wanted, ended, instead = seen.wanted, state.outcome, state.instead
    if not isinstance(wanted, Target):
        return state, Reply("Refused", Answer.OTHER_REVISION, f"the spec asks for nothing usable: {wanted.message}")
    if act.revision != wanted.revision:
        return state, Reply("Refused", Answer.OTHER_REVISION, f"the spec asks for {wanted.revision}")
    failed = ended is not None and ended.revision == act.revision and ended.end in FINAL
    if ended is not None and failed and act.created_at < instant_of(ended.at):
        return state, Reply("Expired", Answer.ATTEMPT_OVER, f"it was made before attempt {ended.attempt} ended")
    replaced = instead is not None and instead.of == act.revision
    if not failed and not replaced and seen.past.get(act.revision) is not Past.REJECTED:
        return state, Reply("Refused", Answer.NOTHING_TO_RETRY, f"no attempt of {act.revision} has failed")
    state = replace(state, retrying=Retrying(act.revision, act.actor, act.words), instead=None)
    return state, Reply("Done", Answer.RETRYING, f"{act.revision} gets another attempt, with new evidence")


def _roll_back(seen: Observation, state: State, act: Act, now: datetime) -> tuple[State, Reply]:
    stable, wanted = state.stable, seen.wanted
    if stable is None or act.revision != stable.revision or not stable.proven:
        return state, _too_late(state, act)
    if not isinstance(wanted, Target):
        return state, Reply("Refused", Answer.OTHER_REVISION, f"the spec asks for nothing usable: {wanted.message}")
    before = next((one for one in seen.known_good if one.revision != stable.revision), None)
    if before is None:
        words = "no other revision was stable before, or its ModelRevision is gone (revisionHistoryLimit)"
        return state, Reply("Refused", Answer.NOTHING_TO_GO_BACK_TO, words)
    message = f"rolled back {act.words}"
    words = f"{stable.revision} {message}; {before.revision} takes over when its pods are ready"
    step = Step(now.timestamp(), stamp(now), "stable", 100, "roll back", Reason.ABORTED, message, actor=act.actor)
    outcome = Outcome(
        stable.revision,
        stable.version,
        End.ROLLED_BACK,
        Reason.ABORTED,
        message,
        stamp(now),
        tried(stable.revision, seen),
        (step,),
    )
    instead = Instead(wanted.revision, before.revision, before.version, f"{stable.revision} was {message}")
    note = Note("Warning", Reason.ABORTED, words)
    return replace(state, outcome=outcome, instead=instead), Reply("Done", Answer.GOING_BACK, words, note)
