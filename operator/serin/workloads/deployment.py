"""The Deployment of a revision.

It has the revision's name and the user's pod template, with four labels and up to five environment variables
more, and with an init container when the model is to be fetched (fetch.py):

    serin.dev/deployment, serin.dev/revision   whose pods they are; the Deployment's selector, which never
    changes serin.dev/slot                             which of the two Services sends them traffic
    serin.dev/version                          for people and dashboards; the version, made fit for a label
    SERIN_MODEL_NAME, _VERSION, _URI, _DIGEST  so that one image can serve many models; a variable that the
    user set wins
    SERIN_MODEL_PATH                           where the fetched files are, for the container that serves
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from serin.api.model_deployment import ModelDeployment
from serin.api.model_revision import ModelRevision
from serin.api.names import GROUP, LABEL_DEPLOYMENT, LABEL_REVISION, LABEL_SLOT, Slot
from serin.workloads.fetch import Fetcher, add_fetch
from serin.workloads.ownership import object_metadata

LABEL_VERSION: Final = f"{GROUP}/version"

READY_PATHS: Final = {
    "open-inference": "/v2/health/ready",
    "kserve-v1": "/v1/models/{model}",
    "mlflow": "/ping",
}
"""What a protocol itself says about readiness; plain http and grpc say nothing, so nothing is invented."""

Json = dict[str, Any]


def desired_deployment(
    md: ModelDeployment,
    revision: ModelRevision,
    slot: Slot,
    replicas: int,
    *,
    progress_seconds: int = 600,
    fetcher: Fetcher | None = None,
    live: Mapping[str, Any] | None = None,
) -> Json:
    """Return the Deployment of a revision in a slot, complete, for server-side apply.

    When the protocol defines a readiness endpoint and the container that serves has no readiness probe, it
    gets one: without any, Kubernetes takes a model that is still loading for ready, and the first requests of
    a trial would fail. The container that serves is the only one, else the one that lists the serving port,
    else the first.

    Args:
        md: The deployment, for name, namespace and ownership; its present spec is not looked at.
        revision: What to run.
        slot: The slot whose Service the pods belong to.
        replicas: How many.
        progress_seconds: After how long without progress the Deployment says so.
        fetcher: What fetches a model that is to be fetched.
        live: The Deployment as it is; one with ready pods goes on being fetched as it was.

    Raises:
        NoFetcher: the model is to be fetched, and nobody says by what.
    """
    name = revision.metadata.name
    selector = {LABEL_DEPLOYMENT: md.metadata.name, LABEL_REVISION: name}
    labels = {**selector, LABEL_SLOT: slot}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": object_metadata(md, name, {LABEL_REVISION: name, LABEL_SLOT: slot}),
        "spec": {
            "replicas": replicas,
            "revisionHistoryLimit": 0,
            "progressDeadlineSeconds": progress_seconds,
            "selector": {"matchLabels": selector},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0}},
            "template": _template(revision, labels, fetcher, live),
        },
    }


def label_value(text: str) -> str:
    """Return a text as a label value: letters, digits, '-', '_' and '.', at most 63, no mark at either end.

    >>> label_value("2.1.0+cu121"), label_value("models:/iris@champion")
    ('2.1.0-cu121', 'models-iris-champion')
    """
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text)[:63].strip("-_.")


def _template(
    revision: ModelRevision, labels: dict[str, str], fetcher: Fetcher | None, live: Mapping[str, Any] | None
) -> Json:
    template: Json = _without_nulls(copy.deepcopy(dict(revision.spec.serving.template or {})))
    metadata = template.setdefault("metadata", {})
    version = {LABEL_VERSION: label_value(revision.spec.model.version)}
    metadata["labels"] = {**version, **(metadata.get("labels") or {}), **labels}
    spec = template.setdefault("spec", {})
    containers = spec.get("containers") or []
    for container in [*_objects(spec.get("initContainers")), *containers]:
        _add_env(container, revision)
    path = READY_PATHS.get(revision.spec.serving.protocol)
    serving = _serving_container(containers, revision.spec.serving.port)
    add_fetch(spec, serving, revision.spec.model, fetcher, live, revision.status.artifact)
    if path and serving is not None and "readinessProbe" not in serving:
        serving["readinessProbe"] = {
            "httpGet": {
                "path": path.format(model=revision.spec.model.name),
                "port": revision.spec.serving.port,
            },
            "periodSeconds": 2,
            "timeoutSeconds": 2,
        }
    return template


def _serving_container(containers: Iterable[Json], port: int) -> Json | None:
    found = list(containers)
    listed = (
        container
        for container in found
        if any(entry.get("containerPort") == port for entry in _objects(container.get("ports")))
    )
    return next(listed, found[0] if found else None)


def _objects(value: Any) -> list[Json]:
    """The objects in a list of the user's, which nobody has looked at yet."""
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []


def _add_env(container: Json, revision: ModelRevision) -> None:
    model, found = revision.spec.model, revision.status.artifact
    env = container.get("env") or []
    if not isinstance(env, list):
        return  # the API server says what is wrong with it
    taken = {entry.get("name") for entry in _objects(env)}
    ours = {
        "SERIN_MODEL_NAME": model.name,
        "SERIN_MODEL_VERSION": model.version,
        "SERIN_MODEL_URI": model.uri,
        "SERIN_MODEL_DIGEST": model.digest or (found.digest if found is not None else None),
    }
    container["env"] = [
        *env,
        *({"name": name, "value": value} for name, value in ours.items() if value and name not in taken),
    ]


def _without_nulls(value: Any) -> Any:
    """Drop nulls: a server-side apply takes them for fields that are to be removed by us."""
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value
