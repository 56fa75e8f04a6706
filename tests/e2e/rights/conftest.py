"""A cluster for each mode of the chart, because what is looked at is every request of an account, first to last."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.bench.stub_prometheus import Stub
from tests.cluster import Cluster, Unsupported
from tests.cluster.api import Api
from tests.demo import manifests
from tests.e2e.lifecycle.world import GATES, NAMESPACE, QUICK, STAGES, World
from tests.e2e.resilience.stub_stage import source
from tests.e2e.rights import story
from tests.e2e.rights.audit import Log, Right, until_lacking
from tests.e2e.rights.operators import USER, Operators, Release
from tests.unit.charts.objects import rights

Json = dict[str, Any]

LOG = "audit.log"
PARTS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "agent")
ENFORCED = ("OwnerReferencesPermissionEnforcement",)
"""On in OpenShift, and off by default: it asks for rights when owner references are set or taken off."""


@dataclass(frozen=True)
class Told:
    """What the run left behind.

    namespaces: those that the chart was told; empty for all. roles: all that was bound to the account. log: all that
    it asked for. models: the ModelDeployments with their resourceVersions, before the uninstallation and after it.
    roles_left: what was bound to the account after it.
    """

    namespaces: tuple[str, ...]
    roles: list[Json]
    log: Log
    models: tuple[list[str], list[str]]
    roles_left: list[Json]

    @property
    def granted(self) -> set[Right]:
        """All that the account might do."""
        return {right for role in self.roles for right in rights(role["rules"])}


@pytest.fixture(scope="package", params=[(), (NAMESPACE,)], ids=["everywhere", "one namespace"])
def namespaces(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """The chart's value `namespaces`: it makes a ClusterRole when that is empty, else a Role in each."""
    chosen: tuple[str, ...] = request.param
    return chosen


@pytest.fixture(scope="package")
def cluster(namespaces: tuple[str, ...]) -> Iterator[Cluster]:
    """A control plane that writes down who asks for what, and a node; no gateway and no Prometheus."""
    name = f"rights-{len(namespaces)}-{os.getpid()}"
    try:
        with Cluster(name, components=PARTS, audit="Metadata", admission_plugins=ENFORCED) as cluster:
            yield cluster
    except Unsupported as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="package")
def told(cluster: Cluster, namespaces: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory) -> Told:
    """Installed, used, its leader killed, stopped, uninstalled."""
    folder = tmp_path_factory.mktemp("rights")
    cluster.apply(manifests.namespace(NAMESPACE))
    release = Release(cluster, namespaces)
    release.install()
    roles = release.roles()
    asyncio.run(_run(cluster, release, folder))
    before = _models(cluster)
    release.uninstall()
    log = Log.of(cluster.run_dir / LOG, USER)
    return Told(namespaces, roles, log, (before, _models(cluster)), release.roles())


async def _run(cluster: Cluster, release: Release, folder: Path) -> None:
    """The story, with traffic that a stand-in for Prometheus counts."""
    stub = Stub()
    operators = Operators(cluster, release, folder, source(await stub.start()))
    token = yaml.safe_load(cluster.kubeconfig.read_text())["users"][0]["user"]["token"]
    url = f"https://127.0.0.1:{cluster.state.api_port}"
    async with Api(url, token, cluster.run_dir / "ca.crt") as api:
        world = World(cluster, api, folder, operators.fallen)
        await world.apply(manifests.policy(name=QUICK, spec={"gates": GATES, "stages": STAGES}))
        await world.start([])
        counting = asyncio.create_task(story.count(world, stub))
        try:
            await asyncio.to_thread(operators.start_both)
            if await _told_to_the_end(story.tell(world, operators), cluster):
                await asyncio.to_thread(operators.terminate)
        except BaseException:
            print(operators.tails())
            print(cluster.kubectl("get", "modeldeployments", "--namespace", NAMESPACE, "-o", "wide"))
            raise
        finally:
            operators.end()
            counting.cancel()
            await world.stop()
            await stub.stop()


async def _told_to_the_end(tale: Coroutine[Any, Any, None], cluster: Cluster) -> bool:
    """Tell it, or stop where a right is missing: the tests say which."""
    telling = asyncio.create_task(tale)
    stopping = asyncio.create_task(until_lacking(cluster.run_dir / LOG, USER))
    try:
        done, _ = await asyncio.wait((telling, stopping), return_when=asyncio.FIRST_COMPLETED)
        if telling in done:
            await telling
        return telling in done
    finally:
        for task in (telling, stopping):
            task.cancel()
        await asyncio.gather(telling, stopping, return_exceptions=True)


def _models(cluster: Cluster) -> list[str]:
    output = ("-o", "jsonpath={range .items[*]}{.metadata.name}/{.metadata.resourceVersion}{'\\n'}{end}")
    return cluster.kubectl("get", "modeldeployments", "--namespace", NAMESPACE, *output).split()
