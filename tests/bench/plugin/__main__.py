"""python -m tests.bench.plugin [--deployments 1000] [--turns 7].

A real API server with a thousand ModelDeployments in mid-rollout, each with its revisions; statuses are those that the
decision core writes. Each command is run in turn, beside `python -c pass` and `kubectl get`, so that a busy machine is
equally busy for all. Prints medians and ratios; asserts nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import copy
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from serin.controller.kube import MODEL_DEPLOYMENT, MODEL_REVISION, Kube
from tests.bench.scale.__main__ import model_deployment
from tests.cluster import Cluster
from tests.cluster.settings import API_ONLY
from tests.unit.cli.stories import STORIES

Json = dict[str, Any]
ROOT = Path(__file__).parents[3]
BIN = Path(sys.executable).parent
NAMESPACE = "ml"
AT_ONCE = 32


async def _fill(kubeconfig: str, count: int) -> None:
    kube = await Kube.connect(kubeconfig)
    gate = asyncio.Semaphore(AT_ONCE)
    story = STORIES["in_a_canary_stage"]()

    async def one(number: int) -> None:
        async with gate:
            md = story.md | {"spec": model_deployment(number, "2", soak_seconds=120)["spec"]}
            await _create(kube, MODEL_DEPLOYMENT, md, f"model-{number}")
            for revision in story.revisions:
                name = revision["metadata"]["name"].replace("iris", f"model-{number}", 1)
                await _create(kube, MODEL_REVISION, revision, name, deployment=f"model-{number}")

    try:
        await asyncio.gather(*(one(number) for number in range(count)))
    finally:
        await kube.close()


async def _create(kube: Kube, kind: Any, raw: Json, name: str, *, deployment: str | None = None) -> None:
    obj = copy.deepcopy(raw)
    labels = (obj["metadata"].get("labels") or {}) | ({"serin.dev/deployment": deployment} if deployment else {})
    obj["metadata"] = {"name": name, "namespace": NAMESPACE, "labels": labels}
    status = obj.pop("status", None)
    made = await kube.create(kind, obj)
    if status is not None:
        await kube.replace(kind, made | {"status": status}, "status")


def _seconds(command: Sequence[str], environment: dict[str, str]) -> float:
    began = time.perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: {done.stderr}")
    return time.perf_counter() - began


def _measure(kubeconfig: str, count: int, turns: int) -> None:
    name = f"model-{count // 2}"
    serin, kubectl = str(BIN / "kubectl-serin"), str(BIN / "kubectl")
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "kubectl serin --help": [serin, "--help"],
        "kubectl get md -A": [kubectl, "get", "md", "-A"],
        "kubectl serin get -A": [serin, "get", "-A"],
        f"kubectl get md {name}": [kubectl, "get", "md", name, "-n", NAMESPACE],
        f"kubectl serin status {name}": [serin, "status", name, "-n", NAMESPACE],
    }
    environment = os.environ | {"KUBECONFIG": kubeconfig, "NO_COLOR": "1"}
    took: dict[str, list[float]] = {words: [] for words in commands}
    for _ in range(turns + 1):
        for words, command in commands.items():
            took[words].append(_seconds(command, environment))
    # The first turn fills the caches of discovery and of compiled modules.
    medians = {words: statistics.median(seconds[1:]) for words, seconds in took.items()}
    print(f"{count} ModelDeployments, median of {turns} turns")
    for words, seconds in medians.items():
        nothing = seconds / medians["python -c pass"]
        print(f"  {words:32} {1000 * seconds:6.0f} ms   {nothing:5.1f} x python -c pass")
    for ours, theirs in (("kubectl serin get -A", "kubectl get md -A"), *[tuple(list(commands)[:3:-1])]):
        print(f"  {ours} takes {medians[ours] / medians[theirs]:.2f} of {theirs}")


def main() -> None:
    """Fill an API server and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--deployments", type=int, default=1000)
    parser.add_argument("--turns", type=int, default=7)
    options = parser.parse_args()
    with Cluster(name="plugin", components=API_ONLY) as cluster:
        for crd in sorted((ROOT / "crds").glob("*.yaml")):
            cluster.apply(crd.read_text())
        cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
        asyncio.run(_fill(str(cluster.kubeconfig), options.deployments))
        _measure(str(cluster.kubeconfig), options.deployments, options.turns)


if __name__ == "__main__":
    main()
