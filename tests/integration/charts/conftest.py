"""A bare API server: what it says to the chart's objects needs no operator and no node."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.cluster import API_ONLY, Cluster
from tests.unit.charts.helm import NAMESPACE

WATCHED = ("ml", "shop")


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """With the namespaces that the value sets speak of, the operator's as the manifests make it."""
    with Cluster(f"charts-{os.getpid()}", components=API_ONLY) as running:
        running.apply(
            [
                {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
                for name, labels in (
                    (NAMESPACE, {"pod-security.kubernetes.io/enforce": "restricted"}),
                    *((name, {}) for name in WATCHED),
                )
            ]
        )
        yield running
