"""What is written in which order, and what a failure in between leaves."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from serin.api.names import FINALIZER
from serin.controller.kube import Forbidden, Unavailable
from serin.controller.reconcile import OBSTACLE_RETRY_SECONDS
from tests.unit.api.builders import deployment
from tests.unit.controller.clock import run
from tests.unit.controller.desk import CONFIG, Desk
from tests.unit.controller.fakes import refusing

Json = dict[str, Any]
GUEST = {"httpRoute": {"ref": {"name": "shop"}}}


def md(version: str = "1", **spec: Any) -> Json:
    """The ModelDeployment of a version, in namespace ml."""
    raw = deployment(**{"model": {"name": "iris", "version": version}, **spec})
    raw["metadata"]["namespace"] = "ml"
    return raw


def shop(*weights: int) -> Json:
    """A route of others that lists both slots."""
    refs = [
        {"name": f"iris-{slot}", "port": 8080, "weight": weight} for slot, weight in zip("ab", weights, strict=True)
    ]
    return {"kind": "HTTPRoute", "metadata": {"name": "shop"}, "spec": {"rules": [{"backendRefs": refs}]}}


def without_hash(writes: list[str]) -> list[str]:
    """The writes, with revisions named by their version alone."""
    return [line.rpartition("-")[0] if "-1-" in line or "-2-" in line else line for line in writes]


def test_a_first_version_is_on_record_then_stored_then_made_then_reached() -> None:
    """Revision before status, status before pods, pods before weights."""

    async def story() -> None:
        desk = Desk(md())
        assert without_hash(await desk.look()) == [
            "create ModelRevision iris-1",
            "status ModelDeployment iris",
            "apply Service iris-a",
            "apply Service iris-b",
            "apply Deployment iris-1",
            "apply HTTPRoute iris",
        ]
        assert await desk.look() == [], "a second look has nothing to write"

    run(story())


def test_the_finalizer_comes_before_anything_that_a_deletion_would_have_to_undo() -> None:
    """In a route of others."""

    async def story() -> None:
        desk = Desk(md(traffic=GUEST))
        desk.user_applies(shop(100, 0))
        first, *_ = await desk.look()
        assert first == "patch /metadata/finalizers of ModelDeployment iris"
        assert desk.md["metadata"]["finalizers"] == [FINALIZER]

    run(story())


def test_nothing_is_made_of_a_decision_that_could_not_be_stored() -> None:
    """The next look decides anew."""

    async def story() -> None:
        desk = Desk(md())
        desk.kube.fail["status ModelDeployment"] = Unavailable("503")
        with pytest.raises(Unavailable):
            await desk.look()
        assert without_hash(desk.kube.writes) == ["create ModelRevision iris-1"]
        assert desk.recorder.told == [], "and nothing is told of it"
        desk.kube.fail.clear()
        assert without_hash(await desk.look())[0] == "status ModelDeployment iris"

    run(story())


@pytest.mark.parametrize("broken", ["apply Service iris-b", "apply Deployment", "apply HTTPRoute"])
def test_a_look_that_failed_is_finished_by_the_next_one(broken: str) -> None:
    """Nothing is written twice, nothing is left out, and the transition is told once."""

    async def story() -> None:
        whole = without_hash(await Desk(md()).look())
        desk = Desk(md())
        desk.kube.fail[broken] = Unavailable("503")
        with pytest.raises(Unavailable):
            await desk.look()
        before = without_hash(desk.kube.writes)
        desk.kube.fail.clear()
        assert before + without_hash(await desk.look()) == whole
        assert len(desk.recorder.told) == 1

    run(story())


def test_the_address_follows_when_the_first_version_serves() -> None:
    """Service `iris` leads to slot a, after the weights."""

    async def story() -> None:
        desk = Desk(md(rollout={"stages": [{"name": "all", "canary": {"weight": 50, "soak": "1s"}}]}))
        await desk.look()
        desk.pods_ready("1")
        assert "apply Service iris" in await desk.look()
        assert desk.condition("Promoted")["status"] == "True"
        assert await desk.look() == []

    run(story())


def test_a_refused_template_ends_the_attempt_in_the_api_servers_words() -> None:
    """Stored as Stalled InvalidTemplate by the look after it, and not tried again."""

    async def story() -> None:
        desk = Desk(md())
        desk.kube.fail["apply Deployment"] = refusing('spec.containers[0].image: Required value: "x"')
        await desk.look()
        assert desk.later, "the next look comes at once"
        assert 0.0 in desk.later
        await desk.look()
        stalled = desk.condition("Stalled")
        assert stalled["reason"] == "InvalidTemplate"
        assert "spec.serving.template" in stalled["message"]
        assert "containers[0].image: Required value" in stalled["message"]
        for _ in range(3):
            writes = await desk.look()
            assert not any("Deployment iris-1" in line for line in writes)

    run(story())


def test_what_serves_is_not_ended_by_a_refusal() -> None:
    """An admission policy that came later refuses a scaling of stable; weights and status go on."""

    async def story() -> None:
        desk = Desk(md(rollout={"stages": [{"name": "all", "canary": {"weight": 50, "soak": "1s"}}]}))
        await desk.look()
        desk.pods_ready("1")
        await desk.look()
        desk.kube.fail["apply Deployment"] = refusing("policy says no")
        scaled = md(rollout={"stages": [{"name": "all", "canary": {"weight": 50, "soak": "1s"}}]})
        scaled["spec"]["serving"]["replicas"] = 3
        desk.user_applies(scaled)
        await desk.look()
        assert desk.md["status"]["stable"]["version"] == "1"
        assert not desk.condition("Stalled")

    run(story())


def test_a_quota_holds_in_the_api_servers_words_and_says_nothing_about_the_revision() -> None:
    """Tried again until there is room; then the rollout goes on as if nothing had been."""

    async def story() -> None:
        desk = Desk(md())
        desk.kube.fail["apply Deployment"] = Forbidden(
            'deployments.apps "iris-1" is forbidden: exceeded quota: models, requested: count/deployments.apps=1'
        )
        await desk.look()
        await asyncio.sleep(CONFIG.status_seconds)
        await desk.look()
        reconciling = desk.condition("Reconciling")
        assert reconciling["reason"] == "InsufficientCapacity"
        assert "exceeded quota: models" in reconciling["message"]
        assert not desk.condition("Stalled")
        assert OBSTACLE_RETRY_SECONDS in desk.later, "no event tells when a quota was raised"
        del desk.kube.fail["apply Deployment"]
        await desk.look()
        desk.pods_ready("1")
        await desk.look()
        assert desk.condition("Ready")["status"] == "True"
        assert "quota" not in desk.condition("Ready")["message"]

    run(story())


@pytest.mark.parametrize(
    ("kind", "name"), [("Service", "iris-a"), ("Service", "iris-b"), ("Deployment", "the revision's name")]
)
def test_somebody_elses_object_is_seen_before_anything_is_written(kind: str, name: str) -> None:
    """Stalled RouteConflict with its name, by one write of the status; once it is gone the rollout starts."""

    async def story() -> None:
        desk = Desk(md())
        if kind == "Deployment":
            probe = Desk(md())
            await probe.look()
            found = next(key[1] for key in probe.kube.objects if key[0] == "Deployment")
        else:
            found = name
        desk.kube.put({"kind": kind, "metadata": {"name": found, "namespace": "ml"}, "spec": {}})
        assert await desk.look() == ["status ModelDeployment iris"]
        assert desk.condition("Stalled")["reason"] == "RouteConflict"
        assert f"{kind} {found} exists and is not Serin's" in desk.condition("Stalled")["message"]
        assert len(desk.recorder.told) == 1
        assert await desk.look() == []
        assert len(desk.recorder.told) == 1, "a stall is one Event, when it begins"
        assert desk.later == [30.0, 30.0], "no watch tells when it goes"
        del desk.kube.objects[kind, found]
        assert without_hash(await desk.look())[0] == "create ModelRevision iris-1"

    run(story())


def test_an_existing_service_that_is_not_there_is_not_taken_over() -> None:
    """Nothing serves, so Ready is False; without a selector it cannot be taken over either."""

    async def story() -> None:
        raw = md()
        raw["spec"]["serving"]["existing"] = {"service": "old"}
        desk = Desk(raw)
        await desk.look()
        assert desk.condition("Stalled")["reason"] == "InvalidSpec"
        assert "spec.serving.existing.service: there is no Service old" in desk.condition("Stalled")["message"]
        assert desk.condition("Ready")["status"] == "False"
        assert "stable" not in desk.md["status"]
        desk.kube.put({"kind": "Service", "metadata": {"name": "old", "namespace": "ml"}, "spec": {"ports": []}})
        await desk.look()
        assert desk.md["status"].get("stable") is None
        selects = {"selector": {"app": "old"}, "ports": [{"port": 80, "targetPort": 9000}]}
        desk.kube.put({"kind": "Service", "metadata": {"name": "old", "namespace": "ml"}, "spec": selects})
        await desk.look()
        assert desk.md["status"]["stable"]["adopted"] == "old"
        assert desk.kube.objects["Service", "iris-a"]["spec"]["selector"] == {"app": "old"}

    run(story())


def test_a_deleted_revision_of_stable_is_made_again() -> None:
    """Without it stable could not be scaled any more."""

    async def story() -> None:
        desk = Desk(md())
        await desk.look()
        revision = desk.pods_ready("1")
        await desk.look()
        gone = desk.kube.objects.pop(("ModelRevision", revision))
        desk.cache.remove("ModelRevision", {**gone, "metadata": {**gone["metadata"], "resourceVersion": "1000"}})
        assert f"create ModelRevision {revision}" in await desk.look()

    run(story())


def test_how_an_attempt_ended_is_recorded_before_the_next_one_makes_the_status_forget_it() -> None:
    """The look that promoted failed after the status, and the next spec was there before the look after it."""

    async def story() -> None:
        stages = [{"name": "all", "canary": {"weight": 50, "soak": "1s"}}]
        desk = Desk(md(rollout={"stages": stages}))
        await desk.look()
        revision = desk.pods_ready("1")
        desk.kube.fail["apply Service iris"] = Unavailable("503")
        with pytest.raises(Unavailable):
            await desk.look()
        assert desk.md["status"]["outcome"]["kind"] == "Promoted"
        assert "status" not in desk.kube.objects["ModelRevision", revision]
        desk.kube.fail.clear()
        desk.user_applies(md("2", rollout={"stages": stages}))
        writes = await desk.look()
        assert writes.index(f"status ModelRevision {revision}") < writes.index("status ModelDeployment iris")
        assert desk.kube.objects["ModelRevision", revision]["status"]["wasStable"]

    run(story())


def test_a_spec_that_cannot_be_read_touches_nothing() -> None:
    """Stored past the rules, under older ones: Stalled with the field, and what serves is left alone."""

    async def story() -> None:
        desk = Desk(md())
        await desk.look()
        bad = md()
        bad["spec"]["serving"]["port"] = "http"
        desk.user_applies(bad)
        assert await desk.look() == ["status ModelDeployment iris"]
        assert desk.condition("Stalled")["reason"] == "InvalidSpec"
        assert "spec.serving.port" in desk.condition("Stalled")["message"]
        assert desk.evidence.dropped, "nothing is measured for it"
        assert await desk.look() == []

    run(story())


def test_a_spec_that_never_could_be_read_is_not_ready() -> None:
    """Ready and Promoted are always there."""

    async def story() -> None:
        bad = md()
        bad["spec"]["serving"]["port"] = "http"
        desk = Desk(bad)
        await desk.look()
        assert desk.condition("Ready")["status"] == "False"
        assert desk.condition("Promoted")["status"] == "False"

    run(story())
