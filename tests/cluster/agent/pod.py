"""One pod, from its binding to the node until it is deleted."""

from __future__ import annotations

import asyncio
import datetime as dt
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from tests.cluster.agent import memory, network, status, volumes
from tests.cluster.agent.backoff import BackOff
from tests.cluster.agent.container import Container
from tests.cluster.agent.environment import ConfigError
from tests.cluster.agent.network import Addresses, PodNetwork
from tests.cluster.agent.objects import Reader
from tests.cluster.agent.status import Terminated
from tests.cluster.api import STRATEGIC, Api, ApiError, Object

_RETRY_SECONDS = 0.5
_TAKE_NOTE_SECONDS = 0.2
_GONE = (404, 409)  # no such pod; another pod of that name
_NO_ANSWER = (aiohttp.ClientError, TimeoutError, ConnectionError)


@dataclass(frozen=True)
class Node:
    """What all pods of the node share."""

    api: Api
    reader: Reader
    addresses: Addresses
    memory: memory.Watcher
    run_dir: Path
    restart_delay_seconds: float


class Pod:
    """A pod that really runs."""

    def __init__(self, node: Node, pod: Object) -> None:
        self._node = node
        self._pod = pod
        metadata = pod["metadata"]
        self._path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"
        self._folder = node.run_dir / "pods" / metadata["uid"]
        self._changed = asyncio.Event()
        self._leave = asyncio.Event()
        self._grace_seconds: float | None = None
        self._network: PodNetwork | None = None
        self._ip: str | None = None
        self._initialized = False
        self._init_failed = False
        self._started = _now()
        self._sent: Object = {}
        self._conditions = status.Conditions((pod.get("status") or {}).get("conditions") or [])
        existing = pod.get("status") or {}
        earlier = {c["name"]: c for c in existing.get("containerStatuses") or []}
        self._init = [self._container(spec, {}) for spec in pod["spec"].get("initContainers") or []]
        self._main = [self._container(spec, earlier) for spec in pod["spec"]["containers"]]
        self._all = [*self._init, *self._main]
        self._sidecars: list[asyncio.Task[Terminated]] = []

    def seen(self, pod: Object) -> None:
        """The API server has a new version of the pod; all that matters here is whether it shall end."""
        if pod["metadata"].get("deletionTimestamp") and not self._leave.is_set():
            self._grace_seconds = pod["metadata"].get("deletionGracePeriodSeconds") or 0
            self._leave.set()

    def gone(self) -> None:
        """The API server has no such pod any more: end at once, there is nobody to report to."""
        self._grace_seconds = 0
        self._leave.set()

    async def run(self) -> None:
        """Everything that happens to the pod."""
        reporting = asyncio.create_task(self._report_changes())
        living = asyncio.create_task(self._live())
        leaving = asyncio.create_task(self._leave.wait())
        try:
            await asyncio.wait([living, leaving], return_when=asyncio.FIRST_COMPLETED)
            if living.done():
                living.result()
                await self._release_network()
                await leaving  # a completed pod stays until it is deleted
            else:
                await self._end(living)
            reporting.cancel()
            await self._say_goodbye()
        finally:
            for task in (reporting, living, leaving, *self._sidecars):
                task.cancel()
            for container in self._all:
                container.kill()
            await self._release_network()
            shutil.rmtree(self._folder, ignore_errors=True)

    async def _live(self) -> None:
        """Init containers one after the other, then the others side by side, until all have ended for good."""
        self._network = await network.create(self._node.addresses.take())
        self._ip = self._network.ip
        folders = await self._volumes(self._network)
        policy: str = self._pod["spec"]["restartPolicy"]
        for container in self._init:
            if container.spec.get("restartPolicy") == "Always":
                # A sidecar: the next one starts as soon as this one has.
                self._sidecars.append(asyncio.create_task(self._keep_running(container, folders, "Always")))
                await container.has_started.wait()
                continue
            ended = await self._keep_running(container, folders, "Never" if policy == "Never" else "OnFailure")
            if self._leave.is_set():
                return
            if ended.exit_code != 0:
                self._init_failed = True
                self._changed.set()
                return
            container.status.ready = True
        self._initialized = True
        for container in self._main:
            container.waits("ContainerCreating")
        await asyncio.gather(*(self._keep_running(container, folders, policy) for container in self._main))
        await self._stop(self._init)
        self._changed.set()

    async def _volumes(self, pod_network: PodNetwork) -> Mapping[str, Path]:
        while True:
            try:
                return await volumes.prepare(self._pod, pod_network.ip, self._folder / "volumes", self._node.reader)
            except ConfigError as error:
                for container in self._all:
                    container.waits("ContainerCreating", f"volumes: {error}")
            except _NO_ANSWER:
                pass
            await asyncio.sleep(_RETRY_SECONDS)

    async def _keep_running(self, container: Container, folders: Mapping[str, Path], policy: str) -> Terminated:
        """Run a container, and again as its restart policy says; return its last end."""
        assert self._network is not None
        backoff = BackOff(self._node.restart_delay_seconds)
        while True:
            try:
                ended = await container.run(self._network, folders, self._node.reader, self._node.memory)
            except ConfigError as error:
                container.waits("CreateContainerConfigError", str(error))
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            except _NO_ANSWER:
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            for_good = policy == "Never" or (policy == "OnFailure" and ended.exit_code == 0)
            if for_good or self._leave.is_set():
                return ended
            delay = backoff.after((ended.finished - ended.started).total_seconds())
            if delay:
                name = self._pod["metadata"]["name"]
                container.waits(
                    "CrashLoopBackOff",
                    f"back-off {delay:g}s restarting failed container={container.status.name} pod={name}",
                )
                await asyncio.sleep(delay)
            container.restarts()

    async def _end(self, living: asyncio.Task[None]) -> None:
        """Stop all containers at once and let what waits for them take note; nothing is restarted any more."""
        await self._stop(self._all)
        await asyncio.wait([living], timeout=_TAKE_NOTE_SECONDS)

    async def _stop(self, containers: list[Container]) -> None:
        grace = self._grace_seconds
        if grace is None:
            grace = self._pod["spec"].get("terminationGracePeriodSeconds") or 0
        await asyncio.gather(*(container.stop(grace) for container in containers))

    async def _release_network(self) -> None:
        if self._network is not None:
            released, self._network = self._network, None
            await network.remove(released)
            self._node.addresses.give_back(released.ip)

    async def _report_changes(self) -> None:
        """Patch the status whenever it changed; several changes at once are one patch."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            while not await self._report():  # noqa: ASYNC110 - polls a server, not a flag
                await asyncio.sleep(_RETRY_SECONDS)

    async def _report(self) -> bool:
        """Write the status if it differs from what was written last; False when nobody answered."""
        rendered = self._render()
        if rendered == self._sent:
            return True
        # The uid keeps this from hitting a later pod of the same name, as a StatefulSet would make.
        patch = {"metadata": {"uid": self._pod["metadata"]["uid"]}, "status": rendered}
        try:
            await self._node.api.patch(f"{self._path}/status", patch, STRATEGIC)
        except ApiError as error:
            if error.status in _GONE:
                self.gone()
                return True
            print(f"status of {self._path}: {error}", flush=True)
            return error.status < 500 and error.status != 429
        except _NO_ANSWER:
            return False
        self._sent = rendered
        return True

    async def _say_goodbye(self) -> None:
        """The last status, then the deletion that only the node may complete."""
        body = {"gracePeriodSeconds": 0, "preconditions": {"uid": self._pod["metadata"]["uid"]}}
        while True:
            if await self._report():
                try:
                    await self._node.api.request("DELETE", self._path, body)
                except ApiError as error:
                    if error.status in _GONE:
                        return
                except _NO_ANSWER:
                    pass
                else:
                    return
            await asyncio.sleep(_RETRY_SECONDS)

    def _render(self) -> Object:
        mains = [container.status for container in self._main]
        return status.render(
            phase=status.phase(
                self._pod["spec"]["restartPolicy"], self._initialized, mains, init_failed=self._init_failed
            ),
            pod_ip=self._ip,
            started=self._started,
            conditions=self._conditions,
            initialized=self._initialized,
            init_containers=[container.status for container in self._init],
            containers=mains,
            now=_now(),
        )

    def _container(self, spec: Mapping[str, Any], earlier: Mapping[str, Mapping[str, Any]]) -> Container:
        metadata = self._pod["metadata"]
        log = self._node.run_dir / "logs" / f"{metadata['namespace']}_{metadata['name']}_{spec['name']}.log"
        container = Container(spec, self._pod, self._folder / spec["name"], log, self._changed.set)
        if spec["name"] in earlier:
            container.was_running_before(earlier[spec["name"]])
        return container


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
