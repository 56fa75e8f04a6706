"""What a rollout came to, in a form that two rollouts can be compared by, and what must hold of every one."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass
from typing import Any

from tests.e2e.resilience.stub_stage import LADDER, StubStage

Json = dict[str, Any]

VERDICTS = {"Promoted": "Stable", "RolledBack": "Rejected"}
_SETTLE_SECONDS_MAX = 30.0


@dataclass(frozen=True, slots=True)
class Ending:
    """How a rollout ended; equal for two of the same kind of candidate, whatever happened on the way.

    steps: (stage, weight, decision) of each decision. walk: the candidate's weights in the route.
    """

    kind: str
    reason: str
    steps: tuple[tuple[str, int, str], ...]
    walk: tuple[int, ...]


def broken_walk(walk: list[int], *, missed: int) -> str | None:
    """Say where weights jumped; None when they went up the ladder step by step, and at most once back to 0.

    missed: edits that the watch did not see; so many steps may be left out.
    """
    position = 0
    for number, (before, after) in enumerate(itertools.pairwise(walk)):
        if after == 0:
            if number + 2 != len(walk):
                return f"weight after the way back: {walk}"
            return None
        if after not in LADDER:
            return f"{after} is no step of the ladder: {walk}"
        up = LADDER.index(after) - position
        if up < 1 or up > 1 + missed:
            return f"from {before} to {after}: {walk}"
        missed -= up - 1
        position = LADDER.index(after)
    return None


async def ending(stage: StubStage, version: str) -> Ending:
    """Look at all that a finished rollout has left, and check what must hold of every one.

    Raises:
        AssertionError: something is there twice, missing, jumped, or disagrees.
    """
    where = f"{stage.namespace} version {version}"
    status = stage.deployment["status"]
    outcome = status["outcome"]
    kind = outcome["kind"]
    jump = broken_walk(stage.walk, missed=stage.generations_missed)
    assert jump is None, f"{where}: {jump}"

    revision = await recorded(stage, version)
    assert revision["verdict"] == VERDICTS[kind], f"{where}: the revision says {revision['verdict']}"
    steps = tuple((step["stage"], step["weight"], step["decision"]) for step in outcome["steps"])
    assert len(set(steps)) == len(steps), f"{where}: a step is there twice: {steps}"
    record = tuple((entry["stage"], entry["weight"], entry["event"]) for entry in revision["record"])
    assert record == steps, f"{where}: the record {record} is not the outcome's {steps}"
    assert sum(revision["recordTotals"].values()) == len(record), f"{where}: {revision['recordTotals']}"

    jobs = (await stage.get(f"/apis/batch/v1/namespaces/{stage.namespace}/jobs"))["items"]
    names = {job["metadata"]["name"] for job in jobs}
    assert len(names - stage.jobs_known) <= 1, f"{where}: asked more than once: {names - stage.jobs_known}"
    stage.jobs_known |= names

    stable = status["stable"]
    running = await _running(stage, {stable["revision"]})
    assert running == {stable["revision"]}, f"{where}: pods of {running}, stable is {stable['revision']}"
    address = await stage.get(f"/api/v1/namespaces/{stage.namespace}/services/{stage.name}")
    assert address["spec"]["selector"]["serin.dev/slot"] == stable["slot"], f"{where}: the address is elsewhere"
    assert stage.shares[-1].of(stable["slot"]) == 100, f"{where}: the route ends at {stage.shares[-1]}"
    return Ending(kind, outcome["reason"], steps, tuple(stage.walk))


async def _running(stage: StubStage, wanted: set[str]) -> set[str]:
    """Return the Deployments that want pods, once they are as wanted or will not be."""
    running: set[str] = set()
    for _ in range(int(_SETTLE_SECONDS_MAX / 0.5)):
        items = (await stage.get(f"/apis/apps/v1/namespaces/{stage.namespace}/deployments"))["items"]
        running = {item["metadata"]["name"] for item in items if item["spec"]["replicas"]}
        if running == wanted:
            break
        await asyncio.sleep(0.5)
    return running


async def recorded(stage: StubStage, version: str) -> Json:
    """Return the status of the one revision of a version once its verdict is in."""
    path = f"/apis/serin.dev/v1alpha1/namespaces/{stage.namespace}/modelrevisions"
    for _ in range(int(_SETTLE_SECONDS_MAX / 0.5)):
        items = (await stage.get(path))["items"]
        found = [item for item in items if item["spec"]["model"]["version"] == version]
        assert len(found) <= 1, f"{stage.namespace} version {version}: {len(found)} revisions"
        if found and (found[0].get("status") or {}).get("verdict"):
            status: Json = found[0]["status"]
            return status
        await asyncio.sleep(0.5)
    raise AssertionError(f"{stage.namespace} version {version}: no verdict on the revision\n{stage.tail()}")
