"""What people and tools read: the rollout's part of the status, and conditions where a transcript shows too little."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from serin.api.reasons import Reason
from serin.rollout.judge import describe
from serin.traffic.status import Acceptance
from tests.unit.rollout.looks import plan
from tests.unit.rollout.world import World, at_stage, conflict, serving


@pytest.fixture
def canary() -> World:
    """A candidate in its first stage."""
    world = at_stage(serving("v1", plan()), "v2", 0)
    world.tick()
    return world


def condition(world: World, kind: str) -> dict[str, Any] | None:
    """A condition as the status has it."""
    return next((one for one in world.status["conditions"] if one["type"] == kind), None)


def test_the_weight_that_is_shown_is_the_one_that_is_written(canary: World) -> None:
    assert canary.status["rollout"]["weight"] == 10
    canary.pods["iris-v2"].ready = 0
    canary.look()
    assert canary.status["rollout"]["weight"] == 0


def test_the_first_revision_shows_all_of_the_traffic() -> None:
    world = World(plan())
    world.deploy("v1")
    world.tick()
    assert world.status["rollout"]["weight"] == 100


def test_the_deadline_is_shown_from_first_traffic_on_and_follows_the_policy(canary: World) -> None:
    before = canary.status["rollout"]["deadline"]
    canary.policy = plan(progress_seconds=8 * 3600.0)
    canary.look()
    assert before == "2026-11-21T16:01:45Z"
    assert canary.status["rollout"]["deadline"] == "2026-11-21T20:01:45Z"
    waiting = serving("v1", plan())
    waiting.deploy("v2")
    waiting.look()
    assert "deadline" not in waiting.status["rollout"]


def test_a_route_that_a_gateway_refuses_is_said_where_the_user_looks() -> None:
    """Ready is about pods; why nobody reaches them is in its words, and in those of the rollout that waits."""
    world = serving("v1", plan())
    world.acceptance = Acceptance(False, "Gateway gw: does not accept the route (NotAllowedByListeners: no)")
    world.unseen.add("stable")
    world.deploy("v2")
    world.tick()
    world.tick()
    ready, promoted = condition(world, "Ready"), condition(world, "Promoted")
    assert ready is not None
    assert promoted is not None
    assert ready["status"] == "True"
    assert ready["message"].endswith("the route: Gateway gw: does not accept the route (NotAllowedByListeners: no)")
    assert promoted["reason"] == "NoTraffic"
    assert "does not accept the route" in promoted["message"]


def test_a_gateway_that_has_not_answered_yet_is_news_only_where_traffic_is_waited_for() -> None:
    """It has to answer anew after every change of a weight; each would be a write of the status."""
    world = serving("v1", plan())
    world.acceptance = Acceptance(None, "no gateway has answered for this route yet")
    world.unseen.add("stable")
    world.deploy("v2")
    world.tick()
    world.tick()
    ready, promoted = condition(world, "Ready"), condition(world, "Promoted")
    assert ready is not None
    assert promoted is not None
    assert ready["message"] == "iris-v1 serves"
    assert promoted["message"].endswith("the route: no gateway has answered for this route yet")


def test_replicas_are_those_of_both_arms_as_the_selector_finds_them(canary: World) -> None:
    assert canary.status["replicas"] == 2


def test_hard_gates_are_shown_beside_the_others(canary: World) -> None:
    assert [gate["kind"] for gate in canary.status["rollout"]["gates"]] == ["compare", "compare", "hard"]


def test_a_stable_without_pods_is_not_ready_whatever_else_is_said() -> None:
    """RolledBack is no reason for Ready=False."""
    world = at_stage(serving("v1", plan()), "v2", 0)
    world.traffic = replace(world.traffic, bad={"stable": 0.0, "candidate": 0.5})
    world.tick()
    world.tick()
    world.pods["iris-v1"].ready = 0
    world.look()
    ready = condition(world, "Ready")
    assert ready is not None
    assert (ready["status"], ready["reason"]) == ("False", "StableUnavailable")


def test_a_route_in_conflict_shows_as_stalled_beside_a_promoted_revision() -> None:
    world = serving("v1", plan())
    world.route = conflict(Reason.ROUTE_CONFLICT, "an older one has its slots in rule 0")
    world.look()
    stalled, promoted = condition(world, "Stalled"), condition(world, "Promoted")
    assert stalled is not None
    assert stalled["reason"] == "RouteConflict"
    assert promoted is not None
    assert promoted["status"] == "True"
    since = stalled["lastTransitionTime"]
    world.tick()
    again = condition(world, "Stalled")
    assert again is not None
    assert again["lastTransitionTime"] == since


def test_ready_says_when_stable_is_sick(canary: World) -> None:
    canary.traffic = replace(canary.traffic, bad={"stable": 1.0, "candidate": 0.0})
    for _ in range(8):
        canary.tick()
    ready = condition(canary, "Ready")
    assert ready is not None
    assert (ready["status"], ready["reason"]) == ("True", "StableDegraded")


def test_a_gate_is_said_in_one_line() -> None:
    line = describe(
        {
            "name": "errors",
            "kind": "compare",
            "candidate": {"total": 151, "bad": 9},
            "stable": {"total": 1350, "bad": 1},
            "difference": 0.0589,
            "interval": [0.0123, 0.1],
        }
    )
    assert line == (
        "errors: candidate 9 of 151 (5.96 %), stable 1 of 1350 (0.07 %), difference +5.89 [+1.23, +10.00] points"
    )
