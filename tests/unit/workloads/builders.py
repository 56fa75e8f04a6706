"""Deployments, revisions and pods with safe defaults; a test shows only what matters to it."""

from __future__ import annotations

from typing import Any

from serin.api.model_deployment import ModelDeployment
from serin.api.model_revision import ModelRevision
from serin.workloads import desired_revision

Json = dict[str, Any]

TEMPLATE: Json = {"spec": {"containers": [{"name": "model", "image": "iris:2"}]}}


def deployment(
    *,
    version: str = "2",
    port: int = 8080,
    protocol: str = "open-inference",
    template: Json | None = None,
    **model: Any,
) -> ModelDeployment:
    """Return the ModelDeployment ml/iris."""
    traffic = "grpcRoute" if protocol == "grpc" else "httpRoute"
    return ModelDeployment.model_validate(
        {
            "metadata": {"name": "iris", "namespace": "ml", "uid": "uid-iris"},
            "spec": {
                "model": {"name": "iris", "version": version, **model},
                "serving": {"port": port, "protocol": protocol, "template": template or TEMPLATE},
                "traffic": {traffic: {"parentRefs": [{"name": "gw"}]}},
            },
        }
    )


def revision(md: ModelDeployment | None = None) -> ModelRevision:
    """Return the revision that a deployment asks for, as the API server would give it back."""
    return ModelRevision.model_validate(desired_revision(md or deployment()))


def live_deployment(replicas: int = 1, name: str = "iris-2-abcde", **status: Any) -> Json:
    """Return a live Deployment."""
    return {"metadata": {"name": name}, "spec": {"replicas": replicas}, "status": status}


def pod(
    name: str = "p1",
    *,
    ready: str | None = "2026-11-21T09:01:00Z",
    started: str = "2026-11-21T09:00:30Z",
    states: list[Json] | None = None,
    conditions: list[Json] | None = None,
    deleted: bool = False,
    of: str = "iris-2-abcde",
    **status: Any,
) -> Json:
    """Return a live pod of a revision, Ready since an instant unless `ready` is None."""
    metadata: Json = {"name": name, "labels": {"serin.dev/revision": of}}
    if deleted:
        metadata["deletionTimestamp"] = "2026-11-21T10:00:00Z"
    since = {"lastTransitionTime": ready or "2026-11-21T09:00:31Z"}
    return {
        "metadata": metadata,
        "status": {
            "phase": "Running",
            "startTime": "2026-11-21T09:00:00Z",
            "conditions": [
                {"type": "Ready", "status": "True" if ready else "False", **since},
                *(conditions or []),
            ],
            "containerStatuses": states or [container(running=started)],
            **status,
        },
    }


def container(
    *,
    running: str | None = None,
    waiting: str | None = None,
    message: str = "",
    restarts: int = 0,
    ended: Json | None = None,
    now: bool = False,
) -> Json:
    """Return a container's status; `ended` is how it ended, last time or (`now`) just now."""
    state: Json = {}
    if running:
        state["running"] = {"startedAt": running}
    if waiting:
        state["waiting"] = {"reason": waiting, "message": message}
    if ended and now:
        state["terminated"] = ended
    return {
        "name": "model",
        "restartCount": restarts,
        "state": state,
        "lastState": {"terminated": ended} if ended and not now else {},
    }
