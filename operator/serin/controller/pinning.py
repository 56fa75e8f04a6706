"""What is known of the files that uris mean: by a digest on record, a Job that was asked, or a poll."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from serin.api.model_deployment import ModelDeployment
from serin.api.model_revision import SCHEME, ModelRevision, content_hash
from serin.api.parse import parse_model_revision
from serin.rollout.desired import resolving_attempt
from serin.rollout.observation import Polling
from serin.rollout.polling import asked
from serin.rollout.record import last_promotion
from serin.rollout.state import State
from serin.workloads.fetch import fetched_pin
from serin.workloads.fetching import Fetching
from serin.workloads.resolve import Artifact, found_digest, is_unpinned, polled_artifact, resolution, resolve_name
from serin.workloads.retention import was_stable_for
from serin.workloads.revision import desired_revision

Json = dict[str, Any]


def unpinned_files(
    deployment: str,
    state: State,
    wanted: Json | None,
    revisions: Mapping[str, Json],
    deployments: Mapping[str, Json],
    jobs: Mapping[str, Json],
    pods: list[Json],
) -> dict[str, Artifact | Fetching]:
    """What is known of the files of revisions that nobody has pinned yet."""
    known = ({wanted["metadata"]["name"]: wanted} if wanted is not None else {}) | dict(revisions)
    names = {placed.revision for placed in (state.stable, state.candidate) if placed is not None}
    if wanted is not None:
        names.add(wanted["metadata"]["name"])
    found: dict[str, Artifact | Fetching] = {}
    for name in names & known.keys():
        if not is_unpinned(known[name]):
            continue
        polled = polled_artifact(known[name])
        if polled is not None:
            found[name] = polled
            continue
        # Somebody deleted the record of what runs: it goes on with the files that it has, wherever a tag points now.
        kept = fetched_pin(deployments.get(name))
        job = resolve_name(deployment, name, resolving_attempt(state, name))
        found[name] = Artifact(kept.digest, kept.uri) if kept is not None else resolution(job, jobs.get(job), pods)
    return found


def present(md: ModelDeployment, written: Json | None, state: State, revisions: Mapping[str, Json]) -> Json | None:
    """The revision of the files that the uri means now; until a poll knows more, that of the spec as it is written.

    A spec that comes back after another one means what was promoted of it last: the polls of its first time are
    forgotten, but their finds are on record as revisions.
    """
    if written is None:
        return None
    poll = state.poll
    if poll is None or poll.of != written["metadata"]["name"]:
        known = promoted_find(md, written, revisions)
        return desired_revision(md, known) if known is not None else written
    moved = poll.artifact is not None and poll.artifact.digest != poll.pinned
    return desired_revision(md, poll.artifact) if moved else written


def promoted_find(md: ModelDeployment, written: Json, revisions: Mapping[str, Json]) -> Artifact | None:
    """What a poll had found of this very spec, if it was promoted later than the files of its first question."""
    name = written["metadata"]["name"]

    def promoted(revision: Json) -> str:
        status = revision.get("status") or {}
        stable = was_stable_for(revision) == md.metadata.uid and status.get("verdict") != "Rejected"
        return last_promotion(status) if stable else ""

    finds = [one for one in revisions.values() if polled_artifact(one) is not None and _is_find_of(one, written)]
    best = max(finds, key=promoted, default=None)
    if best is None or promoted(best) <= (promoted(revisions[name]) if name in revisions else ""):
        return None
    return polled_artifact(best)


def _is_find_of(revision: Json, written: Json) -> bool:
    """Whether the revision is of the same spec but for what was found; by content, for the API server adds defaults."""
    found = parse_model_revision(revision)
    if not isinstance(found, ModelRevision) or found.spec.scheme != SCHEME:
        return False
    return bool(content_hash(found.spec.model_copy(update={"polled": None})) == written["spec"]["contentHash"])


def polling_of(
    md: ModelDeployment,
    written: Json | None,
    wanted: Json | None,
    state: State,
    revisions: Mapping[str, Json],
    jobs: Mapping[str, Json],
    pods: list[Json],
) -> Polling | None:
    """What decides whether the uri is asked about again, and what was answered; None where nobody wants it polled."""
    every = md.spec.model.poll_interval
    if every is None or written is None or wanted is None:
        return None
    name = written["metadata"]["name"]
    pinned = found_digest(revisions[name]) if name in revisions else None
    found = None
    if state.poll is not None and state.poll.of == name:
        job = asked(md.metadata.name, state.poll)
        found = resolution(job, jobs[job], pods) if job in jobs else None
    # While no poll of this spec is stored, what is wanted is what was found before.
    return Polling(name, pinned, every.seconds, found, polled_artifact(wanted))
