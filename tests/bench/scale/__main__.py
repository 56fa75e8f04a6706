"""python -m tests.bench.scale [--deployments 1000] [--rollouts 200] [--soak-seconds 10] [--idle-seconds 600].

A real API server, controller-manager and scheduler; pods that are only said to be Ready; a stand-in for
Prometheus that gives both arms 200 requests a second. Prints counts, seconds and ratios; asserts nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import statistics
import sys
import time
from collections.abc import Collection
from datetime import datetime
from pathlib import Path
from typing import Any

from serin.controller.kube import DEPLOYMENT, MODEL_DEPLOYMENT, Kube, KubeError
from tests.bench.scale.process import Usage
from tests.cluster import Cluster, ClusterError, Process
from tests.cluster.tools import gateway_api_crds

Json = dict[str, Any]
ROOT = Path(__file__).parents[3]
STUB_PORT, HEALTH_PORT = 9191, 8181
NAMESPACES = 10
POLL_SECONDS = 5.0
"""Listing a thousand objects twice a second took as much of the machine as the operator; when each rollout ended is
read from its condition instead."""
AT_ONCE = 32
LOOKS = "serin_reconcile_duration_seconds_count"


def model_deployment(number: int, version: str, soak_seconds: int) -> Json:
    """Return one of the fleet: two stages, each as long."""
    return {
        "apiVersion": "serin.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": f"model-{number}", "namespace": f"fleet-{number % NAMESPACES}"},
        "spec": {
            "model": {"name": "model", "version": version},
            "serving": {
                "port": 8080,
                "template": {"spec": {"containers": [{"name": "model", "image": "bench.local/model:1"}]}},
            },
            "traffic": {"httpRoute": {"parentRefs": [{"name": "gw", "namespace": "default"}]}},
            "rollout": {
                "gates": [{"name": "errors", "compare": {"what": "serverErrors", "margin": {"plus": "1pp"}}}],
                "stages": [
                    {"name": "small", "canary": {"weight": 10, "soak": f"{soak_seconds}s"}},
                    {"name": "half", "canary": {"weight": 50, "soak": f"{soak_seconds}s"}},
                ],
            },
        },
    }


class Fleet:
    """The bench's hands: a cluster, an operator in it, and a client."""

    def __init__(self, cluster: Cluster, kube: Kube, folder: Path) -> None:
        """`folder`: where configuration and logs go."""
        self.cluster, self.kube, self.folder = cluster, kube, folder
        self.starts = 0

    def start_operator(self) -> Process:
        """Start the operator inside the cluster."""
        config = self.folder / "config.json"
        source = {"url": f"http://127.0.0.1:{STUB_PORT}", "intervalSeconds": 2, "scrapeIntervalSeconds": 1}
        election = {"namespace": "default"}
        listen = {"host": "127.0.0.1", "port": HEALTH_PORT}
        content = {"metricSources": [source], "leaderElection": election, "listen": listen, "gatewayReloadSeconds": 1}
        config.write_text(json.dumps(content))
        self.starts += 1
        log = (self.folder / f"operator-{self.starts}.log").open("wb")
        command = [sys.executable, "-m", "serin", "run", "--config", str(config)]
        command += ["--kubeconfig", str(self.cluster.kubeconfig_inside)]
        return self.cluster.popen(command, stdout=log, stderr=log)

    def start_stub(self, slots: list[list[Any]]) -> Process:
        """Start the stand-in for Prometheus; a slot is namespace, Service, requests a second, share of bad ones."""
        path = self.folder / "slots.json"
        path.write_text(json.dumps(slots))
        return self.cluster.popen([sys.executable, "-m", "tests.bench.stub_prometheus", str(path), str(STUB_PORT)])

    def metrics(self) -> dict[str, float]:
        """Read the operator's own metrics; empty while it does not answer."""
        try:
            answer = self.cluster.run(["curl", "-s", "-m", "5", f"http://127.0.0.1:{HEALTH_PORT}/metrics"])
        except ClusterError:
            return {}
        found = {}
        for line in answer.splitlines():
            match = re.fullmatch(r"(serin_\w+(?:\{[^}]*\})?) ([0-9.e+-]+)", line)
            if match:
                found[match[1]] = float(match[2])
        return found

    def requests(self, metrics: dict[str, float]) -> dict[str, float]:
        """Pick requests to the API server by verb and resource, without Leases and Events."""
        name = "serin_kubernetes_requests_total"
        found = {key.removeprefix(name): value for key, value in metrics.items() if key.startswith(name)}
        return {key: value for key, value in found.items() if "leases" not in key and "events" not in key}

    async def each(self, numbers: range, act: Any) -> None:
        """Act on many at once, but not on all."""
        gate = asyncio.Semaphore(AT_ONCE)

        async def one(number: int) -> None:
            async with gate:
                await act(number)

        await asyncio.gather(*(one(number) for number in numbers))

    async def promoted(self, version: str) -> dict[str, float]:
        """ModelDeployments whose stable has a version and that are Promoted: by name, since when (epoch seconds)."""
        items, _ = await self.kube.list(MODEL_DEPLOYMENT)
        return {
            item["metadata"]["name"]: datetime.fromisoformat(one["lastTransitionTime"]).timestamp()
            for item in items
            if ((item.get("status") or {}).get("stable") or {}).get("version") == version
            for one in item["status"].get("conditions", [])
            if one["type"] == "Promoted" and one["status"] == "True"
        }


async def bench(options: argparse.Namespace) -> None:
    """Run all parts and print."""
    folder = options.folder
    folder.mkdir(parents=True, exist_ok=True)
    components = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "agent")
    with Cluster(name=options.name, components=components, agent="fake") as cluster:
        for crd in sorted((ROOT / "crds").glob("*.yaml")):
            cluster.apply(crd.read_text())
        for crd in gateway_api_crds():  # without Traefik the cluster does not bring them
            if crd.stem.endswith(("httproutes", "grpcroutes")):
                cluster.apply(crd.read_text())
        kube = await Kube.connect(str(cluster.kubeconfig))
        fleet = Fleet(cluster, kube, folder)
        try:
            stub = fleet.start_stub(_slots(options.rollouts))
            await _measure(fleet, options)
        finally:
            stub.kill()
            await kube.close()


def _slots(rollouts: int) -> list[list[Any]]:
    return [
        [f"fleet-{number % NAMESPACES}", f"model-{number}-{slot}", 200, 0.0]
        for number in range(rollouts)
        for slot in ("a", "b")
    ]


async def _measure(fleet: Fleet, options: argparse.Namespace) -> None:
    count = options.deployments
    for number in range(NAMESPACES):
        fleet.cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": f"fleet-{number}"}})

    async def create(number: int) -> None:
        await _patiently(fleet.kube.create, MODEL_DEPLOYMENT, model_deployment(number, "1", options.soak_seconds))

    await fleet.each(range(count), create)
    operator = fleet.start_operator()
    began = time.monotonic()
    while len(done := await fleet.promoted("1")) < count:
        if operator.poll() is not None:
            raise SystemExit(f"the operator ended; see {fleet.folder}")
        print(f"  first deployments: {len(done)} of {count} after {time.monotonic() - began:.0f} s", flush=True)
        await asyncio.sleep(10)
    print(f"first deployment of {count}: {time.monotonic() - began:.0f} s", flush=True)
    operator.terminate()
    operator.wait()
    await asyncio.sleep(5)
    operator = await _cold_start(fleet, count)
    await _idle(fleet, operator, options.idle_seconds)
    await _rollouts(fleet, operator, options.rollouts, 2 * options.soak_seconds)
    operator.terminate()
    operator.wait()


async def _cold_start(fleet: Fleet, count: int) -> Process:
    began = time.monotonic()
    operator = fleet.start_operator()
    while operator.poll() is None:
        metrics = fleet.metrics()
        looks = metrics.get(LOOKS, 0)
        if looks >= count and metrics.get("serin_workqueue_depth") == 0:
            break
        await asyncio.sleep(0.2)
    seconds = time.monotonic() - began
    await asyncio.sleep(10)
    usage = Usage.of(operator)
    requests = fleet.requests(fleet.metrics())
    writes = sum(value for key, value in requests.items() if 'verb="GET"' not in key)
    print(
        f"cold start: every ModelDeployment looked at {seconds:.1f} s after the process began,"
        f" {writes:.0f} writes, {usage.cpu_seconds:.1f} CPU s, RSS {usage.rss_mib:.0f} MiB"
    )
    print(f"  requests, Leases and Events aside: {requests}", flush=True)
    return operator


async def _idle(fleet: Fleet, operator: Process, seconds: float) -> None:
    before, requests_before = Usage.of(operator), fleet.requests(fleet.metrics())
    await asyncio.sleep(seconds)
    after, requests_after = Usage.of(operator), fleet.requests(fleet.metrics())
    sent = sum(requests_after.values()) - sum(requests_before.values())
    cpu = after.cpu_seconds - before.cpu_seconds
    print(
        f"idle {seconds:.0f} s: {sent:.0f} requests but the Lease's, {100 * cpu / seconds:.2f} % of a core,"
        f" RSS {after.rss_mib:.0f} MiB",
        flush=True,
    )


async def _rollouts(fleet: Fleet, operator: Process, count: int, ideal_seconds: float) -> None:
    metrics_before = fleet.metrics()
    before, requests_before = Usage.of(operator), fleet.requests(metrics_before)
    applied: dict[str, float] = {}
    ended: dict[str, float] = {}

    async def change(number: int) -> None:
        patch = [{"op": "replace", "path": "/spec/model/version", "value": "2"}]
        name, namespace = f"model-{number}", f"fleet-{number % NAMESPACES}"
        await _patiently(fleet.kube.patch, MODEL_DEPLOYMENT, namespace, name, patch)
        applied[name] = time.time()

    began = time.monotonic()
    await fleet.each(range(count), change)
    print(f"{count} rollouts: applied within {time.monotonic() - began:.1f} s", flush=True)
    await asyncio.sleep(ideal_seconds)
    while len(ended) < count and time.monotonic() - began < ideal_seconds + 300:
        found = await fleet.promoted("2")
        new = found.keys() - ended.keys()
        ended.update({name: found[name] for name in new})
        if new:
            _silence(fleet, new)
        await asyncio.sleep(POLL_SECONDS)
    while await _old_pods(fleet, count) and time.monotonic() - began < ideal_seconds + 360:  # noqa: ASYNC110
        await asyncio.sleep(POLL_SECONDS)
    await asyncio.sleep(5)
    took = sorted(ended[name] - applied[name] for name in ended)
    metrics_after = fleet.metrics()
    after, requests_after = Usage.of(operator), fleet.requests(metrics_after)
    looks = (metrics_after[LOOKS] - metrics_before[LOOKS]) / count
    writes = {
        key: requests_after[key] - requests_before.get(key, 0)
        for key in requests_after
        if 'verb="GET"' not in key and requests_after[key] != requests_before.get(key, 0)
    }
    reads = sum(value - requests_before.get(key, 0) for key, value in requests_after.items() if 'verb="GET"' in key)
    print(
        f"{len(ended)} of {count} promoted; ideal {ideal_seconds:g} s: first {took[0]:.1f}, median"
        f" {statistics.median(took):.1f}, last {took[-1]:.1f} s (ratio {took[-1] / ideal_seconds:.2f})"
    )
    print(
        f"  writes per rollout, Events aside: {sum(writes.values()) / count:.2f}; reads: {reads / count:.2f};"
        f" looks: {looks:.1f}"
    )
    print(f"  {json.dumps(writes)}")
    print(f"  {after.cpu_seconds - before.cpu_seconds:.1f} CPU s, RSS {after.rss_mib:.0f} MiB", flush=True)


def _silence(fleet: Fleet, names: Collection[str]) -> None:
    """End the old slots' traffic in the stand-in: it knows nothing of weights, and a drain waits for silence."""
    slots = [[f"fleet-{int(name.rpartition('-')[2]) % NAMESPACES}", f"{name}-a", 0, 0.0] for name in names]
    url = f"http://127.0.0.1:{STUB_PORT}/change"
    fleet.cluster.run(["curl", "-s", "-H", "content-type: application/json", "-d", json.dumps(slots), url])


async def _old_pods(fleet: Fleet, count: int) -> bool:
    """Say whether Deployments of the old version still want pods."""
    items, _ = await fleet.kube.list(DEPLOYMENT)
    return sum(1 for item in items if item["spec"].get("replicas")) > len(await fleet.promoted("1")) + count


async def _patiently(call: Any, *arguments: Any) -> None:
    for _ in range(5):
        try:
            await call(*arguments)
        except KubeError as error:
            print(f"  again: {error}", flush=True)
            await asyncio.sleep(1)
        else:
            return


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--deployments", type=int, default=1000)
    parser.add_argument("--rollouts", type=int, default=200)
    parser.add_argument("--soak-seconds", type=int, default=10, help="of each of the two stages")
    parser.add_argument("--idle-seconds", type=float, default=600)
    parser.add_argument("--name", default="scale")
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "bench-scale")
    asyncio.run(bench(parser.parse_args()))


if __name__ == "__main__":
    main()
