"""A rollout decided once more, from what Prometheus has kept and nothing else: no cluster, no operator.

It begins with the status that was stored when the candidate got its first traffic, reads each instant of the grid
since by range query, and lets the decision core go on from there with healthy pods and a route that obeys.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from serin.api.names import slot_service
from serin.controller.evidence import Want
from serin.metrics.hub import Hub, Meter
from serin.metrics.hub import Want as HubWant
from serin.metrics.read import read
from serin.metrics.reading import ArmRef, Arms, CompareNeed, Outage, Reading, SlowNeed
from serin.metrics.source import MetricSource
from serin.rollout.decide import decide
from serin.rollout.desired import weights
from serin.rollout.gates import CompareGate
from serin.rollout.observation import Observation, Target
from serin.rollout.persist import dump_state, load_state
from serin.rollout.plan import Plan
from serin.rollout.state import State
from serin.traffic.state import Routed, RuleWeights
from serin.traffic.weights import Units
from serin.workloads.pods import ArmHealth

Json = dict[str, Any]


async def replayed(source: MetricSource, status: Json, *, namespace: str, name: str, until: float) -> Json:
    """Go on from a stored status up to an instant; return the stored part of the status then.

    Args:
        source: Where the metrics are.
        status: Of the ModelDeployment, with an attempt that has had its first traffic.
        namespace: Of the ModelDeployment.
        name: Of the ModelDeployment.
        until: The last instant that is read.
    """
    state = load_state(status)
    assert state.attempt is not None
    want = _want(state, namespace, name)
    hub = Hub(source)
    try:
        since = state.attempt.instant
        meter = Meter.start(since)
        wants = [HubWant(want.arms, want.needs, want.preset, meter)]
        snapshot = await hub.replay(since, until, wants)
        assert not isinstance(snapshot, Outage), snapshot.message
        for instant in hub.grid.instants(since, until):
            reading, meter = read(snapshot, instant, want.arms, want.needs, hub.preset(want.preset), meter)
            state = _decided(state, reading, source, namespace, name, instant)
            if state.attempt is None:
                break
    finally:
        hub.close()
    return dump_state(state)


def numbers(outcome: Mapping[str, Any]) -> Json:
    """An outcome without the wall clock's part: what was decided at which instant, on which numbers."""
    steps = [{key: value for key, value in step.items() if key != "at"} for step in outcome["steps"]]
    return {**{key: value for key, value in outcome.items() if key != "at"}, "steps": steps}


def _want(state: State, namespace: str, name: str) -> Want:
    attempt, stable, candidate = state.attempt, state.stable, state.candidate
    assert attempt is not None
    assert stable is not None
    assert candidate is not None
    needs: list[CompareNeed | SlowNeed] = []
    for gate in attempt.plan.rate_gates():
        assert isinstance(gate, CompareGate), "the policies that are replayed only compare"
        if gate.what == "slowerThan":
            assert gate.objective_seconds is not None
            needs.append(SlowNeed(gate.name, gate.objective_seconds))
        else:
            needs.append(CompareNeed(gate.name, gate.what))
    arms = [ArmRef(namespace, slot_service(name, one.slot), one.revision) for one in (stable, candidate)]
    return Want("default", "traefik", Arms(arms[0], arms[1]), tuple(needs))


def _decided(
    state: State, reading: Reading | Outage, source: MetricSource, namespace: str, name: str, instant: float
) -> State:
    attempt, stable, candidate = state.attempt, state.stable, state.candidate
    assert attempt is not None
    assert isinstance(attempt.plan, Plan)
    assert stable is not None
    assert candidate is not None
    shares = weights(state)
    assert shares is not None
    healthy = ArmHealth(desired=1, ready=1, updated=1, ready_since=1.0, first_start=1.0, last_start=1.0)
    seen = Observation(
        name=name,
        namespace=namespace,
        wanted=Target(candidate.revision, candidate.version),
        policy=attempt.plan,
        state=state,
        route=Routed(shares, True, "1", (RuleWeights(0, Units(shares.a, shares.b)),), True),
        health={stable.revision: healthy, candidate.revision: healthy},
        readings=(reading,),
        gateway_reload_seconds=4.0,
        interval_seconds=source.grid.interval,
        settle_seconds=source.grid.settle,
    )
    decision = decide(seen, datetime.fromtimestamp(instant, UTC))
    return replace(decision.state, drains=())
