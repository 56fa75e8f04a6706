"""Killed at any write, the operator goes on from what is stored: no weight jumps, nothing is there twice."""

from __future__ import annotations

from pathlib import Path

from tests.cluster import Cluster
from tests.e2e.resilience.candidates import CANDIDATES
from tests.e2e.resilience.outcome import Ending
from tests.e2e.resilience.sweep import Point, faults, stub_stages, sweep, undisturbed

WORKERS = 4
POINTS = [
    *(Point("good", "after", at) for at in (2, 5, 8, 11, 14, 17)),
    *(Point("bad", "after", at) for at in (4, 7)),
    *(Point("validated", "after", at) for at in (4, 6)),
    Point("refused", "after", 6),
]
"""A few of them; `make soak-crash` does every write, before and after, of each kind of candidate."""


async def test_a_crash_at_a_write_changes_nothing(cluster: Cluster, tmp_path: Path) -> None:
    """Whatever write the operator dies at, the rollout ends as the one in peace: steps, weights, revisions, record."""
    async with stub_stages(cluster, tmp_path, [f"crash-{number}" for number in range(WORKERS)]) as stages:
        wanted: dict[str, Ending] = {}
        for number, candidate in enumerate(("good", "bad", "validated", "refused")):
            wanted[candidate], _ = await undisturbed(stages[number], "2", candidate)
            assert wanted[candidate].kind == CANDIDATES[candidate].wanted
        results = await sweep(stages, POINTS)
        assert not faults(results, wanted)
        assert len(results) == len(POINTS)
        print(f"{sum(result.crashed for result in results)} crashes at {len(POINTS)} writes, no difference")
