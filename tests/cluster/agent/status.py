"""What the agent says about a pod: container states, phase and conditions. Pure."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.cluster.settings import NODE_ADDRESS

Object = dict[str, Any]


def instant(moment: dt.datetime) -> str:
    """A time as Kubernetes writes it."""
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True)
class Waiting:
    """Not started, or not started again yet."""

    reason: str
    message: str = ""

    def render(self) -> Object:
        """As in ContainerState."""
        return {"waiting": {"reason": self.reason} | ({"message": self.message} if self.message else {})}


@dataclass(frozen=True)
class Running:
    """Started."""

    since: dt.datetime

    def render(self) -> Object:
        """As in ContainerState."""
        return {"running": {"startedAt": instant(self.since)}}


@dataclass(frozen=True)
class Terminated:
    """Ended."""

    exit_code: int
    reason: str
    message: str
    started: dt.datetime
    finished: dt.datetime

    def render(self) -> Object:
        """As in ContainerState."""
        return {
            "terminated": {
                "exitCode": self.exit_code,
                "reason": self.reason,
                "startedAt": instant(self.started),
                "finishedAt": instant(self.finished),
            }
            | ({"message": self.message} if self.message else {})
        }


State = Waiting | Running | Terminated


@dataclass
class ContainerStatus:
    """One container's status."""

    name: str
    image: str
    state: State = field(default_factory=lambda: Waiting("PodInitializing"))
    last: Terminated | None = None
    restarts: int = 0
    ready: bool = False
    started: bool = False

    def render(self) -> Object:
        """As in ContainerStatus."""
        # There are no images; a stable stand-in for the digest lets two pods be compared.
        image_id = self.image if "@" in self.image else f"sha256:{hashlib.sha256(self.image.encode()).hexdigest()}"
        return {
            "name": self.name,
            "image": self.image,
            "imageID": image_id,
            "ready": self.ready,
            "started": self.started,
            "restartCount": self.restarts,
            "state": self.state.render(),
            "lastState": self.last.render() if self.last else {},
        }


def phase(restart_policy: str, initialized: bool, containers: Sequence[ContainerStatus], *, init_failed: bool) -> str:
    """The pod's phase, by the kubelet's rules."""
    if init_failed:
        return "Failed"
    if not initialized or any(isinstance(c.state, Waiting) and c.last is None for c in containers):
        return "Pending"
    if any(not isinstance(c.state, Terminated) for c in containers):
        return "Running"
    failed = any(isinstance(c.state, Terminated) and c.state.exit_code != 0 for c in containers)
    if restart_policy == "Always" or (restart_policy == "OnFailure" and failed):
        return "Running"  # about to be started again
    return "Failed" if failed else "Succeeded"


class Conditions:
    """The pod's conditions; the transition time moves only when the status does."""

    def __init__(self, existing: Sequence[Mapping[str, Any]]) -> None:
        self._known = {c["type"]: dict(c) for c in existing}

    def render(self, statuses: Mapping[str, tuple[bool, str]], now: dt.datetime) -> list[Object]:
        """Conditions from type to (status, reason if it is False)."""
        for kind, (holds, reason) in statuses.items():
            status = "True" if holds else "False"
            known = self._known.get(kind, {})
            changed = known.get("status") != status
            self._known[kind] = {
                "type": kind,
                "status": status,
                "lastTransitionTime": instant(now) if changed else known["lastTransitionTime"],
            } | ({} if holds else {"reason": reason})
        return [self._known[kind] for kind in statuses]


def render(
    *,
    phase: str,
    pod_ip: str | None,
    started: dt.datetime,
    conditions: Conditions,
    initialized: bool,
    init_containers: Sequence[ContainerStatus],
    containers: Sequence[ContainerStatus],
    now: dt.datetime,
) -> Object:
    """The status to patch into the pod."""
    done = phase in ("Succeeded", "Failed")
    ready = not done and initialized and all(c.ready for c in containers)
    not_ready = "PodCompleted" if phase == "Succeeded" else "PodFailed" if phase == "Failed" else "ContainersNotReady"
    status: Object = {
        "phase": phase,
        "hostIP": NODE_ADDRESS,
        "hostIPs": [{"ip": NODE_ADDRESS}],
        "startTime": instant(started),
        "conditions": conditions.render(
            {
                "PodScheduled": (True, ""),
                "Initialized": (initialized or phase == "Succeeded", "ContainersNotInitialized"),
                "ContainersReady": (ready, not_ready),
                "Ready": (ready, not_ready),
            },
            now,
        ),
        "containerStatuses": [c.render() for c in containers],
    }
    if pod_ip:
        status |= {"podIP": pod_ip, "podIPs": [{"ip": pod_ip}]}
    if init_containers:
        status["initContainerStatuses"] = [c.render() for c in init_containers]
    return status
