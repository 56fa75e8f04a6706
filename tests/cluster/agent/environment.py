"""A container's environment, command and arguments, from its specification. Pure.

The caller fetches what `references` names and hands it in.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tests.cluster.agent import quantity
from tests.cluster.settings import API_PORT, NODE_ADDRESS

Object = Mapping[str, Any]
Kind = Literal["configmaps", "secrets"]

_REFERENCE = re.compile(r"\$(\$|\(([^()]+)\))")
_NODE_ALLOCATABLE = {"cpu": "64", "memory": "256Gi", "ephemeral-storage": "100Gi"}


class ConfigError(Exception):
    """The specification asks for what is not there; the kubelet says CreateContainerConfigError and retries."""


@dataclass(frozen=True)
class Sources:
    """The contents, as text, of the ConfigMaps and Secrets of the pod's namespace that exist."""

    configmaps: Mapping[str, Mapping[str, str]]
    secrets: Mapping[str, Mapping[str, str]]

    def of(self, kind: Kind) -> Mapping[str, Mapping[str, str]]:
        """All of one kind, by name."""
        return self.configmaps if kind == "configmaps" else self.secrets


def references(container: Object) -> set[tuple[Kind, str]]:
    """The ConfigMaps and Secrets that the container's environment mentions."""
    found: set[tuple[Kind, str]] = set()
    for source in container.get("envFrom") or []:
        if "configMapRef" in source:
            found.add(("configmaps", source["configMapRef"]["name"]))
        if "secretRef" in source:
            found.add(("secrets", source["secretRef"]["name"]))
    for variable in container.get("env") or []:
        origin = variable.get("valueFrom") or {}
        if "configMapKeyRef" in origin:
            found.add(("configmaps", origin["configMapKeyRef"]["name"]))
        if "secretKeyRef" in origin:
            found.add(("secrets", origin["secretKeyRef"]["name"]))
    return found


def variables(container: Object, pod: Object, pod_ip: str, sources: Sources) -> dict[str, str]:
    """The container's variables: what the cluster gives, then envFrom, then env in order.

    Raises:
        ConfigError: A required ConfigMap, Secret or key is missing.
    """
    result = {
        "HOSTNAME": pod["metadata"]["name"],
        "KUBERNETES_SERVICE_HOST": NODE_ADDRESS,
        "KUBERNETES_SERVICE_PORT": str(API_PORT),
        "KUBERNETES_SERVICE_PORT_HTTPS": str(API_PORT),
    }
    for source in container.get("envFrom") or []:
        kind: Kind = "configmaps" if "configMapRef" in source else "secrets"
        reference = source.get("configMapRef") or source["secretRef"]
        data = sources.of(kind).get(reference["name"])
        if data is None and not reference.get("optional"):
            raise ConfigError(f"{kind.removesuffix('s')} {reference['name']!r} not found")
        result |= {source.get("prefix", "") + key: value for key, value in (data or {}).items()}
    for variable in container.get("env") or []:
        value = _value(variable, container, pod, pod_ip, sources)
        if value is not None:
            # Only variables defined above this one can be referred to.
            result[variable["name"]] = expand(value, result) if "valueFrom" not in variable else value
    return result


def _value(variable: Object, container: Object, pod: Object, pod_ip: str, sources: Sources) -> str | None:
    origin = variable.get("valueFrom")
    if not origin:
        return str(variable.get("value", ""))
    if "fieldRef" in origin:
        return field(origin["fieldRef"]["fieldPath"], pod, pod_ip)
    if "resourceFieldRef" in origin:
        return resource(origin["resourceFieldRef"], container, pod)
    kind: Kind = "configmaps" if "configMapKeyRef" in origin else "secrets"
    reference = origin.get("configMapKeyRef") or origin["secretKeyRef"]
    value = sources.of(kind).get(reference["name"], {}).get(reference["key"])
    if value is None and not reference.get("optional"):
        raise ConfigError(f"key {reference['key']!r} of {kind.removesuffix('s')} {reference['name']!r} not found")
    return value


def expand(text: str, known: Mapping[str, str]) -> str:
    """Replace `$(NAME)` where NAME is known; `$$` is one dollar; anything else stays as it is.

    >>> expand("$(A)-$(B)-$$(A)-$A", {"A": "1"})
    '1-$(B)-$(A)-$A'
    """

    def replace(found: re.Match[str]) -> str:
        if found.group(1) == "$":
            return "$"
        return known.get(found.group(2), found.group(0))

    return _REFERENCE.sub(replace, text)


def command(container: Object, known: Mapping[str, str]) -> list[str]:
    """The program and its arguments.

    Raises:
        ConfigError: There is no command, and no image that could have one.
    """
    words = [*(container.get("command") or []), *(container.get("args") or [])]
    if not container.get("command"):
        raise ConfigError("no command given, and the local cluster has no images to take one from")
    return [expand(word, known) for word in words]


def field(path: str, pod: Object, pod_ip: str) -> str:
    """A downward-API field of the pod."""
    metadata, spec = pod["metadata"], pod["spec"]
    if found := re.fullmatch(r"metadata\.(labels|annotations)\['([^']+)'\]", path):
        return str((metadata.get(found.group(1)) or {}).get(found.group(2), ""))
    if path in ("metadata.labels", "metadata.annotations"):
        entries = metadata.get(path.removeprefix("metadata.")) or {}
        return "\n".join(f'{key}="{_escape(entries[key])}"' for key in sorted(entries))
    values = {
        "metadata.name": metadata["name"],
        "metadata.namespace": metadata["namespace"],
        "metadata.uid": metadata["uid"],
        "spec.nodeName": spec.get("nodeName", ""),
        "spec.serviceAccountName": spec.get("serviceAccountName", ""),
        "status.podIP": pod_ip,
        "status.podIPs": pod_ip,
        "status.hostIP": NODE_ADDRESS,
        "status.hostIPs": NODE_ADDRESS,
    }
    if path not in values:
        raise ConfigError(f"field {path!r} is not supported")
    return str(values[path])


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def resource(reference: Object, container: Object, pod: Object) -> str:
    """A limit or request, divided and rounded up; without a limit, what the node has."""
    named = reference.get("containerName", container.get("name"))
    owner: Object = next((other for other in containers(pod) if other["name"] == named), container)
    kind, _, name = reference["resource"].partition(".")
    given = (owner.get("resources") or {}).get(kind, {}).get(name)
    if given is None:
        given = _NODE_ALLOCATABLE.get(name, "0") if kind == "limits" else "0"
    divisor = quantity.parse(reference.get("divisor") or "1")
    return str(math.ceil(quantity.parse(given) / (divisor or 1)))


def containers(pod: Object) -> Iterable[Object]:
    """All containers of a pod, init containers first."""
    return [*(pod["spec"].get("initContainers") or []), *pod["spec"]["containers"]]
