"""Rollouts, each disturbed at one place, several side by side in namespaces of their own."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.stub_prometheus import Stub
from tests.cluster import Access
from tests.demo.stage import NotReached, ended
from tests.e2e.resilience.candidates import CANDIDATES, policies
from tests.e2e.resilience.crashing import CRASHED, When
from tests.e2e.resilience.outcome import Ending, ending, recorded
from tests.e2e.resilience.stub_stage import StubStage, source


@dataclass(frozen=True, slots=True)
class Point:
    """One rollout of a sweep: which candidate, and where the operator dies."""

    candidate: str
    when: When
    at: int

    def __str__(self) -> str:
        """Return it as words."""
        return f"{self.candidate}, {self.when} write {self.at}"


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one point."""

    point: Point
    crashed: bool
    ending: Ending | None
    seconds: float
    fault: str = ""


@contextlib.asynccontextmanager
async def stub_stages(cluster: Access, folder: Path, names: Sequence[str]) -> AsyncIterator[list[StubStage]]:
    """Several stages side by side with version 1 in place, and one stand-in for Prometheus."""
    stub = Stub()
    url = await stub.start()
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(stub.stop)
        stages = []
        for name in names:
            stage = StubStage(cluster, folder / name, stub, [source(url)], namespace=name)
            await stack.enter_async_context(stage)
            stack.push_async_callback(_remove, stage)
            await stage.install(*policies(name))
            stage.start_operator()
            stages.append(stage)
        await asyncio.gather(*(stage.first() for stage in stages))
        for stage in stages:
            await recorded(stage, "1")
        yield stages


async def _remove(stage: StubStage) -> None:
    stage.kill_operator()
    with contextlib.suppress(Exception):  # the cluster may be gone already
        arguments = ("delete", "namespace", stage.namespace, "--ignore-not-found", "--wait=false")
        await asyncio.to_thread(stage.cluster.kubectl, *arguments)


async def undisturbed(stage: StubStage, version: str, candidate: str) -> tuple[Ending, list[str]]:
    """Roll a version out in peace; also return every write that it took."""
    CANDIDATES[candidate].begin(stage)
    stage.count_writes()
    await stage.apply(stage.model(version))
    await stage.until_ended(version)
    found = await ending(stage, version)
    return found, stage.writes.read_text().splitlines()


async def crashed_at(stage: StubStage, version: str, point: Point) -> Result:
    """Roll a version out, end the operator at the point, start it again, and see how it ends."""
    began = time.monotonic()
    CANDIDATES[point.candidate].begin(stage)
    stage.arm(point.when, point.at)
    crashed = False
    try:
        await stage.apply(stage.model(version))
        crashed = await _died_or_done(stage, version)
        stage.order.unlink(missing_ok=True)
        if crashed:
            stage.start_operator()
        await stage.until_ended(version)
        found = await ending(stage, version)
    except (NotReached, AssertionError) as error:
        return Result(point, crashed, None, time.monotonic() - began, str(error))
    return Result(point, crashed, found, time.monotonic() - began)


async def sweep(stages: Sequence[StubStage], points: Sequence[Point]) -> list[Result]:
    """Try all points, each stage one after another of them; stop giving out points after three faults."""
    waiting = list(points)[::-1]
    results: list[Result] = []

    async def work(stage: StubStage) -> None:
        number = 100
        while waiting and sum(bool(result.fault) for result in results) < 3:
            number += 1
            result = await crashed_at(stage, str(number), waiting.pop())
            results.append(result)
            print(f"  {result.point}: {_words(result)}", flush=True)
            if result.fault:
                return  # what it left behind would spoil the next one

    await asyncio.gather(*(work(stage) for stage in stages))
    return results


def faults(results: Sequence[Result], wanted: dict[str, Ending]) -> list[str]:
    """Say of each result in what it is not as the undisturbed rollout was."""
    found = []
    for result in results:
        if result.fault:
            found.append(f"{result.point}: {result.fault}")
        elif result.ending != wanted[result.point.candidate]:
            found.append(f"{result.point}: {result.ending}, undisturbed {wanted[result.point.candidate]}")
    return found


async def _died_or_done(stage: StubStage, version: str) -> bool:
    """Wait for the ordered death, or for the end of a rollout that has fewer writes than that."""
    operator, stage.operator = stage.operator, None
    assert operator is not None
    deadline = time.monotonic() + 90
    quiet_since: float | None = None
    while True:
        code = operator.poll()
        if code is not None:
            if code != CRASHED:
                raise NotReached(f"the operator ended with {code} instead of dying\n{stage.tail()}")
            return True
        over = ended(stage.deployment, version) is not None
        if not over:
            quiet_since = None
        elif quiet_since is None:
            quiet_since = time.monotonic()
        elif time.monotonic() - quiet_since > 8:  # drained and scaled down: nothing more will be written
            stage.operator = operator
            return False
        if time.monotonic() > deadline:
            stage.operator = operator
            raise NotReached(f"neither death nor end of version {version}\n{stage.tail()}")
        await asyncio.sleep(0.1)


def _words(result: Result) -> str:
    if result.fault:
        return "FAULT " + result.fault.partition("\n")[0]
    assert result.ending is not None
    died = "died" if result.crashed else "not reached"
    return f"{died}, {result.ending.kind}, weights {result.ending.walk}, {result.seconds:.0f} s"
