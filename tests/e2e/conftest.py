"""One cluster for all end-to-end tests; a namespace, a policy and an operator for each."""

from __future__ import annotations

import itertools
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.cluster import Cluster, Unsupported
from tests.demo import manifests
from tests.demo.stage import Stage

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A whole cluster: control plane, node, gateway, Prometheus."""
    try:
        with Cluster(f"e2e-{os.getpid()}") as cluster:  # two runs of the tests may go on side by side
            yield cluster
    except Unsupported as reason:
        pytest.skip(str(reason))


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """The name of a namespace that nobody else uses; it goes with all that is in it."""
    name = f"e2e-{next(_numbers)}"
    yield name
    cluster.kubectl("delete", "namespace", name, "--ignore-not-found", "--wait=false")


@pytest.fixture
async def stage(cluster: Cluster, namespace: str, tmp_path: Path) -> AsyncIterator[Stage]:
    """CRDs, the demo's policy, and an operator that looks after this namespace only."""
    async with Stage(cluster, tmp_path, namespace=namespace) as stage:
        await stage.install(manifests.policy(namespace=namespace))
        stage.start_operator(("--standalone", "--namespace", namespace))
        yield stage
