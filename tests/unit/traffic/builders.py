"""Routes and deployments with safe defaults, and a JSON patch that is applied as the API server does it."""

from __future__ import annotations

import copy
from typing import Any

from serin.api.model_deployment import ModelDeployment

Json = dict[str, Any]


class PatchRefused(Exception):
    """A `test` operation did not hold: the API server answers 422 and changes nothing."""


def deployment(
    name: str = "iris",
    *,
    namespace: str = "ml",
    traffic: Json | None = None,
    created: str = "2026-11-21T09:00:00Z",
    protocol: str = "open-inference",
) -> ModelDeployment:
    """Return a deployment with a route of its own."""
    own = {"httpRoute": {"parentRefs": [{"name": "gw"}], "hostnames": ["iris.example.com"]}}
    return ModelDeployment.model_validate(
        {
            "metadata": {
                "name": name,
                "namespace": namespace,
                "uid": f"uid-{name}",
                "creationTimestamp": created,
            },
            "spec": {
                "model": {"name": name, "version": "2"},
                "serving": {
                    "port": 8080,
                    "protocol": protocol,
                    "template": {"spec": {"containers": [{"name": "model", "image": "iris:2"}]}},
                },
                "traffic": traffic or own,
            },
        }
    )


def guest(name: str = "iris", *, created: str = "2026-11-21T09:00:00Z", allow_sticky: bool = False) -> ModelDeployment:
    """Return a deployment that uses the route `shop`, which others keep."""
    return deployment(
        name, created=created, traffic={"httpRoute": {"ref": {"name": "shop"}, "allowSticky": allow_sticky}}
    )


def ref(name: str, weight: int | None = None, **more: Any) -> Json:
    """Return a backendRef as the API server stores it; weight None leaves the field out."""
    entry = {"group": "", "kind": "Service", "name": name, "port": 8080, **more}
    return entry if weight is None else {**entry, "weight": weight}


def route(*rules: Json | list[Json], kind: str = "HTTPRoute", name: str = "shop", **metadata: Any) -> Json:
    """Return a live route; a list of refs stands for a rule that has nothing else."""
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": "ml", "resourceVersion": "41", "generation": 7, **metadata},
        "spec": {
            "parentRefs": [{"name": "gw"}],
            "rules": [{"backendRefs": rule} if isinstance(rule, list) else rule for rule in rules],
        },
    }


def apply_patch(target: Json, patch: list[Json]) -> Json:
    """Apply a JSON patch of test, add and replace, all or nothing."""
    result = copy.deepcopy(target)
    for operation in patch:
        *path, last = [step if not step.isdigit() else int(step) for step in operation["path"].split("/")[1:]]
        holder: Any = result
        for step in path:
            holder = holder[step]
        if operation["op"] == "test":
            if holder.get(last) != operation["value"]:
                raise PatchRefused(operation["path"])
        elif operation["op"] == "replace":
            assert last in holder, "replace needs a field that is there"
            holder[last] = operation["value"]
        else:
            assert operation["op"] == "add"
            holder[last] = operation["value"]
    return result
