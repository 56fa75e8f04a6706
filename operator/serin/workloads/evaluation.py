"""The Jobs of validate and warmup stages: `serin evaluate` on data that the user's template brings, `serin warmup`.

    annotation serin.dev/evaluation  ->  a file in the pod (downward API)  ->  serin evaluate --config
    arguments                        ->  where the report goes, when the policy says so
    termination message              <-  verdict, worst gates, place and digest of the report

The configuration travels with the Job itself, so that no ConfigMap is made and no right to any is needed.
"""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias, assert_never

from serin.api.model_deployment import ModelDeployment
from serin.api.names import GROUP, LABEL_DEPLOYMENT, LABEL_MANAGED, MANAGED_BY, Slot, slot_service
from serin.api.parse import InvalidSpec, parse_part
from serin.api.quantities import Seconds
from serin.api.stages import Validate, Warmup, absolute_gates
from serin.workloads.jobs import LABEL_CONTAINER, LABEL_JOB, LABEL_STAGE
from serin.workloads.ownership import object_metadata
from serin.workloads.report_place import REPORT_SECONDS_MAX, add_report_place, report_arguments, report_name

ANNOTATION: Final = f"{GROUP}/evaluation"
FOLDER: Final = "/etc/serin/evaluation"
CONFIG_FILE: Final = "evaluation.yaml"
REPORTS: Final = "/reports"
TRIES_MAX: Final = 3
"""Pods that end without an answer, before the Job does. One that was evicted or lost its node is not counted."""
START_SECONDS_MAX: Final = 120.0
"""For a warm-up's own pod: image, start, and the last words."""
KEEP_SECONDS: Final = 86_400
"""How long an ended Job and its log stay."""

Json = dict[str, Any]


Program: TypeAlias = Literal["evaluate", "warmup"]
"""What runs, and what its container is called."""


class NoJob(ValueError):
    """Nothing can be made of what a stage asks for; the words name the field."""


@dataclass(frozen=True, slots=True)
class Trial:
    """Who is asked about, for which time, in which slot, and the slot of who serves; None for a first revision."""

    revision: str
    attempt: int
    candidate: Slot
    stable: Slot | None


def has_image(program: Program, request: str) -> bool:
    """Whether a stage's own template says which image runs."""
    return bool(own_container(program, json.loads(request)).get("image"))


def own_container(program: Program, asked: Mapping[str, Any]) -> Json:
    """What a stage's own template says of the container that answers; empty where it says nothing."""
    return _container(program, _template(asked)) or {}


def stage_job(
    md: ModelDeployment,
    program: Program,
    request: str,
    *,
    name: str,
    stage: str,
    revision: str,
    attempt: int,
    candidate: Slot,
    stable: Slot | None,
    image: str | None,
) -> Json:
    """Return the Job that asks a stage's question, complete, to be created.

    Args:
        md: The deployment, for names, addresses and ownership.
        program: What it runs.
        request: The stage, as JSON of `serin.api.stages.Validate` or `Warmup`.
        name: The Job's name; it says which question of which attempt this is.
        stage: The stage's name.
        revision: Who is on trial.
        attempt: For which time.
        candidate: Its slot.
        stable: The slot of who serves; None for a first revision, which is judged by itself.
        image: What runs where the template says nothing.

    Raises:
        NoJob: Nothing can be made of the request; the words name the field.
    """
    asked = _asked(program, request)
    template = _template(asked)
    metadata, pod = template["metadata"], template["spec"]
    labels = {LABEL_DEPLOYMENT: md.metadata.name, LABEL_MANAGED: MANAGED_BY, LABEL_JOB: name, LABEL_STAGE: stage}
    metadata["labels"] |= labels
    config, seconds = _question(md, program, asked, Trial(revision, attempt, candidate, stable))
    metadata["annotations"][ANNOTATION] = json.dumps(config)
    pod["restartPolicy"] = "Never"
    report = asked.get("report")
    if report is None:
        container = _complete(template, program, image, ["--output", REPORTS] if program == "evaluate" else [])
    else:
        kept_as = report_name(str(md.metadata.namespace), md.metadata.name, revision, attempt, stage)
        container = _complete(template, program, image, report_arguments(report, kept_as))
        add_report_place(pod, container, report)
        seconds += REPORT_SECONDS_MAX
    urls = {"CANDIDATE": _address(md, candidate)}
    if stable is not None:
        urls["STABLE"] = _address(md, stable)
    container["env"] = [
        *container.get("env", []),
        {"name": "SERIN_REVISION", "value": revision},
        *({"name": f"SERIN_{arm}_URL", "value": url} for arm, url in urls.items()),
    ]
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": object_metadata(md, name, {LABEL_STAGE: stage, LABEL_CONTAINER: program}),
        "spec": {
            "backoffLimit": TRIES_MAX - 1,
            "activeDeadlineSeconds": math.ceil(seconds),
            "ttlSecondsAfterFinished": KEEP_SECONDS,
            "podFailurePolicy": {
                # Evicted, preempted, its node gone: nothing was said about the model, so it is no try.
                "rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}]
            },
            "template": template,
        },
    }


def _asked(program: Program, request: str) -> Json:
    """The stage, checked anew: whoever kept it may have been another version."""
    kind: type[Validate | Warmup] = Validate if program == "evaluate" else Warmup
    try:
        found = parse_part(kind, json.loads(request))
    except ValueError as error:
        raise NoJob(f"is no JSON: {error}") from error
    if isinstance(found, InvalidSpec):
        raise NoJob(str(found))
    return found.to_dict()


def _question(md: ModelDeployment, program: Program, asked: Mapping[str, Any], trial: Trial) -> tuple[Json, float]:
    """What the program reads, and how long the Job may take in seconds."""

    def address(slot: Slot) -> str:
        return _address(md, slot)

    match program:
        case "evaluate":
            return evaluation_config(asked["evaluation"], trial, address), Seconds(asked["deadline"]).seconds
        case "warmup":
            within = Seconds(asked["within"]).seconds
            return warmup_config(md, asked, trial), within + START_SECONDS_MAX
        case _:
            assert_never(program)


def evaluation_config(evaluation: Mapping[str, Any], trial: Trial, address: Callable[[Slot], str]) -> Json:
    """Return what `serin evaluate` reads: the stage's words, who is on trial, and where both arms answer.

    Without stable the gates that compare with it are left out. address: the url of a slot.
    """
    config = _present({key: copy.deepcopy(value) for key, value in evaluation.items() if key != "endpoint"})
    endpoint = _present(evaluation.get("endpoint"))
    both = {
        arm: {**copy.deepcopy(endpoint), "url": address(slot)}
        for arm, slot in (("candidate", trial.candidate), ("stable", trial.stable))
        if slot is not None
    }
    if trial.stable is None:
        config["gates"] = copy.deepcopy(absolute_gates(evaluation))
    return config | {"revision": trial.revision, "attempt": trial.attempt, "endpoints": both}


def warmup_config(md: ModelDeployment, asked: Mapping[str, Any], trial: Trial) -> Json:
    """Return what `serin warmup` reads, with all times in seconds."""
    objective = asked.get("objective")
    return {
        "revision": trial.revision,
        "url": _address(md, trial.candidate),
        "model": md.spec.model.name,
        "request": copy.deepcopy(asked.get("request")),
        "window": asked["window"],
        "withinSeconds": Seconds(asked["within"]).seconds,
        "timeoutSeconds": Seconds(asked["requestTimeout"]).seconds,
        "objectiveSeconds": Seconds(objective).seconds if objective is not None else None,
    }


def _address(md: ModelDeployment, slot: Slot) -> str:
    return f"http://{slot_service(md.metadata.name, slot)}.{md.metadata.namespace}.svc:{md.spec.serving.port}"


def _template(asked: Mapping[str, Any]) -> Json:
    """The user's part of the pod, to be added to, down to its containers without nulls."""
    template = _present(copy.deepcopy(asked.get("template")))
    metadata, pod = _present(template.get("metadata")), _present(template.get("spec"))
    metadata |= {name: _present(metadata.get(name)) for name in ("labels", "annotations")}
    pod["containers"] = [_present(one) for one in pod.get("containers", [])]
    return template | {"metadata": metadata, "spec": pod}


def _present(raw: Mapping[str, Any] | None) -> Json:
    """An object without its nulls: to Kubernetes a null is what was never written, and so it is here."""
    return {key: value for key, value in (raw or {}).items() if value is not None}


def _container(program: Program, template: Mapping[str, Any]) -> Json | None:
    return next((one for one in template["spec"]["containers"] if one.get("name") == program), None)


def _complete(template: Json, program: Program, image: str | None, place: list[str]) -> Json:
    """Add what the program needs; where the user says something else, that stands. Returns its container."""
    pod, container = template["spec"], _container(program, template)
    if container is None:
        container = {"name": program}
        pod["containers"].append(container)
    if image is not None and not container.get("image"):
        container["image"] = image
    container.setdefault("command", ["serin", program])
    arguments = ["--config", f"{FOLDER}/{CONFIG_FILE}", *place, "--termination-log", "/dev/termination-log"]
    container.setdefault("args", arguments)
    mounts, volumes = container.setdefault("volumeMounts", []), pod.setdefault("volumes", [])
    mounts.append({"name": "serin-evaluation", "mountPath": FOLDER, "readOnly": True})
    field = {"fieldPath": f"metadata.annotations['{ANNOTATION}']"}
    volumes.append({"name": "serin-evaluation", "downwardAPI": {"items": [{"path": CONFIG_FILE, "fieldRef": field}]}})
    if REPORTS in place and not any(one.get("mountPath") == REPORTS for one in mounts):
        # Where the policy gives no place for reports, they live as long as the pod; the answer does not need them.
        mounts.append({"name": "serin-reports", "mountPath": REPORTS})
        volumes.append({"name": "serin-reports", "emptyDir": {}})
    return container
