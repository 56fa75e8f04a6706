"""A slot that lost its traffic: when nothing can be under way to it any more, its tenant is scaled down.

    weight 0 -> read back -> the gateway's reload -> two intervals without a moving counter -> no pods

Where the metrics are away, five minutes without weight do instead.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from serin.metrics.reading import Reading
from serin.rollout.decision import Decision
from serin.rollout.desired import surplus
from serin.rollout.observation import Observation, Occupant
from serin.rollout.state import Drain
from serin.traffic.state import Routed


def drains(seen: Observation, now: datetime) -> tuple[Drain, ...]:
    """How far the tenants of slots that nobody owns are drained. After a restart the books begin anew."""
    before = {drain.revision: drain for drain in seen.state.drains}
    tenants = [tenant for tenant in seen.occupants if tenant.replicas > 0]
    return tuple(_drain(tenant, before.get(tenant.revision), seen, now) for tenant in tenants)


def scaled_down(decision: Decision, seen: Observation, now: datetime) -> Decision:
    """The decision with what is drained scaled to nothing, and with a look at what still drains."""
    state = decision.state
    placed = {one.revision for one in (state.stable, state.candidate) if one is not None}
    running = [drain for drain in state.drains if drain.revision not in placed]
    over = {drain.revision for drain in running if _over(drain, seen, now)}
    if over:
        workloads = (*decision.desired.workloads, *surplus(state, seen, frozenset(over)))
        decision = replace(decision, desired=replace(decision.desired, workloads=workloads))
    if len(over) == len(running):
        return decision
    return decision.looked_at_within(seen.gateway_reload_seconds)


def _drain(tenant: Occupant, before: Drain | None, seen: Observation, now: datetime) -> Drain:
    drain = before if before is not None else Drain(tenant.revision, tenant.slot)
    if not isinstance(seen.route, Routed) or seen.route.reaches(tenant.slot):
        return Drain(tenant.revision, tenant.slot)
    if not drain.weightless_at:
        return replace(drain, weightless_at=now.timestamp())
    if seen.state.attempt is not None:
        return drain  # the readings are about a candidate then; the five minutes decide
    for reading in seen.readings:
        if not isinstance(reading, Reading):
            continue
        # A reading at t is about what happened until t less the settling time.
        begun = reading.instant - reading.seconds - seen.settle_seconds
        if reading.candidate_requests:
            drain = replace(drain, quiet=0)
        elif begun >= drain.weightless_at:
            drain = replace(drain, quiet=drain.quiet + 1)
    return drain


def _over(drain: Drain, seen: Observation, now: datetime) -> bool:
    if drain.finished(now.timestamp(), seen.gateway_reload_seconds):
        return True
    ended = seen.state.outcome
    if ended is not None and ended.revision == drain.revision and ended.unseen and drain.weightless_at:
        return True
    # A revision that never answered and has nothing to fall back on: the route points at it for want of another.
    health = seen.health.get(drain.revision)
    return seen.state.stable is None and (health is None or health.ready <= 0)
