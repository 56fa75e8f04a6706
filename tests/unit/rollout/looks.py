"""Looks at a running comparison in which exactly one thing, or two, are out of the ordinary."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import yaml

from serin.api.reasons import Reason
from serin.rollout.acts import Order
from serin.rollout.look import Look
from serin.rollout.observation import Observation
from serin.rollout.plan import Approval, Plan
from serin.rollout.state import Attempt, Placed
from serin.stats import Counts
from serin.stats.rate import RateTest
from serin.traffic.state import Absent
from serin.workloads.pods import ArmHealth, Crash
from tests.unit.rollout.transcript import POLICY
from tests.unit.rollout.world import World, at_stage, conflict, plan_from, serving

STABLE, CANDIDATE = "iris-v1", "iris-v2"


def plan(**changes: Any) -> Plan:
    """The plan of the transcripts, with fields replaced."""
    return replace(plan_from(yaml.safe_load(POLICY)), **changes)


@cache
def _at(stage: int) -> World:
    """A good candidate 15 s into a stage; -1 is before any weight moved."""
    world = serving("v1", plan(), replicas=2)
    if stage < 0:
        world.pods.pop(CANDIDATE, None)
        world.deploy("v2")
        world.look()
        return world
    at_stage(world, "v2", stage)
    world.tick()
    return world


@cache
def _done(stage: int) -> World:
    """A good candidate that has been in a stage for so long that only a pause has kept it there."""
    world = at_stage(serving("v1", plan(), replicas=2), "v2", stage)
    world.paused = True
    for _ in range(12):
        world.tick()
    world.paused = False
    return world


Change = Callable[[Look], Look]


def look(*changes: Change, stage: int = 0, done: bool = False) -> Look:
    """A look at the candidate 15 s into a stage (or when it is done), and what the changes make of it."""
    world = (_done if done else _at)(stage)
    state = world.state
    assert state.attempt is not None
    assert state.stable is not None
    assert state.candidate is not None
    attempt = state.attempt
    if done:
        attempt = replace(attempt, soaked_seconds=10_000.0, stage_requests=10_000)
    found = Look.at(world.observe(), attempt, state.stable, state.candidate, world.now.timestamp() + 60)
    for change in changes:
        found = change(found)
    return judged(found)


def judged(found: Look) -> Look:
    """The look with the judgement of what it holds now."""
    return Look.at(found.seen, found.attempt, found.stable, found.candidate, found.now)


def seen(**fields: Any) -> Change:
    """Another observation."""
    return lambda one: replace(one, seen=replace(one.seen, **fields))


def attempt(**fields: Any) -> Change:
    """Another attempt."""
    return lambda one: replace(one, attempt=replace(one.attempt, **fields))


def by_plan(**fields: Any) -> Change:
    """Another plan, of the attempt and of the policy."""

    def change(one: Look) -> Look:
        other = replace(one.attempt.plan, **fields)
        return replace(one, attempt=replace(one.attempt, plan=other), seen=replace(one.seen, policy=other))

    return change


def pods(revision: str, **fields: Any) -> Change:
    """Other pods of one arm."""

    def change(one: Look) -> Look:
        health: dict[str, ArmHealth] = dict(one.seen.health)
        health[revision] = replace(health[revision], **fields)
        return replace(one, seen=replace(one.seen, health=health))

    return change


def counted(gate: str, stable: Counts, candidate: Counts) -> Change:
    """A gate that has counted this besides, in one interval."""

    def change(one: Look) -> Look:
        gates = tuple(
            replace(
                state,
                test=state.test.update(stable, candidate, 15.0),
                stable=state.stable + stable,
                candidate=state.candidate + candidate,
            )
            if state.name == gate and isinstance(state.test, RateTest)
            else state
            for state in one.attempt.gates
        )
        return replace(one, attempt=replace(one.attempt, gates=gates))

    return change


OUT_OF_MEMORY = Crash("OutOfMemory", 1, "container model was killed for want of memory")


def _both_fail(one: Look) -> Look:
    for revision in (STABLE, CANDIDATE):
        one = pods(revision, crash=OUT_OF_MEMORY, restarts=1)(one)
    return one


def approval(*, since: float) -> Change:
    """The stage is an approval of a minute that nobody has given; since: seconds since the epoch."""

    def change(one: Look) -> Look:
        stages = (Approval("sign-off", one.attempt.plan.stages[0].weight, 60.0), *one.attempt.plan.stages[1:])
        return attempt(awaiting_since=since)(by_plan(stages=stages)(one))

    return change


# One way for each rule to speak, in the order of precedence, and the reason that it gives.
SPEAKING: Mapping[str, tuple[Change, Reason]] = {
    "failing_pods": (pods(CANDIDATE, crash=OUT_OF_MEMORY, restarts=1), Reason.CRASH_LOOP),
    "hanging_candidate": (attempt(expected=500.0, seen=3.0), Reason.CANDIDATE_UNRESPONSIVE),
    "failing_gates": (counted("errors", Counts(1000, 1), Counts(400, 100)), Reason.GATE_FAILED),
    "ended_by_hand": (attempt(order=Order("Abort", "ann", "by ann")), Reason.ABORTED),
    "stable_down": (pods(STABLE, ready=0), Reason.STABLE_UNAVAILABLE),
    "deadline": (attempt(active_seconds=1e6), Reason.DEADLINE_EXCEEDED),
    "approval_expired": (approval(since=1.0), Reason.APPROVAL_EXPIRED),
    "shared_incident": (_both_fail, Reason.SHARED_INCIDENT),
    "unready_candidate": (pods(CANDIDATE, ready=0), Reason.NOT_READY),
    "unfit_route": (seen(route=conflict(Reason.ROUTE_CONFLICT, "listed twice")), Reason.ROUTE_CONFLICT),
    "missing_data": (attempt(outage=(Reason.STALE_METRICS, "40 s old")), Reason.STALE_METRICS),
    "paused": (seen(paused=True), Reason.PAUSED),
}

__all__ = [
    "CANDIDATE",
    "OUT_OF_MEMORY",
    "SPEAKING",
    "STABLE",
    "Absent",
    "Attempt",
    "Change",
    "Observation",
    "Placed",
    "approval",
    "attempt",
    "by_plan",
    "counted",
    "judged",
    "look",
    "plan",
    "pods",
    "seen",
]
