"""Watching begins when the API server announces what there is to watch."""

from __future__ import annotations

from typing import cast

from serin.controller.kube import HTTP_ROUTE, MODEL_DEPLOYMENT, SERVICE, Kind, Kube, KubeError, NotFound, Unavailable
from serin.controller.served import until_served

KINDS = (MODEL_DEPLOYMENT, HTTP_ROUTE, SERVICE)


class Starting:
    """An API server that comes up: before `announced` asks it names no kind of a CRD."""

    def __init__(self, announced: int, probe: KubeError | None) -> None:
        self.asked = 0
        self.announced = announced
        self.probed = probe

    async def announces(self, kind: Kind) -> bool:
        """Say whether discovery names it."""
        if kind == SERVICE:
            return True
        self.asked += 1
        if kind == HTTP_ROUTE and isinstance(self.probed, NotFound):
            return False
        return self.asked > self.announced

    async def probe(self, _kind: Kind, _namespace: str | None) -> None:
        """Read next to nothing."""
        if self.probed is not None:
            raise self.probed


async def test_a_kind_that_is_served_and_not_announced_is_waited_for() -> None:
    """The watches would look now, not find it, and never look again."""
    kube = Starting(announced=2, probe=None)
    await until_served(cast("Kube", kube), KINDS, "ml")
    assert kube.asked > 2


async def test_an_api_server_that_does_not_know_its_crds_is_waited_for() -> None:
    """It answers 503 until it has read them."""
    kube = Starting(announced=2, probe=Unavailable("503 before all known HTTP paths have been installed"))
    await until_served(cast("Kube", kube), KINDS, None)
    assert kube.asked > 2


async def test_a_kind_of_somebody_elses_may_be_missing() -> None:
    """Without the Gateway API there are routes of no kind; our own CRDs have to be there."""
    kube = Starting(announced=2, probe=NotFound("404"))
    await until_served(cast("Kube", kube), KINDS, None)
    assert kube.asked > 2
