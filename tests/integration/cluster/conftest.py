"""One cluster for all these tests, and a namespace for each."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import pytest

from tests.cluster import Cluster, Unsupported
from tests.integration.cluster.workloads import Namespace, eventually

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A whole cluster."""
    try:
        with Cluster("tests-cluster", restart_delay_seconds=1) as cluster:
            yield cluster
    except Unsupported as reason:
        pytest.skip(str(reason))


@pytest.fixture
def namespace(cluster: Cluster) -> Namespace:
    """An empty namespace in which pods can be created."""
    name = f"test-{next(_numbers)}"
    cluster.kubectl("create", "namespace", name)
    eventually(lambda: cluster.kubectl("--namespace", name, "get", "serviceaccount", "default"))
    return Namespace(cluster, name)
