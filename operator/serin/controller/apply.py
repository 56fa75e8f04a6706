"""All writes of one look, in an order that matters.

No write changes nothing.

    1  finalizer          before anything is made that a deletion would have to undo
    2  ModelRevision      what is going to run is on record before it runs; and how the attempt before it ended, if
                          that look came no further, before the status forgets it: a rejected one is remembered
    3  status             the decision is stored BEFORE the weight: killed after it, the next look sees weights
                          that differ from the state and writes them; killed before it, nothing has happened
    4  pins               which files a revision's uri means is on record before a pod fetches them; where it is not
                          known yet, a Job that finds it out takes the Deployment's place
       slots, Deployments pods and endpoints come before traffic, so growing is before the weight
    5  weights            one write moves all rules of the route together
    6  Service            the in-cluster address follows when stable has changed
    7  scaling down       only of what lost its traffic long enough ago (`Desired.surplus`)
    8  record             how the attempt ended, on its revision
    9  Jobs               of validations; those whose question nobody asks any more are deleted
   10  retention          revisions get their owner, or lose it; then those beyond revisionHistoryLimit go
   11  answers            to RolloutActions, when what they wanted is stored and done

Each step compares with what is there and is skipped when it would change nothing, so a look that was killed
anywhere is finished by the next one. A look that found everything in its place is remembered (`Settled`): the next
one with the same decision over the same objects compares nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from serin.api.names import FINALIZER
from serin.controller.actions import Actions
from serin.controller.cache import Cache
from serin.controller.claims import Claims, NotOurs, Obstacle, Stop
from serin.controller.config import Config
from serin.controller.ensuring import Ensurer
from serin.controller.jobs import Jobs
from serin.controller.kube import MODEL_DEPLOYMENT, Kube, NotFound
from serin.controller.observe import View
from serin.controller.revisions import Revisions
from serin.controller.routes import Routes
from serin.controller.services import Services
from serin.controller.settled import Settled
from serin.rollout.decision import Decision

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Written:
    """How far a look came.

    obstacle: what stopped it, None when everything is written.
    job_refusal: why the Job of a validation could not be made.
    unwritten: by revision, why its Deployment is not as it should be.
    route: the route as this look left it; somebody may have changed it since. None when it was not reached.
    """

    obstacle: Obstacle | None = None
    job_refusal: str | None = None
    route: Json | None = None
    unwritten: Mapping[str, str] = field(default_factory=dict)


class Writer:
    """Writes, and puts what comes back into the cache."""

    def __init__(self, kube: Kube, cache: Cache, config: Config) -> None:
        """One for the whole operator."""
        self._kube, self._cache = kube, cache
        self._claims = Claims(kube, cache)
        ensurer = Ensurer(kube, cache, self._claims)
        self._services = Services(cache, self._claims, ensurer)
        self._routes = Routes(kube, cache, ensurer)
        fetcher = config.artifacts.fetcher() if config.artifacts is not None else None
        self._revisions = Revisions(kube, cache, self._claims, ensurer, fetcher)
        self._jobs = Jobs(kube, cache, self._claims, config)
        self._actions = Actions(kube, cache)
        self._settled = Settled(cache)

    @property
    def actions(self) -> Actions:
        """What asks about RolloutActions, and answers them."""
        return self._actions

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
        settled = self._settled.holds(view, decision)
        try:
            if not settled:
                await self._finalizer(view)
                await self._revisions.make(view, decision)
                before = view.seen.state.outcome
                if before is not None and before != decision.state.outcome:
                    await self._revisions.record(view, before)
            if status is not None:
                await self.status(view.raw, status)
                on_stored()
            written = Written(route=view.route) if settled else await self._objects(view, decision)
        except Stop as stop:
            written = Written(stop.obstacle)
        if view.actions:
            metadata = view.md.metadata
            key = (metadata.namespace, metadata.name)
            await self._actions.answer(key, view.raw, view.actions, decision.state.acted)
        return written

    async def _objects(self, view: View, decision: Decision) -> Written:
        """Steps 4 to 10."""
        desired = decision.desired
        mark = self._settled.mark(view, decision)
        unused = await self._services.slots(view, desired)
        unwritten: dict[str, str | None] = {}
        for pin in desired.pins:
            await self._revisions.pin(view, pin)
        for resolve in desired.resolves:
            unwritten[resolve.revision] = await self._jobs.resolve(view, resolve)
        for work in desired.workloads:
            if not work.surplus:
                unwritten[work.revision] = await self._revisions.workload(view, decision, work)
        route = await self._routes.weights(view, desired)
        whole = unused is None and await self._services.address(view, desired)
        for work in desired.workloads:
            if work.surplus:
                unwritten[work.revision] = await self._revisions.scale_down(view, decision, work)
        if decision.state.outcome is not None:
            await self._revisions.record(view, decision.state.outcome)
        job_refusal = await self._jobs.write(view, decision)
        await self._revisions.retain(view)
        await self._revisions.prune(view, decision)
        failed = {revision: words for revision, words in unwritten.items() if words is not None}
        if whole and job_refusal is None and not failed:
            self._settled.settle(view, decision, mark)
        return Written(unused, job_refusal, route, failed)

    def forget(self, uid: str) -> None:
        """The ModelDeployment is gone."""
        self._settled.forget(uid)

    async def status(self, raw: Json, status: Json) -> None:
        """Write a ModelDeployment's status at the resourceVersion it was read at.

        Raises:
            Conflict: the object moved since; look again.
            NotFound: it is gone. An object that goes between our list and the first event is in the cache until the
                next resync: no event tells. So it is dropped here.
        """
        try:
            written = await self._kube.replace(MODEL_DEPLOYMENT, raw | {"status": status}, "status")
        except NotFound:
            self._cache.forget("ModelDeployment", (raw["metadata"]["namespace"], raw["metadata"]["name"]))
            raise
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
