"""A bare API server with Serin's CRDs and those of the Gateway API."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.cluster import API_ONLY, Cluster, tools
from tests.unit.docs.pages import ROOT

NAMESPACE = "ml"


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    with Cluster(f"gitops-{os.getpid()}", components=API_ONLY) as running:
        for path in (ROOT / "crds", *tools.gateway_api_crds()):
            running.kubectl("apply", "--server-side", "-f", str(path))
        running.kubectl("wait", "--for=condition=Established", "crd", "--all")
        running.apply(
            [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in (NAMESPACE, "argocd")]
        )
        yield running
