"""The ModelRevision that a spec asks for.

Its name comes from its content, so building it again gives the same object: a restart or an upgrade of the
operator makes no new revision.
"""

from __future__ import annotations

from typing import Any

from serin.api.model_deployment import ModelDeployment
from serin.api.model_revision import SCHEME, content_hash
from serin.api.names import API_VERSION, revision_name
from serin.workloads.resolve import Artifact
from serin.workloads.retention import revision_metadata


def desired_revision(md: ModelDeployment, polled: Artifact | None = None) -> dict[str, Any]:
    """Return the ModelRevision of the present spec, to be created when it is not there.

    polled: the files that a poll of the spec's uri has found, where they are others than the first ones.

    It is never applied over a live one: a changed card or lineage makes no new revision, and the spec of the
    one that is there is immutable.
    """
    digest = content_hash(md.spec, polled=polled.digest if polled is not None else None)
    # How often is asked is no property of what was found.
    model = {key: value for key, value in md.spec.model.to_dict().items() if key != "pollInterval"}
    name = revision_name(md.metadata.name, md.spec.model.version, digest)
    serving = md.spec.serving.to_dict()
    return {
        "apiVersion": API_VERSION,
        "kind": "ModelRevision",
        "metadata": revision_metadata(md, name),
        "spec": {
            "deployment": md.metadata.name,
            "model": model,
            "serving": {key: serving[key] for key in ("port", "protocol", "template") if key in serving},
            **({"polled": polled.to_status()} if polled is not None else {}),
            "contentHash": digest,
            "scheme": SCHEME,
        },
    }
