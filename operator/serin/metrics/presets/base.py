"""What a preset says: which metrics a data plane or model server exports and how to read them.

Two planes. A data plane (gateway, proxy) counts by backend: arms are told apart by the slot Service in a
label, and its targets serve every arm. A model server counts for itself: arms are told apart by the label
serin_dev_revision that the scrape copies from the pod, and each target belongs to one arm.

Server errors are judged best at the data plane: a pod never sees the 502 that the gateway answered for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from serin.metrics.promql import any_of
from serin.metrics.reading import ArmRef, CompareNeed, Need, QueryNeed, SlowNeed, What

__all__ = [
    "REVISION_LABEL",
    "Beat",
    "Key",
    "Labels",
    "Outcome",
    "Preset",
    "both_forms",
    "revision_key",
    "revision_keys_of",
    "revision_matchers",
    "unsupported",
]

REVISION_LABEL = "serin_dev_revision"
"""The pods' label serin.dev/revision as scrapes carry it."""

Labels = Mapping[str, str]
Key = tuple[str, ...]
Outcome = Literal["ok", "client-error", "server-error", "cancelled", "unknown"]
"""What became of a request.

`cancelled`: the caller went away, nobody's error. `unknown`: the metric does not say.
"""

Beat = Literal["presence", "up", "start", "uptime"]
"""What a heartbeat metric's value is.

Nothing of interest; 1 when the scrape worked; the process's start, in seconds since the epoch; its age, in
seconds.
"""


@dataclass(frozen=True, slots=True)
class Preset:
    """One data plane or model server.

    name: as in a policy's metrics.preset.
    plane: who counts.
    counts: `attempts` when a gateway's retry counts again, `responses` when only the last answer does.
    can: what its metrics can measure; `cannot` says why for the rest.
    requests: counters with one increment for each request.
    latency: name of the latency histogram without `_bucket`, None if there is none that would do.
    latency_unit: seconds in one unit of its edges.
    heartbeats: metrics that a target exports from its start, and what they tell.
    cannot_grpc: why errors of gRPC cannot be measured; None when they can.
    why_unknown: what to do about requests that `classify` calls unknown.
    start_metric: asked for apart, by the jobs of `heartbeats`, when no heartbeat tells the process's start.
    keys_of: all keys that an arm answers to, the most exact first.
    keys: all keys that a series may stand for. More than one when its name can be read in several ways.
    classify: what became of the requests of a series; None: not requests of users (health checks, mirrors).
    timed: whether a latency series is about requests of users.
    matchers: label matchers that restrict a query to some arms and to heartbeats.
    """

    name: str
    plane: Literal["data-plane", "model-server"]
    counts: Literal["attempts", "responses"]
    can: frozenset[What]
    requests: tuple[str, ...]
    keys_of: Callable[[ArmRef], tuple[Key, ...]]
    keys: Callable[[Labels], tuple[Key, ...]]
    classify: Callable[[Labels], Outcome | None]
    matchers: Callable[[Sequence[ArmRef]], Sequence[str]]
    heartbeats: Mapping[str, Beat]
    cannot: Mapping[What, str] = field(default_factory=dict)
    latency: str | None = None
    latency_unit: float = 1.0
    timed: Callable[[Labels], bool] = lambda _: True
    cannot_grpc: str | None = None
    why_unknown: str = "its metrics do not say what became of a request"
    start_metric: str | None = None

    @property
    def bucket(self) -> str | None:
        """The series that the latency histogram is read from."""
        return f"{self.latency}_bucket" if self.latency else None

    def names(self, *, latency: bool) -> tuple[str, ...]:
        """All metrics that one query asks for. A histogram has ten series and more, so only if somebody wants it."""
        return (*self.requests, *((self.bucket,) if self.bucket and latency else ()), *self.heartbeats)

    def selector(self, arms: Sequence[ArmRef], extra: Sequence[str] = (), *, latency: bool = True) -> str:
        """The vector selector for these arms; `extra` are matchers of the source."""
        names = any_of("__name__", dict.fromkeys(self.names(latency=latency)))
        return "{" + ",".join([names, *self.matchers(arms), *extra]) + "}"


def unsupported(preset: Preset, need: Need, *, grpc: bool = False) -> str | None:
    """Why `preset` cannot measure what a gate needs; None when it can.

    To be asked when a rollout starts: such a gate would wait for ever.

    Args:
        preset: who would measure.
        need: what a gate wants to know.
        grpc: whether the model is served by gRPC.
    """
    what: What
    match need:
        case QueryNeed():
            return None  # a query brings its own counters
        case SlowNeed():
            what = "slowerThan"
        case CompareNeed():
            what = need.what
            if grpc and preset.cannot_grpc:
                return preset.cannot_grpc
    if what in preset.can:
        return None
    return preset.cannot.get(what, f"the preset {preset.name} does not measure {what}")


def both_forms(labels: Labels, name: str) -> str:
    """An exporter's own label, also when the scrape has renamed it.

    A ServiceMonitor without honorLabels puts its own `service` and `namespace` on every sample and renames
    the exporter's to `exported_service` and `exported_namespace`.
    """
    return labels.get(f"exported_{name}") or labels.get(name, "")


def revision_key(labels: Labels) -> tuple[Key, ...]:
    """The key of a series that pods export about themselves."""
    revision = labels.get(REVISION_LABEL, "")
    return ((labels.get("namespace", ""), revision),) if revision else ()


def revision_keys_of(arm: ArmRef) -> tuple[Key, ...]:
    """The keys of an arm among such series: a scrape may or may not have added the namespace."""
    return ((arm.namespace, arm.revision), ("", arm.revision))


def revision_matchers(arms: Sequence[ArmRef]) -> Sequence[str]:
    """Only pods of these revisions."""
    return (any_of(REVISION_LABEL, sorted({arm.revision for arm in arms})),)
