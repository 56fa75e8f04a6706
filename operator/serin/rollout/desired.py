"""What the cluster should look like in a state: a function of the state and of what is ready right now."""

from __future__ import annotations

from collections.abc import Iterable

from serin.api.names import other
from serin.rollout.decision import Desired, JobWork, Pin, ResolveWork, Workload
from serin.rollout.observation import Observation
from serin.rollout.plan import Bake
from serin.rollout.state import Attempt, Kind, Placed, State
from serin.rollout.validation import job_name, shut, standing_of
from serin.traffic.weights import Weights
from serin.workloads.capacity import replicas_needed
from serin.workloads.resolve import resolve_name


def desired(state: State, seen: Observation) -> Desired:
    """The workloads and weights of a state."""
    workloads: list[Workload] = []
    if state.stable is not None and state.stable.adopted is None:
        workloads.append(Workload(state.stable.revision, state.stable.slot, seen.replicas))
    if state.candidate is not None and state.attempt is not None:
        replicas = candidate_replicas(state.attempt, seen.replicas)
        workloads.append(Workload(state.candidate.revision, state.candidate.slot, replicas))
    resolves, pins = _pinning(workloads, state, seen)
    unknown = {work.revision for work in resolves}
    jobs: list[JobWork] = []
    if state.candidate is not None and state.attempt is not None:
        asked = standing_of(state.attempt)
        if asked is not None and asked.verdict is None:
            revision, number = state.candidate.revision, state.attempt.number
            name = job_name(seen.name, revision, number, asked)
            # What serves only for want of a better one is nothing to compare with.
            compared = state.stable is not None and state.attempt.kind is Kind.COMPARED
            stable = state.stable.slot if state.stable is not None and compared else None
            jobs.append(JobWork(name, asked.name, revision, number, state.candidate.slot, stable))
    waits = state.attempt is not None and shut(state.attempt)
    serving = state.stable or (state.candidate if _ready(state.candidate, seen) and not waits else None)
    return Desired(
        # No pod of a revision before its files are known.
        workloads=tuple(work for work in workloads if work.revision not in unknown),
        resolves=resolves,
        pins=pins,
        jobs=tuple(jobs),
        weights=weights(state),
        serving=serving.slot if serving is not None else None,
        adopted=((state.stable.slot, state.stable.adopted),) if state.stable and state.stable.adopted else (),
    )


def _pinning(
    workloads: Iterable[Workload], state: State, seen: Observation
) -> tuple[tuple[ResolveWork, ...], tuple[Pin, ...]]:
    """What is to be found out, and what is to be written down."""
    resolves: list[ResolveWork] = []
    pins: list[Pin] = []
    for work in workloads:
        if work.revision not in seen.unpinned:
            continue
        artifact = seen.unpinned[work.revision]
        if artifact is None:
            name = resolve_name(seen.name, work.revision, resolving_attempt(state, work.revision))
            resolves.append(ResolveWork(name, work.revision))
        else:
            pins.append(Pin(work.revision, artifact))
    return tuple(resolves), tuple(pins)


def resolving_attempt(state: State, revision: str) -> int:
    """The number of the attempt that asks what a revision's uri means; 0 for one that serves, whose record is gone."""
    trial = state.candidate is not None and state.candidate.revision == revision
    return state.attempt.number if trial and state.attempt is not None else 0


def surplus(state: State, seen: Observation, drained: frozenset[str]) -> tuple[Workload, ...]:
    """What is to be scaled to nothing: tenants that lost their traffic long enough ago and are placed nowhere."""
    placed = {one.revision for one in (state.stable, state.candidate) if one is not None}
    return tuple(
        Workload(tenant.revision, tenant.slot, 0, surplus=True)
        for tenant in seen.occupants
        if tenant.revision in drained and tenant.revision not in placed
    )


def weights(state: State) -> Weights | None:
    """The shares of the two slots; None while nothing serves and nothing is on its way."""
    candidate, stable = state.candidate, state.stable
    if stable is None:
        if candidate is None:
            return None
        if state.attempt is not None and shut(state.attempt):
            return Weights.toward(other(candidate.slot), 100)  # nobody sees it before it was judged
        # Nothing else serves, so the route may already point at the first revision: it answers when it is ready.
        return Weights.toward(candidate.slot, 100)
    shielded = state.attempt is not None and state.attempt.shielded
    share = 0 if candidate is None or shielded else candidate_share(state.attempt)
    return Weights.toward(stable.slot, 100 - share)


def candidate_share(attempt: Attempt | None) -> int:
    """The candidate's share in percent that the attempt's stage says."""
    if attempt is None or attempt.stage < 0 or attempt.kind is not Kind.COMPARED:
        return 0
    return attempt.plan.stages[attempt.stage].weight


def candidate_replicas(attempt: Attempt, replicas: int) -> int:
    """Pods for the next step: they get ready while this stage soaks, so that the step need not wait for them."""
    stages = attempt.plan.stages
    # People may take a day: pods for what comes after the approval are made when it is there.
    following = attempt.stage + 1 if attempt.approved else attempt.stage
    full = attempt.kind is not Kind.COMPARED or following >= len(stages) or attempt.order is not None
    if full or (isinstance(stages[attempt.stage], Bake) and attempt.stage >= 0):
        return replicas_needed(replicas, 100)
    return replicas_needed(replicas, stages[following].weight)


def _ready(placed: Placed | None, seen: Observation) -> bool:
    health = seen.health.get(placed.revision) if placed is not None else None
    return health is not None and health.ready > 0
