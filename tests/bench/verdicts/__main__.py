"""`python -m tests.bench.verdicts`: tables of all runs, and 1 when a target is missed."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.cluster import Cluster
from tests.demo import manifests, report, story
from tests.demo.report import Rollout
from tests.demo.stage import NotReached, Stage, promoted, settled
from tests.demo.story import Step
from tests.demo.timeline import Timeline

FOLDER = manifests.REPOSITORY / "build" / "verdicts"

Json = dict[str, Any]
Faults = Mapping[str, object]

HISTORY_SECONDS = 25.0
"""A model that serves has a history: a thousand requests of it."""
NOISY_PER_SECOND = 100.0
"""Proof beside 1 % of errors takes some six thousand requests: three minutes at the 50 a second of the demo."""
ROLLOUT_SECONDS_MAX = 400.0
"""More than the policy's deadline: what does not end is to be seen as what Serin makes of it."""
FAILURES_MAX = 12
MEDIAN_SECONDS_MAX = 30.0
P90_SECONDS_MAX = 60.0

BAD = Step("3", "3 % of its answers are errors", "rolled-back", {"FAIL_FRACTION": 0.03})
NOISY = Step("2", "1 % of its answers are errors, as of stable's", "promoted", {"FAIL_FRACTION": 0.01})


class Elsewhere(Stage):
    """A stage whose ModelDeployments go into its own namespace, with a host name of their own."""

    @property
    def host(self) -> str:
        """The host name of its route."""
        return f"{self.namespace}.example.com"

    async def apply(self, *objects: Json) -> None:
        """Apply, moved here."""
        moved = json.loads(json.dumps(objects))
        for one in moved:
            if one["kind"] == "ModelDeployment":
                one["metadata"]["namespace"] = self.namespace
                one["spec"]["traffic"]["httpRoute"]["hostnames"] = [self.host]
        await super().apply(*moved)


async def tell(
    cluster: Cluster, folder: Path, namespace: str, stable: Faults, steps: Sequence[Step], *, rate: float
) -> list[Rollout]:
    """Roll one version after another out beside a stable one with these faults."""
    timeline = Timeline(write=lambda line: print(f"{namespace:<6} {line}", flush=True))
    done: list[Rollout] = []
    if not steps:
        return done
    async with Elsewhere(cluster, folder / namespace, namespace=namespace) as stage:
        await stage.install(manifests.policy(namespace=namespace))
        stage.start_operator(("--standalone", "--namespace", namespace))
        await stage.apply(manifests.model_deployment("1", stable))
        await stage.until(lambda md: promoted(md, "1") and settled(md), seconds=90, what="the first version serves")
        traffic = stage.start_traffic(host=stage.host, rate=rate)
        await asyncio.sleep(HISTORY_SECONDS)
        for step in steps:
            try:
                done.append(await story.roll_out(stage, traffic, step, timeline))
            except NotReached as missed:
                timeline.say(f"v{step.version} FAULT: {missed}")
                break
            last = done[-1]
            timeline.say(
                f"v{step.version} {last.outcome} after {last.seconds_to_verdict} s, {last.failures} of {last.requests}"
                f" failed, {last.candidate_failures} of {last.candidate_requests} of the candidate's: {last.message}"
            )
            _keep(folder, namespace, done)
    return done


def bad_verdict(rollouts: Sequence[Rollout], runs: int) -> list[str]:
    """Print the runs of the bad version; return the targets that were missed."""
    print(report.table(rollouts))
    seconds = sorted(one.seconds_to_verdict for one in rollouts if one.seconds_to_verdict is not None)
    # The candidate's are counted to the very end: some are under way when its weight becomes 0.
    failures = [max(one.failures, one.candidate_failures) for one in rollouts]
    missed = [f"v{one.version}: {one.outcome}" for one in rollouts if not one.ok]
    if len(seconds) < runs:
        missed.append(f"{len(seconds)} of {runs} runs came to weight 0")
    if not seconds:
        return missed
    median, p90 = statistics.median(seconds), seconds[max(0, -(-9 * len(seconds) // 10) - 1)]
    print(
        f"bad: {len(rollouts)} runs; seconds to weight 0: median {median:.1f}, p90 {p90:.1f}, worst {seconds[-1]:.1f};"
        f" failed requests: median {statistics.median(failures):g}, worst {max(failures)},"
        f" {sum(count <= FAILURES_MAX for count in failures)} runs with at most {FAILURES_MAX}"
    )
    if median > MEDIAN_SECONDS_MAX or p90 > P90_SECONDS_MAX:
        missed.append(f"median {median:.1f} s, p90 {p90:.1f} s; wanted {MEDIAN_SECONDS_MAX:g} and {P90_SECONDS_MAX:g}")
    if max(failures) > FAILURES_MAX:
        missed.append(f"{max(failures)} failed requests in a run; wanted at most {FAILURES_MAX}")
    return missed


def noisy_verdict(rollouts: Sequence[Rollout], runs: int) -> list[str]:
    """Print the runs beside an equally bad stable version; return those that were not promoted."""
    print(report.table(rollouts))
    print(f"noisy: {sum(one.ok for one in rollouts)} of {runs} runs promoted")
    missed = [f"v{one.version} beside an equal one: {one.outcome}: {one.message}" for one in rollouts if not one.ok]
    return missed + [f"{len(rollouts)} of {runs} runs came to an end"] * (len(rollouts) < runs)


async def run(cluster: Cluster, *, bad_runs: int, noisy_runs: int, together: bool) -> list[str]:
    """Run both stories; return the targets that were missed."""
    bad = tell(cluster, FOLDER, "bad", {}, [BAD.again(run) for run in range(1, bad_runs + 1)], rate=50)
    again = [NOISY.again(run) for run in range(1, noisy_runs + 1)]
    noisy = tell(cluster, FOLDER, "noisy", NOISY.faults, again, rate=NOISY_PER_SECOND)
    if together and bad_runs and noisy_runs:
        of_bad, of_noisy = await asyncio.gather(bad, noisy)
    else:
        of_bad, of_noisy = await bad, await noisy
    print()
    missed = bad_verdict(of_bad, bad_runs) if bad_runs else []
    return missed + (noisy_verdict(of_noisy, noisy_runs) if noisy_runs else [])


def main() -> int:
    """Run what was asked for; 0 when all targets are met."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.verdicts", description="Verdicts, many of them.")
    parser.add_argument("--bad", type=int, default=20, help="runs of the bad version (default 20)")
    parser.add_argument("--noisy", type=int, default=10, help="runs beside an equally bad version (default 10)")
    parser.add_argument("--apart", action="store_true", help="one story after the other instead of side by side")
    options = parser.parse_args()
    story.ROLLOUT_SECONDS_MAX = ROLLOUT_SECONDS_MAX
    with Cluster(f"verdicts-{os.getpid()}") as cluster:
        missed = asyncio.run(run(cluster, bad_runs=options.bad, noisy_runs=options.noisy, together=not options.apart))
    print("\n".join(f"MISSED {one}" for one in missed) or "every target is met")
    return 1 if missed else 0


def _keep(folder: Path, name: str, done: Sequence[Rollout]) -> None:
    (folder / f"{name}.json").write_text(json.dumps([asdict(one) for one in done], indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
