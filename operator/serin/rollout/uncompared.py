"""Attempts without a comparison: the first deployment, and going back to what was stable before.

Pods decide, not metrics, so time here is the cluster's and no traffic blocks nothing.

    first      nothing proven serves: it takes all traffic when it is ready, and is stable when the first stage's soak
               is over and the gateway surely has its weight
    go back    it was stable before, with the same content: pods ready in full, then one write
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from serin.api.reasons import Reason
from serin.rollout.arms import (
    answers_in,
    blocked,
    excused,
    first_fault,
    pods_needed,
    readiness,
    ready_within,
    refused,
    shared_fault,
)
from serin.rollout.decision import Decision, Note
from serin.rollout.desired import weights
from serin.rollout.ending import end, promote, stay
from serin.rollout.holds import unvalidated
from serin.rollout.observation import Observation
from serin.rollout.state import Attempt, End, Placed, State
from serin.rollout.validation import shut, standing_of
from serin.traffic.state import Conflict, Routed
from serin.workloads.pods import ArmHealth

LOOK_AGAIN_SECONDS = 60.0


def first(seen: Observation, state: State, attempt: Attempt, candidate: Placed, now: datetime) -> Decision:
    """Nothing proven serves. A failure is said and waits for the next spec, for there is nothing to go back to."""
    health = seen.health.get(candidate.revision)
    attempt = replace(attempt, placed_at=_placed_at(attempt, health, now))
    attempt = replace(attempt, effect_since=_effect_since(seen, state, attempt, now))
    state = replace(state, attempt=attempt)
    wrong = refused(health)
    if wrong is not None:
        return stay(seen, state, Reason.ARTIFACT_REFUSED, wrong, stalled=True)
    found = first_fault(attempt.plan, health)
    fault = f"gate {found[0].name}: {found[1]}" if found is not None else _too_late(seen, attempt, health, now)
    if fault is not None:
        return stay(seen, state, Reason.FIRST_REVISION_FAILING, f"spec.serving.template: {fault}", stalled=True)
    wait = _not_ready(seen, state, attempt, health, now)
    if wait is not None:
        return wait
    if shut(attempt):
        return _judged(seen, state, attempt, now)
    if not attempt.first_traffic:
        attempt = replace(attempt, first_traffic=now.timestamp())
        state = replace(state, attempt=attempt)
    if state.stable is not None:
        return _replace_unproven(seen, state, state.stable, candidate, health, now)
    if not attempt.effect_since:
        return _not_routed(seen, state)
    soak = attempt.plan.stages[0].soak_seconds if attempt.plan.stages else 0.0
    ready_since = health.ready_since if health is not None and health.ready_since else now.timestamp()
    # A gateway learns of pods and weights a moment later, and Promoted says that requests are answered: a soak of 2 s
    # before a gateway that needs 5 s would say it 3 s too early.
    known_at = max(ready_since, attempt.effect_since) + seen.gateway_reload_seconds
    left = max(ready_since + soak, known_at) - now.timestamp()
    if left > 0:
        message = f"the first revision serves; promoted in {left:.0f} s if its pods stay ready"
        return stay(seen, state, Reason.FIRST_DEPLOYMENT, message, again_seconds=left)
    if seen.paused:
        return stay(seen, state, Reason.PAUSED, "spec.rollout.paused is true; the first revision serves")
    return promote(seen, state, attempt, candidate, Reason.FIRST_DEPLOYMENT, "the first revision is ready", now)


def go_back(seen: Observation, state: State, attempt: Attempt, candidate: Placed, now: datetime) -> Decision:
    """It was stable before: pods ready in full, then one write."""
    health = seen.health.get(candidate.revision)
    stable = seen.health.get(state.stable.revision) if state.stable is not None else None
    attempt = replace(attempt, placed_at=_placed_at(attempt, health, now))
    state = replace(state, attempt=attempt)
    wrong = refused(health)
    if wrong is not None:
        return end(seen, state, attempt, candidate, End.ROLLED_BACK, Reason.ARTIFACT_REFUSED, wrong, now)
    shared = shared_fault(attempt, health, stable)
    if shared is not None:
        return stay(seen, state, Reason.SHARED_INCIDENT, f"stable's pods fail like the candidate's: {shared}")
    found = first_fault(attempt.plan, health)
    if found is not None:
        message = f"gate {found[0].name}: {found[1]}"
        return end(seen, state, attempt, candidate, End.ROLLED_BACK, Reason.CRASH_LOOP, message, now)
    late = _too_late(seen, attempt, health, now)
    if late is not None:
        return end(seen, state, attempt, candidate, End.ROLLED_BACK, Reason.NOT_READY, late, now)
    wait = _not_ready(seen, state, attempt, health, now)
    if wait is not None:
        return wait
    soon = answers_in(health, now.timestamp(), seen.gateway_reload_seconds)
    if soon:
        return stay(seen, state, Reason.NOT_READY, "ready; the gateway has to learn of it", again_seconds=soon)
    if seen.paused:
        return stay(seen, state, Reason.PAUSED, "spec.rollout.paused is true; its pods are ready")
    return promote(seen, state, attempt, candidate, Reason.WENT_BACK, "it was stable before", now)


def _judged(seen: Observation, state: State, attempt: Attempt, now: datetime) -> Decision:
    """It is judged by itself before anybody sees it; one that fails waits for the next spec, like one that crashes."""
    known = standing_of(attempt)
    if known is not None and known.verdict == "fail":
        words = f"stage {known.name}: {known.message}; no request reaches it"
        return stay(seen, state, Reason.FIRST_REVISION_FAILING, words, stalled=True)
    hold = unvalidated(attempt, seen.job_refusal, now.timestamp())
    assert hold is not None  # noqa: S101 - it is shut by an open validation
    return stay(seen, state, hold.reason, hold.message, stalled=hold.stalled, again_seconds=hold.again_seconds)


def _replace_unproven(
    seen: Observation, state: State, unproven: Placed, candidate: Placed, health: ArmHealth | None, now: datetime
) -> Decision:
    """The next spec takes over from a revision that serves only for want of a better one, in one write."""
    soon = answers_in(health, now.timestamp(), seen.gateway_reload_seconds)
    if soon:
        return stay(seen, state, Reason.NOT_READY, "ready; the gateway has to learn of it", again_seconds=soon)
    if seen.paused:
        return stay(seen, state, Reason.PAUSED, f"spec.rollout.paused is true; {unproven.revision} serves")
    message = f"{candidate.revision} takes all traffic from {unproven.revision}, which was never promoted"
    note = Note("Normal", Reason.FIRST_DEPLOYMENT, message)
    state = replace(state, stable=None)
    return stay(seen, state, Reason.FIRST_DEPLOYMENT, message, again_seconds=0.0, notes=(note,))


def _effect_since(seen: Observation, state: State, attempt: Attempt, now: datetime) -> float:
    """Since when, by the cluster's clock, the route has carried the weights; 0 while it does not."""
    wanted = weights(state)
    if shut(attempt) or not isinstance(seen.route, Routed) or wanted is None or not seen.route.carries(wanted):
        return 0.0
    return attempt.effect_since or now.timestamp()


def _not_routed(seen: Observation, state: State) -> Decision:
    """Ready, and no request can reach it yet: of a route in conflict its owner is told."""
    if isinstance(seen.route, Conflict):
        return stay(seen, state, seen.route.reason, seen.route.message, stalled=True)
    message = "the pods are ready; the route does not carry their weight yet"
    return stay(seen, state, Reason.NOT_READY, message, again_seconds=1.0)


def _not_ready(
    seen: Observation, state: State, attempt: Attempt, health: ArmHealth | None, now: datetime
) -> Decision | None:
    needed = pods_needed(seen.replicas, 100)
    ready = health.ready if health is not None else 0
    if ready >= needed:
        return None
    if seen.replicas <= 0:
        return stay(seen, state, Reason.NOT_READY, "spec.serving.replicas is 0: there are no pods to wait for")
    limit = ready_within(attempt.plan)
    left = LOOK_AGAIN_SECONDS if limit is None else attempt.placed_at + limit - now.timestamp() + 1.0
    again = min(max(left, 1.0), LOOK_AGAIN_SECONDS)
    why = blocked(health)
    if why is not None:
        return stay(seen, state, why[0], f"{ready} of {needed} pods ready: {why[1]}")
    message = f"{ready} of {needed} pods ready ({readiness(health)})"
    return stay(seen, state, Reason.NOT_READY, message, again_seconds=again)


def _placed_at(attempt: Attempt, health: ArmHealth | None, now: datetime) -> float:
    """Since when no pod waits for a node or a file: only from then on is being unready the revision's own doing."""
    return now.timestamp() if excused(health) or not attempt.placed_at else attempt.placed_at


def _too_late(seen: Observation, attempt: Attempt, health: ArmHealth | None, now: datetime) -> str | None:
    limit = ready_within(attempt.plan)
    ready = health.ready if health is not None else 0
    if limit is None or ready >= pods_needed(seen.replicas, 100) or seen.replicas <= 0:
        return None
    waited = now.timestamp() - attempt.placed_at
    return f"not ready within {limit:g} s ({readiness(health)})" if waited > limit else None
