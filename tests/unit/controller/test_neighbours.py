"""Other ModelDeployments of the namespace, and one that has gone without a word, harm no look."""

from __future__ import annotations

import copy

import pytest

from serin.controller.kube import NotFound
from tests.unit.controller.clock import run
from tests.unit.controller.desk import KEY, Desk
from tests.unit.controller.test_apply_order import GUEST, md, shop


def test_a_neighbour_on_a_grpc_route_is_no_rival_and_no_obstacle() -> None:
    """Found with an audit log: beside any GRPCRoute every look of a guest in somebody else's HTTPRoute failed."""

    async def story() -> None:
        desk = Desk(md(traffic=GUEST))
        desk.user_applies(shop(100, 0))
        other = copy.deepcopy(md(traffic={"grpcRoute": {"parentRefs": [{"name": "gw"}], "hostnames": ["a.example"]}}))
        other["metadata"]["name"] = "shop"
        desk.user_applies(other)
        assert await desk.look()

    run(story())


def test_a_deployment_that_is_gone_is_forgotten() -> None:
    """It went between the list and the first event: no event tells, and it was looked at again and again."""

    async def story() -> None:
        desk = Desk(md())
        desk.kube.fail["status ModelDeployment"] = NotFound("gone")
        with pytest.raises(NotFound):
            await desk.look()
        assert desk.cache.get("ModelDeployment", *KEY) is None
        assert await desk.look() == []

    run(story())
