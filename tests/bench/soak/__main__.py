"""`python -m tests.bench.soak`: the long forms of the resilience tests, on one cluster one after another."""

from __future__ import annotations

import argparse
import asyncio
import collections
import os
import sys
import time
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path

from tests.cluster import Cluster
from tests.demo import manifests
from tests.demo.stage import NotReached, Stage
from tests.e2e.resilience import quick, steady
from tests.e2e.resilience.acts import ACTS
from tests.e2e.resilience.candidates import CANDIDATES
from tests.e2e.resilience.kills import rampage, summary
from tests.e2e.resilience.outages import outage as away
from tests.e2e.resilience.outcome import Ending
from tests.e2e.resilience.plays import Cue, House, houses, play
from tests.e2e.resilience.scene import Scene
from tests.e2e.resilience.sweep import Point, faults, stub_stages, sweep, undisturbed

FOLDER = manifests.REPOSITORY / "build" / "soak"
WORKERS = 5


async def crash(cluster: Cluster, folder: Path) -> list[str]:
    """Die before and after each write of each kind of rollout."""
    async with stub_stages(cluster, folder, [f"crash-{number}" for number in range(WORKERS)]) as stages:
        wanted: dict[str, Ending] = {}
        points: list[Point] = []
        for number, candidate in enumerate(CANDIDATES):
            wanted[candidate], writes = await undisturbed(stages[number], "2", candidate)
            print(f"{candidate}: {wanted[candidate]}\n  " + "\n  ".join(writes))
            if wanted[candidate].kind != CANDIDATES[candidate].wanted:
                return [f"{candidate} in peace: {wanted[candidate]}"]
            points += [Point(candidate, when, at) for at in range(1, len(writes) + 1) for when in ("before", "after")]
        results = await sweep(stages, points)
    found = faults(results, wanted)
    crashed = collections.Counter(result.point.candidate for result in results if result.crashed)
    same = collections.Counter(
        result.point.candidate
        for result in results
        if result.crashed and result.ending == wanted[result.point.candidate]
    )
    for candidate in CANDIDATES:
        print(f"{candidate:<16} {crashed[candidate]} crashes, {same[candidate]} ended as in peace")
    missed = sum(not result.crashed for result in results)
    print(f"{len(results)} of {len(points)} points, {missed} of them not reached")
    return found + [f"only {len(results)} of {len(points)} points were tried"] * (len(results) < len(points))


async def acts(cluster: Cluster, folder: Path) -> list[str]:
    """Die before and after each write of all that is no trial: first deployments, going back, deletion, and so on."""
    async with houses(cluster, folder, [f"acts-{number}" for number in range(WORKERS)]) as places:
        wanted: dict[str, Scene] = {}
        cues: list[Cue] = []
        peace = await asyncio.gather(*(_in_peace(place, list(ACTS)[n::WORKERS]) for n, place in enumerate(places)))
        for act, scene, writes in (one for found in peace for one in found):
            print(f"{act}:\n  " + "\n  ".join([*scene.lines, f"weights {scene.walk}", *writes]))
            wanted[act] = scene
            cues += [Cue(act, when, at) for at in range(1, len(writes) + 1) for when in ("before", "after")]
        results = await play(places, cues, wanted)
    for act in ACTS:
        of_act = [result for result in results if result.cue.act == act]
        crashed = sum(result.crashed for result in of_act)
        print(f"{act:<16} {crashed} crashes, {sum(not result.fault for result in of_act)} of {len(of_act)} as in peace")
    found = [f"{result.cue}: {result.fault}" for result in results if result.fault]
    return found + [f"only {len(results)} of {len(cues)} cues were tried"] * (len(results) < len(cues))


async def _in_peace(house: House, names: Sequence[str]) -> list[tuple[str, Scene, list[str]]]:
    return [(name, *await house.in_peace(name)) for name in names]


async def kills(cluster: Cluster, folder: Path) -> list[str]:
    """50 random kills over at least 10 rollouts."""
    began = time.monotonic()
    async with stub_stages(cluster, folder, ["kill-1", "kill-2", "kill-3"]) as stages:
        done = await rampage(cluster, stages, kills=50, rollouts=10, seed=50, api_server_every=45)
    print(summary(done, time.monotonic() - began))
    return [
        f"{candidate}: {found}"
        for candidate, found, _ in done.rollouts
        if not isinstance(found, Ending) or found.kind != CANDIDATES[candidate].wanted
    ]


async def outage(cluster: Cluster, folder: Path) -> list[str]:
    """Prometheus away for two minutes in mid-rollout."""
    async with Stage(cluster, folder, namespace="outage") as stage:
        await stage.install(manifests.policy(namespace="outage"))
        stage.start_operator()
        try:
            await away(cluster, stage, folder, away_seconds=120)
        except (NotReached, AssertionError) as error:
            return [str(error)]
    return []


async def traffic(cluster: Cluster, folder: Path) -> list[str]:
    """100 weight changes and 20 rollouts with scale-downs under load."""
    acts: list[steady.Act] = ["promote", "revert", "promote", "slow", "promote", "supersede"] * 4
    async with Stage(cluster, folder, namespace="traffic") as stage:
        await stage.install(steady.policy("traffic"))
        stage.start_operator(("--standalone", "--namespace", "traffic"))
        await quick.first(stage)
        load = stage.start_traffic(rate=100, host=quick.host(stage))
        log = steady.Log()
        try:
            await steady.rollouts(stage, acts, log)
            print(await steady.account(stage, load, log))
        except (NotReached, AssertionError) as error:
            return [str(error)]
    ends, changes = sum(log.ends.values()), len(stage.shares) - 1
    return [] if ends >= 20 and changes >= 100 else [f"only {ends} rollouts and {changes} weight changes"]


SOAKS: dict[str, Callable[[Cluster, Path], Coroutine[None, None, list[str]]]] = {
    "crash": crash,
    "acts": acts,
    "kills": kills,
    "outage": outage,
    "traffic": traffic,
}


def main() -> int:
    """Run what was asked for; 0 when all was as it must be."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.soak", description="Long resilience tests.")
    parser.add_argument("what", nargs="+", choices=SOAKS)
    options = parser.parse_args()
    found: list[str] = []
    with Cluster(f"soak-{os.getpid()}") as cluster:
        for what in options.what:
            print(f"--- {what}", flush=True)
            began = time.monotonic()
            faulty = asyncio.run(SOAKS[what](cluster, FOLDER / what))
            print(f"{what}: {len(faulty)} faults in {time.monotonic() - began:.0f} s", flush=True)
            found += [f"{what}: {fault}" for fault in faulty]
    print("\n".join(found) or "all as it must be")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
