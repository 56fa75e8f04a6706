"""A Stage at full speed: fake pods, a stand-in for Prometheus whose traffic follows the route, fast stages.

The operator runs on the host, because that is where the stand-in listens, and through `crashing`, which can end it
at any write. A rollout takes about ten seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.bench.stub_prometheus import Stub
from tests.cluster import Access, ClusterError, Process
from tests.demo import manifests
from tests.demo.stage import _DEPLOYMENTS, _ROUTES, Stage, ended, promoted, settled
from tests.e2e.resilience.crashing import Crash, When

Json = dict[str, Any]

LADDER = (0, 10, 30, 50, 95, 100)
"""The shares of a candidate that is promoted, in order."""
PER_SECOND = 1000.0
BAD_FRACTION = 0.2
FAKE = {"cluster.serin.dev/fake": "true"}
POLICY = "fast"

_ids = itertools.count(1)


def policy(namespace: str, name: str = POLICY, **spec: Any) -> Json:
    """Return the demo's stages with seconds of soak."""
    gates = [
        {"name": "errors", "compare": {"what": "serverErrors", "margin": {"plus": "1pp", "ofStable": "0%"}}},
        {"name": "pods", "hard": {"restarts": 2, "readyWithin": "10m"}},
    ]
    stages: list[Json] = [
        {"name": name, "canary": {"weight": weight, "soak": soak}}
        # Half is long enough for a candidate that fails only there to be found there, every time.
        for name, weight, soak in (("first", 10, "1s"), ("more", 30, "1s"), ("half", 50, "4s"))
    ]
    stages.append({"name": "bake", "bake": {"for": "2s", "holdback": 5}})
    fields = {"gates": gates, "stages": stages, "warmIn": "0s", **spec}
    return manifests.policy(namespace=namespace, name=name, spec=fields)


def source(url: str, name: str = "default") -> Json:
    """Return a metric source that is read every second."""
    return {
        "name": name,
        "url": url,
        "preset": "traefik",
        "intervalSeconds": 1,
        "scrapeIntervalSeconds": 1,
        "settleSeconds": 1,
    }


class OnHost(Process):
    """A process of this side of the namespaces."""

    def __init__(self, popen: subprocess.Popen[bytes]) -> None:
        self._enterer = popen
        self._pid = popen.pid


class StubStage(Stage):
    """One ModelDeployment with fake pods.

    Args:
        cluster: A cluster that is up.
        folder: Where logs go.
        stub: Has the traffic of both slots, as the route says.
        sources: The operator's metric sources.
        namespace: Where.
        name: Of the ModelDeployment.
        policy_name: Of its policy.
        config: Further fields of the operator's configuration.
    """

    def __init__(
        self,
        cluster: Access,
        folder: Path,
        stub: Stub,
        sources: Sequence[Json],
        *,
        namespace: str,
        name: str = manifests.NAME,
        policy_name: str = POLICY,
        config: Mapping[str, Any] | None = None,
    ) -> None:
        # Traffic follows the route when this process has seen it change, which takes a moment on a busy machine.
        fields = {"metricSources": list(sources), "gatewayReloadSeconds": 2, "statusSeconds": 2, **(config or {})}
        super().__init__(cluster, folder, namespace=namespace, name=name, config=fields)
        self.stub = stub
        self.policy_name = policy_name
        self.per_second = PER_SECOND
        self.hangs = False
        """The candidate answers nothing, so nothing of it is counted."""
        self.at_weight: dict[int, Callable[[], None]] = {}
        """What is to happen when the candidate gets a weight."""
        self.bad_from: int | None = None
        """The candidate fails from this weight on; None: it is good."""
        self.candidate_slot = ""
        self.walk: list[int] = []
        """The candidate's weights, one for each change."""
        self.generations_missed = 0
        """Edits of the route that no watch event showed: a watch that was cut off may lose some."""
        self.jobs_known: set[str] = set()
        """The Jobs of rollouts that are over."""
        self._generation = 0
        self._fields = fields

    @property
    def order(self) -> Path:
        """The file that tells the operator when to die."""
        return self.folder / "order.json"

    @property
    def writes(self) -> Path:
        """The file in which the operator writes down what it writes."""
        return self.folder / "writes.txt"

    def start_operator(self, arguments: Sequence[str] = ("--standalone",)) -> Process:
        """Start Serin on the host, for this namespace only."""
        config = self.folder / "serin.yaml"
        config.write_text(yaml.safe_dump(manifests.operator_config("http://unused", **self._fields)))
        command = [sys.executable, "-m", "tests.e2e.resilience.crashing", str(self.order), str(self.writes)]
        command += ["run", "--config", str(config), "--kubeconfig", str(self.cluster.kubeconfig)]
        command += ["--namespace", self.namespace, *arguments]
        with self.operator_log.open("ab") as log:
            self.operator = OnHost(
                subprocess.Popen(
                    command,
                    env=self.cluster.environment({"PYTHONPATH": f"{manifests.REPOSITORY}/operator"}),
                    cwd=manifests.REPOSITORY,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
            )
        self.operator_starts += 1
        return self.operator

    def watch(self) -> None:
        """Begin to watch in a namespace where all is installed already."""
        where = {"namespace": self.namespace}
        self._watches = [
            asyncio.create_task(self._watch(_DEPLOYMENTS.format(**where), self._see_deployment)),
            asyncio.create_task(self._watch(_ROUTES.format(**where), self._see_route)),
        ]

    def set_sources(self, sources: Sequence[Json]) -> None:
        """Name the metric sources of the operator that is started next."""
        self._fields["metricSources"] = list(sources)

    async def patiently_apply(self, *objects: Json) -> None:
        """Apply, again and again while the API server is away."""
        for _ in range(30):
            with contextlib.suppress(ClusterError):
                await self.apply(*objects)
                return
            await asyncio.sleep(1)
        await self.apply(*objects)

    async def first(self) -> None:
        """Bring version 1 up and promote it; the operator has to run."""
        await self.patiently_apply(self.model("1"))
        await self.until(
            lambda md: promoted(md, "1") and settled(md), seconds=60, what=f"{self.namespace}: the first version"
        )

    def model(self, version: str) -> Json:
        """Return the ModelDeployment of a version."""
        return manifests.model_deployment(
            version,
            namespace=self.namespace,
            name=self.name,
            host=f"{self.name}.{self.namespace}.example.com",
            annotations=FAKE,
            rollout={"policyRef": {"name": self.policy_name}},
        )

    def new_trial(self, *, bad_from: int | None) -> None:
        """Begin to write down the walk of the next candidate."""
        self.candidate_slot = "b" if self.deployment["status"]["stable"]["slot"] == "a" else "a"
        self.bad_from = bad_from
        self.walk = [0]
        self.generations_missed = 0

    def arm(self, when: When, at: int) -> Crash:
        """Order the operator's death at a write from now on."""
        crash = Crash(f"{self.namespace}-{next(_ids)}", when, at)
        self.order.write_text(json.dumps({"id": crash.id, "when": crash.when, "at": crash.at}))
        return crash

    def count_writes(self) -> None:
        """Begin to count writes anew, without a crash."""
        self.order.write_text(json.dumps({"id": f"count-{next(_ids)}"}))
        self.writes.unlink(missing_ok=True)

    async def until_ended(self, version: str, *, seconds: float = 90) -> Json:
        """Wait until a version's rollout is over and the loser's pods are gone."""
        await self.until(
            lambda md: ended(md, version) is not None and settled(md),
            seconds=seconds,
            what=f"{self.namespace}: the end of version {version}",
        )
        idle = "b" if self.deployment["status"]["stable"]["slot"] == "a" else "a"
        await self.until_empty(idle, seconds=seconds)
        return self.deployment

    async def get(self, path: str) -> Any:
        """Read from the API server, again and again while it is away."""
        deadline = time.monotonic() + 60
        while True:
            try:
                return await self.api.get(path)
            except Exception:
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.5)

    async def pods(self, slot: str) -> list[Json]:
        """Return the pods of a slot."""
        query = f"labelSelector=serin.dev/deployment={self.name},serin.dev/slot={slot}"
        found: list[Json] = (await self.get(f"/api/v1/namespaces/{self.namespace}/pods?{query}"))["items"]
        return found

    async def _see_route(self, kind: str, item: Json) -> None:
        before = len(self.shares)
        await super()._see_route(kind, item)
        generation = int(item["metadata"].get("generation", 0))
        if self._generation and generation > self._generation + 1:
            self.generations_missed += generation - self._generation - 1
        self._generation = max(self._generation, generation)
        if len(self.shares) == before:
            return
        if self.candidate_slot:
            self.walk.append(self.shares[-1].of(self.candidate_slot))
            self.at_weight.get(self.walk[-1], lambda: None)()
        self.send_traffic()

    def send_traffic(self) -> None:
        """Have both slots counted at the rates that follow from the route's weights, from now on."""
        for slot in ("a", "b"):
            weight = self.shares[-1].of(slot)
            candidate = slot == self.candidate_slot
            bad = candidate and self.bad_from is not None and weight >= self.bad_from
            rate = 0.0 if candidate and self.hangs else self.per_second * weight / 100
            self.stub.change(self.namespace, f"{self.name}-{slot}", rate, BAD_FRACTION if bad else 0.0)
