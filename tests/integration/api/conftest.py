"""A bare API server with Serin's CRDs: what it says about resources needs no operator."""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster import API_ONLY, Cluster, ClusterError, tools

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """An API server that knows Serin's kinds and those of the Gateway API."""
    with Cluster(f"api-{os.getpid()}", components=API_ONLY) as running:
        for path in (ROOT / "crds", *tools.gateway_api_crds()):
            running.kubectl("apply", "--server-side", "-f", str(path))
        running.kubectl("wait", "--for=condition=Established", "crd", "--all")
        yield running


class Api:
    """The API server as a user of kubectl sees it, in a namespace of one test's own."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.cluster = cluster
        self.namespace = namespace

    def kubectl(self, *arguments: str, text: str | None = None) -> str:
        """Run kubectl in the namespace."""
        return self.cluster.kubectl("--namespace", self.namespace, *arguments, input=text)

    def apply(self, raw: dict[str, Any], *flags: str) -> dict[str, Any]:
        """Apply an object as a user does, and return what is stored."""
        answer = self.kubectl(
            "apply", "--validate=strict", "-o", "json", "-f", "-", *flags, text=json.dumps(self._moved(raw))
        )
        stored: dict[str, Any] = json.loads(answer)
        return stored

    def refused(self, raw: dict[str, Any], *flags: str) -> str:
        """Apply an object that must be refused, and return the words."""
        with pytest.raises(ClusterError) as refusal:
            self.apply(raw, *flags)
        return str(refusal.value)

    def get(self, kind: str, name: str) -> dict[str, Any]:
        """Read an object."""
        stored: dict[str, Any] = json.loads(self.kubectl("get", kind, name, "-o", "json"))
        return stored

    def patch(self, kind: str, name: str, patch: Any, *flags: str) -> str:
        """Patch an object: a list is a JSON patch, an object a merge patch."""
        sort = "json" if isinstance(patch, list) else "merge"
        return self.kubectl("patch", kind, name, f"--type={sort}", "-p", json.dumps(patch), *flags)

    def _moved(self, raw: dict[str, Any]) -> dict[str, Any]:
        return raw | {"metadata": raw["metadata"] | {"namespace": self.namespace}}


_NUMBERS = itertools.count(1)


@pytest.fixture
def api(cluster: Cluster) -> Api:
    """A namespace for one test; it goes with the cluster."""
    name = f"test-{next(_NUMBERS)}"
    cluster.kubectl("create", "namespace", name)
    return Api(cluster, name)
