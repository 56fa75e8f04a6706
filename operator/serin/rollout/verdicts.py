"""The rules that may end a trial: what the candidate's pods, its requests and the gates say, and the deadline."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from serin.api.reasons import Reason
from serin.rollout.acts import Order
from serin.rollout.arms import first_fault, readiness, ready_within, refused, shared_fault
from serin.rollout.expected import unanswered
from serin.rollout.forecast import hours
from serin.rollout.holds import paused, room, unfit_route
from serin.rollout.instants import stamp
from serin.rollout.judge import Judgement, describe, judge, reports
from serin.rollout.look import Look
from serin.rollout.plan import Approval
from serin.rollout.progress import still_open
from serin.rollout.rulings import Hold, RollBack, Ruling, TakeAll
from serin.rollout.state import End
from serin.rollout.validation import standing_of


def failing_pods(look: Look) -> Ruling | None:
    """Refused files, crashes and memory kills by itself fail the candidate, and so does not becoming ready in time."""
    health = look.candidate_health
    wrong = refused(health)
    if wrong is not None:
        return RollBack(End.ROLLED_BACK, Reason.ARTIFACT_REFUSED, wrong)
    found = first_fault(look.plan, health)
    if found is not None and shared_fault(look.attempt, health, look.stable_health) is None:
        gate, fault = found
        return RollBack(End.ROLLED_BACK, Reason.CRASH_LOOP, f"gate {gate.name}: {fault}")
    limit = ready_within(look.plan)
    if found is None and limit is not None and look.attempt.unready_seconds > limit:
        return RollBack(End.ROLLED_BACK, Reason.NOT_READY, f"not ready within {limit:g} s ({readiness(health)})")
    return None


def hanging_candidate(look: Look) -> Ruling | None:
    """Requests that hang never reach a counter; their absence against stable's count does."""
    attempt, stage = look.attempt, look.stage
    if stage is None or not unanswered(attempt, stage.weight):
        return None
    message = (
        f"about {attempt.expected:.0f} requests were expected at the candidate by stable's count and the weights,"
        f" {attempt.seen:.0f} were answered"
    )
    if not attempt.candidate_seen:
        message += "; no series of it was ever found, so if it did answer, the preset does not fit the gateway"
    return RollBack(End.ROLLED_BACK, Reason.CANDIDATE_UNRESPONSIVE, message)


def failing_gates(look: Look) -> Ruling | None:
    """The evidence of the required gates together reached 1/alpha."""
    return _failed(look, look.judgement)


def failing_validation(look: Look) -> Ruling | None:
    """The data have said no, before any user could."""
    known = standing_of(look.attempt)
    if known is None or known.verdict != "fail":
        return None
    return RollBack(End.ROLLED_BACK, Reason.VALIDATION_FAILED, f"stage {known.name}: {known.message}")


def ended_by_hand(look: Look) -> Ruling | None:
    """A person has ended the rollout: without a verdict (Abort), or with theirs (Rollback)."""
    match look.attempt.order:
        case Order(action="Abort", actor=actor, words=words):
            return RollBack(End.ABORTED, Reason.ABORTED, f"aborted {words}", actor)
        case Order(action="Rollback", actor=actor, words=words):
            return RollBack(End.ROLLED_BACK, Reason.ABORTED, f"rolled back {words}", actor)
        case _:
            return None


def promoted_by_hand(look: Look) -> Ruling | None:
    """A person has said Promote: past stages, approvals and windows, never past a failed gate, onto ready pods only."""
    order = look.attempt.order
    if order is None:
        return None
    names = look.plan.judged(-1)
    failed = _failed(look, judge(look.attempt, names & look.plan.absolute() if look.stable_down else names))
    if failed is not None:
        return failed
    message = f"ordered {order.words}"
    hold = unfit_route(look) or paused(look) or room(look, 100)
    if isinstance(hold, Hold):
        return replace(hold, message=f"promotion {message}; {hold.message}")
    return TakeAll(message, Reason.PROMOTED, order.actor)


def failing_ahead(look: Look) -> Ruling | None:
    """A gate that only the next stage judges has failed: more traffic would only confirm it."""
    if look.next_stage is None or look.stage is None:
        return None
    return _failed(look, judge(look.attempt, look.plan.judged(look.attempt.stage + 1)))


def _failed(look: Look, judgement: Judgement) -> Ruling | None:
    if judgement.verdict != "fail":
        return None
    numbers = {report["name"]: report for report in reports(look.attempt)}
    culprits = judgement.culprits or tuple(numbers)
    return RollBack(
        End.ROLLED_BACK,
        Reason.GATE_FAILED,
        "; ".join(describe(numbers[name]) for name in culprits if name in numbers),
    )


def stable_down(look: Look) -> Ruling | None:
    """Without a ready stable there is nothing to compare with, and nothing to go back to."""
    if not look.stable_down:
        return None
    message = f"{look.stable.revision} has no ready pod ({readiness(look.stable_health)})"
    health = look.candidate_health
    takes = look.plan.on_stable_down == "Promote" and health is not None and health.full and look.answers_in == 0.0
    if takes and not look.seen.paused:
        return TakeAll(f"{message} and onStableDown is Promote; {look.candidate.revision} is ready")
    return Hold(Reason.STABLE_UNAVAILABLE, f"{message}; only limits and hard gates are judged")


def deadline(look: Look) -> Ruling | None:
    """Measured time only: neither an outage nor a pause brings a deadline nearer."""
    plan = look.plan
    if look.attempt.active_seconds <= plan.progress_seconds:
        return None
    message = f"no verdict within {hours(plan.progress_seconds)} of measured time; {still_open(look)}"
    if plan.on_timeout == "Hold":
        return Hold(Reason.DEADLINE_EXCEEDED, f"{message}; onTimeout is Hold", stalled=True)
    return RollBack(End.EXPIRED, Reason.DEADLINE_EXCEEDED, message)


def approval_expired(look: Look) -> Ruling | None:
    """People are waited for by the clock, whatever the metrics say."""
    stage, attempt = look.stage, look.attempt
    if not isinstance(stage, Approval) or attempt.approved:
        return None
    end = attempt.awaiting_since + stage.expires_seconds
    if look.now < end:
        return None
    until = stamp(datetime.fromtimestamp(end, UTC))
    message = f"stage {stage.name} had {len(attempt.approvals)} of {stage.approvers} approvals at {until}"
    if look.plan.on_timeout == "Hold":
        return Hold(Reason.APPROVAL_EXPIRED, f"{message}; onTimeout is Hold, it can still be approved", stalled=True)
    return RollBack(End.EXPIRED, Reason.APPROVAL_EXPIRED, message)
