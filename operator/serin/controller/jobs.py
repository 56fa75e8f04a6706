"""Jobs of validations, and those that pin a uri: made when they are asked for, deleted when nobody asks any more.

A Job is made under the name of its question and never changed. One that has ended is left to its TTL, log and all, or
until its stage asks again: its answer is in the status by then.
"""

from __future__ import annotations

import logging
from typing import Any

from serin.api.parse import InvalidSpec, parse_model_revision
from serin.controller.cache import Cache
from serin.controller.claims import Claims
from serin.controller.config import Config
from serin.controller.kube import JOB, Conflict, Forbidden, Invalid, Kube
from serin.controller.observe import View
from serin.rollout.decision import Decision, JobWork, ResolveWork
from serin.rollout.plan import Plan
from serin.workloads.evaluation import NoJob, stage_job
from serin.workloads.jobs import LABEL_STAGE, Running
from serin.workloads.resolve import resolve_job

Json = dict[str, Any]
logger = logging.getLogger(__name__)


class Jobs:
    """Writes Jobs."""

    def __init__(self, kube: Kube, cache: Cache, claims: Claims, config: Config) -> None:
        """One for the whole operator."""
        self._kube, self._cache, self._claims, self._config = kube, cache, claims, config

    async def write(self, view: View, decision: Decision) -> str | None:
        """Make what is missing and end what is asked no more. Returns the API server's words when it refuses one."""
        desired = decision.desired
        wanted = {work.name for work in desired.jobs} | {work.name for work in (*desired.resolves, *desired.polls)}
        again = {work.stage for work in desired.jobs}
        for name, job in view.jobs.items():
            runs = isinstance(view.seen.jobs.get(name), Running)
            # Data that stay stale for a week are asked about a thousand times; of each stage one answer is enough.
            before = (job["metadata"].get("labels") or {}).get(LABEL_STAGE) in again
            if name not in wanted and (runs or before):
                await self._kube.delete(JOB, view.md.metadata.namespace, name)
        for work in decision.desired.jobs:
            if work.name not in view.jobs and (words := await self._make(view, work)) is not None:
                logger.warning("no Job", extra={"object": view.seen.name, "what": work.name, "why": words})
                return words
        for poll in decision.desired.polls:
            if (words := await self.resolve(view, poll)) is not None:
                logger.warning("no poll", extra={"object": view.seen.name, "what": poll.name, "why": words})
                return words
        return None

    async def _make(self, view: View, work: JobWork) -> str | None:
        plan = view.seen.policy
        asked = [one for one in plan.validations if one.name == work.stage] if isinstance(plan, Plan) else []
        if not asked:
            return "the policy cannot be read now"
        try:
            job = stage_job(
                view.md,
                asked[0].program,
                asked[0].request,
                name=work.name,
                stage=work.stage,
                revision=work.revision,
                attempt=work.attempt,
                candidate=work.candidate,
                stable=work.stable,
                image=self._config.evaluation_image,
            )
        except NoJob as error:  # a policy is read before it gets here, so this is what that reading has missed
            return f"the Job cannot be made: {asked[0].program}: {error}"
        return await self._create(view, work.name, job)

    async def resolve(self, view: View, work: ResolveWork) -> str | None:
        """Make the Job that says what a revision's uri means. Returns why it cannot be made."""
        if work.name in view.jobs:
            return None
        raw = self._cache.get("ModelRevision", view.md.metadata.namespace, work.revision)
        if raw is None:
            return f"ModelRevision {work.revision} is not there"
        revision = parse_model_revision(raw)
        if isinstance(revision, InvalidSpec):
            return f"ModelRevision {work.revision}: {revision}"
        if self._config.artifacts is None:
            return "the operator's configuration has no artifacts.image, so nothing can find out what spec.model.uri is"
        job = resolve_job(view.md, revision, work.name, self._config.artifacts.fetcher())
        return await self._create(view, work.name, job)

    async def _create(self, view: View, name: str, job: Json) -> str | None:
        try:
            self._cache.put("Job", await self._kube.create(JOB, job))
        except Conflict:
            live = await self._claims.ours(view, JOB, name)
            if live is None:
                raise  # gone again by now: nothing is in its place, so the next look makes it
            self._cache.put("Job", live)
        except (Invalid, Forbidden) as error:
            return f"the Job is refused: {error}"
        return None
