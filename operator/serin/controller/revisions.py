"""What hangs on a revision: its record, its Deployment, and when both go."""

from __future__ import annotations

import logging
from typing import Any

from serin.api.parse import InvalidSpec, parse_model_revision
from serin.api.reasons import Reason
from serin.controller.cache import Cache
from serin.controller.claims import Claims, Refusal, Stop
from serin.controller.ensuring import Ensurer
from serin.controller.kube import DEPLOYMENT, MODEL_REVISION, Conflict, Forbidden, Invalid, Kube
from serin.controller.observe import View, known_good
from serin.rollout.decision import Decision, Pin, Workload
from serin.rollout.record import is_recorded, with_outcome
from serin.rollout.state import Outcome
from serin.workloads.deployment import desired_deployment
from serin.workloads.fetch import Fetcher, NoFetcher
from serin.workloads.resolve import is_unpinned
from serin.workloads.retention import is_of, retention_patch

Json = dict[str, Any]
logger = logging.getLogger(__name__)


class Revisions:
    """Writes ModelRevisions and Deployments."""

    def __init__(
        self, kube: Kube, cache: Cache, claims: Claims, ensurer: Ensurer, fetcher: Fetcher | None = None
    ) -> None:
        """One for the whole operator. `fetcher` brings models, None when the configuration has none."""
        self._kube, self._cache, self._claims, self._ensurer = kube, cache, claims, ensurer
        self._fetcher = fetcher

    async def make(self, view: View, decision: Decision) -> None:
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

    async def pin(self, view: View, pin: Pin) -> None:
        """Write down what a revision's files are; what is written there once stays."""
        namespace = view.md.metadata.namespace
        revision = self._cache.get("ModelRevision", namespace, pin.revision)
        if revision is None or not is_unpinned(revision):
            return
        status = (revision.get("status") or {}) | {"artifact": pin.artifact.to_status()}
        written = await self._kube.replace(MODEL_REVISION, revision | {"status": status}, "status")
        self._cache.put("ModelRevision", written)

    async def workload(self, view: View, decision: Decision, work: Workload) -> str | None:
        """The Deployment of a revision. Returns why it is not as it should be, to be tried again; None when it is.

        Raises:
            Stop: the API server refuses that of the candidate.
        """
        raw = self._cache.get("ModelRevision", view.md.metadata.namespace, work.revision)
        if raw is None:
            return f"ModelRevision {work.revision} is not there"
        if is_unpinned(raw):
            return f"spec.model.uri: nobody knows yet which files of {work.revision} are meant"
        revision = parse_model_revision(raw)
        if isinstance(revision, InvalidSpec):
            return self._refused(view, decision, work, f"ModelRevision {work.revision}: {revision}")
        live = self._cache.get("Deployment", view.md.metadata.namespace, work.revision)
        try:
            wanted = desired_deployment(view.md, revision, work.slot, work.replicas, fetcher=self._fetcher, live=live)
        except NoFetcher as error:
            return self._refused(view, decision, work, f"spec.model.fetch: {error}")
        try:
            await self._ensurer.ensure(view, DEPLOYMENT, wanted)
        except (Invalid, Forbidden) as error:
            # An admission webhook says no with 403 as well; without its words 403 is about a quota or our own rights,
            # and neither says anything about the revision.
            if isinstance(error, Forbidden) and "denied the request" not in str(error):
                return f"Deployment {work.revision} cannot be written: {error}"
            return self._refused(view, decision, work, f"spec.serving.template: {error}")
        return None

    def _refused(self, view: View, decision: Decision, work: Workload, words: str) -> str:
        """A candidate that the API server refuses ends; what serves stays as it is, and the look goes on."""
        candidate = decision.state.candidate
        if candidate is not None and candidate.revision == work.revision:
            raise Stop(Refusal(words))
        logger.warning("not written", extra={"object": view.seen.name, "what": work.revision, "why": words})
        return words

    async def scale_down(self, view: View, decision: Decision, work: Workload) -> str | None:
        """Take the pods of what drained. Returns as `workload`."""
        if self._cache.get("ModelRevision", view.md.metadata.namespace, work.revision) is not None:
            return await self.workload(view, decision, work)
        if work.revision in view.deployments:
            # Somebody deleted the revision: nothing can go back to it, so its pods need not be kept either.
            await self._kube.delete(DEPLOYMENT, view.md.metadata.namespace, work.revision)
        return None

    async def record(self, view: View, outcome: Outcome) -> None:
        """How an attempt ended, on its revision."""
        if outcome.reason is Reason.PREVIOUSLY_REJECTED:
            return  # the record says already why it was rejected, and must go on saying so
        namespace = view.md.metadata.namespace
        revision = self._cache.get("ModelRevision", namespace, outcome.revision)
        if revision is None or is_recorded(outcome, revision.get("status") or {}):
            return
        status = with_outcome(
            outcome,
            revision.get("status") or {},
            revision["metadata"].get("generation", 1),
            view.md.metadata.uid,
        )
        written = await self._kube.replace(MODEL_REVISION, revision | {"status": status}, "status")
        self._cache.put("ModelRevision", written)

    async def retain(self, view: View) -> None:
        """Whether revisions go with their ModelDeployment or stay is settled while it lives.

        See `serin.workloads.retention`.
        """
        namespace = view.md.metadata.namespace
        for name in view.revisions:
            live = self._cache.get("ModelRevision", namespace, name)
            patch = retention_patch(live, view.md) if live is not None else []
            if patch:
                self._cache.put("ModelRevision", await self._kube.patch(MODEL_REVISION, namespace, name, patch))

    async def prune(self, view: View, decision: Decision) -> None:
        """Beyond the limit the oldest revisions go, never one that serves, is on trial, or has pods.

        Nor one that a ModelDeployment of the same name has left to stay. The one that a rollback of stable would go
        back to goes last: it is older than all candidates that were rejected since, and worth more than they are.
        """
        state = decision.state
        kept = {placed.revision for placed in (state.stable, state.candidate) if placed is not None}
        if state.outcome is not None:
            kept.add(state.outcome.revision)
        if state.instead is not None:
            kept.add(state.instead.revision)
        kept |= {tenant.revision for tenant in view.seen.occupants}
        before = next((one.revision for one in known_good(view.revisions, view.md) if one.revision not in kept), None)

        def worth(obj: Json) -> tuple[bool, str, str]:
            metadata = obj["metadata"]
            return metadata["name"] == before, metadata.get("creationTimestamp", ""), metadata["name"]

        ours = [obj for name, obj in view.revisions.items() if name not in kept and is_of(obj, view.md)]
        old = sorted(ours, key=worth)
        surplus = len(old) - view.md.spec.revision_history_limit
        for obj in old[: max(surplus, 0)]:
            name, namespace = obj["metadata"]["name"], obj["metadata"]["namespace"]
            await self._kube.delete(DEPLOYMENT, namespace, name)
            await self._kube.delete(MODEL_REVISION, namespace, name)
            self._cache.remove("ModelRevision", obj)  # else the look before the watch has told deletes it once more
