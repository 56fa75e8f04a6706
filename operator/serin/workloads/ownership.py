"""Whose an object is: all that Serin makes in a namespace hangs on its ModelDeployment and goes with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from serin.api.model_deployment import ModelDeployment
from serin.api.names import API_VERSION, LABEL_DEPLOYMENT, LABEL_MANAGED, MANAGED_BY


def owner_reference(md: ModelDeployment) -> dict[str, Any]:
    """Return the reference that makes the deployment the controller of an object."""
    return {
        "apiVersion": API_VERSION,
        "kind": "ModelDeployment",
        "name": md.metadata.name,
        "uid": md.metadata.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def owned_by(live: Mapping[str, Any], md: ModelDeployment) -> bool:
    """Say whether an object is controlled by this deployment.

    To be asked before an apply: a Service or a Deployment of the same name may have been there before, and is
    somebody's.
    """
    return controller_uid(live) == md.metadata.uid


def controller_uid(live: Mapping[str, Any]) -> str | None:
    """Return the uid of what controls an object, None for nothing. The API server allows one controller at most."""
    owners = live.get("metadata", {}).get("ownerReferences") or []
    return next((str(owner.get("uid")) for owner in owners if owner.get("controller")), None)


def object_metadata(md: ModelDeployment, name: str, labels: Mapping[str, str]) -> dict[str, Any]:
    """Return the metadata of an object that belongs to a deployment."""
    return {
        "name": name,
        "namespace": md.metadata.namespace,
        "labels": {LABEL_MANAGED: MANAGED_BY, LABEL_DEPLOYMENT: md.metadata.name, **labels},
        "ownerReferences": [owner_reference(md)],
    }
