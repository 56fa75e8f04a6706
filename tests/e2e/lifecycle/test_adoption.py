"""Taking over a Service that already serves."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from tests.e2e.lifecycle.world import NAMESPACE, World, promoted, route_of_others, together

Json = dict[str, Any]


def running(name: str) -> list[Json]:
    """Return a Deployment and a Service as somebody made them long ago, with labels and a port of their own."""
    labels = {"app": name}
    container = {
        "name": "model",
        "image": "theirs",
        "command": [sys.executable, str(Path(__file__).with_name("model.py")), "9000"],
        "readinessProbe": {"httpGet": {"path": "/v2/health/ready", "port": 9000}, "periodSeconds": 1},
    }
    return [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name},
            "spec": {
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name},
            "spec": {"selector": labels, "ports": [{"port": 80, "targetPort": 9000}]},
        },
    ]


@together
async def test_a_running_service_is_the_first_stable_until_the_first_promotion(world: World) -> None:
    """It serves on untouched while the first version of ours is on trial beside it, and no request fails."""
    iris = world.model("adopter")
    old = iris.its("old")
    await world.apply(*running(old))
    # Its owner prepares the route: all traffic stays where it is until Serin's slots answer.
    route = route_of_others(iris.its("route"), [(old, 1)], host=iris.host)
    route["spec"]["rules"][0]["backendRefs"][0]["port"] = 80
    await world.apply(route)
    await iris.until_answered_by("existing")
    before = await world.get("Service", old)
    async with world.load(iris.host) as load:
        existing = iris.spec("1", traffic=iris.guest(iris.its("route")))
        template = existing["spec"]["serving"].pop("template")
        existing["spec"]["serving"]["existing"] = {"service": old}
        await iris.apply(existing)
        slots = [(iris.its("a"), 100), (iris.its("b"), 0)]
        await world.eventually(lambda: _there(world, iris.its("a")), "the slot leads to the running pods")
        await world.apply(route_of_others(iris.its("route"), slots, host=iris.host))
        md = await iris.until(promoted("existing"))
        assert md["status"]["stable"]["adopted"] == old
        seen = load.requests

        async def more() -> bool:
            return load.requests > seen + 20

        await world.eventually(more, "twenty more requests")
        # Now a version of ours, on trial against what runs.
        existing["spec"]["serving"]["template"] = template
        await iris.apply(existing)
        md = await iris.until(promoted("1"))
        assert md["status"]["stable"] == {**md["status"]["stable"], "slot": "b", "version": "1"}
        assert "adopted" not in md["status"]["stable"]
        # And the next one, which takes the slot that led to theirs.
        following = iris.spec("2", traffic=iris.guest(iris.its("route")))
        await iris.apply(following)
        md = await iris.until(promoted("2"))
        assert md["status"]["stable"]["slot"] == "a"
        await iris.until_pods("b", 0)
    assert not load.failures, load.failures
    assert load.of("existing") > 0
    assert load.of("1") > 0
    assert load.of("2") > 0
    after = await world.get("Service", old)
    assert before is not None
    assert after is not None
    assert before["metadata"]["resourceVersion"] == after["metadata"]["resourceVersion"], "it is theirs"
    theirs = await world.get("Deployment", old)
    assert theirs is not None
    assert theirs["status"]["readyReplicas"] == 1, f"nobody scales down what is not ours in {NAMESPACE}"


async def _there(world: World, service: str) -> bool:
    return await world.get("Service", service) is not None
