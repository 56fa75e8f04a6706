"""Whose a ModelRevision is, and whether it outlives its ModelDeployment (`spec.retain`).

A record that is to stay must have no owner before the deletion begins: with foreground deletion, which GitOps tools
use, the garbage collector takes what is owned at once, finalizers or not. So the reference is never set, or taken off
while everybody is alive, and an annotation says by uid which ModelDeployment the revision is of:

    owner reference   annotation       pruned beyond the limit   goes with its ModelDeployment
    its own           none             yes                       yes
    none              its own uid      yes                       no
    none              another uid      no                        no

The last row is what a deleted ModelDeployment has left. A later one of the same name sees it: what was rejected stays
rejected, but what was stable for another one is tried again, for routes, metrics and users may be others. It may serve
from such a revision, and leaves its metadata as they are: what was retained once is nobody's to delete but a person's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from serin.api.model_deployment import ModelDeployment
from serin.api.names import ANNOTATION_RETAINED, LABEL_DEPLOYMENT
from serin.workloads.ownership import controller_uid, object_metadata, owned_by, owner_reference

Json = dict[str, Any]


def revision_metadata(md: ModelDeployment, name: str) -> Json:
    """Return the metadata of a new ModelRevision."""
    metadata = object_metadata(md, name, {})
    if md.spec.retain:
        del metadata["ownerReferences"]
        metadata["annotations"] = {ANNOTATION_RETAINED: md.metadata.uid}
    return metadata


def is_of(revision: Mapping[str, Any], md: ModelDeployment) -> bool:
    """Say whether this ModelDeployment made the revision, retained or not."""
    return owned_by(revision, md) or _retained_for(revision) == md.metadata.uid


def may_be_used(revision: Mapping[str, Any], md: ModelDeployment) -> bool:
    """Say whether the ModelDeployment may run from the revision: its own, or what one of its name has left."""
    labels = revision["metadata"].get("labels") or {}
    left = _retained_for(revision) is not None and labels.get(LABEL_DEPLOYMENT) == md.metadata.name
    return owned_by(revision, md) or left


def was_stable_for(revision: Mapping[str, Any]) -> str | None:
    """Return the uid of the ModelDeployment that the revision was stable for last; None when it never was.

    One from before `status.stableFor` was stable for the one that made it.
    """
    status = revision.get("status") or {}
    if not status.get("wasStable"):
        return None
    return status.get("stableFor") or controller_uid(revision) or _retained_for(revision)


def retention_patch(revision: Mapping[str, Any], md: ModelDeployment) -> list[Json]:
    """Return the JSON patch that makes the metadata of a revision what `spec.retain` asks for; empty when they are.

    It fails when somebody has written in between. What is not of this ModelDeployment, or going, is left alone.
    """
    metadata = revision["metadata"]
    if not is_of(revision, md) or metadata.get("deletionTimestamp") or owned_by(revision, md) is not md.spec.retain:
        return []
    owners = [one for one in metadata.get("ownerReferences") or () if one.get("uid") != md.metadata.uid]
    annotations = {key: one for key, one in (metadata.get("annotations") or {}).items() if key != ANNOTATION_RETAINED}
    if md.spec.retain:
        annotations[ANNOTATION_RETAINED] = md.metadata.uid
    else:
        owners.append(owner_reference(md))
    return [
        {"op": "test", "path": "/metadata/resourceVersion", "value": metadata["resourceVersion"]},
        {"op": "add", "path": "/metadata/ownerReferences", "value": owners},
        {"op": "add", "path": "/metadata/annotations", "value": annotations},
    ]


def _retained_for(revision: Mapping[str, Any]) -> str | None:
    uid = (revision["metadata"].get("annotations") or {}).get(ANNOTATION_RETAINED)
    return str(uid) if uid and controller_uid(revision) is None else None
