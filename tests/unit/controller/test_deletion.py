"""What is done before a ModelDeployment goes, and in which order."""

from __future__ import annotations

from typing import Any

import pytest

from serin.api.names import FINALIZER
from serin.controller.kube import Unavailable
from tests.unit.controller.clock import run
from tests.unit.controller.desk import Desk
from tests.unit.controller.test_apply_order import GUEST, md, shop

Json = dict[str, Any]


async def deleted(raw: Json, *others: Json, status: Json | None = None) -> Desk:
    """A desk on which the deployment serves in slot a and is being deleted."""
    desk = Desk(raw)
    for other in others:
        desk.user_applies(other)
    await desk.look()
    stored = desk.md
    if status is not None:
        stored["status"] = status
    else:
        revision = stored["status"]["candidate"]["revision"]
        stored["status"]["stable"] = {"revision": revision, "version": "1", "slot": "a"}
        stored["status"].pop("candidate")
        stored["status"].pop("rollout")
    stored["metadata"]["deletionTimestamp"] = "2026-11-22T00:00:00Z"
    desk.cache.put("ModelDeployment", desk.kube.put(stored))
    return desk


def test_weights_first_then_the_finalizer() -> None:
    """In a route of others: pods go only when nothing points at them."""

    async def story() -> None:
        desk = await deleted(md(traffic=GUEST), shop(80, 20))
        assert await desk.look() == [
            "patch /spec/rules/0/backendRefs/0/weight /spec/rules/0/backendRefs/1/weight of HTTPRoute shop",
            "patch /metadata/finalizers of ModelDeployment iris",
        ]
        assert desk.md["metadata"]["finalizers"] == []

    run(story())


def test_it_stays_until_the_weights_are_written() -> None:
    """A route that cannot be written keeps the finalizer."""

    async def story() -> None:
        desk = await deleted(md(traffic=GUEST), shop(80, 20))
        desk.kube.fail["patch /spec/rules"] = Unavailable("503")
        with pytest.raises(Unavailable):
            await desk.look()
        assert desk.md["metadata"]["finalizers"] == [FINALIZER]

    run(story())


def test_a_route_that_is_gone_keeps_nobody() -> None:
    """Nor does one that has lost the slots."""

    async def story() -> None:
        desk = await deleted(md(traffic=GUEST), shop(80, 20))
        del desk.kube.objects["HTTPRoute", "shop"]
        assert await desk.look() == ["patch /metadata/finalizers of ModelDeployment iris"]

    run(story())


def test_a_status_that_cannot_be_read_keeps_nobody() -> None:
    """What cannot be undone for want of knowledge must not hold a namespace in Terminating."""

    async def story() -> None:
        desk = await deleted(md(traffic=GUEST), shop(80, 20), status={"stable": {"slot": "?"}})
        assert await desk.look() == ["patch /metadata/finalizers of ModelDeployment iris"]

    run(story())


def test_orphan_gives_up_what_serves_and_its_own_route_sends_all_to_it() -> None:
    """Weights, then ownership of Services, stable's Deployment and the route, then the finalizer."""

    async def story() -> None:
        desk = await deleted(md(deletionPolicy="Orphan"))
        refs = desk.kube.objects["HTTPRoute", "iris"]["spec"]["rules"][0]["backendRefs"]
        refs[0]["weight"], refs[1]["weight"] = 80, 20
        writes = await desk.look()
        assert "weight of HTTPRoute iris" in writes[0]
        assert writes[-1] == "patch /metadata/finalizers of ModelDeployment iris"
        given_up = {line.partition(" of ")[2].partition("-1-")[0] for line in writes[1:-1]}
        assert given_up == {"Service iris-a", "Service iris-b", "Deployment iris", "HTTPRoute iris"}
        for key in (("Service", "iris-a"), ("HTTPRoute", "iris")):
            assert desk.kube.objects[key]["metadata"]["ownerReferences"] == []

    run(story())


def test_without_our_finalizer_nothing_is_done() -> None:
    """Everything of ours goes by its owner reference."""

    async def story() -> None:
        desk = await deleted(md())
        assert await desk.look() == []

    run(story())
