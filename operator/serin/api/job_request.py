"""What a stage hands to its Job: checked as far as Serin itself relies on it, before any Job is made of it.

An evaluation is read in full by the program, and a pod template by the API server, which say what else is wrong with
them. But Serin counts the evaluation's gates and adds to the template's lists; there a number or a text in place of an
object would end every look at every ModelDeployment that uses the policy. A null is a field that is not there, as
everywhere in Kubernetes: templates that are made by programs are full of them.
"""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import AfterValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from serin.api.names import GROUP

REQUEST_BROKEN = "serin_job_request"

EVALUATION_BYTES_MAX = 32_768
"""A policy is one object of at most 1.5 MB in etcd, and the Job carries the text as an annotation."""
DEPTH_MAX: Final = 64
"""Objects and lists in one another. A pod's spec has about ten; what is copied and written as JSON must have an end."""

_FILLED_IN = "revision and endpoints are filled in by Serin; describe how the model is asked in endpoint"

_OPEN: dict[str, Any] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
_EVALUATION = _OPEN | {"required": ["task", "datasets", "gates", "endpoint"]}


def _broken(field: str, words: str) -> PydanticCustomError:
    return PydanticCustomError(REQUEST_BROKEN, "{words}", {"words": words, "field": field})


def check_evaluation(evaluation: dict[str, Any]) -> dict[str, Any]:
    """Refuse what could not be handed to the program."""
    missing = [name for name in _EVALUATION["required"] if evaluation.get(name) is None]
    if missing:
        raise ValueError(f"{missing[0]} is required; docs/validation.md has every field")
    if "endpoints" in evaluation or "revision" in evaluation:
        raise ValueError(_FILLED_IN)
    check_depth(evaluation)
    if len(json.dumps(evaluation).encode()) > EVALUATION_BYTES_MAX:
        raise ValueError(f"must be at most {EVALUATION_BYTES_MAX} bytes of JSON; the data belong into a volume")
    _object(evaluation, "endpoint", "")
    for where, gate in _objects(evaluation, "gates", ""):
        _text(gate, "metric", where)
    return evaluation


def check_job_template(template: dict[str, Any]) -> dict[str, Any]:
    """Refuse what nothing could be added to."""
    check_depth(template)
    metadata = _object(template, "metadata", "")
    for name in ("labels", "annotations"):
        for key, value in _object(metadata, name, "metadata").items():
            if value is not None and not isinstance(value, str):
                raise _broken(f"metadata.{name}", f"{key} must be text; quote numbers and true or false")
    if any(str(key).startswith(f"{GROUP}/") for key in metadata.get("labels") or ()):
        raise _broken("metadata.labels", f"labels that start with {GROUP}/ are set by Serin; remove them")
    pod = _object(template, "spec", "")
    for where, container in _objects(pod, "containers", "spec"):
        for name in ("name", "image"):
            _text(container, name, where)
        for name in ("env", "envFrom", "volumeMounts"):
            _objects(container, name, where)
    _objects(pod, "volumes", "spec")
    return template


def check_depth(whole: dict[str, Any]) -> dict[str, Any]:
    """Refuse what is nested deeper than anything that means something.

    Raises:
        ValueError: it is.
    """
    level: list[Any] = [whole]
    for _ in range(DEPTH_MAX):
        level = [
            below
            for one in level
            for below in (one.values() if isinstance(one, dict) else one)
            if isinstance(below, dict | list)
        ]
        if not level:
            return whole
    raise ValueError(f"is nested deeper than {DEPTH_MAX} objects and lists; write it flatter")


def _at(above: str, name: str) -> str:
    return f"{above}.{name}".lstrip(".")


def _object(holder: Mapping[str, Any], name: str, above: str) -> Mapping[str, Any]:
    value = holder.get(name)
    if value is not None and not isinstance(value, dict):
        raise _broken(_at(above, name), "must be an object")
    return value or {}


def _objects(holder: Mapping[str, Any], name: str, above: str) -> list[tuple[str, Mapping[str, Any]]]:
    """The objects of a list, each with where it is."""
    value, where = holder.get(name), _at(above, name)
    if value is not None and not isinstance(value, list):
        raise _broken(where, "must be a list of objects; begin each with a dash")
    found: list[tuple[str, Mapping[str, Any]]] = []
    for place, one in enumerate(value or ()):
        if not isinstance(one, dict):
            raise _broken(f"{where}[{place}]", "must be an object")
        found.append((f"{where}[{place}]", one))
    return found


def _text(holder: Mapping[str, Any], name: str, above: str) -> None:
    value = holder.get(name)
    if value is not None and not isinstance(value, str):
        raise _broken(_at(above, name), "must be text")


Evaluation = Annotated[dict[str, Any], AfterValidator(check_evaluation), WithJsonSchema(_EVALUATION)]
"""What `serin evaluate` reads, as a policy has it."""
JobTemplate = Annotated[dict[str, Any], AfterValidator(check_job_template), WithJsonSchema(_OPEN)]
"""The pod of a Job as far as it is the user's."""
Body = Annotated[dict[str, Any], AfterValidator(check_depth), WithJsonSchema(_OPEN)]
"""A request to a model."""
