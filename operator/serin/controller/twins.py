"""The same content under another version label: what was rejected is not let in again by a new name.

Only files that a digest pins can be recognised, and what is remembered is what was judged:

    refused when they were fetched    the files at their uri, and how they were fetched: no pod template mends them,
                                      a corrected uri or a higher limit may
    rejected on trial                 the files and how they were served: with more memory, say, it is another trial,
                                      from elsewhere it is not
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from serin.api.model_revision import ModelRevision, tried_content
from serin.api.parse import parse_model_revision
from serin.api.reasons import Reason
from serin.rollout.observation import Target
from serin.workloads.resolve import Artifact, found_digest

Json = dict[str, Any]


def rejected_twin(wanted: Json | None, revisions: Mapping[str, Json], found: Artifact | None = None) -> Target | None:
    """Return the rejected revision whose content the wanted one has under another version label.

    found: what its resolve Job has found and nobody has written down yet.
    """
    if wanted is not None:
        wanted = _pinned(revisions.get(wanted["metadata"]["name"], wanted), found)
    digest = _digest(wanted) if wanted is not None else None
    if wanted is None or digest is None:
        return None
    for name, live in revisions.items():
        obj = _pinned(live)
        status = obj.get("status") or {}
        same = name != wanted["metadata"]["name"] and _digest(obj) == digest
        if not same or status.get("verdict") != "Rejected":
            continue
        before, now = parse_model_revision(obj), parse_model_revision(wanted)
        if not isinstance(before, ModelRevision) or not isinstance(now, ModelRevision):
            continue
        fetched = status.get("verdictReason") == Reason.ARTIFACT_REFUSED
        if _as_fetched(before) == _as_fetched(now) if fetched else _as_tried(before) == _as_tried(now):
            return Target(name, before.spec.model.version)
    return None


def _pinned(revision: Json, found: Artifact | None = None) -> Json:
    """The revision as if the digest that a Job has found were its own."""
    spec = revision["spec"]
    known = found.digest if found is not None else found_digest(revision)
    if spec["model"].get("digest") is not None or known is None:
        return revision
    return {**revision, "spec": {**spec, "model": {**spec["model"], "digest": known}}}


def _as_fetched(revision: ModelRevision) -> object:
    model = revision.spec.model
    return (model.uri, model.digest, model.fetch)


def _as_tried(revision: ModelRevision) -> object:
    return tried_content(revision.spec)


def _digest(revision: Json) -> str | None:
    digest = revision["spec"]["model"].get("digest")
    return str(digest) if digest is not None else None
