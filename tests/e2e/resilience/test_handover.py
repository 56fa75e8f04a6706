"""Two operators, one leader."""

from __future__ import annotations

import asyncio
import signal as signals
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.bench.stub_prometheus import Stub
from tests.cluster import Cluster
from tests.e2e.resilience.outcome import ending
from tests.e2e.resilience.stub_stage import LADDER, StubStage, policy, source

Json = dict[str, Any]

SHORT = {"leaseSeconds": 5, "renewSeconds": 3, "retrySeconds": 1}


class Pair:
    """Two operators for one namespace, and the Lease that they share."""

    def __init__(
        self, cluster: Cluster, folder: Path, namespace: str, stub: Stub, url: str, terms: Mapping[str, Any]
    ) -> None:
        election = {"namespace": namespace, "name": "serin", **terms}
        self.stages = [
            StubStage(
                cluster,
                folder / str(number),
                stub,
                [source(url)],
                namespace=namespace,
                config={"leaderElection": election},
            )
            for number in range(2)
        ]
        self.namespace = namespace

    async def holder(self) -> str:
        """Return who leads, empty when nobody does."""
        path = f"/apis/coordination.k8s.io/v1/namespaces/{self.namespace}/leases"
        leases: list[Json] = (await self.stages[0].api.get(path))["items"]
        return next((lease["spec"].get("holderIdentity") or "" for lease in leases), "")

    async def until_led_by_another(self, before: str, *, seconds: float) -> float:
        """Wait until somebody else leads, and return how many seconds that took."""
        began = time.monotonic()
        while (holder := await self.holder()) in ("", before):
            assert time.monotonic() - began < seconds, f"still {holder!r} after {seconds} s"
            await asyncio.sleep(0.05)
        return time.monotonic() - began


@pytest.mark.parametrize(
    ("signal", "terms", "seconds_max"),
    [("SIGTERM", {}, 3.0), ("SIGKILL", SHORT, 5.0 + 3.0)],
    ids=["SIGTERM", "SIGKILL"],
)
async def test_another_takes_over(
    cluster: Cluster, namespace: str, tmp_path: Path, signal: str, terms: Json, seconds_max: float
) -> None:
    """A leader that is stopped hands over within 3 s, one that is killed after its lease time; the other one acts."""
    stub = Stub()
    pair = Pair(cluster, tmp_path, namespace, stub, await stub.start(), terms)
    first, second = pair.stages
    async with first, second:
        await first.install(policy(namespace))
        first.start_operator(())
        await pair.until_led_by_another("", seconds=60)
        await first.first()
        leader = await pair.holder()
        second.start_operator(())
        await _standing_by(second)
        assert await pair.holder() == leader, "a stand-by must not take a lease that is renewed"
        operator, first.operator = first.operator, None
        assert operator is not None
        operator.terminate() if signal == "SIGTERM" else operator.kill()
        took = await pair.until_led_by_another(leader, seconds=60)
        print(f"{signal}: the other one leads after {took:.2f} s")
        assert took < seconds_max
        await asyncio.to_thread(operator.wait, 10)
        await first.apply({**first.model("1"), **_more_replicas(first)})
        await first.until(
            lambda md: md["status"].get("observedGeneration") == md["metadata"]["generation"] == 2,
            seconds=30,
            what="the new leader's answer",
        )
    await stub.stop()


async def test_a_leader_that_froze_gives_way(cluster: Cluster, namespace: str, tmp_path: Path) -> None:
    """Frozen in mid-rollout for longer than its lease, it ends when it thaws; the other one's weights stand."""
    stub = Stub()
    pair = Pair(cluster, tmp_path, namespace, stub, await stub.start(), SHORT)
    first, second = pair.stages
    async with first, second:
        await first.install(policy(namespace))
        first.start_operator(())
        await first.first()
        leader = await pair.holder()
        second.start_operator(())
        await _standing_by(second)
        first.new_trial(bad_from=None)
        await first.apply(first.model("2"))
        await first.until(lambda _: first.walk[-1] == 30, seconds=60, what="30 % of the traffic")
        frozen, first.operator = first.operator, None
        assert frozen is not None
        frozen.send_signal(signals.SIGSTOP)
        await pair.until_led_by_another(leader, seconds=60)
        await first.until(lambda _: first.walk[-1] >= 50, seconds=60, what="half of the traffic")
        frozen.send_signal(signals.SIGCONT)
        assert await asyncio.to_thread(frozen.wait, 20) == 1, first.tail()
        await first.until_ended("2")
        assert (await ending(first, "2")).walk == LADDER
    await stub.stop()


def _more_replicas(stage: StubStage) -> Json:
    spec = stage.model("1")["spec"]
    return {"spec": {**spec, "serving": {**spec["serving"], "replicas": 2}}}


async def _standing_by(stage: StubStage) -> None:
    """Wait until an operator has its cache and asks for the lease."""
    deadline = time.monotonic() + 60
    while "standing by" not in stage.tail():
        assert time.monotonic() < deadline, stage.tail()
        await asyncio.sleep(0.2)
