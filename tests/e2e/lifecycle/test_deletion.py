"""What a deletion takes along, and what it leaves."""

from __future__ import annotations

from tests.e2e.lifecycle.command_line import serin
from tests.e2e.lifecycle.world import LONG, NAMESPACE, Load, World, in_stage, promoted, route_of_others, together


@together
async def test_everything_of_ours_goes_with_the_deployment(world: World) -> None:
    """Own route, Services, Deployments, revisions and pods; no finalizer is in the way."""
    iris = world.model("goes")
    await iris.serve("1", fake=True)
    assert "finalizers" not in iris.history[-1]["metadata"]
    await world.delete("ModelDeployment", iris.name)
    await world.until_gone("ModelDeployment", iris.name)
    await world.until_gone("HTTPRoute", iris.name)
    for service in (iris.name, iris.its("a"), iris.its("b")):
        await world.until_gone("Service", service)
    for kind in ("Deployment", "ModelRevision", "Pod"):

        async def none_left(kind: str = kind) -> bool:
            return not await world.list(kind, deployment=iris.name)

        await world.eventually(none_left, f"no {kind} is left")


@together
async def test_a_deployment_that_is_deleted_and_applied_again_serves_again(world: World) -> None:
    """What is left of the first is in the way for a moment, and only for that."""
    iris = world.model("again")
    await iris.serve("1", fake=True)
    first = iris.history[-1]["metadata"]["uid"]
    await world.delete("ModelDeployment", iris.name)
    await iris.apply(iris.spec("1", fake=True))
    await iris.until(lambda md: md["metadata"]["uid"] != first and promoted("1")(md), "the second one serves")


@together
async def test_records_outlive_a_deployment_that_retains_them(world: World) -> None:
    """Not even a foreground deletion takes them, people read them, and a second deployment goes on from there."""
    iris = world.model("kept")
    await iris.serve("1", fake=True)
    retained = iris.spec("1", fake=True)
    retained["spec"]["retain"] = True
    await iris.apply(retained)

    async def unowned() -> bool:
        return not (await iris.revision("1"))["metadata"].get("ownerReferences")

    await world.eventually(unowned, "the revision has no owner")
    name = (await iris.revision("1"))["metadata"]["name"]
    await world.kubectl("delete", "modeldeployment", iris.name, "--cascade=foreground")
    await world.until_gone("ModelDeployment", iris.name)
    await world.until_gone("Deployment", name)

    code, out, said = await serin(world, "history", iris.name, "1")
    assert code == 0, said
    assert f"ModelDeployment {NAMESPACE}/{iris.name} is gone" in said
    assert f"{name}  version 1  Stable" in out
    code, out, said = await serin(world, "card", iris.name, "1")
    assert (code, f"ModelRevision: {NAMESPACE}/{name}" in out) == (0, True), said

    await iris.apply(iris.spec("1", fake=True))
    again = await iris.until(promoted("1"))

    async def twice() -> bool:
        status = (await iris.revision("1"))["status"]
        return (status["attempts"], status["stableFor"]) == (2, again["metadata"]["uid"])

    await world.eventually(twice, "its second attempt is on the same record")
    assert not (await iris.revision("1"))["metadata"].get("ownerReferences")


@together
async def test_in_a_route_of_others_all_weight_is_on_stable_before_the_pods_go(world: World) -> None:
    """Deleted in canary: the owner's route never points at a candidate that nobody looks after."""
    iris = world.model("leaves")
    await world.apply(route_of_others(iris.its("route"), [(iris.its("a"), 10), (iris.its("b"), 0)], host=iris.host))
    await iris.serve("1", traffic=iris.guest(iris.its("route")))
    async with world.load(iris.host):
        await iris.apply(iris.spec("2", traffic=iris.guest(iris.its("route")), rollout=LONG))
        await iris.until_shares(8, 2, iris.its("route"))
        await iris.until(in_stage("long"))
        pods = len(await world.list("Pod", deployment=iris.name))
        assert pods == 2
        await world.delete("ModelDeployment", iris.name)
        await iris.until_shares(10, 0, iris.its("route"))
    await world.until_gone("ModelDeployment", iris.name)
    route = await world.get("HTTPRoute", iris.its("route"))
    assert route is not None, "it is theirs"
    assert iris.weights(route) == [(10, 0)]
    await world.until_gone("Service", iris.its("a"))


@together
async def test_orphan_leaves_stable_serving(world: World) -> None:
    """Deleted in canary with deletionPolicy Orphan: no request fails, then or later, and the candidate goes."""
    iris = world.model("stays")
    first = iris.spec("1")
    first["spec"]["deletionPolicy"] = "Orphan"
    second = iris.spec("2", rollout=LONG)
    second["spec"]["deletionPolicy"] = "Orphan"
    await iris.apply(first)
    await iris.until(promoted("1"))
    await iris.until_answered_by("1")
    async with world.load(iris.host) as load:
        await iris.apply(second)
        await iris.until_shares(80, 20)
        await iris.until(in_stage("long"))
        await world.eventually(lambda: _candidate_answers(load), "the candidate answers")
        revision = iris.history[-1]["status"]["stable"]["revision"]
        await world.delete("ModelDeployment", iris.name)
        await world.until_gone("ModelDeployment", iris.name)
        await iris.until_pods("b", 0)
        await iris.until_shares(100, 0)
        for kind, name in (
            ("Deployment", revision),
            ("Service", iris.name),
            ("Service", iris.its("a")),
            ("Service", iris.its("b")),
            ("HTTPRoute", iris.name),
        ):
            live = await world.get(kind, name)
            assert live is not None, (kind, name)
            assert not live["metadata"].get("ownerReferences"), (kind, name)
        assert await world.answers(iris.host) == "1"
    assert not load.failures, load.failures


async def _candidate_answers(load: Load) -> bool:
    return load.of("2") > 0
