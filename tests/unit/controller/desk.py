"""One operator's desk without a cluster: cache, memory, writer and reconciler over the recording API server."""

from __future__ import annotations

from typing import Any

from serin.controller.apply import Writer
from serin.controller.cache import Cache
from serin.controller.config import Config
from serin.controller.deletion import Deletion
from serin.controller.evidence import Beginning, Want
from serin.controller.memory import Key
from serin.controller.reconcile import Reconciler
from serin.controller.telemetry import Telemetry
from serin.metrics.reading import Outage, Reading
from serin.rollout.decision import Note
from tests.unit.controller.fakes import FakeKube

Json = dict[str, Any]
KEY: Key = ("ml", "iris")
CONFIG = Config.model_validate(
    {
        "metricSources": [{"name": "default", "url": "http://prometheus.example:9090", "preset": "traefik"}],
        "gatewayReloadSeconds": 0,
    }
)


class _Evidence:
    """Nobody measures here; readings are given by the test."""

    def __init__(self) -> None:
        self.next: tuple[Reading | Outage, ...] = ()
        self.wanted: list[tuple[Want, Beginning]] = []
        self.dropped = 0

    def want(self, _key: Key, want: Want, beginning: Beginning) -> None:
        self.wanted.append((want, beginning))

    def drop(self, _key: Key) -> None:
        self.dropped += 1

    def take(self, _key: Key) -> tuple[Reading | Outage, ...]:
        taken, self.next = self.next, ()
        return taken


class _Recorder:
    """Notes are kept."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def tell(self, _raw: Json, note: Note) -> None:
        self.told.append(f"{note.reason}: {note.message}")


class Desk:
    """`look()` is one look; `later` is when the next one was asked for."""

    def __init__(self, md: Json, config: Config = CONFIG) -> None:
        self.kube, self.cache = FakeKube(), Cache()
        self.evidence, self.recorder = _Evidence(), _Recorder()
        self.later: list[float] = []
        self.reconciler = Reconciler(
            self.cache,
            Writer(self.kube, self.cache, config.artifacts and config.artifacts.fetcher()),  # type: ignore[arg-type]
            Deletion(self.kube, self.cache),  # type: ignore[arg-type]
            self.evidence,  # type: ignore[arg-type]
            self.recorder,  # type: ignore[arg-type]
            Telemetry(),
            config,
            lambda _key, seconds: self.later.append(seconds),
        )
        self.user_applies(md)

    def user_applies(self, obj: Json) -> None:
        """The API server has it, and the watch has told us."""
        before = self.kube.objects.get((obj["kind"], obj["metadata"]["name"]), {})
        status = {"status": before["status"]} if "status" in before else {}
        kept = {"uid": f"uid-{obj['metadata']['name']}", "namespace": "ml", **obj["metadata"]}
        if "finalizers" in before.get("metadata", {}):
            kept["finalizers"] = before["metadata"]["finalizers"]
        self.cache.put(obj["kind"], self.kube.put({**obj, **status, "metadata": kept}))

    async def look(self) -> list[str]:
        """Look once, and return what was written."""
        self.kube.writes.clear()
        await self.reconciler.look(KEY)
        return list(self.kube.writes)

    @property
    def md(self) -> Json:
        """The ModelDeployment as it is stored."""
        return self.kube.objects["ModelDeployment", "iris"]

    def condition(self, kind: str) -> Json:
        """A stored condition."""
        return next((one for one in self.md["status"]["conditions"] if one["type"] == kind), {})

    def pods_ready(self, version: str) -> str:
        """A pod of the version's Deployment is Ready, long since; the Deployment's name."""
        revision: str = next(
            obj["metadata"]["name"]
            for (kind, _), obj in self.kube.objects.items()
            if kind == "ModelRevision" and obj["spec"]["model"]["version"] == version
        )
        deployment = self.kube.objects["Deployment", revision]
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        since = "2020-01-01T00:00:00Z"
        status = {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": since}],
            "containerStatuses": [{"name": "model", "restartCount": 0, "state": {"running": {"startedAt": since}}}],
        }
        metadata = {"name": f"{revision}-pod", "namespace": "ml", "uid": revision, "labels": labels}
        self.cache.put("Pod", self.kube.put({"kind": "Pod", "metadata": metadata, "status": status}))
        return revision
