"""`python -m tests.demo`: the main job, from one command."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from pathlib import Path
from typing import Any

from tests.cluster import Access, Cluster, ClusterError
from tests.demo import manifests, report, story
from tests.demo.report import Rollout
from tests.demo.stage import NotReached, Stage
from tests.demo.timeline import Timeline

FOLDER = manifests.REPOSITORY / "build" / "demo"
SECONDS_MAX = 470.0
"""For the story of five versions, the start of the cluster included; further runs get more time."""
RUN_SECONDS_MAX = 120.0


def main(arguments: list[str] | None = None) -> int:
    """Run the demo; 0 when every outcome is right."""
    options = _parse(arguments)
    # A shell starts background jobs with SIGINT ignored; SIGTERM has to clean up as Ctrl-C does there as well.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # a pipe shows it live as well
    timeline = Timeline(write=_tee(options.folder))
    timeline.say("starting the local cluster (etcd, API server, controllers, scheduler, Traefik, Prometheus)")
    try:
        with Cluster(options.name) as cluster:
            timeline.say(f"the cluster is up; KUBECONFIG={cluster.kubeconfig}")
            return asyncio.run(_show(cluster, options, timeline))
    except ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted; the cluster is gone", file=sys.stderr)
        return 130


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.demo", description="Five versions of a model on a real control plane."
    )
    parser.add_argument("--rate", type=float, default=50.0, help="requests per second (default 50)")
    parser.add_argument("--keep", action="store_true", help="leave the cluster up afterwards, until Ctrl-C")
    versions = [f"v{step.version}" for step in story.STEPS]
    parser.add_argument("--only", choices=versions, help="only this version, after v1")
    parser.add_argument("--runs", type=int, default=1, help="how often (with --only; default once)")
    parser.add_argument("--name", default="demo", help="the cluster's name (default 'demo')")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where logs and report.json go")
    options = parser.parse_args(arguments)
    if options.runs < 1 or (options.runs > 1 and not options.only):
        parser.error("--runs takes a number from 1 on, and goes with --only")
    return options


async def _show(cluster: Access, options: argparse.Namespace, timeline: Timeline) -> int:
    async with Stage(cluster, options.folder) as stage:
        stage.on_change = timeline.see
        code = await _play(stage, options, timeline)
        if options.keep:
            print(f"\nkept until Ctrl-C, the operator with it; export KUBECONFIG={cluster.kubeconfig}")
            await asyncio.Event().wait()
    return code


async def _play(stage: Stage, options: argparse.Namespace, timeline: Timeline) -> int:
    """Show the versions and report; whatever goes wrong, what was done so far is in the report."""
    steps = [step for step in story.STEPS if options.only in (None, f"v{step.version}")]
    steps = [step.again(run) for step in steps for run in range(1, options.runs + 1)]
    seconds_max = SECONDS_MAX + RUN_SECONDS_MAX * max(0, len(steps) - len(story.STEPS))
    done: list[Rollout] = []
    totals: dict[str, Any] = {}
    error = ""
    for old in (stage.operator_log, options.folder / "report.json"):
        old.unlink(missing_ok=True)
    try:
        async with asyncio.timeout(seconds_max - timeline.seconds):
            await stage.install(manifests.policy())
            stage.start_operator()
            await story.first(stage, timeline)
            traffic = stage.start_traffic(rate=options.rate)
            for step in steps:
                done.append(await story.roll_out(stage, traffic, step, timeline))
                timeline.say(f"v{step.version} {done[-1].outcome}: {done[-1].message}")
            totals = await asyncio.to_thread(traffic.stop)
    except NotReached as missed:
        error = str(missed)
    except TimeoutError:
        error = f"not done within {seconds_max:.0f} s\n{stage.tail()}"
    written = report.write(
        options.folder / "report.json",
        done,
        seconds=round(timeline.seconds, 1),
        traffic={key: value for key, value in totals.items() if key != "kind"},
        **({"error": error} if error else {}),
    )
    print()
    print(report.table(done))
    if options.runs > 1:
        print(report.quantiles(done))
    if totals:
        print(f"{totals['requests']} requests in all, {totals['failures']} of them failed")
    print(f"report: {options.folder / 'report.json'}")
    if error:
        print(f"\nerror: {error}", file=sys.stderr)
    return 0 if written["ok"] else 1


def _tee(folder: Path) -> Tee:
    return Tee(folder / "timeline.txt")


class Tee:
    """Prints a line and keeps it."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        self._path = path

    def __call__(self, line: str) -> None:
        """Write one line to both."""
        print(line)
        with self._path.open("a") as file:
            file.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main())
