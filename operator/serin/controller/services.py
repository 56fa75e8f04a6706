"""The Services: two slots that stay whatever revision takes its turn in them, and the in-cluster address."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

from serin.api.names import LABEL_SLOT, SLOTS, Slot
from serin.controller.cache import Cache
from serin.controller.claims import Claims, NotOurs, Stop
from serin.controller.ensuring import Ensurer
from serin.controller.kube import SERVICE
from serin.controller.observe import View
from serin.rollout.decision import Desired
from serin.traffic.state import Routed
from serin.workloads.service import slot_service, stable_service

Json = dict[str, Any]
logger = logging.getLogger(__name__)


class Services:
    """Writes them."""

    def __init__(self, cache: Cache, claims: Claims, ensurer: Ensurer) -> None:
        """One for the whole operator."""
        self._cache, self._claims, self._ensurer = cache, claims, ensurer
        self._unreached: dict[tuple[str, str], float] = {}

    async def slots(self, view: View, desired: Desired) -> NotOurs | None:
        """Both slots' Services.

        Returns the obstacle in a slot that nothing stands in: it must not keep stable from being looked after.
        """
        if not desired.workloads and not desired.adopted:
            return None
        ports = self._ports(view, desired)
        adopted = dict(desired.adopted)
        used = {work.slot for work in desired.workloads if not work.surplus} | adopted.keys()
        unused: NotOurs | None = None
        for slot in SLOTS:
            service = slot_service(view.md, slot, target_port=ports.get(slot))
            live = self._cache.get("Service", view.md.metadata.namespace, service["metadata"]["name"])
            if slot in adopted:
                if live is not None:
                    continue
                existing = await self._claims.existing(view, adopted[slot])
                service["spec"]["selector"] = existing["spec"]["selector"]
                _follow_ports(service, existing)
            elif live is not None and _follows_another(live) and not self._released(view, desired, slot):
                continue
            try:
                await self._ensurer.ensure(view, SERVICE, service)
            except Stop as stop:
                if slot in used or not isinstance(stop.obstacle, NotOurs):
                    raise
                unused = stop.obstacle
        return unused

    async def address(self, view: View, desired: Desired) -> bool:
        """The Service `<deployment>`; one that is somebody else's stays theirs, and the slots' Services do.

        Returns whether it is ours and as it should be; else it is to be tried again.
        """
        if desired.serving is None:
            return True
        service = stable_service(view.md, desired.serving, target_port=self._ports(view, desired).get(desired.serving))
        if dict(desired.adopted).get(desired.serving) is not None:
            return True  # until the first promotion the adopted Service is the address
        try:
            await self._ensurer.ensure(view, SERVICE, service)
        except Stop as stop:
            logger.warning("address not taken", extra={"object": view.seen.name, "why": str(stop)})
            return False
        return True

    def _released(self, view: View, desired: Desired, slot: Slot) -> bool:
        """Whether a slot that still leads to an adopted Service's pods may be turned to ours.

        Not while the gateway may send it anything: until a candidate of ours gets weight there, those pods answer.
        """
        key, now = (view.md.metadata.uid, slot), asyncio.get_running_loop().time()
        if desired.weights is not None and desired.weights.of(slot) > 0:
            return True
        if not isinstance(view.seen.route, Routed) or view.seen.route.reaches(slot):
            self._unreached.pop(key, None)
            return False
        if now - self._unreached.setdefault(key, now) < view.seen.gateway_reload_seconds:
            return False
        del self._unreached[key]
        return True

    def _ports(self, view: View, desired: Desired) -> Mapping[Slot, int]:
        """Where the tenant of each slot listens: a revision keeps its port when the spec's has changed."""
        ports: dict[Slot, int] = {}
        for work in desired.workloads:
            revision = self._cache.get("ModelRevision", view.md.metadata.namespace, work.revision)
            if revision is not None and not work.surplus:
                ports[work.slot] = int(revision["spec"]["serving"]["port"])
        return ports


def _follows_another(service: Json) -> bool:
    """Whether a slot's Service leads to the pods of an adopted one: its selector knows no slot."""
    return LABEL_SLOT not in ((service.get("spec") or {}).get("selector") or {})


def _follow_ports(service: Json, existing: Json) -> None:
    """Let a slot that selects an adopted Service's pods reach the ports that this Service reaches."""
    targets = {entry["port"]: entry.get("targetPort", entry["port"]) for entry in existing["spec"].get("ports") or ()}
    first = next(iter(targets.values()), None)
    for entry in service["spec"]["ports"]:
        entry["targetPort"] = targets.get(entry["port"], first if first is not None else entry["targetPort"])
