"""What to do when no attempt runs: serve, start one, go back, or say what is in the way."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import assert_never

from serin.api.names import SLOTS, Slot, other
from serin.api.reasons import Reason
from serin.rollout.acts import Instead, Retrying
from serin.rollout.arms import is_down, readiness
from serin.rollout.decision import Decision, Note, Standing
from serin.rollout.desired import desired
from serin.rollout.evidence import waiting_gates
from serin.rollout.instants import instant_of, stamp
from serin.rollout.observation import Observation, Occupant, Past, Refused, Target
from serin.rollout.plan import Plan
from serin.rollout.state import Attempt, End, Kind, Outcome, Placed, State, Step
from serin.traffic.state import Conflict, Routed
from serin.traffic.weights import Weights


def start(seen: Observation, state: State, now: datetime) -> Decision:
    """Decide for a ModelDeployment without a candidate.

    The order: what is wrong with the spec, what serves already, what ended before, what is in the way, start.
    """
    if state.stable is None and seen.adoptable is not None:
        state = replace(state, stable=adopted(seen.name, seen.adoptable))
    if state.stable is None:
        state = replace(state, stable=_answers_again(seen, state))
    match seen.wanted:
        case Refused(reason=reason, message=message):
            return rest(seen, state, Standing("Stalled", reason, message, stalled=True))
        case Target() as target:
            pass
        case _:
            assert_never(seen.wanted)
    if isinstance(seen.route, Conflict):
        return rest(seen, state, Standing("Stalled", seen.route.reason, seen.route.message, stalled=True))
    retrying = state.retrying is not None and state.retrying.revision == target.revision
    if not retrying:
        state = replace(state, retrying=None)  # the spec asks for something else by now
    if state.stable is not None and state.stable.proven and state.stable.revision == target.revision:
        decision = _serve(seen, replace(state, retrying=None), target)
        if isinstance(seen.policy, Refused) and seen.policy.own:
            words = Standing("Stalled", seen.policy.reason, seen.policy.message, stalled=True)
            decision = replace(decision, standing=words)
        return decision
    ended = state.outcome
    if ended is not None and ended.revision == target.revision and ended.end in FINAL and not retrying:
        return rest(seen, state, resting(ended, state))
    rejected = _rejected_before(seen, target) if not retrying else None
    if rejected is not None:
        message = f"{rejected} and is not tried again by itself"
        outcome = _refused(seen, target, Reason.PREVIOUSLY_REJECTED, message, now)
        state = replace(state, outcome=outcome)
        return rest(seen, state, resting(outcome, state))
    if isinstance(seen.policy, Refused):
        return rest(seen, state, Standing("Stalled", seen.policy.reason, seen.policy.message, stalled=True))
    if isinstance(seen.route, Routed) and (too_coarse := _too_coarse(seen.route, seen.policy)) is not None:
        return rest(seen, state, Standing("Stalled", too_coarse.reason, too_coarse.message, stalled=True))
    slot = _slot_for(target, state, seen)
    if isinstance(slot, Occupant):
        message = f"{target.revision} starts when slot {slot.slot} is free of {slot.revision} ({slot.pods} pods)"
        return rest(seen, state, Standing("Draining", Reason.ROLLING_OUT, message))
    return _begin(seen, state, target, seen.policy, slot, now)


def _answers_again(seen: Observation, state: State) -> Placed | None:
    """A first revision that was not ready when it was superseded, and is now: it serves for want of a better one."""
    ended = state.outcome
    tenant = next((one for one in seen.occupants if ended is not None and one.revision == ended.revision), None)
    if tenant is None or ended is None or ended.unseen or not isinstance(seen.route, Routed):
        return None
    health = seen.health.get(tenant.revision)
    answers = health is not None and health.ready > 0 and seen.route.reaches(tenant.slot)
    return Placed(ended.revision, ended.version, tenant.slot, proven=False) if answers else None


def _rejected_before(seen: Observation, target: Target) -> str | None:
    """Where the same content was rejected, in words; a label that was stable, or on trial since, speaks for itself."""
    past = seen.past.get(target.revision, Past.UNTRIED)
    if past is Past.REJECTED:
        return f"spec.model.version: {target.revision} was rolled back before"
    twin = seen.rejected_as
    if past is Past.UNTRIED and twin is not None:
        return same_content(target.revision, twin)
    return None


def same_content(revision: str, twin: Target) -> str:
    """Say of which rejected revision another one is the content."""
    return (
        f"spec.model.digest: {revision} is the content of version {twin.version} ({twin.revision}), "
        f"which was rolled back,"
    )


def resting(outcome: Outcome, state: State) -> Standing:
    """How a ModelDeployment stands after an attempt that did not end in a promotion."""
    serves = f"{state.stable.revision} serves" if state.stable is not None else "nothing serves"
    match outcome.end:
        case End.PROMOTED:
            return Standing("Serving", Reason.PROMOTED, f"{outcome.revision} is stable: {outcome.message}")
        case End.ROLLED_BACK | End.ABORTED | End.EXPIRED:
            message = f"{outcome.revision} was rolled back ({outcome.reason}): {outcome.message}; {serves}"
            return Standing("RolledBack", Reason.ROLLED_BACK, message, stalled=True)
        case End.REFUSED:
            return Standing("Stalled", outcome.reason, f"{outcome.message}; {serves}", stalled=True)
        case End.SUPERSEDED:
            return Standing("Serving", outcome.reason, f"{outcome.revision} was taken back: {outcome.message}")
        case _:
            assert_never(outcome.end)


def put_in_place(instead: Instead, serves: Placed) -> Standing:
    """How a ModelDeployment stands while a person's choice serves instead of what the spec asks for."""
    message = f"{instead.message}; {serves.revision} serves"
    return Standing("RolledBack", Reason.ROLLED_BACK, message, stalled=True)


def adopted(deployment: str, service: str) -> Placed:
    """The first stable of a ModelDeployment that takes over a running Service; its pods stay somebody else's."""
    return Placed(revision=f"{deployment}-existing", version="existing", slot="a", adopted=service)


# An attempt that ended so is not begun anew until the spec changes. A superseded one said nothing about its revision.
FINAL = frozenset({End.ROLLED_BACK, End.ABORTED, End.EXPIRED, End.REFUSED})

# The spec asked for something else in the meantime, so these may be tried again; a rejection is remembered.
_FORGIVEN = frozenset({End.ABORTED, End.EXPIRED, End.REFUSED})


def _slot_for(target: Target, state: State, seen: Observation) -> Slot | Occupant:
    """The slot that the revision takes, or who is still in it.

    A revision whose pods are still there, warm, keeps its slot: going back to it needs no other pods. But pods
    that crash have to go first, for they would speak against the new attempt. While nothing serves, a revision that
    never answered is not waited for when the other slot is free.
    """
    stable = state.stable
    if stable is not None and stable.revision == target.revision:
        return stable.slot
    tenants = {tenant.slot: tenant for tenant in seen.occupants}
    free: tuple[Slot, ...] = (other(stable.slot),) if stable is not None and stable.slot in SLOTS else SLOTS
    if stable is None and isinstance(seen.policy, Plan) and any(one.absolute for one in seen.policy.validations):
        # The route is to lead to an empty slot until it is judged: nobody may be in the other one, and the one that
        # the route leads to already, in which a pod would be reached before a weight is written, is not taken.
        stranger = next((one for one in seen.occupants if one.revision != target.revision), None)
        if stranger is not None:
            return stranger
        route = seen.route
        free = tuple(sorted(SLOTS, key=lambda slot: isinstance(route, Routed) and route.reaches(slot)))
    for slot in free:
        tenant = tenants.get(slot)
        if tenant is not None and tenant.revision == target.revision and _is_warm(tenant, seen):
            return slot
    empty = next((slot for slot in free if slot not in tenants), None)
    return empty if empty is not None else tenants[free[0]]


def _is_warm(tenant: Occupant, seen: Observation) -> bool:
    health = seen.health.get(tenant.revision)
    return tenant.replicas > 0 and health is not None and health.ready > 0 and health.crash is None


def _begin(seen: Observation, state: State, target: Target, plan: Plan, slot: Slot, now: datetime) -> Decision:
    stable = state.stable
    serves = stable is not None and stable.revision == target.revision
    if serves:
        # It serves for want of a better one and is asked for again: it is tried where it is.
        stable = None
    if stable is None or not stable.proven:
        kind, words = Kind.FIRST, "nothing proven serves: it takes all traffic when ready"
    elif seen.past.get(target.revision) is Past.STABLE:
        kind, words = Kind.GO_BACK, "it was stable before: it takes all traffic when its pods are ready"
    else:
        kind, words = Kind.COMPARED, f"on trial against {stable.revision}"
    before, retrying = state.outcome, state.retrying
    health = seen.health.get(stable.revision) if stable is not None else None
    attempt = Attempt(
        number=tried(target.revision, seen) + 1,
        kind=kind,
        plan=plan,
        started_at=stamp(now),
        history_since=instant_of(before.at) if before is not None else 0.0,
        stable_restarts=health.restarts if health is not None else 0,
        placed_at=now.timestamp(),
        # Users have it: it is not taken from them to be judged.
        first_traffic=now.timestamp() if serves else 0.0,
        gates=waiting_gates(plan) if kind is Kind.COMPARED else (),
        steps=(_retried(retrying, now),) if retrying is not None else (),
    )
    candidate = Placed(target.revision, target.version, slot, proven=False)
    state = replace(state, stable=stable, candidate=candidate, attempt=attempt, outcome=None, retrying=None)
    return Decision(
        state=state,
        desired=desired(state, seen),
        standing=Standing("Starting", Reason.NOT_READY, f"{target.revision} gets ready, {words}"),
        notes=(Note("Normal", Reason.ROLLING_OUT, f"{target.revision} starts in slot {candidate.slot}: {words}"),),
    )


def tried(revision: str, seen: Observation) -> int:
    """How often a revision was tried: as its record says, or as the last outcome does, which may not be on record."""
    before = seen.state.outcome
    last = before.attempt if before is not None and before.revision == revision else 0
    return max(seen.attempts.get(revision, 0), last)


def _retried(retrying: Retrying, now: datetime) -> Step:
    message = f"another attempt asked for {retrying.message}"
    return Step(0.0, stamp(now), "start", 0, "retry", Reason.ROLLING_OUT, message, actor=retrying.actor)


def _serve(seen: Observation, state: State, target: Target) -> Decision:
    """The wanted revision is stable. Say so, and whether it can answer."""
    stable = state.stable
    assert stable is not None  # noqa: S101 - the caller has looked
    if state.instead is not None:
        return rest(seen, state, put_in_place(state.instead, stable))
    ended = state.outcome
    reason = Reason.SERVING
    if ended is not None and ended.revision != target.revision:
        if ended.end in _FORGIVEN:
            state = replace(state, outcome=None)
        elif ended.reason is Reason.REVERTED_BY_SPEC:
            reason = Reason.REVERTED_BY_SPEC
    if is_down(stable, seen):
        words = f"{stable.revision} has no ready pod: {readiness(seen.health.get(stable.revision))}"
        return rest(seen, state, Standing("Serving", Reason.STABLE_UNAVAILABLE, words))
    return rest(seen, state, Standing("Serving", reason, f"{stable.revision} serves"))


def rest(seen: Observation, state: State, standing: Standing) -> Decision:
    """Change nothing, and say how things stand."""
    return Decision(state=state, desired=desired(state, seen), standing=standing)


def _refused(seen: Observation, target: Target, reason: Reason, message: str, now: datetime) -> Outcome:
    number = tried(target.revision, seen)
    return Outcome(target.revision, target.version, End.REFUSED, reason, message, stamp(now), number)


def _too_coarse(route: Routed, plan: Plan) -> Conflict | None:
    for stage in plan.stages:
        conflict = route.too_coarse_for(Weights(100 - stage.weight, stage.weight))
        if conflict is not None:
            return conflict
    return None
