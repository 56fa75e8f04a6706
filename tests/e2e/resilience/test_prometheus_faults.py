"""Whatever is wrong with the metrics: its own reason, the weight as it was, and afterwards exact counts."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from tests.bench.stub_prometheus import Fault
from tests.cluster import Cluster
from tests.demo.stage import NotReached, ended
from tests.e2e.resilience.faulty_prometheus import FaultyStub
from tests.e2e.resilience.stub_stage import StubStage, policy, source

Json = dict[str, Any]
Story = Callable[["Trial"], Awaitable[None]]

SLOW_TRAFFIC = 60.0
"""Requests a second at which the 20 and the 50 expected requests of a candidate at 10 % are seconds apart."""
HELD_SECONDS = 4.0


class Trial(StubStage):
    """A rollout with a Prometheus of its own that goes wrong."""

    prometheus: FaultyStub

    @property
    def stable(self) -> tuple[str, str]:
        """The slot of version 1."""
        return (self.namespace, f"{self.name}-a")

    @property
    def candidate(self) -> tuple[str, str]:
        """The slot of version 2."""
        return (self.namespace, f"{self.name}-b")

    async def start(self, *, bad_from: int | None = None) -> None:
        """Apply version 2."""
        self.new_trial(bad_from=bad_from)
        await self.apply(self.model("2"))

    async def until_reason(self, reason: str, *, weight: int, seconds: float = 30) -> None:
        """Wait until the rollout has come to a weight and says why it waits there."""
        await self.until(
            lambda md: self.walk[-1] == weight and md["status"].get("rollout", {}).get("reason") == reason,
            seconds=seconds,
            what=f"{self.name}: reason {reason} at {weight} %",
        )

    async def stays(self, weight: int) -> None:
        """Look on for a while: no verdict, no other weight."""
        await asyncio.sleep(HELD_SECONDS)
        assert self.walk[-1] == weight, f"{self.name}: weights {self.walk}"
        assert ended(self.deployment, "2") is None, f"{self.name}: {self.deployment['status'].get('outcome')}"

    async def ends(self, kind: str, reason: str, *, exact: tuple[str, ...] = ("stable", "candidate")) -> None:
        """Wait for the end, and compare the counts of the errors gate with what there was."""
        md = await self.until(lambda md: ended(md, "2") is not None, seconds=60, what=f"{self.name}: the end")
        outcome = md["status"]["outcome"]
        assert (outcome["kind"], outcome["reason"]) == (kind, reason), f"{self.name}: {outcome}"
        gate = next(gate for gate in outcome["gates"] if gate["name"] == "errors")
        first, last = outcome["steps"][0]["instant"], outcome["steps"][-1]["instant"]
        for arm, slot in (("stable", self.stable), ("candidate", self.candidate)):
            truth = self.prometheus.truth(slot, first - 1, last - 1)  # settled for a second
            counted = gate[arm]["total"]
            assert counted == truth or (arm not in exact and counted < truth), f"{self.name}: {arm} {counted}/{truth}"


async def _away(trial: Trial, fault: Fault, reason: str, kind: str, why: str) -> None:
    def go_wrong() -> None:
        trial.prometheus.fault = fault

    trial.at_weight[10] = go_wrong
    await trial.start(bad_from=10 if kind == "RolledBack" else None)
    await trial.until_reason(reason, weight=10)
    await trial.stays(10)
    trial.prometheus.fault = None
    await trial.ends(kind, why)


async def unavailable(trial: Trial) -> None:
    """503 in mid-rollout of a good candidate."""
    await _away(trial, "unavailable", "MetricsUnavailable", "Promoted", "Promoted")


async def unavailable_bad(trial: Trial) -> None:
    """503 in mid-rollout of a bad candidate."""
    await _away(trial, "unavailable", "MetricsUnavailable", "RolledBack", "GateFailed")


async def partial(trial: Trial) -> None:
    """Answers with a warning are answers in part."""
    await _away(trial, "warning", "MetricsUnavailable", "Promoted", "Promoted")


async def empty(trial: Trial) -> None:
    """Answers without any series: the scrape has ended."""
    await _away(trial, "empty", "StaleMetrics", "Promoted", "Promoted")


async def nan(trial: Trial) -> None:
    """The candidate's counters are NaN for a while."""
    trial.at_weight[50] = lambda: trial.prometheus.nan_since.update({trial.candidate: time.time()})
    await trial.start()
    await trial.until_reason("StaleMetrics", weight=50)
    await trial.stays(50)
    trial.prometheus.nan_since.clear()
    # Stable's requests of an instant at which the candidate cannot be read are left out; the candidate's come later.
    await trial.ends("Promoted", "Promoted", exact=("candidate",))


async def candidate_missing_then_late(trial: Trial) -> None:
    """The candidate's series are not there after 20 expected requests; then they are born, late."""
    trial.per_second = SLOW_TRAFFIC
    trial.send_traffic()
    trial.prometheus.hide(trial.candidate)
    await trial.start()
    # Half a minute for a gateway that may be late, and then until 20 were expected.
    await trial.until_reason("NotAttributable", weight=10, seconds=90)
    trial.prometheus.show(trial.candidate)
    trial.per_second = 1000.0
    trial.send_traffic()
    await trial.ends("Promoted", "Promoted")


async def stable_missing(trial: Trial) -> None:
    """Stable's series are not there: no weight moves before they are found."""
    trial.prometheus.hide(trial.stable)
    await trial.start()
    await trial.until_reason("NoTraffic", weight=0)
    await trial.stays(0)
    trial.prometheus.show(trial.stable)
    await trial.ends("Promoted", "Promoted")


async def reset(trial: Trial) -> None:
    """The gateway's process starts anew in mid-rollout."""
    # Late: a counter that has passed its old value within one scrape does not look like one that began anew. At 50 %
    # the candidate has about 100 + 300 requests, and gets 500 more within a second; at 95 % it has 2,400, and gets 950.
    trial.at_weight[95] = trial.prometheus.restart
    await trial.start()
    await trial.ends("Promoted", "Promoted")


async def hanging(trial: Trial) -> None:
    """Nothing of the candidate is counted while stable's share says it should be."""
    trial.hangs = True
    await trial.start()
    await trial.ends("RolledBack", "CandidateUnresponsive")
    await trial.until(lambda _: trial.walk == [0, 10, 0], seconds=10, what=f"{trial.name}: weights {trial.walk}")


async def silence(trial: Trial) -> None:
    """No request at all for half a minute in mid-rollout."""
    trial.at_weight[10] = lambda: setattr(trial, "per_second", 0.0)
    await trial.start()
    await trial.until_reason("NoTraffic", weight=10, seconds=60)
    trial.per_second = 1000.0
    trial.send_traffic()
    await trial.ends("Promoted", "Promoted")


STORIES: dict[str, Story] = {
    "unavailable": unavailable,
    "unavailable-bad": unavailable_bad,
    "partial": partial,
    "empty": empty,
    "nan": nan,
    "candidate-missing": candidate_missing_then_late,
    "stable-missing": stable_missing,
    "reset": reset,
    "hanging": hanging,
    "silence": silence,
}


async def test_each_fault_has_its_reason_and_no_verdict(cluster: Cluster, namespace: str, tmp_path: Path) -> None:
    """Ten rollouts side by side, each with another fault of its metrics; see the stories above."""
    async with contextlib.AsyncExitStack() as stack:
        trials: list[Trial] = []
        sources: list[Json] = []
        for name in STORIES:
            stub = FaultyStub()
            sources.append(source(await stub.start(), name))
            stack.push_async_callback(stub.stop)
            trial = Trial(cluster, tmp_path / name, stub, sources, namespace=namespace, name=name, policy_name=name)
            trial.prometheus = stub
            trials.append(await stack.enter_async_context(trial))
        policies = [policy(namespace, name, metrics={"source": name}) for name in STORIES]
        operator, *others = trials
        await operator.install(*policies)
        for trial in others:
            trial.watch()
        operator.set_sources(sources)
        operator.start_operator()
        await asyncio.gather(*(trial.first() for trial in trials))
        told = await asyncio.gather(*(_tell(trial) for trial in trials))
        assert not any(told), "\n".join(told)


async def _tell(trial: Trial) -> str:
    try:
        await STORIES[trial.name](trial)
    except (NotReached, AssertionError) as error:
        return f"{trial.name}: {error}"
    print(f"{trial.name}: {trial.deployment['status']['outcome']['reason']}, weights {trial.walk}")
    return ""
