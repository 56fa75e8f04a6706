"""python -m tests.bench.revisions [--revisions 200] [--history-limit 100].

One ModelDeployment gets a new version as soon as the one before is on trial: each is superseded, which writes a record,
drains a slot and prunes. A real API server; pods that are only said to be Ready; no traffic. Prints the largest object
of each kind in bytes, how many revisions are kept, and the operator's memory on the way; asserts nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from pathlib import Path
from typing import Any

from serin.controller.kube import DEPLOYMENT, MODEL_DEPLOYMENT, MODEL_REVISION, Kind, Kube
from tests.bench.scale.__main__ import ROOT, Fleet, model_deployment
from tests.bench.scale.process import Usage
from tests.cluster import Cluster, Process
from tests.cluster.tools import gateway_api_crds

Json = dict[str, Any]
NAMESPACE, NAME = "fleet-0", "model-0"
KINDS = (MODEL_DEPLOYMENT, MODEL_REVISION, DEPLOYMENT)
WAIT_SECONDS_MAX = 120.0


async def bench(options: argparse.Namespace) -> None:
    """Run one version after the other."""
    options.folder.mkdir(parents=True, exist_ok=True)
    components = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "agent")
    with Cluster(name="revisions", components=components, agent="fake") as cluster:
        for crd in sorted((ROOT / "crds").glob("*.yaml")):
            cluster.apply(crd.read_text())
        for crd in gateway_api_crds():
            if crd.stem.endswith(("httproutes", "grpcroutes")):
                cluster.apply(crd.read_text())
        cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
        kube = await Kube.connect(str(cluster.kubeconfig))
        fleet = Fleet(cluster, kube, options.folder)
        try:
            stub = fleet.start_stub([])
            operator = fleet.start_operator()
            await _versions(kube, operator, options)
            operator.terminate()
            operator.wait()
        finally:
            stub.kill()
            await kube.close()


async def _versions(kube: Kube, operator: Process, options: argparse.Namespace) -> None:
    md = model_deployment(0, "1", soak_seconds=1)
    md["spec"]["revisionHistoryLimit"] = options.history_limit
    await kube.create(MODEL_DEPLOYMENT, md)
    await _until(kube, "stable", "1")
    began = time.monotonic()
    for number in range(2, options.revisions + 1):
        patch = [{"op": "replace", "path": "/spec/model/version", "value": str(number)}]
        await kube.patch(MODEL_DEPLOYMENT, NAMESPACE, NAME, patch)
        await _until(kube, "candidate", str(number))
        if number in {20, options.revisions // 2, options.revisions}:
            await _print(kube, operator, number, time.monotonic() - began)


async def _until(kube: Kube, role: str, version: str) -> None:
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while time.monotonic() < deadline:
        md = await kube.get(MODEL_DEPLOYMENT, NAMESPACE, NAME)
        if ((md.get("status") or {}).get(role) or {}).get("version") == version:
            return
        await asyncio.sleep(0.2)
    status = json.dumps(md.get("status"))[:2000]
    raise SystemExit(f"version {version} is not {role} after {WAIT_SECONDS_MAX:.0f} s: {status}")


async def _print(kube: Kube, operator: Process, number: int, seconds: float) -> None:
    sizes = []
    for kind in KINDS:
        count, largest = await _sizes(kube, kind)
        sizes.append(f"{count} {kind.plural} of at most {largest:,} bytes")
    memory = Usage.of(operator).rss_mib
    print(f"after {number} revisions ({seconds:.0f} s): {'; '.join(sizes)}; RSS {memory:.0f} MiB", flush=True)


async def _sizes(kube: Kube, kind: Kind) -> tuple[int, int]:
    items, _ = await kube.list(kind, NAMESPACE)
    return len(items), max((len(json.dumps(item, separators=(",", ":"))) for item in items), default=0)


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--revisions", type=int, default=200)
    parser.add_argument("--history-limit", type=int, default=100)
    parser.add_argument("--folder", type=Path, default=ROOT / "build" / "bench-revisions")
    asyncio.run(bench(parser.parse_args()))


if __name__ == "__main__":
    main()
