"""Prometheus goes away in mid-rollout, and comes back."""

from __future__ import annotations

from pathlib import Path

from tests.cluster import Cluster
from tests.demo.stage import Stage
from tests.e2e.resilience.outages import outage

AWAY_SECONDS = 30.0
"""Two minutes in `make soak-outage`."""


async def test_an_outage_moves_nothing(cluster: Cluster, stage: Stage, tmp_path: Path) -> None:
    """Prometheus is away for 30 s: weights stay, the reason is said, and good and bad end as they deserve."""
    await outage(cluster, stage, tmp_path, away_seconds=AWAY_SECONDS)
