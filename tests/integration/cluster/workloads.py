"""Objects for the tests, with defaults that let each test show only what matters."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from tests.cluster import Access

Object = dict[str, Any]
T = TypeVar("T")

SERVER = Path(__file__).with_name("server.py")
PORT = 8080
SHELL = ["/bin/sh", "-c"]


def server(version: str = "v1", **fields: Any) -> Object:
    """A container that serves."""
    return {
        "name": "main",
        "image": f"example/server:{version}",
        "command": [sys.executable, str(SERVER), version],
        "ports": [{"name": "http", "containerPort": PORT}],
        **fields,
    }


def script(text: str, name: str = "main", **fields: Any) -> Object:
    """A container that runs a shell script."""
    return {"name": name, "image": "example/script:1", "command": SHELL, "args": [text], **fields}


def pod(name: str, container: Object, *, annotations: dict[str, str] | None = None, **spec: Any) -> Object:
    """A pod of one container."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}, "annotations": annotations or {}},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 5, **spec},
    }


def deployment(
    name: str,
    container: Object,
    *,
    replicas: int = 1,
    labels: dict[str, str] | None = None,
    annotations: dict[str, str] | None = None,
) -> Object:
    """A Deployment of one container."""
    labels = {"app": name, **(labels or {})}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": labels, "annotations": annotations or {}},
                "spec": {"containers": [container], "terminationGracePeriodSeconds": 5},
            },
        },
    }


def service(name: str) -> Object:
    """A Service for the pods of the same name; its own port differs from theirs, as is common."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": "http"}]},
    }


def route(host: str, weights: dict[str, int]) -> Object:
    """An HTTPRoute that splits a host's traffic over Services."""
    backends = [{"name": name, "port": 80, "weight": weight} for name, weight in weights.items()]
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": host.partition(".")[0]},
        "spec": {
            "parentRefs": [{"name": "gw", "namespace": "default"}],
            "hostnames": [host],
            "rules": [{"backendRefs": backends}],
        },
    }


def eventually(look: Callable[[], T], seconds: float = 20.0) -> T:
    """Look again and again until what is seen is true; fail with the last thing seen."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            seen, error = look(), None
        except Exception as raised:  # noqa: BLE001 - a look may fail while things come up
            error = raised
        else:
            if seen:
                return seen
        if time.monotonic() > deadline:
            if error:
                raise error
            raise AssertionError(f"not within {seconds:g} s; last seen: {seen!r}")
        time.sleep(0.1)


class Namespace:
    """One test's own namespace."""

    def __init__(self, cluster: Access, name: str) -> None:
        self.cluster = cluster
        self.name = name

    def apply(self, *objects: Object) -> None:
        """Apply objects into the namespace."""
        for one in objects:
            one["metadata"]["namespace"] = self.name
        self.cluster.apply(objects)

    def kubectl(self, *arguments: str) -> str:
        """Run kubectl in the namespace."""
        return self.cluster.kubectl("--namespace", self.name, *arguments)

    def get(self, kind: str, name: str) -> Object:
        """Read one object."""
        found: Object = json.loads(self.kubectl("get", kind, name, "-o", "json"))
        return found

    def list(self, kind: str, selector: str = "") -> list[Object]:
        """Read several objects."""
        items: list[Object] = json.loads(self.kubectl("get", kind, "-l", selector, "-o", "json"))["items"]
        return items

    def state(self, pod: str) -> Object:
        """The status of a pod's first container."""
        status: Object = self.get("pod", pod)["status"]["containerStatuses"][0]
        return status

    def wait_ready(self, pod: str) -> None:
        """Wait until a pod is Ready."""
        self.kubectl("wait", "--for=condition=Ready", f"pod/{pod}", "--timeout=20s")

    def wait_phase(self, pod: str, phase: str) -> None:
        """Wait until a pod is in a phase."""
        self.kubectl("wait", f"--for=jsonpath={{.status.phase}}={phase}", f"pod/{pod}", "--timeout=20s")

    def is_ready(self, pod: str) -> bool:
        """Whether a pod is Ready now."""
        conditions = {c["type"]: c["status"] for c in self.get("pod", pod)["status"].get("conditions") or []}
        return conditions.get("Ready") == "True"

    def ask(self, pod: str, path: str = "/") -> str:
        """Ask a pod's server over the pod network."""
        ip = self.get("pod", pod)["status"]["podIP"]
        return self.cluster.run(["curl", "--silent", "--fail", "--max-time", "3", f"http://{ip}:{PORT}{path}"])

    def logs(self, pod: str) -> str:
        """What a pod printed."""
        return self.cluster.logs(self.name, pod)
