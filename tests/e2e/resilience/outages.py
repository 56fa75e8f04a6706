"""Prometheus goes away in mid-rollout and comes back; what it has kept is then decided once more."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from serin.metrics.source import MetricSource
from tests.cluster import Cluster
from tests.demo import manifests
from tests.demo.stage import Stage, condition, ended
from tests.e2e.resilience import quick
from tests.e2e.resilience.replay import numbers, replayed

Json = dict[str, Any]

STAGES = ((10, "6s"), (30, "4s"), (50, "4s"))
PER_SECOND = 40.0
BAD = {"FAIL_FRACTION": 0.15}
HANGING = {"HANG_FRACTION": 1}


class Witness:
    """Keeps the first status with traffic at the candidate of each version, to replay from."""

    def __init__(self, stage: Stage) -> None:
        self._first: dict[str, Json] = {}
        stage.on_change = self._see

    def first_traffic(self, version: str) -> Json:
        """Return the status that was stored before the candidate's first request."""
        return self._first[version]

    def _see(self, md: Json) -> None:
        status = md.get("status") or {}
        rollout = status.get("rollout") or {}
        if rollout.get("stageIndex") == 0 and rollout.get("kind") == "Compared":
            self._first.setdefault(status["candidate"]["version"], status)


async def outage(cluster: Cluster, good: Stage, folder: Path, *, away_seconds: float) -> None:
    """Roll a good and a bad version out side by side, take Prometheus away; then a third one that hangs."""
    async with Stage(cluster, folder / "bad", namespace=f"{good.namespace}-bad") as bad:
        stages = (good, bad)
        good.kill_operator()
        for stage in stages:
            await stage.install(quick.policy(stage.namespace, STAGES, bake="4s"))
        good.start_operator(("--standalone", "--namespace", good.namespace, "--namespace", bad.namespace))
        await asyncio.gather(*(quick.first(stage) for stage in stages))
        for stage in stages:
            stage.start_traffic(rate=PER_SECOND, host=quick.host(stage))
        witnesses = {stage.namespace: Witness(stage) for stage in stages}
        await asyncio.sleep(3)
        await asyncio.gather(good.apply(quick.model(good, "2")), bad.apply(quick.model(bad, "2", BAD)))
        await asyncio.gather(*(stage.until(_has_traffic, seconds=60, what="first traffic") for stage in stages))
        await asyncio.sleep(2)
        await asyncio.to_thread(cluster.stop, "prometheus")
        await _nothing_moves(stages, away_seconds)
        await asyncio.to_thread(cluster.start, "prometheus")
        await asyncio.gather(
            _promoted(cluster, good, witnesses[good.namespace]), _rolled_back(cluster, bad, witnesses[bad.namespace])
        )
        await asyncio.to_thread(cluster.kubectl, "delete", "namespace", bad.namespace, "--wait=false")


def _has_traffic(md: Json) -> bool:
    weight = (md["status"].get("rollout") or {}).get("weight") or 0
    return weight > 0 or ended(md, "2") is not None


async def _nothing_moves(stages: tuple[Stage, ...], seconds: float) -> None:
    before = [stage.shares[-1] for stage in stages]
    assert all(shares.b == 10 for shares in before), before
    for stage in stages:
        await stage.until(
            lambda md: condition(md, "Promoted").get("reason") == "MetricsUnavailable",
            seconds=30,
            what=f"{stage.namespace}: MetricsUnavailable",
        )
    await asyncio.sleep(seconds)
    for stage, shares in zip(stages, before, strict=True):
        assert stage.shares[-1] == shares, f"{stage.namespace}: {stage.shares}"
        assert ended(stage.deployment, "2") is None
        assert condition(stage.deployment, "Promoted")["reason"] == "MetricsUnavailable"


async def _promoted(cluster: Cluster, stage: Stage, witness: Witness) -> None:
    outcome = await quick.end_of(stage, "2")
    assert (outcome["kind"], outcome["reason"]) == ("Promoted", "Promoted"), outcome
    await quick.until_walked(stage, "b", [0, 10, 30, 50, 95, 100])
    await _replays(cluster, stage, witness.first_traffic("2"), outcome)


async def _rolled_back(cluster: Cluster, stage: Stage, witness: Witness) -> None:
    outcome = await quick.end_of(stage, "2")
    assert (outcome["kind"], outcome["reason"]) == ("RolledBack", "GateFailed"), outcome
    await quick.until_walked(stage, "b", [0, 10, 0])
    await _replays(cluster, stage, witness.first_traffic("2"), outcome)
    await _hangs(stage)


async def _replays(cluster: Cluster, stage: Stage, status: Json, outcome: Json) -> None:
    """What Prometheus has kept gives the same evidence, number by number, and the same decisions."""
    config = manifests.operator_config(cluster.prometheus_url)["metricSources"][0]
    until = outcome["steps"][-1]["instant"]
    again = await replayed(
        MetricSource.model_validate(config), status, namespace=stage.namespace, name=stage.name, until=until
    )
    assert numbers(again["outcome"]) == numbers(outcome)


async def _hangs(stage: Stage) -> None:
    """A candidate that never answers is found by what is not counted."""
    await stage.apply(quick.model(stage, "3", HANGING))
    outcome = await quick.end_of(stage, "3")
    assert (outcome["kind"], outcome["reason"]) == ("RolledBack", "CandidateUnresponsive"), outcome
    await quick.until_walked(stage, "b", [0, 10, 0, 10, 0])
