"""All writes of one look, in an order that matters.

No write changes nothing.

    1  finalizer          before anything is made that a deletion would have to undo
    2  ModelRevision      what is going to run is on record before it runs; and how the attempt before it ended, if
                          that look came no further, before the status forgets it: a rejected one is remembered
    3  status             the decision is stored BEFORE the weight: killed after it, the next look sees weights
                          that differ from the state and writes them; killed before it, nothing has happened
    4  slots, Deployments pods and endpoints come before traffic, so growing is before the weight
    5  weights            one write moves all rules of the route together
    6  Service            the in-cluster address follows when stable has changed
    7  scaling down       only of what lost its traffic long enough ago (`Desired.surplus`)
    8  record             how the attempt ended, on its revision
    9  pruning            revisions beyond revisionHistoryLimit

Each step compares with what is there and is skipped when it would change nothing, so a look that was killed
anywhere is finished by the next one.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from serin.api.names import FINALIZER, LABEL_SLOT, SLOTS, Slot
from serin.api.parse import InvalidSpec, parse_model_revision
from serin.api.reasons import Reason
from serin.controller.cache import Cache
from serin.controller.claims import Claims, NotOurs, Obstacle, Refusal, Stop
from serin.controller.kube import (
    DEPLOYMENT,
    MODEL_DEPLOYMENT,
    MODEL_REVISION,
    ROUTE_KINDS,
    SERVICE,
    Conflict,
    Forbidden,
    Invalid,
    Kind,
    Kube,
    NotFound,
)
from serin.controller.observe import View
from serin.rollout.decision import Decision, Desired, Workload
from serin.rollout.record import is_recorded, with_outcome
from serin.rollout.state import Outcome
from serin.traffic.router import ROUTERS
from serin.traffic.state import Routed
from serin.workloads.deployment import desired_deployment
from serin.workloads.differences import differs
from serin.workloads.ownership import owned_by
from serin.workloads.service import slot_service, stable_service

Json = dict[str, Any]
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Written:
    """How far a look came.

    obstacle: what stopped it, None when everything is written.
    route: the route as this look left it; somebody may have changed it since. None when it was not reached.
    """

    obstacle: Obstacle | None = None
    route: Json | None = None


class Writer:
    """Writes, and puts what comes back into the cache."""

    def __init__(self, kube: Kube, cache: Cache) -> None:
        """One for the whole operator."""
        self._kube = kube
        self._cache = cache
        self._claims = Claims(kube, cache)
        self._unreached: dict[tuple[str, str], float] = {}

    async def in_the_way(self, view: View, decision: Decision) -> NotOurs | None:
        """See `Claims.in_the_way`."""
        return await self._claims.in_the_way(view, decision)

    async def write(
        self, view: View, decision: Decision, status: Json | None, on_stored: Callable[[], None]
    ) -> Written:
        """Make the cluster what the decision says.

        status: None when the stored one is good enough. on_stored: called as soon as it is written.

        Raises:
            KubeError: a write failed; the next look finishes what this one began.
        """
        try:
            await self._finalizer(view)
            await self._revision(view, decision)
            before = view.seen.state.outcome
            if before is not None and before != decision.state.outcome:
                await self._record(view, before)
            if status is not None:
                await self.status(view.raw, status)
                on_stored()
            unused = await self._slots(view, decision.desired)
            for work in decision.desired.workloads:
                if not work.surplus:
                    await self._workload(view, decision, work)
            route = await self._weights(view, decision.desired)
            await self._address(view, decision.desired)
            for work in decision.desired.workloads:
                if work.surplus:
                    await self._scale_down(view, decision, work)
            if decision.state.outcome is not None:
                await self._record(view, decision.state.outcome)
            await self._prune(view, decision)
        except Stop as stop:
            return Written(stop.obstacle)
        return Written(unused, route)

    async def status(self, raw: Json, status: Json) -> None:
        """Write a ModelDeployment's status at the resourceVersion it was read at.

        Raises:
            Conflict: the object moved since; look again.
        """
        written = await self._kube.replace(MODEL_DEPLOYMENT, raw | {"status": status}, "status")
        self._cache.put("ModelDeployment", written)
        raw["metadata"] = written["metadata"]

    async def _finalizer(self, view: View) -> None:
        """Only where a deletion leaves work: a route of others, or pods that are to stay."""
        md = view.md
        needed = md.spec.traffic.route.ref is not None or md.spec.deletion_policy == "Orphan"
        if not needed or FINALIZER in md.metadata.finalizers:
            return
        finalizers = [*md.metadata.finalizers, FINALIZER]
        patch = [
            {"op": "test", "path": "/metadata/resourceVersion", "value": view.raw["metadata"]["resourceVersion"]},
            {"op": "add", "path": "/metadata/finalizers", "value": finalizers},
        ]
        written = await self._kube.patch(MODEL_DEPLOYMENT, md.metadata.namespace, md.metadata.name, patch)
        self._cache.put("ModelDeployment", written)
        view.raw["metadata"] = written["metadata"]

    async def _revision(self, view: View, decision: Decision) -> None:
        """What runs or is going to; the one of stable too, should somebody have deleted it."""
        wanted = view.revision
        name = wanted["metadata"]["name"] if wanted is not None else None
        placed = (decision.state.stable, decision.state.candidate)
        if wanted is None or name in view.revisions or name not in {one.revision for one in placed if one is not None}:
            return
        try:
            self._cache.put("ModelRevision", await self._kube.create(MODEL_REVISION, wanted))
        except Conflict:
            self._cache.put("ModelRevision", await self._claims.ours(view, MODEL_REVISION, name) or wanted)

    async def _slots(self, view: View, desired: Desired) -> NotOurs | None:
        """Both slots' Services: permanent, whatever revision takes its turn in them.

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
                await self._ensure(view, SERVICE, service)
            except Stop as stop:
                if slot in used or not isinstance(stop.obstacle, NotOurs):
                    raise
                unused = stop.obstacle
        return unused

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

    async def _workload(self, view: View, decision: Decision, work: Workload) -> None:
        raw = self._cache.get("ModelRevision", view.md.metadata.namespace, work.revision)
        if raw is None:
            return
        revision = parse_model_revision(raw)
        if isinstance(revision, InvalidSpec):
            self._refused(view, decision, work, f"ModelRevision {work.revision}: {revision}")
            return
        try:
            await self._ensure(view, DEPLOYMENT, desired_deployment(view.md, revision, work.slot, work.replicas))
        except (Invalid, Forbidden) as error:
            # An admission webhook says no with 403 as well; without its words 403 is about our own rights.
            if isinstance(error, Forbidden) and "denied the request" not in str(error):
                raise
            self._refused(view, decision, work, f"spec.serving.template: {error}")

    def _refused(self, view: View, decision: Decision, work: Workload, words: str) -> None:
        """A candidate that the API server refuses ends; what serves stays as it is, and the look goes on."""
        candidate = decision.state.candidate
        if candidate is not None and candidate.revision == work.revision:
            raise Stop(Refusal(words))
        logger.warning("not written", extra={"object": view.seen.name, "what": work.revision, "why": words})

    async def _scale_down(self, view: View, decision: Decision, work: Workload) -> None:
        if self._cache.get("ModelRevision", view.md.metadata.namespace, work.revision) is not None:
            await self._workload(view, decision, work)
        elif work.revision in view.deployments:
            # Somebody deleted the revision: nothing can go back to it, so its pods need not be kept either.
            await self._kube.delete(DEPLOYMENT, view.md.metadata.namespace, work.revision)

    async def _weights(self, view: View, desired: Desired) -> Json | None:
        if desired.weights is None:
            return None
        kind = ROUTE_KINDS[view.router.kind]
        namespace, name = view.md.metadata.namespace, view.router.name(view.md)
        if view.router.owned(view.md):
            route = view.router.desired(view.md, desired.weights)
            if view.route is not None:
                # A leader that lost its Lease and does not know it yet must not write old weights over new ones.
                route["metadata"]["resourceVersion"] = view.route["metadata"]["resourceVersion"]
            written = await self._ensure(view, kind, route)
            await self._retire_routes(view)
            return written
        if view.route is None or not isinstance(view.seen.route, Routed):
            return None
        written = view.route
        patch = view.router.patch(view.route, view.md, desired.weights)
        if patch:
            written = await self._kube.patch(kind, namespace, name, patch)
            self._cache.put(kind.name, written)
        await self._retire_routes(view)
        return written

    async def _retire_routes(self, view: View) -> None:
        """Routes of our own that the spec no longer asks for: their weights would never move again."""
        namespace, name = view.md.metadata.namespace, view.md.metadata.name
        for router in ROUTERS:
            if router.kind == view.router.kind and view.router.owned(view.md):
                continue
            live = self._cache.get(router.kind, namespace, name)
            if live is not None and owned_by(live, view.md):
                await self._kube.delete(ROUTE_KINDS[router.kind], namespace, name)
                self._cache.forget(router.kind, (namespace, name))

    async def _address(self, view: View, desired: Desired) -> None:
        """The Service `<deployment>`; one that is somebody else's stays theirs, and the slots' Services do."""
        if desired.serving is None:
            return
        service = stable_service(view.md, desired.serving, target_port=self._ports(view, desired).get(desired.serving))
        if dict(desired.adopted).get(desired.serving) is not None:
            return  # until the first promotion the adopted Service is the address
        try:
            await self._ensure(view, SERVICE, service)
        except Stop as stop:
            logger.warning("address not taken", extra={"object": view.seen.name, "why": str(stop)})

    async def _record(self, view: View, outcome: Outcome) -> None:
        if outcome.reason is Reason.PREVIOUSLY_REJECTED:
            return  # the record says already why it was rejected, and must go on saying so
        namespace = view.md.metadata.namespace
        revision = self._cache.get("ModelRevision", namespace, outcome.revision)
        if revision is None or is_recorded(outcome, revision.get("status") or {}):
            return
        status = with_outcome(outcome, revision.get("status") or {}, revision["metadata"].get("generation", 1))
        written = await self._kube.replace(MODEL_REVISION, revision | {"status": status}, "status")
        self._cache.put("ModelRevision", written)

    async def _prune(self, view: View, decision: Decision) -> None:
        """Beyond the limit the oldest revisions go, never one that serves, is on trial, or has pods."""
        state = decision.state
        kept = {placed.revision for placed in (state.stable, state.candidate) if placed is not None}
        if state.outcome is not None:
            kept.add(state.outcome.revision)
        kept |= {tenant.revision for tenant in view.seen.occupants}
        old = sorted(
            (obj for name, obj in view.revisions.items() if name not in kept),
            key=lambda obj: (obj["metadata"].get("creationTimestamp", ""), obj["metadata"]["name"]),
        )
        surplus = len(old) - view.md.spec.revision_history_limit
        for obj in old[: max(surplus, 0)]:
            name, namespace = obj["metadata"]["name"], obj["metadata"]["namespace"]
            await self._kube.delete(DEPLOYMENT, namespace, name)
            await self._kube.delete(MODEL_REVISION, namespace, name)

    async def _ensure(self, view: View, kind: Kind, desired: Json) -> Json:
        """Apply what differs. An object that is new to us is looked up first: it may be somebody else's."""
        metadata = desired["metadata"]
        live = await self._claims.ours(view, kind, metadata["name"])
        if live is None or differs(desired, live):
            try:
                live = await self._kube.apply(kind, desired)
            except NotFound as error:
                words = f"the API server does not know {kind.name} ({error}); is the Gateway API installed?"
                raise Stop(NotOurs(words, self._claims.unknown(kind, metadata["namespace"]))) from error
        self._cache.put(kind.name, live)
        return live

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
