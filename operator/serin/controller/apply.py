"""All writes of one look, in an order that matters.

No write changes nothing.

    1  finalizer          before anything is made that a deletion would have to undo
    2  ModelRevision      what is going to run is on record before it runs
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

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from serin.api.names import FINALIZER, SLOTS, Slot
from serin.api.parse import InvalidSpec, parse_model_revision
from serin.controller.cache import Cache
from serin.controller.kube import (
    DEPLOYMENT,
    GRPC_ROUTE,
    HTTP_ROUTE,
    MODEL_DEPLOYMENT,
    MODEL_REVISION,
    SERVICE,
    Conflict,
    Invalid,
    Kind,
    Kube,
    NotFound,
)
from serin.controller.observe import View
from serin.rollout.decision import Decision, Desired, Workload
from serin.rollout.record import is_recorded, with_outcome
from serin.rollout.state import Outcome
from serin.workloads.deployment import desired_deployment
from serin.workloads.differences import differs
from serin.workloads.ownership import owned_by
from serin.workloads.service import slot_service, stable_service

Json = dict[str, Any]
logger = logging.getLogger(__name__)

ROUTE_KINDS = {"HTTPRoute": HTTP_ROUTE, "GRPCRoute": GRPC_ROUTE}


@dataclass(frozen=True, slots=True)
class Refusal:
    """The API server refuses the candidate's Deployment; its own words."""

    words: str


@dataclass(frozen=True, slots=True)
class NotOurs:
    """Something of somebody else's has a name that we need."""

    words: str


Obstacle: TypeAlias = Refusal | NotOurs


class _Stop(Exception):
    def __init__(self, obstacle: Obstacle) -> None:
        super().__init__(obstacle.words)
        self.obstacle = obstacle


class Writer:
    """Writes, and puts what comes back into the cache."""

    def __init__(self, kube: Kube, cache: Cache) -> None:
        """One for the whole operator."""
        self._kube = kube
        self._cache = cache

    async def write(
        self, view: View, decision: Decision, status: Json | None, on_stored: Callable[[], None]
    ) -> Obstacle | None:
        """Make the cluster what the decision says.

        status: None when the stored one is good enough. on_stored: called as soon as it is written.

        Raises:
            KubeError: a write failed; the next look finishes what this one began.
        """
        try:
            await self._finalizer(view)
            await self._revision(view, decision)
            if status is not None:
                await self.status(view.raw, status)
                on_stored()
            await self._slots(view, decision.desired)
            for work in decision.desired.workloads:
                if not work.surplus:
                    await self._workload(view, work)
            await self._weights(view, decision.desired)
            await self._address(view, decision.desired)
            for work in decision.desired.workloads:
                if work.surplus:
                    await self._workload(view, work)
            if decision.state.outcome is not None:
                await self._record(view, decision.state.outcome)
            await self._prune(view, decision)
        except _Stop as stop:
            return stop.obstacle
        return None

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
        candidate = decision.state.candidate
        wanted = view.revision
        if wanted is None or candidate is None or candidate.revision != wanted["metadata"]["name"]:
            return
        if candidate.revision in view.revisions:
            return
        try:
            self._cache.put("ModelRevision", await self._kube.create(MODEL_REVISION, wanted))
        except Conflict:
            live = await self._kube.get(MODEL_REVISION, view.md.metadata.namespace, candidate.revision)
            if not owned_by(live, view.md):
                raise _Stop(NotOurs(f"ModelRevision {candidate.revision} belongs to somebody else")) from None
            self._cache.put("ModelRevision", live)

    async def _slots(self, view: View, desired: Desired) -> None:
        """Both slots' Services: permanent, whatever revision takes its turn in them."""
        if not desired.workloads and not desired.adopted:
            return
        ports = self._ports(view, desired)
        adopted = dict(desired.adopted)
        for slot in SLOTS:
            service = slot_service(view.md, slot, target_port=ports.get(slot))
            if slot in adopted:
                if self._cache.get("Service", view.md.metadata.namespace, service["metadata"]["name"]):
                    continue
                existing = await self._existing(view, adopted[slot])
                service["spec"]["selector"] = existing["spec"].get("selector") or {}
                _follow_ports(service, existing)
            await self._ensure(view, SERVICE, service)

    async def _existing(self, view: View, name: str) -> Json:
        try:
            return await self._kube.get(SERVICE, view.md.metadata.namespace, name)
        except NotFound:
            raise _Stop(NotOurs(f"spec.serving.existing.service: there is no Service {name}")) from None

    async def _workload(self, view: View, work: Workload) -> None:
        live = view.deployments.get(work.revision)
        raw = self._cache.get("ModelRevision", view.md.metadata.namespace, work.revision)
        if raw is None:
            if work.surplus and live is not None:
                raise _Stop(NotOurs(f"ModelRevision {work.revision} is gone while its pods are not"))
            return
        revision = parse_model_revision(raw)
        if isinstance(revision, InvalidSpec):
            raise _Stop(Refusal(f"ModelRevision {work.revision}: {revision}"))
        try:
            await self._ensure(view, DEPLOYMENT, desired_deployment(view.md, revision, work.slot, work.replicas))
        except Invalid as error:
            raise _Stop(Refusal(str(error))) from error

    async def _weights(self, view: View, desired: Desired) -> None:
        if desired.weights is None:
            return
        kind = ROUTE_KINDS[view.router.kind]
        namespace, name = view.md.metadata.namespace, view.router.name(view.md)
        if view.router.owned(view.md):
            await self._ensure(view, kind, view.router.desired(view.md, desired.weights))
            return
        if view.route is None:
            return
        patch = view.router.patch(view.route, view.md, desired.weights)
        if patch:
            self._cache.put(kind.name, await self._kube.patch(kind, namespace, name, patch))

    async def _address(self, view: View, desired: Desired) -> None:
        """The Service `<deployment>`; one that is somebody else's stays theirs, and the slots' Services do."""
        if desired.serving is None:
            return
        service = stable_service(view.md, desired.serving, target_port=self._ports(view, desired).get(desired.serving))
        if dict(desired.adopted).get(desired.serving) is not None:
            return  # until the first promotion the adopted Service is the address
        try:
            await self._ensure(view, SERVICE, service)
        except _Stop as stop:
            logger.warning("address not taken", extra={"object": view.seen.name, "why": str(stop)})

    async def _record(self, view: View, outcome: Outcome) -> None:
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

    async def _ensure(self, view: View, kind: Kind, desired: Json) -> None:
        """Apply what differs. An object that is new to us is looked up first: it may be somebody else's."""
        metadata = desired["metadata"]
        live = self._cache.get(kind.name, metadata["namespace"], metadata["name"])
        if live is None:
            try:
                live = await self._kube.get(kind, metadata["namespace"], metadata["name"])
            except NotFound:
                live = None
        if live is not None and not owned_by(live, view.md):
            words = f"{kind.name} {metadata['name']} exists and is not Serin's; rename it or the ModelDeployment"
            raise _Stop(NotOurs(words))
        if differs(desired, live):
            live = await self._kube.apply(kind, desired)
        if live is not None:
            self._cache.put(kind.name, live)

    def _ports(self, view: View, desired: Desired) -> Mapping[Slot, int]:
        """Where the tenant of each slot listens: a revision keeps its port when the spec's has changed."""
        ports: dict[Slot, int] = {}
        for work in desired.workloads:
            revision = self._cache.get("ModelRevision", view.md.metadata.namespace, work.revision)
            if revision is not None and not work.surplus:
                ports[work.slot] = int(revision["spec"]["serving"]["port"])
        return ports


def _follow_ports(service: Json, existing: Json) -> None:
    """Let a slot that selects an adopted Service's pods reach the ports that this Service reaches."""
    targets = {entry["port"]: entry.get("targetPort", entry["port"]) for entry in existing["spec"].get("ports") or ()}
    first = next(iter(targets.values()), None)
    for entry in service["spec"]["ports"]:
        entry["targetPort"] = targets.get(entry["port"], first if first is not None else entry["targetPort"])
