"""The rules that hold: something stands in the way that waiting, or a person, can change."""

from __future__ import annotations

from datetime import UTC, datetime

from serin.api.reasons import Reason
from serin.rollout.arms import blocked, pods_needed, readiness, shared_fault, storeless
from serin.rollout.evidence import SILENT_SECONDS_MIN
from serin.rollout.forecast import expect
from serin.rollout.instants import stamp
from serin.rollout.look import Look
from serin.rollout.plan import Approval
from serin.rollout.progress import REQUESTS_MIN, finished
from serin.rollout.rulings import Hold, Ruling
from serin.rollout.state import Attempt
from serin.rollout.validation import again_in, open_validation, standing_of
from serin.rollout.windows import closed
from serin.traffic.state import Absent, Conflict, Routed


def shared_incident(look: Look) -> Ruling | None:
    """The same symptom on stable is not the candidate's fault."""
    fault = shared_fault(look.attempt, look.candidate_health, look.stable_health)
    return Hold(Reason.SHARED_INCIDENT, f"stable's pods fail like the candidate's: {fault}") if fault else None


def unready_candidate(look: Look) -> Ruling | None:
    """A weighted backend without endpoints answers 503 that no series of its own counts, so: weight 0 at once."""
    soon = look.answers_in
    health = look.candidate_health
    away = storeless(health) if look.stage is None else None
    if away is not None:
        # Before any traffic: what the metrics lack is of no interest while there is no model.
        return Hold(Reason.ARTIFACT_UNAVAILABLE, away)
    if look.stage is None or soon == 0.0:
        return None
    if soon is not None:
        message = f"the candidate is ready again and gets its traffic when the gateway knows it, in {soon:.0f} s"
        return Hold(Reason.NOT_READY, message, again_seconds=soon)
    why = blocked(health)
    reason = why[0] if why is not None else Reason.NOT_READY
    return Hold(reason, f"the candidate has no ready pod ({readiness(health)}); its traffic is on stable")


def unfit_route(look: Look) -> Ruling | None:
    """A route that cannot carry the weights is its owner's to put right."""
    match look.seen.route:
        case Conflict(reason=reason, message=message):
            return Hold(reason, message, stalled=True)
        case Absent():
            return Hold(Reason.NOT_READY, "the route is not there yet")
        case Routed():
            coarse = look.too_coarse
            if coarse is None:
                return None
            return Hold(coarse.reason, f"{coarse.message}; meanwhile stable has all of it", stalled=True)


def missing_data(look: Look) -> Ruling | None:
    """Whatever cannot be measured holds, with its own reason."""
    attempt = look.attempt
    if attempt.outage is not None:
        reason, message = attempt.outage
        return Hold(reason, f"{message}; the rollout goes on with what it has when the metrics are back")
    if not attempt.instant:
        return Hold(Reason.METRICS_UNAVAILABLE, "waiting for the metrics source's first answer")
    missing = look.judgement.missing
    if missing is not None:
        gate, reason, message = missing
        return Hold(reason, f"gate {gate}: {message}")
    compared = look.stage is None or look.stage.weight < 100
    if compared and not attempt.stable_seen:
        if look.stage is not None and attempt.candidate_seen:
            return Hold(
                Reason.NOT_ATTRIBUTABLE, "no series of stable is found any more, while the candidate's is counted"
            )
        # Before any weight moves, stable's series must have been found.
        words = "no request to stable has been counted yet; the rollout waits for traffic"
        taken = look.seen.acceptance
        return Hold(Reason.NO_TRAFFIC, words if taken.accepted else f"{words}; the route: {taken.message}")
    if look.stage is not None and attempt.silent_seconds >= max(SILENT_SECONDS_MIN, 2 * look.seen.interval_seconds):
        return Hold(Reason.NO_TRAFFIC, f"neither arm got a request for {attempt.silent_seconds:.0f} s")
    if attempt.expected >= REQUESTS_MIN and not attempt.candidate_seen:
        return Hold(
            Reason.NOT_ATTRIBUTABLE,
            f"about {attempt.expected:.0f} requests were expected at the candidate and no series of it is found;"
            " check that the preset fits the gateway",
        )
    return None


def paused(look: Look) -> Ruling | None:
    """spec.rollout.paused stops advances, never rollbacks."""
    return Hold(Reason.PAUSED, "spec.rollout.paused is true") if look.seen.paused else None


def too_little_traffic(look: Look) -> Ruling | None:
    """A rollout that cannot come to a verdict before its deadline is not begun."""
    if look.stage is not None:
        return None
    outlook = expect(look.attempt, look.plan)
    return Hold(Reason.TRAFFIC_TOO_LOW_FOR_MARGIN, outlook.advice) if outlook.advice is not None else None


def awaiting_approval(look: Look) -> Ruling | None:
    """An approval stage is left when enough people have approved it; what fails rolls back all the while."""
    stage, attempt = look.stage, look.attempt
    if not isinstance(stage, Approval) or attempt.approved:
        return None
    until = stamp(datetime.fromtimestamp(attempt.awaiting_since + stage.expires_seconds, UTC))
    message = f"stage {stage.name} waits for approval until {until}"
    if stage.approvers > 1:
        message += f", {len(attempt.approvals)} of {stage.approvers} so far"
    if attempt.approvals:
        message += f" (by {', '.join(one.actor for one in attempt.approvals)})"
    return Hold(Reason.AWAITING_APPROVAL, message)


def validating(look: Look) -> Ruling | None:
    """No traffic before every validation has passed; what could not be judged is not a pass.

    Without pods there is nobody to ask: what they wait for is said by `capacity`.
    """
    held = unvalidated(look.attempt, look.seen.job_refusal, look.now)
    return held if held is not None and capacity(look) is None else None


def unvalidated(attempt: Attempt, job_refusal: str | None, now: float) -> Hold | None:
    """What an attempt waits for before its first request; None when every validation has passed.

    now: seconds since 1970.
    """
    asked = open_validation(attempt)
    if asked is None:
        return None
    known = standing_of(attempt)
    if known is None or known.verdict is None:
        if job_refusal is not None:
            return Hold(Reason.VALIDATION_BLOCKED, f"stage {asked.name}: {job_refusal}", stalled=True)
        waits = known.message if known is not None else ""
        doing = f"stage {asked.name}: {f'its pod cannot start: {waits}' if waits else _DOING[asked.program]}"
        return Hold(Reason.VALIDATING, f"{doing}; no request reaches the candidate yet")
    again = again_in(known, asked, now)
    words = f"stage {asked.name}: {known.message}"
    if again is None:
        return Hold(Reason.VALIDATION_BLOCKED, words, stalled=True)
    # An instant and not a countdown: a message that changes at every look would be a write at every look.
    at = stamp(datetime.fromtimestamp(known.at + asked.retry_seconds, UTC))
    return Hold(Reason.VALIDATION_UNDECIDED, f"{words}; asked again at {at}", again_seconds=again)


_DOING = {"evaluate": "judged on data", "warmup": "asked until its answers settle"}


def outside_window(look: Look) -> Ruling | None:
    """The policy's windows and freezes stop the next step and nothing else."""
    why = closed(look.plan.windows, look.plan.freezes, datetime.fromtimestamp(look.now, UTC))
    return Hold(why[0], f"ready for the next step; {why[1]}") if why is not None else None


def capacity(look: Look) -> Ruling | None:
    """The next step is taken only onto pods that are there: 1.2 x replicas x weight, in full before 100 %."""
    if not finished(look):
        return None  # the stage is not over; whether the next one fits is not yet the question
    following = look.next_stage
    return room(look, following.weight if following is not None else 100)


def room(look: Look, weight: int) -> Ruling | None:
    """What is missing of the pods that this share of the traffic needs."""
    needed = pods_needed(look.seen.replicas, weight)
    health = look.candidate_health
    ready = health.ready if health is not None else 0
    if ready >= needed:
        soon = look.answers_in
        if soon == 0.0:
            return None
        return Hold(Reason.NOT_READY, "ready; the gateway gets a moment to learn of the pods", again_seconds=soon)
    if look.seen.replicas <= 0:
        return Hold(Reason.NOT_READY, "spec.serving.replicas is 0: there are no pods to try")
    why = blocked(health)
    if why is not None:
        return Hold(why[0], f"{ready} of {needed} pods ready: {why[1]}")
    return Hold(Reason.NOT_READY, f"{ready} of {needed} pods ready for {weight} % ({readiness(health)})")
