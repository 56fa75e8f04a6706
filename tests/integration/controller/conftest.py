"""A bare API server with Serin's CRDs and those of the Gateway API; pods are only written down, nobody runs them."""

from __future__ import annotations

import itertools
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from serin.controller.kube import Kube
from tests.cluster import API_ONLY, Cluster, tools

ROOT = Path(__file__).parents[3]
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """An API server that keeps a log of every request."""
    with Cluster(f"controller-{os.getpid()}", components=API_ONLY, audit="RequestResponse") as running:
        for path in (ROOT / "crds", *tools.gateway_api_crds()):
            running.kubectl("apply", "--server-side", "-f", str(path))
        running.kubectl("wait", "--for=condition=Established", "crd", "--all")
        yield running


@pytest.fixture
def namespace(cluster: Cluster) -> str:
    """A namespace of the test's own; it goes with the cluster."""
    name = f"test-{next(_numbers)}"
    cluster.kubectl("create", "namespace", name)
    return name


@pytest.fixture
async def kube(cluster: Cluster) -> AsyncIterator[Kube]:
    """The controller's client."""
    kube = await Kube.connect(str(cluster.kubeconfig))
    yield kube
    await kube.close()
