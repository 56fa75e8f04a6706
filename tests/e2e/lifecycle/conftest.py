"""One operator and one namespace for all stories of this folder."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
import yaml

from tests.cluster import Cluster
from tests.cluster.api import Api
from tests.demo import manifests
from tests.e2e.lifecycle.world import GATES, NAMESPACE, QUICK, STAGES, World
from tests.unit.charts.objects import installed

FETCHER = {
    "image": "serin-artifacts.local/serin:1",  # a name only: here the command is what runs
    "command": ["env", f"PYTHONPATH={manifests.REPOSITORY / 'operator'}", sys.executable, "-m", "serin"],
    "allowHttp": True,
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All stories are told on one event loop."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent) and hasattr(getattr(item, "function", None), "story"):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def world(
    cluster: Cluster, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> AsyncIterator[World]:
    """The operator runs, and all stories have begun."""
    folder = tmp_path_factory.mktemp("lifecycle")
    await asyncio.to_thread(_install, cluster)
    token = yaml.safe_load(cluster.kubeconfig.read_text())["users"][0]["user"]["token"]
    url = f"https://127.0.0.1:{cluster.state.api_port}"
    config, log = folder / "serin.yaml", folder / "operator.log"
    # On a machine with much to do the gateway takes seconds to act on a weight.
    fields = {"gatewayReloadSeconds": 5, "artifacts": FETCHER, "evaluationImage": "demo.local/serin-evaluate"}
    config.write_text(yaml.safe_dump(manifests.operator_config(cluster.prometheus_url_inside, **fields)))
    command = [sys.executable, "-m", "serin", "run", "--config", str(config), "--standalone"]
    command += ["--kubeconfig", str(cluster.kubeconfig_inside), "--namespace", NAMESPACE]
    source = {"PYTHONPATH": f"{manifests.REPOSITORY / 'operator'}:{manifests.REPOSITORY}"}
    async with Api(url, token, cluster.run_dir / "ca.crt") as api:
        with log.open("wb") as out:
            operator = cluster.popen(
                command, env=source, cwd=manifests.REPOSITORY, stdout=out, stderr=subprocess.STDOUT
            )
        world = World(cluster, api, folder, lambda: log.read_text()[-3000:] if operator.poll() is not None else None)
        await world.apply(manifests.policy(name=QUICK, spec={"gates": GATES, "stages": STAGES, "warmIn": "0s"}))
        await world.start(request.session.items)
        try:
            yield world
        finally:
            await world.stop()
            operator.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                operator.wait(10)
            operator.kill()


def _install(cluster: Cluster) -> None:
    crds = sorted((manifests.REPOSITORY / "crds").glob("*.yaml"))
    cluster.apply("\n---\n".join(crd.read_text() for crd in crds))
    names = [f"crd/{yaml.safe_load(crd.read_text())['metadata']['name']}" for crd in crds]
    cluster.kubectl("wait", "--for=condition=Established", "--timeout=30s", *names)
    found = installed()
    kinds = ("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")
    cluster.apply([one for (kind, _), one in found.items() if kind in kinds])
    _allow_session_persistence(cluster)
    cluster.apply(manifests.namespace(NAMESPACE))


def _allow_session_persistence(cluster: Cluster) -> None:
    """Let routes have sessionPersistence, which the standard channel of the Gateway API leaves out."""
    name = "crd/httproutes.gateway.networking.k8s.io"
    versions = json.loads(cluster.kubectl("get", name, "-o", "json"))["spec"]["versions"]
    index = next(number for number, version in enumerate(versions) if version["name"] == "v1")
    path = f"/spec/versions/{index}/schema/openAPIV3Schema/properties/spec/properties/rules/items/properties"
    value = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    patch = [{"op": "add", "path": f"{path}/sessionPersistence", "value": value}]
    cluster.kubectl("patch", name, "--type=json", "-p", json.dumps(patch))
