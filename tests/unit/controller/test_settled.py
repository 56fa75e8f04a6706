"""A look compares nothing again that cannot have changed, and everything that has."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from serin.controller import ensuring
from tests.unit.controller.clock import run
from tests.unit.controller.desk import Desk
from tests.unit.controller.test_apply_order import md

Json = dict[str, Any]


async def serving() -> Desk:
    """The first version serves, and the last look wrote nothing."""
    desk = Desk(md())
    for _ in range(3):
        await desk.look()
    desk.pods_ready("1")
    while await desk.look():
        pass
    return desk


def test_what_is_in_its_place_is_compared_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Comparing eight objects was a third of each look."""
    compared: list[str] = []

    def differs(desired: Json, live: Json) -> bool:
        compared.append(desired["kind"])
        return original(desired, live)

    original = ensuring.differs
    monkeypatch.setattr(ensuring, "differs", differs)

    async def story() -> None:
        desk = await serving()
        assert compared, "else the next line would prove nothing"
        compared.clear()
        assert await desk.look() == []
        assert compared == []

    run(story())


def _scaled(deployment: Json) -> None:
    deployment["spec"]["replicas"] = 7


def _turned(service: Json) -> None:
    service["spec"]["selector"] = {"app": "something-else"}


def _moved(route: Json) -> None:
    for backend in route["spec"]["rules"][0]["backendRefs"]:
        backend["weight"] = 1


@pytest.mark.parametrize(("kind", "change"), [("Deployment", _scaled), ("Service", _turned), ("HTTPRoute", _moved)])
def test_what_somebody_changed_afterwards_is_put_right(kind: str, change: Callable[[Json], None]) -> None:
    async def story() -> None:
        desk = await serving()
        name = next(name for found, name in desk.kube.objects if found == kind)
        obj = copy.deepcopy(desk.kube.objects[kind, name])
        change(obj)
        desk.user_applies(obj)
        assert f"apply {kind} {name}" in await desk.look()

    run(story())


def test_a_deleted_object_is_made_again() -> None:
    async def story() -> None:
        desk = await serving()
        desk.cache.remove("Service", desk.kube.objects.pop(("Service", "iris-b")))
        assert await desk.look() == ["apply Service iris-b"]

    run(story())
