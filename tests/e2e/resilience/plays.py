"""Acts, each with ModelDeployments of its own, disturbed at one write or at none."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.stub_prometheus import Stub
from tests.cluster import Access
from tests.demo.stage import NotReached
from tests.e2e.resilience import acts, candidates
from tests.e2e.resilience.acts import ACTS, FETCHER
from tests.e2e.resilience.crashing import CRASHED, When
from tests.e2e.resilience.scene import Scene, at_rest, until_like
from tests.e2e.resilience.stub_stage import StubStage, source

_SECONDS_MAX = 90.0


@dataclass(frozen=True, slots=True)
class Cue:
    """One act, and where the operator dies in it."""

    act: str
    when: When
    at: int

    def __str__(self) -> str:
        """Return it as words."""
        return f"{self.act}, {self.when} write {self.at}"


@dataclass(frozen=True, slots=True)
class Played:
    """What became of one cue; `fault` says how it is not as in peace, "" when it is."""

    cue: Cue
    crashed: bool
    seconds: float
    fault: str = ""


class House:
    """A namespace in which acts are played one after another."""

    def __init__(self, cluster: Access, folder: Path, stub: Stub, url: str, namespace: str) -> None:
        self.namespace = namespace
        self._cluster, self._folder, self._stub, self._url = cluster, folder, stub, url
        self._numbers = itertools.count(1)

    async def prepare(self) -> None:
        """Make the namespace and the policies."""
        async with self._stage("unused") as stage:
            await stage.install(*candidates.policies(self.namespace), *acts.policies(self.namespace))

    async def remove(self) -> None:
        """Let it go with all that is in it."""
        with contextlib.suppress(Exception):  # the cluster may be gone already
            arguments = ("delete", "namespace", self.namespace, "--ignore-not-found", "--wait=false")
            await asyncio.to_thread(self._cluster.kubectl, *arguments)

    async def in_peace(self, act: str) -> tuple[Scene, list[str]]:
        """Play an act undisturbed; also return every write that it took."""
        async with self._begun(act) as stage:
            stage.count_writes()
            await ACTS[act].happens(stage)
            await _until_over(stage, act)
            found = await at_rest(stage, seconds=_SECONDS_MAX)
            return found, stage.writes.read_text().splitlines()

    async def disturbed(self, cue: Cue, wanted: Scene) -> Played:
        """Play an act, end the operator at the cue, start it again, and see whether all comes to what it should."""
        began = time.monotonic()
        crashed = False
        try:
            async with self._begun(cue.act) as stage:
                stage.arm(cue.when, cue.at)
                await ACTS[cue.act].happens(stage)
                crashed = await _died(stage, wanted)
                stage.order.unlink(missing_ok=True)
                if crashed:
                    stage.start_operator()
                fault = (await until_like(stage, wanted, seconds=_SECONDS_MAX)).differs(wanted)
        except NotReached as error:
            fault = str(error)
        return Played(cue, crashed, time.monotonic() - began, fault)

    @contextlib.asynccontextmanager
    async def _begun(self, act: str) -> AsyncIterator[StubStage]:
        async with self._stage(f"{act}-{next(self._numbers)}") as stage:
            stage.watch()
            stage.start_operator()
            await ACTS[act].before(stage)
            yield stage

    def _stage(self, name: str) -> StubStage:
        fields = {"artifacts": FETCHER}
        where = self._folder / name
        return StubStage(
            self._cluster, where, self._stub, [source(self._url)], namespace=self.namespace, name=name, config=fields
        )


@contextlib.asynccontextmanager
async def houses(cluster: Access, folder: Path, names: Sequence[str]) -> AsyncIterator[list[House]]:
    """Several side by side, and one stand-in for Prometheus."""
    stub = Stub()
    url = await stub.start()
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(stub.stop)
        found = [House(cluster, folder / name, stub, url, name) for name in names]
        for house in found:
            stack.push_async_callback(house.remove)
            await house.prepare()
        yield found


async def play(houses: Sequence[House], cues: Sequence[Cue], wanted: dict[str, Scene]) -> list[Played]:
    """Play all cues, each house one after another of them; stop giving out cues after three faults."""
    waiting = list(cues)[::-1]
    results: list[Played] = []

    async def work(house: House) -> None:
        while waiting and sum(bool(result.fault) for result in results) < 3:
            cue = waiting.pop()
            results.append(await house.disturbed(cue, wanted[cue.act]))
            said = results[-1].fault.partition("\n")[0] or "as in peace"
            died = "died" if results[-1].crashed else "not reached"
            print(f"  {cue}: {died}, {said}, {results[-1].seconds:.0f} s", flush=True)

    await asyncio.gather(*(work(house) for house in houses))
    return results


async def _until_over(stage: StubStage, act: str) -> None:
    deadline = time.monotonic() + _SECONDS_MAX
    while not ACTS[act].over(stage):
        if time.monotonic() > deadline:
            raise NotReached(f"{stage.name} is not over after {_SECONDS_MAX:.0f} s\n{stage.deployment}\n{stage.tail()}")
        await asyncio.sleep(0.2)


async def _died(stage: StubStage, wanted: Scene) -> bool:
    """Wait for the ordered death, or for the end of an act that has fewer writes than that."""
    operator, stage.operator = stage.operator, None
    assert operator is not None
    like = asyncio.create_task(until_like(stage, wanted, seconds=_SECONDS_MAX))
    try:
        while not like.done():
            if (code := operator.poll()) is not None:
                if code != CRASHED:
                    raise NotReached(f"the operator ended with {code} instead of dying\n{stage.tail()}")
                return True
            await asyncio.sleep(0.1)
    finally:
        like.cancel()
    stage.operator = operator
    return False
