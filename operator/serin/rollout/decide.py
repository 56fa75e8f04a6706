"""An Observation goes in, a Decision comes out; pure, with one `now`.

    what is wanted          an attempt runs                  no attempt runs
    the candidate           rules decide (serin.rollout.rules)
    the stable revision     take back: reverted by spec      serve
    something else          take back: superseded            start it (serin.rollout.starting)
    nothing usable          take back, then say why          serve on, say why

Taking back is one write of the weight; what then drains and is scaled down is nobody's candidate any more, so a
new attempt can start as soon as its slot is free.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import assert_never

from serin.api.reasons import Reason
from serin.rollout import starting, validation
from serin.rollout.acting import after, answered, next_act, tell_attempt, tell_rest
from serin.rollout.acts import Instead
from serin.rollout.arms import has_pods
from serin.rollout.decision import Decision, Note, Standing
from serin.rollout.draining import drains, scaled_down
from serin.rollout.ending import end, promote, record, stay
from serin.rollout.evidence import open_gates, waiting_gates, with_soak
from serin.rollout.intake import take_in
from serin.rollout.look import Look
from serin.rollout.observation import Observation, Past, Refused, Target
from serin.rollout.plan import Approval, Plan
from serin.rollout.polling import with_poll
from serin.rollout.rules import rule
from serin.rollout.rulings import WAITING, Advance, Hold, RollBack, Ruling, TakeAll, Wait
from serin.rollout.soaking import ended_early
from serin.rollout.state import Attempt, End, Kind, Placed, State
from serin.rollout.uncompared import first, go_back
from serin.traffic.state import Routed


def decide(seen: Observation, now: datetime) -> Decision:
    """Decide what happens next. `now` is aware and stamps what is written; soaks and deadlines run on the readings."""
    state = replace(seen.state, drains=drains(seen, now), instead=_instead(seen))
    attempt, candidate = state.attempt, state.candidate
    if attempt is None or candidate is None:
        decision = _rest(seen, replace(state, attempt=None, candidate=None), now)
        return _finish(decision, seen, now)
    seen = _with_instead(seen, state.instead)
    match seen.wanted:
        case Target(revision=revision) if revision == candidate.revision:
            decision = _go_on(seen, state, attempt, candidate, now)
        case Target(revision=revision, version=version):
            stable = state.stable
            back = stable is not None and stable.proven and stable.revision == revision
            reason = Reason.REVERTED_BY_SPEC if back else Reason.SUPERSEDED
            decision = end(seen, state, attempt, candidate, End.SUPERSEDED, reason, f"version {version} is wanted", now)
        case Refused(reason=reason, message=message):
            decision = end(seen, state, attempt, candidate, End.SUPERSEDED, reason, message, now)
            decision = replace(decision, standing=Standing("Stalled", reason, message, stalled=True))
        case _:
            assert_never(seen.wanted)
    return _finish(decision, seen, now)


def _instead(seen: Observation) -> Instead | None:
    """What a person has put in place of the revision that the spec asks for; that lasts until the spec changes."""
    instead = seen.state.instead
    if instead is not None and isinstance(seen.wanted, Target) and seen.wanted.revision != instead.of:
        return None
    return instead


def _with_instead(seen: Observation, instead: Instead | None) -> Observation:
    if instead is None or not isinstance(seen.wanted, Target):
        return seen
    return replace(seen, wanted=Target(instead.revision, instead.version))


def _rest(seen: Observation, state: State, now: datetime) -> Decision:
    """Without an attempt: an act first, then what it left."""
    act = next_act(seen)
    if act is None:
        return starting.start(_with_instead(seen, state.instead), state, now)
    before = state.instead
    state, reply = tell_rest(seen, state, act, now)
    if state.instead is not None and state.instead != before:
        # That it was rejected is recorded on the revision before another attempt begins, at the next look.
        standing = Standing("RolledBack", Reason.ROLLED_BACK, reply.message, stalled=True)
        decision = starting.rest(seen, state, standing)
    else:
        decision = starting.start(_with_instead(seen, state.instead), state, now)
    return answered(decision, seen, act, reply, now)


def _go_on(seen: Observation, state: State, attempt: Attempt, candidate: Placed, now: datetime) -> Decision:
    if seen.refusal is not None:
        return end(seen, state, attempt, candidate, End.REFUSED, Reason.INVALID_TEMPLATE, seen.refusal, now)
    if (twin := _found_out(seen, attempt, candidate)) is not None:
        message = f"{starting.same_content(candidate.revision, twin)} and is not tried again by itself"
        return end(seen, state, attempt, candidate, End.REFUSED, Reason.PREVIOUSLY_REJECTED, message, now)
    stable_health = seen.health.get(state.stable.revision) if state.stable is not None else None
    if stable_health is not None and stable_health.restarts < attempt.stable_restarts:
        # Pods were replaced, and their restarts went with them.
        attempt = replace(attempt, stable_restarts=stable_health.restarts)
    if isinstance(seen.policy, Plan) and not attempt.first_traffic:
        attempt, before = _replanned(attempt, seen.policy), attempt
        if attempt.plan.reads() != before.plan.reads():
            seen = replace(seen, readings=())  # they were read for the gates of before
    match attempt.kind:
        case Kind.FIRST | Kind.GO_BACK:
            return _uncompared(seen, state, attempt, candidate, now)
        case Kind.COMPARED:
            return _compare(seen, state, attempt, candidate, now)
        case _:
            assert_never(attempt.kind)


def _found_out(seen: Observation, attempt: Attempt, candidate: Placed) -> Target | None:
    """The rejected revision whose content a uri turns out to mean, unless a person asked for another attempt."""
    untried = seen.past.get(candidate.revision, Past.UNTRIED) is Past.UNTRIED
    retried = any(step.decision == "retry" for step in attempt.steps)
    return seen.rejected_as if seen.unpinned.get(candidate.revision) is not None and untried and not retried else None


def _uncompared(seen: Observation, state: State, attempt: Attempt, candidate: Placed, now: datetime) -> Decision:
    if attempt.kind is Kind.FIRST:
        # Before any act: nobody promotes what data have refused in the meantime.
        ready = has_pods(seen.health.get(candidate.revision), seen.replicas, 100)
        attempt = validation.go_on(attempt, candidate, seen.name, seen.jobs, now, ready=ready)
    act = next_act(seen)
    if act is not None:
        attempt, reply = tell_attempt(attempt, candidate, act, now)
    order = attempt.order
    if order is not None and order.action != "Promote":
        how = End.ABORTED if order.action == "Abort" else End.ROLLED_BACK
        words = f"ended {order.words}"
        decision = end(seen, state, attempt, candidate, how, Reason.ABORTED, words, now, actor=order.actor)
    else:
        go_on = first if attempt.kind is Kind.FIRST else go_back
        decision = go_on(seen, state, attempt, candidate, now)
    return answered(decision, seen, act, reply, now) if act is not None else decision


def _replanned(attempt: Attempt, plan: Plan) -> Attempt:
    """The attempt by another policy: before first traffic nothing is decided yet.

    Where the same things are read as before, stable's history stays; else all of it is read anew.
    """
    attempt, before = replace(attempt, plan=plan, validated=validation.kept(attempt, plan)), attempt.plan
    if attempt.kind is not Kind.COMPARED or plan.reads() == before.reads():
        return attempt
    return replace(
        attempt,
        gates=waiting_gates(plan),
        instant=0.0,
        requests_per_second=0.0,
        stable_seen=False,
        candidate_seen=False,
        outage=None,
    )


def _compare(seen: Observation, state: State, attempt: Attempt, candidate: Placed, now: datetime) -> Decision:
    stable = state.stable
    assert stable is not None  # noqa: S101 - a comparison starts only beside a stable revision
    attempt = ended_early(take_in(seen, replace(state, attempt=attempt), attempt, candidate, now.timestamp()))
    ready = has_pods(seen.health.get(candidate.revision), seen.replicas, attempt.plan.stages[0].weight)
    attempt = validation.go_on(attempt, candidate, seen.name, seen.jobs, now, ready=ready)
    act = next_act(seen)
    if act is None:
        look = Look.at(seen, attempt, stable, candidate, now.timestamp())
        return _carry_out(rule(look), look, state, now)
    attempt, reply = tell_attempt(attempt, candidate, act, now)
    look = Look.at(seen, attempt, stable, candidate, now.timestamp())
    ruling = rule(look)
    return answered(_carry_out(ruling, look, state, now), seen, act, after(ruling, act, reply), now)


def _carry_out(ruling: Ruling, look: Look, state: State, now: datetime) -> Decision:
    """What a ruling means."""
    seen, attempt, candidate = look.seen, look.attempt, look.candidate
    match ruling:
        case RollBack(end=how, reason=reason, message=message, actor=actor):
            return end(seen, state, attempt, candidate, how, reason, message, now, actor=actor)
        case TakeAll(message=message, reason=reason, actor=actor):
            return promote(seen, state, attempt, candidate, reason, message, now, actor=actor)
        case Advance(message=message):
            return _advance(seen, state, attempt, candidate, message, now)
        case Hold(reason=reason, message=message, stalled=stalled, again_seconds=again):
            shielded = look.shielded or (attempt.shielded and reason not in WAITING)
            if shielded and not look.shielded:
                message += "; meanwhile the candidate gets no traffic, for it lost it before"
            attempt, notes = _shielded(attempt, candidate, reason, message, now, shielded=shielded)
            state = replace(state, attempt=attempt)
            return stay(seen, state, reason, message, stalled=stalled, again_seconds=again, notes=notes)
        case Wait(message=message):
            attempt, notes = _shielded(attempt, candidate, Reason.ROLLING_OUT, message, now, shielded=look.shielded)
            return stay(seen, replace(state, attempt=attempt), Reason.ROLLING_OUT, message, notes=notes)
        case _:
            assert_never(ruling)


def _advance(
    seen: Observation, state: State, attempt: Attempt, candidate: Placed, message: str, now: datetime
) -> Decision:
    following = attempt.stage + 1
    if following >= len(attempt.plan.stages):
        return promote(seen, state, attempt, candidate, Reason.PROMOTED, "every stage is passed", now)
    stage = attempt.plan.stages[following]
    if not attempt.first_traffic:
        attempt = open_gates(attempt)
    attempt = replace(
        attempt,
        stage=following,
        first_traffic=attempt.first_traffic or attempt.instant,
        stage_since=attempt.instant,
        stage_requests=0,
        soaked_seconds=0.0,
        effect_since=0.0,
        shielded=False,
        awaiting_since=now.timestamp() if isinstance(stage, Approval) else 0.0,
        approvals=(),
        # The old weight's books would blame the new weight for requests that are still to come.
        expected=0.0,
        seen=0.0,
    )
    attempt = with_soak(attempt, stage.soak_seconds)
    attempt = record(attempt, now, stage.name, stage.weight, "advance", Reason.ROLLING_OUT, message)
    words = f"{candidate.revision}: stage {stage.name}, {stage.weight} % of the traffic"
    notes = (Note("Normal", Reason.ROLLING_OUT, words),)
    state = replace(state, attempt=attempt)
    rises = attempt.plan.rises(following)
    entered = f"stage {stage.name} rises to {stage.weight} %" if rises else f"entered stage {stage.name}"
    return stay(seen, state, Reason.ROLLING_OUT, entered, notes=notes)


def _shielded(
    attempt: Attempt, candidate: Placed, reason: Reason, message: str, now: datetime, *, shielded: bool
) -> tuple[Attempt, tuple[Note, ...]]:
    """Take the candidate's traffic away while it cannot answer, and give it back afterwards; both are said once."""
    if shielded == attempt.shielded or attempt.stage < 0:
        return attempt, ()
    stage = attempt.plan.stages[attempt.stage]
    # Whatever is seen from now on is of another weight; and pods that come back are cold.
    attempt = replace(attempt, shielded=shielded, effect_since=0.0, warm_since=0.0, expected=0.0, seen=0.0)
    if shielded:
        attempt = record(attempt, now, stage.name, 0, "shield", reason, message)
        return attempt, (Note("Warning", reason, f"{candidate.revision} gets no traffic: {message}"),)
    words = f"{candidate.revision} gets {stage.weight} % of the traffic again"
    attempt = record(attempt, now, stage.name, stage.weight, "unshield", Reason.ROLLING_OUT, words)
    return attempt, (Note("Normal", Reason.ROLLING_OUT, words),)


def _finish(decision: Decision, seen: Observation, now: datetime) -> Decision:
    """Whatever was decided: put back weights that others changed, scale down what is drained, ask where a uri leads."""
    wanted = decision.desired.weights
    state = decision.state
    before = seen.state.carried
    if isinstance(seen.route, Routed) and before is not None and not seen.route.carries(before):
        found = seen.route.weights
        message = (
            f"somebody set the weights of slots a and b to {found.a} and {found.b}; they were {before.a} and {before.b}"
        )
        decision = replace(decision, notes=(*decision.notes, Note("Normal", Reason.WEIGHT_RESTORED, message)))
    carried = isinstance(seen.route, Routed) and wanted is not None and seen.route.carries(wanted)
    decision = replace(decision, state=replace(state, carried=wanted if carried else None))
    return with_poll(scaled_down(decision, seen, now), seen, now)
