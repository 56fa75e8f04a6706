"""What a ModelDeployment needs and somebody else has: names that are taken, and things of theirs that are missing.

The watches bring only what carries our label, so a stranger's Service under a name of ours is not in the cache. It is
asked for once, before an attempt starts, so that nothing is begun that cannot go on; and no event tells when it goes,
so an obstacle can ask whether it is still there.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from serin.api.model_deployment import ModelDeployment
from serin.api.names import SLOTS, slot_service
from serin.api.reasons import Reason
from serin.controller.cache import Cache
from serin.controller.kube import DEPLOYMENT, MODEL_REVISION, ROUTE_KINDS, SERVICE, Kind, Kube, NotFound
from serin.controller.observe import View
from serin.rollout.decision import Decision
from serin.rollout.observation import Refused
from serin.workloads.ownership import owned_by
from serin.workloads.retention import may_be_used

Json = dict[str, Any]
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Refusal:
    """The API server refuses the candidate's Deployment; its own words."""

    words: str


@dataclass(frozen=True, slots=True)
class NotOurs:
    """Something of somebody else's has a name that we need, or something that we need of theirs is missing.

    still: asks the API server whether that is still so.
    """

    words: str
    still: Callable[[], Awaitable[bool]]
    reason: Reason = Reason.ROUTE_CONFLICT

    @property
    def refused(self) -> Refused:
        """What it means for the spec."""
        return Refused(self.reason, self.words)


Obstacle: TypeAlias = Refusal | NotOurs


class Stop(Exception):
    """Raised by whatever meets an obstacle while it writes."""

    def __init__(self, obstacle: Obstacle) -> None:
        """`obstacle` is what was met."""
        super().__init__(obstacle.words)
        self.obstacle = obstacle


class Claims:
    """Looks for obstacles."""

    def __init__(self, kube: Kube, cache: Cache) -> None:
        """One for the whole operator."""
        self._kube, self._cache = kube, cache

    async def in_the_way(self, view: View, decision: Decision) -> NotOurs | None:
        """What of somebody else's stands in the way of what the decision starts; None when it starts nothing.

        To be asked before anything is stored or written, so that nothing is begun that cannot go on.
        """
        before, after = view.seen.state, decision.state
        namespace, name = view.md.metadata.namespace, view.md.metadata.name
        adopts = after.stable.adopted if after.stable is not None and before.stable is None else None
        known = before.candidate.revision if before.candidate is not None else None
        starts = after.candidate.revision if after.candidate is not None else known
        if adopts is None and starts == known:
            return None
        try:
            if adopts is not None:
                await self.existing(view, adopts)
            for slot in SLOTS:
                await self.ours(view, SERVICE, slot_service(name, slot))
            if view.router.owned(view.md):
                await self.ours(view, ROUTE_KINDS[view.router.kind], name)
            if starts is not None and starts != known:
                await self.ours(view, DEPLOYMENT, starts)
        except Stop as stop:
            if isinstance(stop.obstacle, NotOurs):
                logger.info("in the way", extra={"object": f"{namespace}/{name}", "what": stop.obstacle.words})
                return stop.obstacle
            raise
        return None

    async def existing(self, view: View, name: str) -> Json:
        """The running Service that the spec wants to be taken over.

        Raises:
            Stop: it cannot be.
        """

        async def found() -> Json | None:
            return await self._found(SERVICE, view.md.metadata.namespace, name)

        async def still() -> bool:
            return _not_adoptable(await found(), name) is not None

        live = await found()
        words = _not_adoptable(live, name)
        if live is None or words is not None:
            raise Stop(NotOurs(f"spec.serving.existing.service: {words}", still, Reason.INVALID_SPEC))
        return live

    async def ours(self, view: View, kind: Kind, name: str) -> Json | None:
        """The live object, None when there is none. A new one is asked for: the watches hide what is not ours.

        Raises:
            Stop: it is somebody else's.
        """
        namespace = view.md.metadata.namespace

        async def still() -> bool:
            live = await self._found(kind, namespace, name)
            return live is not None and not _ours(kind, live, view.md)

        live = self._cache.get(kind.name, namespace, name) or await self._found(kind, namespace, name)
        if live is not None and not _ours(kind, live, view.md):
            field = "spec.traffic" if kind in ROUTE_KINDS.values() else "metadata.name"
            words = f"{field}: {kind.name} {name} exists and is not Serin's; rename it or the ModelDeployment"
            raise Stop(NotOurs(words, still))
        return live

    def unknown(self, kind: Kind, namespace: str) -> Callable[[], Awaitable[bool]]:
        """Asks whether the API server still does not know a kind."""

        async def still() -> bool:
            try:
                await self._kube.list(kind, namespace)
            except NotFound:
                return True
            return False

        return still

    async def _found(self, kind: Kind, namespace: str, name: str) -> Json | None:
        try:
            return await self._kube.get(kind, namespace, name)
        except NotFound:
            return None


def _ours(kind: Kind, live: Json, md: ModelDeployment) -> bool:
    return may_be_used(live, md) if kind is MODEL_REVISION else owned_by(live, md)


def _not_adoptable(service: Json | None, name: str) -> str | None:
    if service is None:
        return f"there is no Service {name} in this namespace"
    if not (service.get("spec") or {}).get("selector"):
        return f"Service {name} has no selector, so nobody knows which pods are to be taken over"
    return None
