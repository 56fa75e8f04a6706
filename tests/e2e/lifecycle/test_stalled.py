"""Faults that no schema can see: each ends Stalled with a reason and the field, and stable serves on.

Together with the table of tests/unit/api/bad_resources.py, whose resources the API server refuses at apply, these
are all the kinds of bad resource that there are.
"""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from serin.api.reasons import FOUND_LATER, FoundLater
from tests.demo import manifests
from tests.demo.stage import condition
from tests.e2e.lifecycle.world import GATES, STAGES, Model, World, route_of_others, serving, stalled, together
from tests.unit.api.bad_resources import BAD

Json = dict[str, Any]
Spoil = Callable[[Json], None]


@dataclass(frozen=True)
class Case:
    """How to bring a fault about.

    spoil: changes the ModelDeployment of version 2, which is applied when version 1 serves.
    prepare: makes what has to be there before it.
    words: besides the field.
    """

    fault: str
    spoil: Spoil
    words: str
    prepare: Callable[[World, Model], Awaitable[None]] | None = None

    @property
    def found(self) -> FoundLater:
        """The entry of the list that this is about."""
        return next(entry for entry in FOUND_LATER if entry.fault == self.fault)


def _rollout(**fields: Any) -> Spoil:
    def spoil(md: Json) -> None:
        md["spec"]["rollout"] = {**md["spec"]["rollout"], **copy.deepcopy(fields)}

    return spoil


def _query(total: str) -> Spoil:
    return _rollout(gates=[*GATES, {"name": "unsold", "query": {"total": total, "bad": "b{${arm}}"}}], stages=STAGES)


def _unknown_volume(md: Json) -> None:
    container = md["spec"]["serving"]["template"]["spec"]["containers"][0]
    container["volumeMounts"] = [{"name": "nowhere", "mountPath": "/nowhere"}]


def _guest(route: str) -> Spoil:
    def spoil(md: Json) -> None:
        md["spec"]["traffic"] = {"httpRoute": {"ref": {"name": route}}}

    return spoil


async def _without_slots(world: World, model: Model) -> None:
    await world.apply(route_of_others("without-slots", [("somebody", 1)], host="without.example.com"))


async def _crowded(world: World, model: Model) -> None:
    other = world.model("aaa-older")
    rule = [(f"{name}-{slot}", 100) for name in (other.name, model.name) for slot in "ab"]
    await world.apply(route_of_others("crowded", rule, host="crowded.example.com"))
    # As old as this one by the second or younger; then the name decides.
    await other.apply(other.spec("1", traffic=other.guest("crowded"), fake=True))


async def _nowhere(world: World, model: Model) -> None:
    spec = {"gates": GATES, "stages": STAGES, "windows": [{"timezone": "Europe/Berln"}]}
    await world.apply(manifests.policy(name="nowhere", spec=spec))


async def _sticky(world: World, model: Model) -> None:
    rule = {
        "sessionPersistence": {"sessionName": "s"},
        "backendRefs": [{"name": f"{model.name}-{slot}", "port": 8080, "weight": 100} for slot in "ab"],
    }
    await world.apply(route_of_others("sticky", rule, host="sticky.example.com"))


WHILE_SERVING = {
    "stalled-policy": Case(
        "the policy does not exist", _rollout(policyRef={"name": "nobody"}), "there is no RolloutPolicy nobody"
    ),
    "stalled-zone": Case(
        "there is no time zone of that name", _rollout(policyRef={"name": "nowhere"}), "Europe/Berln", _nowhere
    ),
    "stalled-gate": Case(
        "a stage lists a gate that the policy lacks",
        _rollout(stages=[{"name": "x", "canary": {"weight": 50, "soak": "1s", "gates": ["absent"]}}]),
        "lists the gate absent",
    ),
    "stalled-hurry": Case(
        "the soaks are longer than the deadline",
        _rollout(timeouts={"progress": "3s"}),
        "3s, is over before the soaks are (4s together)",
    ),
    "stalled-source": Case(
        "the metric source is not in the operator's configuration", _rollout(metrics={"source": "nowhere"}), "nowhere"
    ),
    "stalled-preset": Case("there is no such preset", _rollout(metrics={"preset": "nonesuch"}), "traefik"),
    "stalled-cannot": Case(
        "the preset cannot measure what a gate compares",
        _rollout(metrics={"preset": "kserve"}, gates=GATES, stages=STAGES),
        "measure serverErrors at the data plane",
    ),
    "stalled-query": Case("a query is more than a vector selector", _query("rate(a{${arm}}[1m])"), "gate unsold"),
    "stalled-pods": Case("the API server refuses the pods", _unknown_volume, "nowhere"),
    "stalled-absent": Case("the route of others is not there", _guest("not-there"), "there is no HTTPRoute not-there"),
    "stalled-slots": Case(
        "the route of others does not list both slots", _guest("without-slots"), "- name:", _without_slots
    ),
    "stalled-sticky": Case("the route pins sessions", _guest("sticky"), "sessionPersistence", _sticky),
}


def _story(name: str, case: Case) -> Callable[[World], Awaitable[None]]:
    async def story(world: World) -> None:
        iris = world.model(name)
        await iris.serve("1")
        if case.prepare is not None:
            await case.prepare(world, iris)
        bad = iris.spec("2")
        case.spoil(bad)
        await iris.apply(bad)
        md = await iris.until(stalled(case.found.reason.value, case.found.field, case.words))
        await _stable_is_left_alone(world, iris, md)

    story.__doc__ = f"{case.fault}."
    return together(story)


async def _stable_is_left_alone(world: World, iris: Model, md: Json) -> None:
    assert serving(md, "1")
    assert condition(md, "Promoted")["status"] == "False"
    assert await world.answers(iris.host) == "1"
    deployments = await world.list("Deployment", deployment=iris.name)
    stable = next(one for one in deployments if one["metadata"]["name"] == md["status"]["stable"]["revision"])
    assert stable["metadata"]["generation"] == 1, "nobody wrote it again"
    # And the right spec again clears it.
    await iris.apply(iris.spec("1"))
    await iris.until(
        lambda md: condition(md, "Promoted").get("status") == "True" and not condition(md, "Stalled"), "not Stalled"
    )


test_the_policy_does_not_exist = _story("stalled-policy", WHILE_SERVING["stalled-policy"])
test_a_window_is_in_a_time_zone_that_nobody_knows = _story("stalled-zone", WHILE_SERVING["stalled-zone"])
test_a_stage_lists_a_gate_that_is_not_there = _story("stalled-gate", WHILE_SERVING["stalled-gate"])
test_the_deadline_comes_before_the_soaks_are_over = _story("stalled-hurry", WHILE_SERVING["stalled-hurry"])
test_the_metric_source_is_unknown = _story("stalled-source", WHILE_SERVING["stalled-source"])
test_the_preset_is_unknown = _story("stalled-preset", WHILE_SERVING["stalled-preset"])
test_the_preset_cannot_measure_a_gate = _story("stalled-cannot", WHILE_SERVING["stalled-cannot"])
test_a_query_is_more_than_a_selector = _story("stalled-query", WHILE_SERVING["stalled-query"])
test_the_api_server_refuses_the_pods = _story("stalled-pods", WHILE_SERVING["stalled-pods"])
test_the_route_of_others_is_not_there = _story("stalled-absent", WHILE_SERVING["stalled-absent"])
test_the_route_of_others_lacks_the_slots = _story("stalled-slots", WHILE_SERVING["stalled-slots"])
test_the_route_pins_sessions = _story("stalled-sticky", WHILE_SERVING["stalled-sticky"])


@together
async def test_an_older_deployment_has_its_slots_in_the_rule(world: World) -> None:
    """The younger keeps serving through the route that it had."""
    iris = world.model("stalled-younger")
    await _crowded(world, iris)
    await world.model("aaa-older").until(lambda md: md["status"].get("stable") is not None)
    await iris.serve("1")
    bad = iris.spec("2")
    _guest("crowded")(bad)
    await iris.apply(bad)
    md = await iris.until(stalled("RouteConflict", "spec.traffic", "aaa-older"))
    await _stable_is_left_alone(world, iris, md)


@together
async def test_a_route_of_our_name_belongs_to_somebody_else(world: World) -> None:
    """It is not touched; once it is gone the rollout goes on."""
    iris = world.model("stalled-name")
    await world.apply(route_of_others(iris.name, [("somebody", 1)], host=iris.host))
    theirs = await world.get("HTTPRoute", iris.name)
    await iris.apply(iris.spec("1", fake=True))
    await iris.until(stalled("RouteConflict", "spec.traffic"))
    live = await world.get("HTTPRoute", iris.name)
    assert theirs is not None
    assert live is not None
    assert live["spec"] == theirs["spec"]
    await world.delete("HTTPRoute", iris.name)
    await iris.until(lambda md: (md["status"].get("stable") or {}).get("version") == "1", "it goes on")


@together
async def test_a_service_or_deployment_of_our_name_is_not_touched(world: World) -> None:
    """NotOurs: Stalled RouteConflict with the name; nothing of ours was begun, and theirs is as it was."""
    iris = world.model("stalled-service")
    theirs = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": f"{iris.name}-b"},
        "spec": {"selector": {"app": "theirs"}, "ports": [{"port": 1}]},
    }
    await world.apply(theirs)
    await iris.apply(iris.spec("1", fake=True))
    md = await iris.until(stalled("RouteConflict", f"Service {iris.name}-b", "metadata.name"))
    assert condition(md, "Ready")["status"] == "False"
    assert await world.list("ModelRevision", deployment=iris.name) == []
    assert await world.list("Deployment", deployment=iris.name) == []
    await iris.told_once("RouteConflict")
    assert len(await iris.events()) == 1, "and nothing else was told"
    live = await world.get("Service", f"{iris.name}-b")
    assert live is not None
    assert live["spec"]["selector"] == {"app": "theirs"}
    await world.delete("Service", f"{iris.name}-b")
    # No event tells of what is not ours; it is looked for every half minute, and at any change of the spec.
    await iris.patch({"spec": {"model": {"card": {"limitations": "none"}}}})
    await iris.until(lambda md: (md["status"].get("stable") or {}).get("version") == "1", "it goes on")


@together
async def test_the_existing_service_is_not_there(world: World) -> None:
    """Nothing serves, and nothing is said to; once it is there it is taken over."""
    iris = world.model("stalled-existing")
    md = iris.spec("1", fake=True)
    md["spec"]["serving"].pop("template")
    md["spec"]["serving"]["existing"] = {"service": "not-there-yet"}
    await iris.apply(md)
    status = await iris.until(stalled("InvalidSpec", "spec.serving.existing.service", "not-there-yet"))
    assert condition(status, "Ready")["status"] == "False"
    assert status["status"].get("stable") is None


@together
async def test_the_first_revision_never_becomes_ready(world: World) -> None:
    """After the hard gate's time it says so, with what the pods wait for."""
    iris = world.model("stalled-first")
    gates = [{"name": "pods", "hard": {"readyWithin": "3s"}}]
    stages = [{"name": "all", "canary": {"weight": 50, "soak": "1s"}}]
    slow = iris.spec("1", {"START_DELAY_SECONDS": 600}, rollout={"gates": gates, "stages": stages})
    await iris.apply(slow)
    md = await iris.until(stalled("FirstRevisionFailing", "spec.serving.template", "not ready within 3 s"))
    assert condition(md, "Ready")["status"] == "False"


ELSEWHERE = {
    "the existing Service is not there",  # above: nothing serves before it
    "a route of our name belongs to somebody else",  # above
    "an older deployment has its slots in the same rule",  # above
    "the first revision never becomes ready",  # above
    "the revision was rejected before",  # test_spec_changes, which has a rejected revision
    "the same content was rejected as another version",  # test_artifacts
    "the operator has no image that fetches models",  # tests/unit/controller/test_artifacts.py: this operator has one
}


def test_every_fault_that_is_found_later_is_here() -> None:
    """The list of the API and these tests know the same faults; with those refused at apply they are more than 40."""
    here = {case.fault for case in WHILE_SERVING.values()} | ELSEWHERE
    assert here == {entry.fault for entry in FOUND_LATER}
    assert len(BAD) + len(FOUND_LATER) >= 40
