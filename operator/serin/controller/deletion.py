"""What a deletion leaves: a route of others that sends everything to stable, or pods that stay.

Everything of ours goes by its owner reference. Only two cases need work before, and only they have a finalizer:
a route of somebody else's, whose two weights must not point at a candidate; and deletionPolicy Orphan, where that
holds for a route of our own too, because it stays.
"""

from __future__ import annotations

import logging
from typing import Any

from serin.api.model_deployment import ModelDeployment
from serin.api.names import FINALIZER, SLOTS, slot_service, stable_service
from serin.api.parse import InvalidSpec
from serin.controller.cache import Cache
from serin.controller.kube import DEPLOYMENT, MODEL_DEPLOYMENT, ROUTE_KINDS, SERVICE, Kind, Kube, NotFound
from serin.controller.observe import parse
from serin.rollout.persist import UnreadableStatus, load_state
from serin.rollout.state import State
from serin.traffic.router import router_for
from serin.traffic.state import Routed
from serin.traffic.weights import Weights
from serin.workloads.ownership import owned_by

Json = dict[str, Any]
logger = logging.getLogger(__name__)


class Deletion:
    """Finishes ModelDeployments that are being deleted."""

    def __init__(self, kube: Kube, cache: Cache) -> None:
        """One for the whole operator."""
        self._kube, self._cache = kube, cache

    async def finish(self, raw: Json) -> None:
        """Do what is left and take our finalizer off. Weights first: pods go only after it."""
        if FINALIZER not in (raw["metadata"].get("finalizers") or ()):
            return
        md = parse(raw)
        if not isinstance(md, InvalidSpec):
            state = _state(raw)
            await self._leave_route(md, state)
            if md.spec.deletion_policy == "Orphan":
                await self._orphan(md, state)
        left = [name for name in raw["metadata"]["finalizers"] if name != FINALIZER]
        version = raw["metadata"]["resourceVersion"]
        patch = [
            {"op": "test", "path": "/metadata/resourceVersion", "value": version},
            {"op": "replace", "path": "/metadata/finalizers", "value": left},
        ]
        name, namespace = raw["metadata"]["name"], raw["metadata"]["namespace"]
        try:
            await self._kube.patch(MODEL_DEPLOYMENT, namespace, name, patch)
        except NotFound:
            return

    async def _leave_route(self, md: ModelDeployment, state: State) -> None:
        router = router_for(md)
        goes = router.owned(md) and md.spec.deletion_policy != "Orphan"
        if goes or state.stable is None:
            return
        kind = ROUTE_KINDS[router.kind]
        try:
            route = await self._kube.get(kind, md.metadata.namespace, router.name(md))
        except NotFound:
            return
        if not isinstance(router.observe(route, md), Routed):
            return
        patch = router.patch(route, md, Weights.toward(state.stable.slot, 100))
        if patch:
            await self._kube.patch(kind, md.metadata.namespace, router.name(md), patch)

    async def _orphan(self, md: ModelDeployment, state: State) -> None:
        """Take our owner reference off what serves; everything else goes."""
        name, namespace = md.metadata.name, md.metadata.namespace
        kept: list[tuple[Kind, str]] = [(SERVICE, slot_service(name, slot)) for slot in SLOTS]
        kept.append((SERVICE, stable_service(name)))
        if state.stable is not None and state.stable.adopted is None:
            kept.append((DEPLOYMENT, state.stable.revision))
        router = router_for(md)
        if router.owned(md):
            kept.append((ROUTE_KINDS[router.kind], router.name(md)))
        for kind, object_name in kept:
            try:
                live = await self._kube.get(kind, namespace, object_name)
            except NotFound:
                continue
            if not owned_by(live, md):
                continue
            owners = live["metadata"]["ownerReferences"]
            patch = [
                {"op": "test", "path": "/metadata/resourceVersion", "value": live["metadata"]["resourceVersion"]},
                {
                    "op": "replace",
                    "path": "/metadata/ownerReferences",
                    "value": [owner for owner in owners if owner.get("uid") != md.metadata.uid],
                },
            ]
            await self._kube.patch(kind, namespace, object_name, patch)
            logger.info("orphaned", extra={"object": f"{namespace}/{object_name}", "kind": kind.name})
        serves = state.stable.revision if state.stable is not None else None
        for obj in self._cache.owned("Deployment", namespace, name):
            # Not left to the garbage collector, which was seen to leave it for minutes: its pods are ours to end.
            if obj["metadata"]["name"] != serves and owned_by(obj, md):
                await self._kube.delete(DEPLOYMENT, namespace, obj["metadata"]["name"])


def _state(raw: Json) -> State:
    """What the status holds; one that cannot be read must not keep the object from going."""
    try:
        return load_state(raw.get("status") or {})
    except UnreadableStatus as error:
        logger.warning("deleted as if nothing served", extra={"why": str(error)})
        return State()
