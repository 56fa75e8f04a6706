"""A first revision before its first request: judged by itself, and seen by nobody until it has passed."""

from __future__ import annotations

from typing import Any

import pytest

from serin.api.names import Slot
from serin.api.stages import VERSUS_STABLE, absolute_gates
from serin.evaluate.measures import COMPARISONS
from serin.rollout.persist import dump_state, load_state
from serin.rollout.state import Kind
from serin.traffic.state import Routed, RuleWeights
from serin.traffic.weights import Units, Weights
from tests.unit.rollout.world import World, plan_from

Json = dict[str, Any]
GOOD: Json = {"name": "good", "metric": "accuracy", "min": 0.9}
NO_WORSE: Json = {"name": "no-worse", "metric": "accuracy", "maxDropVersusStable": 0.01}
FLIPS: Json = {"name": "flips", "metric": "negativeFlipRate", "max": 0.02}


def policy(*gates: Json, warmup: bool = False, soak: str = "1m") -> Json:
    """A policy that judges by these gates first."""
    evaluation = {
        "task": "classification",
        "classes": [0, 1],
        "endpoint": {"protocol": "openInference", "model": "iris"},
        "datasets": [{"name": "holdout", "path": "/data/h.csv", "target": "y"}],
        "gates": list(gates),
    }
    stages: list[Json] = [{"name": "holdout", "validate": {"evaluation": evaluation}}] if gates else []
    stages += [{"name": "warm", "warmup": {}}] if warmup else []
    return {"stages": [*stages, {"name": "half", "canary": {"weight": 50, "soak": soak}}]}


def deployed(*gates: Json, warmup: bool = False) -> World:
    """Version v1 is applied where nothing serves, and its pods are ready."""
    world = World(plan_from(policy(*gates, warmup=warmup)))
    world.deploy("v1")
    for _ in range(4):
        world.tick()
    return world


def share(world: World) -> int:
    """What the route sends to v1, in percent."""
    candidate = world.state.candidate or world.state.stable
    assert candidate is not None
    assert isinstance(world.route, Routed)
    weights = world.route.weights
    return round(100 * (weights.a if candidate.slot == "a" else weights.b) / (weights.a + weights.b))


def condition(world: World, kind: str) -> tuple[str, str]:
    """Status and reason."""
    found = next((one for one in world.conditions if one.type == kind), None)
    return (found.status, found.reason) if found is not None else ("", "")


def until_promoted(world: World) -> bool:
    for _ in range(60):
        world.tick()
        if world.state.stable is not None:
            return True
    return False


def test_no_request_reaches_it_before_it_has_passed() -> None:
    """Neither the route nor the address within the cluster leads to it, and Ready says so."""
    world = deployed(GOOD)
    assert share(world) == 0
    assert world.tick().desired.serving is None
    assert condition(world, "Ready")[0] == "False"
    assert condition(world, "Promoted") == ("False", "Validating")
    world.answer_jobs("pass")
    assert until_promoted(world)
    assert share(world) == 100
    assert world.records["iris-v1"]["record"][0]["event"] == "validate"


def test_one_that_fails_gets_no_request_and_the_next_spec_replaces_it() -> None:
    world = deployed(GOOD)
    world.answer_jobs("fail")
    world.tick()
    assert condition(world, "Stalled") == ("True", "FirstRevisionFailing")
    assert "stage holdout: good: as the Job says" in world.conditions[-1].message
    assert share(world) == 0
    assert world.answer(world.act("Promote", "iris-v1")) is None
    world.tick()
    assert world.state.acted[-1].answer.value == "GateFailed"
    world.deploy("v2")
    for _ in range(8):
        world.tick()
        world.answer_jobs("pass")
    assert until_promoted(world)
    assert world.state.stable is not None
    assert world.state.stable.version == "v2"


def test_what_could_not_be_judged_is_no_pass_and_a_person_may_promote_past_it() -> None:
    world = deployed(GOOD)
    world.answer_jobs("undecided", fault={"reason": "WrongColumns", "effect": "stalled", "message": "no column y"})
    world.tick()
    assert condition(world, "Stalled") == ("True", "ValidationBlocked")
    assert share(world) == 0
    world.act("Promote", "iris-v1")
    world.tick()
    assert share(world) == 100
    assert until_promoted(world)


@pytest.mark.parametrize(
    ("gates", "warmup", "asked"),
    [
        ((GOOD, NO_WORSE, FLIPS), False, {"holdout"}),
        ((NO_WORSE, FLIPS), False, set()),
        ((NO_WORSE,), True, {"warm"}),
        ((), False, set()),
    ],
)
def test_only_what_needs_no_stable_is_asked(gates: tuple[Json, ...], *, warmup: bool, asked: set[str]) -> None:
    """And its Job is told of no stable."""
    world = World(plan_from(policy(*gates, warmup=warmup)))
    world.deploy("v1")
    found = set()
    for _ in range(20):
        for job in world.tick().desired.jobs:
            assert job.stable is None
            found.add(job.stage)
        world.answer_jobs("pass")
    assert found == asked
    assert until_promoted(world)


def test_a_gate_is_absolute_when_it_knows_no_stable() -> None:
    """The program's own list of measures that compare is the operator's."""
    assert frozenset(COMPARISONS) == VERSUS_STABLE
    assert absolute_gates({"gates": [GOOD, NO_WORSE, FLIPS]}) == [GOOD]


def test_a_policy_that_asks_for_more_takes_no_traffic_away() -> None:
    """It serves already: what is asked later is about the next revision."""
    world = World(plan_from(policy(soak="1h")))
    world.deploy("v1")
    for _ in range(5):
        world.tick()
    assert world.state.attempt is not None
    assert world.state.attempt.kind is Kind.FIRST
    assert share(world) == 100
    world.policy = plan_from(policy(GOOD, soak="1h"))
    world.tick()
    assert share(world) == 100


def test_a_kill_at_any_look_opens_nothing() -> None:
    """What was stored says as much as what was remembered."""
    world = deployed(GOOD, warmup=True)
    shares = []
    for _ in range(12):
        world.state = load_state(dump_state(world.state))
        world.tick()
        shares.append(share(world))
        world.answer_jobs("pass")
        if len(shares) == 1:
            assert shares == [0]
    assert sorted(shares) == shares, "it opens once"
    assert shares[-1] == 100


def test_in_a_comparison_after_it_stable_is_named() -> None:
    world = deployed(GOOD)
    world.answer_jobs("pass")
    assert until_promoted(world)
    world.deploy("v2")
    for _ in range(8):
        jobs = world.tick().desired.jobs
        if jobs:
            break
    assert [job.stable for job in jobs] == ["a"]


def test_what_replaces_one_that_failed_waits_for_its_pods_to_go() -> None:
    """The route leads to an empty slot all the time, never to what was refused nor to what nobody has judged."""
    world = deployed(GOOD)
    world.answer_jobs("fail")
    world.tick()
    world.deploy("v2")
    seen = []
    for _ in range(8):
        world.tick()
        seen.append((world.state.candidate, world.route))
        assert world.state.stable is None
        for slot in "ab":
            assert isinstance(world.route, Routed)
            there = [name for name, pods in world.pods.items() if pods.slot == slot and pods.replicas]
            assert not (world.route.reaches(slot) and there), (slot, there)
    assert world.state.candidate is not None
    assert world.state.candidate.version == "v2"
    world.answer_jobs("pass")
    assert until_promoted(world)


def test_one_that_nobody_has_seen_serves_nobody_when_it_is_superseded() -> None:
    """A ready pod is not enough to become what serves for want of a better one."""
    world = deployed(GOOD)
    world.deploy("v2")
    world.tick()
    assert world.state.stable is None
    assert world.state.outcome is not None
    assert world.state.outcome.unseen
    assert load_state(dump_state(world.state)).outcome == world.state.outcome


def test_in_a_route_of_others_it_takes_the_slot_that_gets_nothing() -> None:
    """Else a pod that gets ready between two writes would be reached."""
    world = World(plan_from(policy(GOOD)))
    world.route = Routed(Weights(100, 0), True, "1", (RuleWeights(0, Units(100, 0)),), owned=False)
    world.deploy("v1")
    world.tick()
    assert world.state.candidate is not None
    assert world.state.candidate.slot == "b"


def reached(world: World) -> list[str]:
    """Revisions with ready pods that the route leads to."""
    route = world.route
    return [name for name, pods in world.pods.items() if pods.ready_now and _leads(route, pods.slot)]


def _leads(route: object, slot: Slot) -> bool:
    return isinstance(route, Routed) and route.reaches(slot)


def ticks(world: World, number: int) -> None:
    for _ in range(number):
        world.tick()


def opened(*gates: Json) -> World:
    """Version v1 serves and soaks for an hour; where it was judged it has passed."""
    world = World(plan_from(policy(*gates, soak="1h")))
    world.deploy("v1")
    for _ in range(5):
        world.tick()
        world.answer_jobs("pass")
    ticks(world, 2)
    assert reached(world) == ["iris-v1"]
    return world


def test_nobody_promotes_what_data_refuse_at_the_very_same_look() -> None:
    """The answer is taken in before the act."""
    world = deployed(GOOD)
    world.answer_jobs("fail")
    world.act("Promote", "iris-v1")
    world.tick()
    assert reached(world) == []
    assert world.state.acted[-1].answer.value == "GateFailed"


def test_a_promotion_ends_the_question_that_it_went_past() -> None:
    """What its Job says later is no news of a revision that a person has promoted."""
    world = World(plan_from(policy(GOOD, soak="1h")))
    world.deploy("v1")
    ticks(world, 4)
    world.act("Promote", "iris-v1")
    world.tick()
    assert world.tick().desired.jobs == ()
    assert reached(world) == ["iris-v1"]


def test_a_stage_that_is_added_while_it_serves_is_about_the_next_revision() -> None:
    world = opened()
    world.policy = plan_from(policy(GOOD, soak="1h"))
    for _ in range(3):
        assert world.tick().desired.jobs == ()
    assert reached(world) == ["iris-v1"]


def test_a_stage_that_is_added_before_its_pods_are_ready_counts() -> None:
    """The route leads to the candidate, and nobody is there yet: nothing is taken from anybody."""
    world = World(plan_from(policy()))
    world.deploy("v1")
    world.look()
    world.pods["iris-v1"].ready = 0
    ticks(world, 3)
    world.policy = plan_from(policy(GOOD))
    ticks(world, 2)
    world.pods["iris-v1"].ready = None
    for _ in range(10):
        world.tick()
        assert reached(world) == []


def test_what_takes_over_from_an_unproven_one_is_judged_whenever_the_stage_came() -> None:
    """That the route carries the other one's weight says nothing about it."""
    world = opened()
    world.deploy("v2")
    world.tick()
    for _ in range(3):
        world.tick()
        if "iris-v2" in world.pods:
            world.pods["iris-v2"].ready = 0
    world.policy = plan_from(policy(GOOD, soak="1h"))
    ticks(world, 3)
    world.pods["iris-v2"].ready = None
    for _ in range(10):
        world.tick()
        assert reached(world) == ["iris-v1"]


@pytest.mark.parametrize("way", ["reverted", "retried", "route edited"])
def test_what_serves_keeps_its_traffic_however_it_is_asked_for_again(way: str) -> None:
    """It was opened once; another attempt of it takes nothing away."""
    world = opened(GOOD)
    match way:
        case "reverted":
            world.deploy("v2")
            ticks(world, 2)
            world.deploy("v1")
        case "retried":
            world.act("Abort", "iris-v1")
            ticks(world, 2)
            world.act("Retry", "iris-v1")
        case _:
            world.policy = plan_from(policy(GOOD, NO_WORSE, soak="1h"))
            world.edit_route(Units(50, 50))
            ticks(world, 2)
            assert share(world) == 100
    for _ in range(6):
        world.tick()
        assert "iris-v1" in reached(world)


def test_one_that_answers_again_serves_until_its_successor_has_passed() -> None:
    """It was not ready when it was superseded; waiting for its pods to go would wait for ever."""
    world = World(plan_from(policy(soak="1h")))
    world.deploy("v1")
    ticks(world, 4)
    world.pods["iris-v1"].ready = 0
    world.tick()
    world.policy = plan_from(policy(GOOD))
    world.deploy("v2")
    world.look()
    world.pods["iris-v1"].ready = None
    for _ in range(40):
        world.tick()
        world.answer_jobs("pass")
    assert world.state.stable is not None
    assert world.state.stable.version == "v2"


def test_a_program_of_the_users_own_without_gates_is_asked() -> None:
    """It knows by itself what to judge by; a stage that nobody can judge is never a pass."""
    raw = policy(GOOD)
    stage = raw["stages"][0]["validate"]
    stage["evaluation"]["gates"] = []
    stage["template"] = {"spec": {"containers": [{"name": "evaluate", "image": "mine", "command": ["judge"]}]}}
    world = World(plan_from(raw))
    world.deploy("v1")
    ticks(world, 10)
    assert world.jobs
    assert reached(world) == []


def test_a_retry_asks_again_when_the_data_were_wrong() -> None:
    """By another Job; a revision that was never judged has nothing to be asked again."""
    world = deployed(GOOD)
    assert world.answer(world.act("Retry", "iris-v1")) is None
    world.tick()
    assert world.state.acted[-1].answer.value == "NothingToRetry"
    world.answer_jobs("fail")
    ticks(world, 2)
    first = set(world.jobs)
    world.act("Retry", "iris-v1")
    ticks(world, 2)
    assert world.state.acted[-1].answer.value == "Retrying"
    assert len(set(world.jobs) - first) == 1
    world.answer_jobs("pass")
    assert until_promoted(world)
