"""The Job of a validate stage: `serin evaluate` beside the models, on data that the user's template brings.

    annotation serin.dev/evaluation  ->  a file in the pod (downward API)  ->  serin evaluate --config
    termination message              <-  verdict, worst gates, place and digest of the report

The configuration travels with the Job itself, so that no ConfigMap is made and no right to any is needed.
"""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Mapping
from typing import Any, Final

from serin.api.model_deployment import ModelDeployment
from serin.api.names import GROUP, LABEL_DEPLOYMENT, LABEL_MANAGED, MANAGED_BY, Slot, slot_service
from serin.api.quantities import Seconds
from serin.api.stages import EVALUATE
from serin.workloads.jobs import LABEL_JOB, LABEL_STAGE
from serin.workloads.ownership import object_metadata

ANNOTATION: Final = f"{GROUP}/evaluation"
FOLDER: Final = "/etc/serin/evaluation"
CONFIG_FILE: Final = "evaluation.yaml"
REPORTS: Final = "/reports"
TRIES_MAX: Final = 3
"""Pods that end without an answer, before the Job does. One that was evicted or lost its node is not counted."""
KEEP_SECONDS: Final = 86_400
"""How long an ended Job and its log stay."""

Json = dict[str, Any]


def has_image(request: str) -> bool:
    """Whether a stage's own template says which image runs."""
    return bool(_container(_template(json.loads(request))).get("image"))


def evaluation_job(
    md: ModelDeployment,
    request: str,
    *,
    name: str,
    stage: str,
    revision: str,
    candidate: Slot,
    stable: Slot,
    image: str | None,
) -> Json:
    """Return the Job that asks a stage's question, complete, to be created.

    Args:
        md: The deployment, for names, addresses and ownership.
        request: The stage, as JSON of `serin.api.stages.Validate`.
        name: The Job's name; it says which question of which attempt this is.
        stage: The stage's name.
        revision: Who is on trial.
        candidate: Its slot.
        stable: The slot of who serves.
        image: What runs where the template says nothing.
    """
    asked = json.loads(request)
    template = _template(asked)
    labels = {LABEL_DEPLOYMENT: md.metadata.name, LABEL_MANAGED: MANAGED_BY, LABEL_JOB: name, LABEL_STAGE: stage}
    metadata = template.setdefault("metadata", {})
    metadata["labels"] = {**(metadata.get("labels") or {}), **labels}
    config = configuration(md, asked["evaluation"], revision, candidate, stable)
    metadata["annotations"] = {**(metadata.get("annotations") or {}), ANNOTATION: json.dumps(config)}
    pod = template.setdefault("spec", {})
    pod["restartPolicy"] = "Never"
    _complete(pod, config, image)
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": object_metadata(md, name, {LABEL_STAGE: stage}),
        "spec": {
            "backoffLimit": TRIES_MAX - 1,
            "activeDeadlineSeconds": math.ceil(Seconds(asked["deadline"]).seconds),
            "ttlSecondsAfterFinished": KEEP_SECONDS,
            "podFailurePolicy": {
                # Evicted, preempted, its node gone: nothing was said about the model, so it is no try.
                "rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}]
            },
            "template": template,
        },
    }


def configuration(
    md: ModelDeployment, evaluation: Mapping[str, Any], revision: str, candidate: Slot, stable: Slot
) -> Json:
    """Return what `serin evaluate` reads: the stage's words, who is on trial, and where both arms answer."""
    config = {key: copy.deepcopy(value) for key, value in evaluation.items() if key != "endpoint"}
    endpoint = evaluation.get("endpoint") or {}

    def at(slot: Slot) -> Json:
        host = f"{slot_service(md.metadata.name, slot)}.{md.metadata.namespace}.svc"
        return {**copy.deepcopy(endpoint), "url": f"http://{host}:{md.spec.serving.port}"}

    return config | {"revision": revision, "endpoints": {"candidate": at(candidate), "stable": at(stable)}}


def _template(asked: Mapping[str, Any]) -> Json:
    return copy.deepcopy(dict(asked.get("template") or {}))


def _container(template: Mapping[str, Any]) -> Json:
    containers = (template.get("spec") or {}).get("containers") or []
    return next((one for one in containers if isinstance(one, dict) and one.get("name") == EVALUATE), {})


def _complete(pod: Json, config: Json, image: str | None) -> None:
    """Add what the program needs; where the user says something else, that stands."""
    containers = pod.setdefault("containers", [])
    container = next((one for one in containers if isinstance(one, dict) and one.get("name") == EVALUATE), None)
    if container is None:
        container = {"name": EVALUATE}
        containers.append(container)
    if image is not None:
        container.setdefault("image", image)
    arguments = ["--config", f"{FOLDER}/{CONFIG_FILE}", "--output", REPORTS]
    container.setdefault("command", ["serin", "evaluate"])
    container.setdefault("args", [*arguments, "--termination-log", "/dev/termination-log"])
    endpoints = config["endpoints"]
    container["env"] = [
        *(container.get("env") or []),
        {"name": "SERIN_REVISION", "value": config["revision"]},
        {"name": "SERIN_CANDIDATE_URL", "value": endpoints["candidate"]["url"]},
        {"name": "SERIN_STABLE_URL", "value": endpoints["stable"]["url"]},
    ]
    mounts, volumes = container.setdefault("volumeMounts", []), pod.setdefault("volumes", [])
    mounts.append({"name": "serin-evaluation", "mountPath": FOLDER, "readOnly": True})
    field = {"fieldPath": f"metadata.annotations['{ANNOTATION}']"}
    volumes.append({"name": "serin-evaluation", "downwardAPI": {"items": [{"path": CONFIG_FILE, "fieldRef": field}]}})
    if not any(one.get("mountPath") == REPORTS for one in mounts):
        # Where the policy gives no place for reports, they live as long as the pod; the answer does not need them.
        mounts.append({"name": "serin-reports", "mountPath": REPORTS})
        volumes.append({"name": "serin-reports", "emptyDir": {}})
