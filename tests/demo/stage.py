"""What a demonstration or an end-to-end test needs around Serin: the operator as a process, and eyes.

    async with Stage(cluster, folder) as stage:
        await stage.install()
        stage.start_operator()
        await stage.apply(manifests.model_deployment("1"))
        await stage.until(lambda md: promoted(md, "1"), seconds=60, what="version 1 promoted")
        traffic = stage.start_traffic(rate=50)
        stage.kill_operator()                # as kill -9 does
        await stage.shares_history()         # every pair of weights that the route ever had, with its time

It looks at the cluster as a user does: by watching the ModelDeployment and its route.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from tests.cluster import Access, Process
from tests.cluster.api import Api
from tests.demo import manifests
from tests.demo.traffic import Traffic

Json = dict[str, Any]

_ROUTES = "/apis/gateway.networking.k8s.io/v1/namespaces/{namespace}/httproutes"
_DEPLOYMENTS = "/apis/serin.dev/v1alpha1/namespaces/{namespace}/modeldeployments"


class NotReached(Exception):
    """Something that was waited for did not happen in time; the message holds what was there instead."""


@dataclass(frozen=True, slots=True)
class Shares:
    """The weights of the two slots in the route, from an instant on."""

    at: float
    a: int
    b: int

    def of(self, slot: str) -> int:
        """Return the weight of one slot."""
        return self.a if slot == "a" else self.b


class Stage:
    """One ModelDeployment in one namespace of a running cluster, the operator beside it.

    Args:
        cluster: A cluster that is up.
        folder: Where logs and records go; made when it is not there.
        namespace: Where the ModelDeployment lives.
        name: Its name.
        config: Fields of the operator's configuration that differ from the demo's.
    """

    def __init__(
        self,
        cluster: Access,
        folder: Path,
        *,
        namespace: str = manifests.NAMESPACE,
        name: str = manifests.NAME,
        config: Mapping[str, Any] | None = None,
    ) -> None:
        self.cluster = cluster
        self.folder = folder
        self.namespace = namespace
        self.name = name
        self.on_change: Callable[[Json], None] | None = None
        """Called with the ModelDeployment after each change of it."""
        self.operator: Process | None = None
        self.operator_starts = 0
        self.deployment: Json = {}
        self.shares: list[Shares] = []
        self._config = dict(config or {})
        self._traffic: list[Traffic] = []
        self._changed = asyncio.Condition()
        self._watches: list[asyncio.Task[None]] = []
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        token = yaml.safe_load(self.cluster.kubeconfig.read_text())["users"][0]["user"]["token"]
        url = f"https://127.0.0.1:{self.cluster.state.api_port}"
        self.api = await self._stack.enter_async_context(Api(url, token, self.cluster.run_dir / "ca.crt"))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for watch in self._watches:
            watch.cancel()
        await asyncio.gather(*self._watches, return_exceptions=True)
        for traffic in self._traffic:
            traffic.kill()
        self.kill_operator()
        await self._stack.aclose()

    async def install(self, *objects: Json) -> None:
        """Apply the CRDs, the namespace and further objects, and begin to watch."""
        crds = sorted((manifests.REPOSITORY / "crds").glob("*.yaml"))
        if not crds:
            raise NotReached("there are no CRDs in crds/; run 'make crds'")
        await asyncio.to_thread(self.cluster.apply, "\n---\n".join(crd.read_text() for crd in crds))
        names = [yaml.safe_load(crd.read_text())["metadata"]["name"] for crd in crds]
        await asyncio.to_thread(
            self.cluster.kubectl,
            "wait",
            "--for=condition=Established",
            "--timeout=30s",
            *(f"crd/{name}" for name in names),
        )
        await self.apply(manifests.namespace(self.namespace), *objects)
        where = {"namespace": self.namespace}
        self._watches = [
            asyncio.create_task(self._watch(_DEPLOYMENTS.format(**where), self._see_deployment)),
            asyncio.create_task(self._watch(_ROUTES.format(**where), self._see_route)),
        ]

    async def apply(self, *objects: Json) -> None:
        """Server-side apply, as a user does it."""
        await asyncio.to_thread(self.cluster.apply, list(objects))

    def start_operator(self, arguments: Sequence[str] = ("--standalone",)) -> Process:
        """Start Serin inside the cluster; its log is operator.log in the folder, over all its starts."""
        config = self.folder / "serin.yaml"
        config.write_text(yaml.safe_dump(manifests.operator_config(self.cluster.prometheus_url_inside, **self._config)))
        command = [sys.executable, "-m", "serin", "run", "--config", str(config)]
        command += ["--kubeconfig", str(self.cluster.kubeconfig_inside), *arguments]
        source = {"PYTHONPATH": f"{manifests.REPOSITORY / 'operator'}:{manifests.REPOSITORY}"}
        with self.operator_log.open("ab") as log:
            self.operator = self.cluster.popen(
                command, env=source, cwd=manifests.REPOSITORY, stdout=log, stderr=subprocess.STDOUT
            )
        self.operator_starts += 1
        return self.operator

    def kill_operator(self) -> None:
        """Kill -9: no clean-up of any kind."""
        if self.operator is not None:
            self.operator.kill()
            self.operator.wait(10)
            self.operator = None

    @property
    def operator_log(self) -> Path:
        """What the operator printed."""
        return self.folder / "operator.log"

    def start_traffic(self, *, rate: float = 50.0, record: str = "load.jsonl", **more: Any) -> Traffic:
        """Start steady requests through the gateway."""
        traffic = Traffic(self.cluster, self.folder / record, rate=rate, **more)
        self._traffic.append(traffic)
        return traffic

    async def until(self, holds: Callable[[Json], bool], *, seconds: float, what: str) -> Json:
        """Wait until the ModelDeployment is as wanted, and return it.

        Raises:
            NotReached: It was not in time, or the operator ended by itself.
        """
        deadline = time.monotonic() + seconds
        async with self._changed:
            while not (self.deployment and holds(self.deployment)):
                if self.operator is not None and (code := self.operator.poll()) is not None:
                    raise NotReached(f"the operator ended with {code} while waiting for {what}\n{self.tail()}")
                left = deadline - time.monotonic()
                if left <= 0:
                    status = json.dumps(self.deployment.get("status", {}), indent=1)[:4000]
                    raise NotReached(f"not within {seconds:.0f} s: {what}\n{status}\n{self.tail()}")
                with contextlib.suppress(TimeoutError):
                    # A second, not `left`: an operator that has died changes nothing and would not be
                    # noticed.
                    await asyncio.wait_for(self._changed.wait(), min(left, 1.0))
        return self.deployment

    async def pods(self, slot: str) -> list[Json]:
        """Return the pods of a slot, those on their way out included."""
        path = f"/api/v1/namespaces/{self.namespace}/pods"
        labels = f"serin.dev/deployment={self.name},serin.dev/slot={slot}"
        found: list[Json] = (await self.api.request("GET", path, query={"labelSelector": labels}))["items"]
        return found

    async def until_empty(self, slot: str, *, seconds: float) -> None:
        """Wait until the last pod of a slot is gone.

        Raises:
            NotReached: It was not in time.
        """
        deadline = time.monotonic() + seconds
        while pods := await self.pods(slot):
            if time.monotonic() > deadline:
                names = ", ".join(pod["metadata"]["name"] for pod in pods)
                raise NotReached(f"slot {slot} still has {names} after {seconds:.0f} s\n{self.tail()}")
            await asyncio.sleep(0.5)

    def zero_since(self, slot: str, after: float) -> float | None:
        """Return when the slot's weight last became 0 and stayed so, None when it has weight or never had."""
        history = [shares for shares in self.shares if shares.at > after]
        if not history or history[-1].of(slot) != 0:
            return None
        last_with = max((index for index, shares in enumerate(self.shares) if shares.of(slot) > 0), default=None)
        return None if last_with is None else self.shares[last_with + 1].at

    def tail(self, characters: int = 3000) -> str:
        """Return the end of the operator's log."""
        if not self.operator_log.exists():
            return "(the operator has no log)"
        return self.operator_log.read_text(errors="replace")[-characters:]

    async def _watch(self, path: str, see: Callable[[str, Json], Awaitable[None]]) -> None:
        async for kind, item in self.api.list_and_watch(path, fieldSelector=f"metadata.name={self.name}"):
            if kind in ("ADDED", "MODIFIED", "DELETED"):
                await see(kind, item)

    async def _see_deployment(self, kind: str, item: Json) -> None:
        async with self._changed:
            self.deployment = {} if kind == "DELETED" else item
            self._changed.notify_all()
        if self.on_change is not None and self.deployment:
            self.on_change(self.deployment)

    async def _see_route(self, kind: str, item: Json) -> None:
        weights = {"a": 0, "b": 0}
        for rule in item.get("spec", {}).get("rules", []) if kind != "DELETED" else []:
            for ref in rule.get("backendRefs", []):
                for slot in weights:
                    if ref["name"] == f"{self.name}-{slot}":
                        weights[slot] = ref.get("weight", 1)
        seen = Shares(time.time(), weights["a"], weights["b"])
        if not self.shares or (seen.a, seen.b) != (self.shares[-1].a, self.shares[-1].b):
            async with self._changed:
                self.shares.append(seen)
                self._changed.notify_all()


def condition(md: Mapping[str, Any], kind: str) -> Json:
    """Return a condition of the ModelDeployment, empty when it has none of that type."""
    found = md.get("status", {}).get("conditions") or []
    return next((entry for entry in found if entry["type"] == kind), {})


def is_true(md: Mapping[str, Any], kind: str) -> bool:
    """Say whether a condition is True and about the present spec."""
    entry = condition(md, kind)
    generation = md.get("metadata", {}).get("generation", 0)
    return entry.get("status") == "True" and entry.get("observedGeneration", generation) >= generation


def ended(md: Mapping[str, Any], version: str) -> str | None:
    """Say how the rollout of a version ended ("Promoted", "RolledBack", ...), None while it has not."""
    status = md.get("status", {})
    outcome = status.get("outcome") or {}
    if status.get("rollout") or status.get("candidate") or outcome.get("version") != version:
        return None
    return str(outcome.get("kind"))


def promoted(md: Mapping[str, Any], version: str) -> bool:
    """Say whether a version is stable and the spec asks for it."""
    stable = md.get("status", {}).get("stable") or {}
    return stable.get("version") == version and is_true(md, "Promoted")


def settled(md: Mapping[str, Any]) -> bool:
    """Say whether nothing is under way any more: no candidate, no slot that is being emptied."""
    status = md.get("status", {})
    return not any(status.get(field) for field in ("rollout", "candidate"))
