"""The operator killed at random moments, and the API server taken away now and then."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.cluster import Access
from tests.demo.stage import NotReached
from tests.e2e.resilience.candidates import CANDIDATES
from tests.e2e.resilience.outcome import Ending, ending
from tests.e2e.resilience.stub_stage import StubStage

ALIVE_SECONDS = (1.0, 12.0)
"""Between two kills. A start takes a second or three, so some die before they have led and most in a rollout."""


@dataclass(slots=True)
class Rampage:
    """What was done, and what became of each rollout: (candidate, its end or the fault, kills on the way)."""

    kills: int = 0
    restarts: int = 0
    rollouts: list[tuple[str, Ending | str, int]] = field(default_factory=list)


async def rampage(
    cluster: Access, stages: Sequence[StubStage], *, kills: int, rollouts: int, seed: int, api_server_every: float
) -> Rampage:
    """Roll out good and bad versions until so many kills and so many rollouts are done."""
    done = Rampage()
    chance = random.Random(seed)
    enough = asyncio.Event()

    async def work(stage: StubStage, offset: int) -> None:
        names = list(CANDIDATES)
        for number in range(offset, offset + 200):
            if done.kills >= kills and len(done.rollouts) >= rollouts:
                return
            candidate = names[number % len(names)]
            before = done.kills
            killer = asyncio.create_task(_kill_again_and_again(stage, chance, done, kills))
            try:
                found: Ending | str = await _roll_out(stage, str(1000 + number), candidate)
            except (NotReached, AssertionError) as error:
                found = str(error)
            finally:
                killer.cancel()
                await asyncio.gather(killer, return_exceptions=True)
            done.rollouts.append((candidate, found, done.kills - before))
            print(f"  {stage.namespace} {candidate}: {_words(found)}", flush=True)
            if isinstance(found, str):
                return

    async def take_the_api_server_away() -> None:
        while not enough.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(enough.wait(), api_server_every)
                return
            await asyncio.to_thread(cluster.stop, "kube-apiserver")
            await asyncio.sleep(chance.uniform(0.2, 3.0))
            await asyncio.to_thread(cluster.start, "kube-apiserver")
            done.restarts += 1
            for part in ("kube-controller-manager", "kube-scheduler"):
                # Left alone they come back after a minute and a half, and no pod is made or removed before.
                await asyncio.to_thread(cluster.stop, part)
                await asyncio.to_thread(cluster.start, part)

    outages = asyncio.create_task(take_the_api_server_away())
    try:
        await asyncio.gather(*(work(stage, 60 * index) for index, stage in enumerate(stages)))
    finally:
        enough.set()
        await outages
    return done


async def _roll_out(stage: StubStage, version: str, candidate: str) -> Ending:
    CANDIDATES[candidate].begin(stage)
    await stage.patiently_apply(stage.model(version))
    await stage.until_ended(version, seconds=180)
    return await ending(stage, version)


async def _kill_again_and_again(stage: StubStage, chance: random.Random, done: Rampage, kills: int) -> None:
    """Until cancelled, or enough have died; always leaves an operator running."""
    while done.kills < kills:
        await asyncio.sleep(chance.uniform(*ALIVE_SECONDS))
        if done.kills >= kills:
            return
        stage.kill_operator()
        stage.start_operator()
        done.kills += 1


def summary(done: Rampage, seconds: float) -> str:
    """Return one line."""
    right = sum(isinstance(found, Ending) for _, found, _ in done.rollouts)
    return (
        f"{done.kills} kills, {done.restarts} restarts of the API server, {len(done.rollouts)} rollouts,"
        f" {right} of them ended, {seconds:.0f} s"
    )


def _words(found: Ending | str) -> str:
    if isinstance(found, str):
        return "FAULT " + found.partition("\n")[0]
    return f"{found.kind}, weights {found.walk}"
