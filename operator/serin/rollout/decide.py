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
from serin.metrics.reading import Reading
from serin.rollout import starting
from serin.rollout.decision import Decision, Note, Phase, Standing
from serin.rollout.desired import candidate_share, desired, weights
from serin.rollout.evidence import SILENT_SECONDS_MIN, absorb, open_gates, with_soak
from serin.rollout.instants import instant_of, stamp
from serin.rollout.judge import judge, reports
from serin.rollout.observation import Observation, Refused, Target
from serin.rollout.plan import Bake
from serin.rollout.rules import Advance, Hold, Look, RollBack, Shield, TakeAll, Wait, hard_fault, rule
from serin.rollout.state import Attempt, Drain, End, Kind, Outcome, Placed, State, Step
from serin.traffic.state import Routed
from serin.workloads.capacity import replicas_needed


def decide(seen: Observation, now: datetime) -> Decision:
    """Decide what happens next. `now` is aware and stamps what is written; soaks and deadlines run on the readings."""
    state = replace(seen.state, drain=_drain(seen, now))
    attempt, candidate = state.attempt, state.candidate
    if attempt is None or candidate is None:
        return _finish(starting.start(seen, state, now), seen, now)
    match seen.wanted:
        case Target(revision=revision) if revision == candidate.revision:
            decision = _go_on(seen, state, attempt, candidate, now)
        case Target(revision=revision, version=version):
            back = state.stable is not None and state.stable.revision == revision
            reason = Reason.REVERTED_BY_SPEC if back else Reason.SUPERSEDED
            decision = _end(
                seen, state, attempt, candidate, End.SUPERSEDED, reason, f"version {version} is wanted", now
            )
        case Refused(reason=reason, message=message):
            decision = _end(seen, state, attempt, candidate, End.SUPERSEDED, reason, message, now)
        case _:
            assert_never(seen.wanted)
    return _finish(decision, seen, now)


def _go_on(seen: Observation, state: State, attempt: Attempt, candidate: Placed, now: datetime) -> Decision:
    if seen.refusal is not None:
        return _end(seen, state, attempt, candidate, End.REFUSED, Reason.INVALID_TEMPLATE, seen.refusal, now)
    match attempt.kind:
        case Kind.FIRST:
            return _first(seen, state, attempt, candidate, now)
        case Kind.GO_BACK:
            return _go_back(seen, state, attempt, candidate, now)
        case Kind.COMPARED:
            return _compare(seen, state, attempt, candidate, now)
        case _:
            assert_never(attempt.kind)


def _compare(seen: Observation, state: State, attempt: Attempt, candidate: Placed, now: datetime) -> Decision:
    stable = state.stable
    assert stable is not None  # noqa: S101 - a comparison starts only beside a stable revision
    attempt = take_in(seen, state, attempt, candidate)
    state = replace(state, attempt=attempt)
    names = attempt.plan.judged(max(attempt.stage, 0))
    ruling = rule(Look(seen, attempt, judge(attempt, names), stable, candidate))
    match ruling:
        case RollBack(end=end, reason=reason, message=message):
            return _end(seen, state, attempt, candidate, end, reason, message, now)
        case Shield(reason=reason, message=message):
            return _stay(seen, state, reason, message, shielded=True)
        case Hold(reason=reason, message=message):
            return _stay(seen, state, reason, message)
        case Wait(message=message):
            return _stay(seen, state, Reason.ROLLING_OUT, message)
        case Advance(message=message):
            return _advance(seen, state, attempt, candidate, message, now)
        case TakeAll(message=message):
            return _promote(seen, state, attempt, candidate, Reason.STABLE_UNAVAILABLE, message, now)
        case _:
            assert_never(ruling)


def take_in(seen: Observation, state: State, attempt: Attempt, candidate: Placed) -> Attempt:
    """The attempt with every new reading in it, oldest first. A replay of stored metrics is this function too."""
    health = seen.health.get(candidate.revision)
    ready = health is not None and health.ready > 0
    wanted = weights(state, shielded=False)
    in_effect = ready and isinstance(seen.route, Routed) and wanted is not None and seen.route.carries(wanted)
    for reading in seen.readings:
        attempt = absorb(
            attempt,
            reading,
            weight=candidate_share(attempt),
            in_effect=in_effect,
            ready=ready,
            silent_seconds_max=max(SILENT_SECONDS_MIN, 2 * seen.interval_seconds),
            lag_seconds=seen.settle_seconds + seen.gateway_reload_seconds,
        )
    return attempt


def _advance(
    seen: Observation, state: State, attempt: Attempt, candidate: Placed, message: str, now: datetime
) -> Decision:
    following = attempt.stage + 1
    if following >= len(attempt.plan.stages):
        return _promote(seen, state, attempt, candidate, Reason.PROMOTED, "every stage is passed", now)
    stage = attempt.plan.stages[following]
    if not attempt.first_traffic:
        attempt = open_gates(attempt)
    attempt = replace(
        attempt,
        stage=following,
        first_traffic=attempt.first_traffic or attempt.instant,
        stage_since=attempt.instant,
        soaked_seconds=0.0,
        effect_since=0.0,
        # The old weight's books would blame the new weight for requests that are still to come.
        expected=0.0,
        seen=0.0,
    )
    attempt = with_soak(attempt, stage.soak_seconds)
    attempt = _record(attempt, now, stage.name, stage.weight, "advance", Reason.ROLLING_OUT, message)
    note = Note(
        "Normal", Reason.ROLLING_OUT, f"{candidate.revision}: stage {stage.name}, {stage.weight} % of the traffic"
    )
    decision = _stay(seen, replace(state, attempt=attempt), Reason.ROLLING_OUT, f"entered stage {stage.name}")
    return replace(decision, notes=(note,))


def _promote(
    seen: Observation, state: State, attempt: Attempt, candidate: Placed, reason: Reason, message: str, now: datetime
) -> Decision:
    attempt = _record(attempt, now, _stage_name(attempt), 100, "promote", reason, message)
    outcome = Outcome(
        revision=candidate.revision,
        version=candidate.version,
        end=End.PROMOTED,
        reason=reason,
        message=message,
        at=stamp(now),
        attempt=attempt.number,
        steps=attempt.steps,
        gates=reports(attempt),
    )
    state = replace(state, stable=replace(candidate, proven=True), candidate=None, attempt=None, outcome=outcome)
    return Decision(
        state=state,
        desired=desired(state, seen, shielded=False, drained=frozenset()),
        standing=Standing("Serving", reason, f"{candidate.revision} is stable: {message}"),
        notes=(Note("Normal", Reason.PROMOTED, f"{candidate.revision} promoted: {message}"),),
    )


def _end(
    seen: Observation,
    state: State,
    attempt: Attempt,
    candidate: Placed,
    end: End,
    reason: Reason,
    message: str,
    now: datetime,
) -> Decision:
    """End the attempt without a promotion: all weight to stable in one write."""
    attempt = _record(attempt, now, _stage_name(attempt), 0, _END_WORDS[end], reason, message)
    outcome = Outcome(
        revision=candidate.revision,
        version=candidate.version,
        end=end,
        reason=reason,
        message=message,
        at=stamp(now),
        attempt=attempt.number,
        steps=attempt.steps,
        gates=reports(attempt),
    )
    stable = state.stable
    health = seen.health.get(candidate.revision)
    if attempt.kind is Kind.FIRST and health is not None and health.ready > 0 and end is not End.REFUSED:
        # Unproven, but it answers: its replacement takes over from it when that one is ready.
        stable = replace(candidate, proven=False)
    state = replace(state, stable=stable, candidate=None, attempt=None, outcome=outcome)
    return Decision(
        state=state,
        desired=desired(state, seen, shielded=False, drained=frozenset()),
        standing=starting.resting(outcome, state),
        notes=(Note("Normal" if end is End.SUPERSEDED else "Warning", reason, f"{candidate.revision}: {message}"),),
        look_again_seconds=0.0 if end is End.SUPERSEDED else None,
    )


def _first(seen: Observation, state: State, attempt: Attempt, candidate: Placed, now: datetime) -> Decision:
    """Nothing proven serves: pods decide. Soaks by the cluster's clock, for no metrics are needed."""
    health = seen.health.get(candidate.revision)
    needed = replicas_needed(seen.replicas, 100)
    faults = [hard_fault(gate.restarts, gate.out_of_memory, health) for gate in attempt.plan.hard_gates()]
    fault = next((fault for fault in faults if fault is not None), None)
    limits = [gate.ready_within_seconds for gate in attempt.plan.hard_gates() if gate.ready_within_seconds is not None]
    waited = now.timestamp() - instant_of(attempt.started_at)
    if fault is None and limits and waited > min(limits) and (health is None or health.ready < needed):
        fault = f"not ready within {min(limits):g} s"
        if health is not None and health.cannot_start:
            fault += f": {health.cannot_start}"
    if fault is not None:
        stay = _stay(seen, state, Reason.FIRST_REVISION_FAILING, fault)
        return replace(stay, standing=replace(stay.standing, phase="Stalled", stalled=True))
    ready = health.ready if health is not None else 0
    if ready < needed:
        reason = Reason.INSUFFICIENT_CAPACITY if health is not None and health.pending_message else Reason.NOT_READY
        words = (health.pending_message or health.cannot_start) if health is not None else None
        message = f"{ready} of {needed} pods ready" + (f": {words}" if words else "")
        return replace(_stay(seen, state, reason, message), look_again_seconds=min([*limits, 60.0]))
    soak = attempt.plan.stages[0].soak_seconds if attempt.plan.stages else 0.0
    since = health.ready_since if health is not None and health.ready_since else now.timestamp()
    left = soak - (now.timestamp() - since)
    if left > 0 and not (state.stable is not None and not state.stable.proven):
        message = f"the first revision serves; promoted in {left:.0f} s if its pods stay ready"
        return replace(_stay(seen, state, Reason.FIRST_DEPLOYMENT, message), look_again_seconds=left)
    return _promote(seen, state, attempt, candidate, Reason.FIRST_DEPLOYMENT, "the first revision is ready", now)


def _go_back(seen: Observation, state: State, attempt: Attempt, candidate: Placed, now: datetime) -> Decision:
    """It was stable before: pods ready in full, then one write."""
    health = seen.health.get(candidate.revision)
    for gate in attempt.plan.hard_gates():
        fault = hard_fault(gate.restarts, gate.out_of_memory, health)
        if fault is not None:
            return _end(seen, state, attempt, candidate, End.ROLLED_BACK, Reason.CRASH_LOOP, fault, now)
    needed = replicas_needed(seen.replicas, 100)
    ready = health.ready if health is not None else 0
    if ready >= needed:
        return _promote(seen, state, attempt, candidate, Reason.WENT_BACK, "it was stable before", now)
    reason = Reason.INSUFFICIENT_CAPACITY if health is not None and health.pending_message else Reason.NOT_READY
    return _stay(seen, state, reason, f"{ready} of {needed} pods ready")


def _stay(seen: Observation, state: State, reason: Reason, message: str, *, shielded: bool = False) -> Decision:
    attempt = state.attempt
    assert attempt is not None  # noqa: S101 - only a running attempt can stay where it is
    baking = attempt.stage >= 0 and isinstance(attempt.plan.stages[attempt.stage], Bake)
    phase: Phase = "Baking" if baking else "Canary" if attempt.stage >= 0 else "Starting"
    return Decision(
        state=state,
        desired=desired(state, seen, shielded=shielded, drained=frozenset()),
        standing=Standing(phase, reason, message),
    )


def _finish(decision: Decision, seen: Observation, now: datetime) -> Decision:
    """Let a slot that lost its traffic drain, then scale its tenant down, whatever else was decided."""
    drain = decision.state.drain
    if drain is None:
        return decision
    if drain.finished(now.timestamp(), seen.gateway_reload_seconds):
        surplus = desired(decision.state, seen, shielded=False, drained=frozenset({drain.revision})).workloads
        extra = tuple(work for work in surplus if work.surplus)
        return replace(decision, desired=replace(decision.desired, workloads=(*decision.desired.workloads, *extra)))
    waits = [seconds for seconds in (decision.look_again_seconds, seen.gateway_reload_seconds) if seconds is not None]
    return replace(decision, look_again_seconds=min(waits))


def _drain(seen: Observation, now: datetime) -> Drain | None:
    """How far the tenant of the free slot is drained. The books begin anew after a restart, which only waits longer."""
    tenant = next((one for one in seen.occupants if one.replicas > 0), None)
    if tenant is None:
        return None
    before = seen.state.drain
    drain = before if before is not None and before.revision == tenant.revision else Drain(tenant.revision, tenant.slot)
    if not isinstance(seen.route, Routed) or seen.route.reaches(tenant.slot):
        return Drain(tenant.revision, tenant.slot)
    if not drain.weightless_at:
        return replace(drain, weightless_at=now.timestamp())
    if seen.state.attempt is not None:
        return drain  # the readings are about a candidate then; the five minutes decide
    for reading in seen.readings:
        if isinstance(reading, Reading) and reading.instant > drain.weightless_at:
            quiet = drain.quiet + 1 if reading.candidate_requests == 0 else 0
            drain = replace(drain, quiet=quiet, instant=reading.instant)
    return drain


def _record(
    attempt: Attempt, now: datetime, stage: str, weight: int, decision: str, reason: Reason, message: str
) -> Attempt:
    step = Step(attempt.instant, stamp(now), stage, weight, decision, reason, message, reports(attempt))
    return replace(attempt, steps=(*attempt.steps, step)[-STEPS_MAX:])


# Sixteen stages, their ends and a few holds; the revision's record keeps the last hundred over all attempts.
STEPS_MAX = 24

_END_WORDS: dict[End, str] = {
    End.PROMOTED: "promote",
    End.ROLLED_BACK: "roll back",
    End.SUPERSEDED: "take back",
    End.EXPIRED: "roll back",
    End.REFUSED: "refuse",
}


def _stage_name(attempt: Attempt) -> str:
    return attempt.plan.stages[attempt.stage].name if attempt.stage >= 0 else "start"
