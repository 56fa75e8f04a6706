"""The same content under another version label: what was rejected is not let in again by a new name.

Only files that a digest pins can be recognised. What was compared is the files together with how they were served:
the same files in another pod template, with more memory perhaps, are another trial.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from serin.api.model_revision import ModelRevision, tried_content
from serin.api.parse import parse_model_revision
from serin.api.reasons import Reason
from serin.rollout.observation import Target

Json = dict[str, Any]


def rejected_twin(wanted: Json | None, revisions: Mapping[str, Json]) -> Target | None:
    """Return the rejected revision that differs from the wanted one by its version label alone.

    Where the files come from does not matter, unless that was what was refused: then a corrected uri is the remedy.
    """
    digest = _digest(wanted) if wanted is not None else None
    if wanted is None or digest is None:
        return None
    for name, obj in revisions.items():
        status = obj.get("status") or {}
        same = name != wanted["metadata"]["name"] and _digest(obj) == digest
        if not same or status.get("verdict") != "Rejected":
            continue
        before, now = parse_model_revision(obj), parse_model_revision(wanted)
        if not isinstance(before, ModelRevision) or not isinstance(now, ModelRevision):
            continue
        with_uri = status.get("verdictReason") == Reason.ARTIFACT_REFUSED
        if tried_content(before.spec, with_uri=with_uri) == tried_content(now.spec, with_uri=with_uri):
            return Target(name, before.spec.model.version)
    return None


def _digest(revision: Json) -> str | None:
    digest = revision["spec"]["model"].get("digest")
    return str(digest) if digest is not None else None
