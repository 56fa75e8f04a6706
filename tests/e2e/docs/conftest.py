"""A cluster with a gateway and a Prometheus, on which nobody has installed Serin yet."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.cluster import Cluster, Unsupported


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """Of the test's own, so that the page's first step is the first one here."""
    try:
        with Cluster(f"docs-{os.getpid()}") as cluster:
            yield cluster
    except Unsupported as reason:
        pytest.skip(str(reason))
