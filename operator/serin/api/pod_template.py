"""The pod template: kept as the user wrote it, with a schema for the few fields that Serin itself relies on.

A full copy of the pod's schema would age with every release of Kubernetes and be larger than all the rest.
What the partial schema lets pass is found by the API server when the Deployment is created (InvalidTemplate), before
anything is touched.
"""

from typing import Annotated, Any

from pydantic import AfterValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from serin.api.lists import DUPLICATE, list_map
from serin.api.names import GROUP

TEMPLATE_BROKEN = "serin_template"

CONTAINERS_MAX = 16

_LABELS_MESSAGE = f"labels that start with {GROUP}/ are set by Serin; remove them from the template"

_OPEN: dict[str, Any] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}

POD_TEMPLATE: dict[str, Any] = _OPEN | {
    "required": ["spec"],
    "properties": {
        "metadata": _OPEN
        | {
            "description": "Labels and annotations of the pods.",
            "properties": {
                "labels": {
                    "type": "object",
                    "description": f"Labels of the pods. Those that start with {GROUP}/ are Serin's.",
                    "additionalProperties": {"type": "string", "maxLength": 63},
                    "maxProperties": 64,
                    "x-kubernetes-validations": [
                        {
                            "rule": f"self.all(key, !key.startsWith('{GROUP}/'))",
                            "message": _LABELS_MESSAGE,
                        },
                    ],
                },
                "annotations": {
                    "type": "object",
                    "description": "Annotations of the pods.",
                    "additionalProperties": {"type": "string"},
                },
            },
        },
        "spec": _OPEN
        | {
            "description": "The pod: every field of a pod's spec is allowed.",
            "required": ["containers"],
            "properties": {
                "containers": {
                    "type": "array",
                    "description": "The containers. The first one is the model server.",
                    "minItems": 1,
                    "maxItems": CONTAINERS_MAX,
                    **list_map("name"),
                    "items": _OPEN
                    | {
                        "required": ["name"],
                        "properties": {
                            "name": {
                                "type": "string",
                                "description": "The container's name.",
                                "minLength": 1,
                                "maxLength": 63,
                            },
                            "image": {
                                "type": "string",
                                "description": "The image, best by its digest.",
                                "maxLength": 1024,
                            },
                        },
                    },
                },
                "restartPolicy": {
                    "type": "string",
                    "description": "Always, as in every Deployment.",
                    "enum": ["Always"],
                },
            },
        },
    },
}


def _broken(field: str, words: str) -> PydanticCustomError:
    return PydanticCustomError(TEMPLATE_BROKEN, "{words}", {"words": words, "field": field})


def check_template(template: dict[str, Any]) -> dict[str, Any]:
    """Refuse what the schema above refuses, in the order of its fields."""
    metadata = template.get("metadata", {})
    if not isinstance(metadata, dict):
        raise _broken("metadata", "must be an object")
    labels = metadata.get("labels", {})
    if not isinstance(labels, dict) or not all(isinstance(value, str) for value in labels.values()):
        raise _broken("metadata.labels", "must be an object of texts; quote numbers and true or false")
    if any(str(key).startswith(f"{GROUP}/") for key in labels):
        raise _broken("metadata.labels", _LABELS_MESSAGE)
    pod = template.get("spec")
    if not isinstance(pod, dict):
        raise _broken("spec", "is required" if pod is None else "must be an object")
    if pod.get("restartPolicy", "Always") != "Always":
        raise _broken("spec.restartPolicy", "must be Always")
    _check_containers(pod.get("containers"))
    return template


def _check_containers(containers: Any) -> None:
    where = "spec.containers"
    if containers is None:
        raise _broken(where, "is required")
    if not isinstance(containers, list) or not 1 <= len(containers) <= CONTAINERS_MAX:
        raise _broken(where, f"must be a list of 1 to {CONTAINERS_MAX} containers")
    names = set()
    for index, container in enumerate(containers):
        if not isinstance(container, dict):
            raise _broken(f"{where}[{index}]", "must be an object")
        name, image = container.get("name"), container.get("image", "")
        if not isinstance(name, str) or not name:
            raise _broken(f"{where}[{index}].name", "is required")
        if not isinstance(image, str):
            raise _broken(f"{where}[{index}].image", "must be text")
        if name in names:
            raise PydanticCustomError(
                DUPLICATE, "{words}", {"words": f"holds {name} twice; keep one of them", "field": where}
            )
        names.add(name)


PodTemplate = Annotated[dict[str, Any], AfterValidator(check_template), WithJsonSchema(POD_TEMPLATE)]
"""In a ModelDeployment."""

# In a ModelRevision nothing below is declared, on purpose. `self == oldSelf` lets one undeclared field be put
# in place of
# another, so long as their number stays, wherever the object around them has declared fields (API server
# 1.35); an object
# with no declared field at all is compared in depth. tests/integration/api tries both.
FrozenPodTemplate = Annotated[
    dict[str, Any],
    AfterValidator(check_template),
    WithJsonSchema(_OPEN | {"required": ["spec"], "maxProperties": 2}),
]
"""In a ModelRevision, which never changes."""
