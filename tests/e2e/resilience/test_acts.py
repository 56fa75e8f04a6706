"""Killed while it does something else than a trial, the operator goes on from what is stored, too."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.cluster import Cluster
from tests.e2e.resilience.plays import Cue, House, Played, houses
from tests.e2e.resilience.scene import Scene

CUES = [
    Cue("first-validated", "after", 9),
    Cue("first-pinned", "after", 7),
    Cue("back", "after", 3),
    Cue("deleted", "after", 1),
    Cue("orphaned", "after", 6),
]
"""The Job was made; the files are on record; the decision is, and the weights are not; half of it is let go.

`make soak-acts` does every write, before and after, of ten acts.
"""


async def test_a_crash_in_any_act_changes_nothing(cluster: Cluster, tmp_path: Path) -> None:
    """First deployments, going back and deletions end with the objects, records and weights of those in peace."""

    async def both(house: House, cue: Cue) -> tuple[Scene, Played]:
        scene, _ = await house.in_peace(cue.act)
        return scene, await house.disturbed(cue, scene)

    async with houses(cluster, tmp_path, [f"act-{number}" for number in range(len(CUES))]) as places:
        results = await asyncio.gather(*map(both, places, CUES))
    assert all(scene.lines for scene, _ in results), "something is there to be compared"
    assert [f"{played.cue}: {played.fault}" for _, played in results if played.fault] == []
    assert all(played.crashed for _, played in results)
