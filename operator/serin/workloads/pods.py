"""What pods and their Deployment say of an arm.

Facts, no judgement: whether an unready or crashing candidate is a failure, a hold or an incident that stable
shares is decided by the rollout, which sees both arms.

```
crash          the model ended by itself: exit, OOM kill           a fact about the candidate
evicted        the node or the scheduler took the pod away         not the candidate's doing
pending        no node has room                                    InsufficientCapacity
cannot_start   image or configuration that the kubelet refuses     NotReady until the spec is put right
fetching       the model's files are not there yet                 see fetching.py; none of the above
```
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from serin.api.names import LABEL_REVISION
from serin.workloads.fetching import Fetching, fetching_of, is_fetch

CrashKind = Literal["CrashLoop", "OutOfMemory"]

IMAGE_REASONS: Final = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "ErrImageNeverPull",
        "ImageInspectError",
        "RegistryUnavailable",
        "SignatureValidationFailed",
        "CreateContainerConfigError",
        "CreateContainerError",
        "RunContainerError",
    }
)
TAKEN_AWAY_REASONS: Final = frozenset(
    {
        "Evicted",
        "NodeLost",
        "NodeShutdown",
        "Shutdown",
        "Terminated",
        "Preempting",
        "NodeAffinity",
        "UnexpectedAdmissionError",
    }
)
EXIT_WORDS: Final[Mapping[int, str]] = {
    0: "exited with 0, which a server should not do",
    126: "exited with 126 (its command cannot be executed)",
    127: "exited with 127 (its command was not found)",
    134: "was aborted (exit code 134, SIGABRT)",
    137: "was killed (exit code 137, SIGKILL)",
    139: "crashed with a segmentation fault (exit code 139)",
    143: "was terminated (exit code 143, SIGTERM)",
}


@dataclass(frozen=True, slots=True)
class Crash:
    """The worst that a container of the arm did by itself; out of memory is worse than a crash loop.

    CrashLoop is a container that is down now: it has ended once more than `restarts` says, and a hard gate need not
    wait for the restart. One that was restarted and runs is no Crash; `ArmHealth.restarts` counts it.
    """

    kind: CrashKind
    restarts: int
    """Of all containers of the arm."""
    message: str


@dataclass(frozen=True, slots=True)
class ArmHealth:
    """One arm as the cluster has it. Instants are seconds since 1970, as the API server wrote them."""

    desired: int
    ready: int
    """Pods that are Ready and not on their way out."""
    updated: int
    """Replicas of the present pod template, by the Deployment's own count."""
    pending_message: str | None = None
    """Why no node takes a pod, None when all are placed."""
    crash: Crash | None = None
    evicted: bool = False
    """Whether pods are missing because they were taken away: hold, it is nobody's failure."""
    cannot_start: str | None = None
    """Why the kubelet cannot start a container: image or configuration."""
    restarts: int = 0
    """Restarts of all containers of the arm's pods."""
    ready_since: float | None = None
    """Since when at least one of the pods that are Ready now has been so, None without any."""
    first_start: float | None = None
    """When the oldest of the arm's pods first ran its containers."""
    last_start: float | None = None
    """When the youngest did."""
    fetching: Fetching | None = None
    """What is with the pods whose model is not there yet, None without any."""

    @property
    def full(self) -> bool:
        """Say whether every replica that is wanted is Ready."""
        return self.ready >= self.desired


def arm_health(deployment: Mapping[str, Any] | None, pods: Iterable[Mapping[str, Any]]) -> ArmHealth:
    """Read an arm from its Deployment and its pods.

    Args:
        deployment: The live Deployment, None when there is none (yet).
        pods: Live pods; those of other revisions are left out.
    """
    spec, status = (deployment or {}).get("spec", {}), (deployment or {}).get("status", {})
    desired = int(spec.get("replicas", 1)) if deployment is not None else 0
    mine = [pod for pod in pods if _belongs(pod, deployment)]
    taken_away = [pod for pod in mine if _taken_away(pod)]
    present = [pod for pod in mine if not _leaving(pod) and not _taken_away(pod)]
    ready = [since for pod in present if (since := _ready_since(pod)) is not None]
    starts = [start for pod in present if (start := _started(pod)) is not None]
    blocked = _replica_failure(status)
    return ArmHealth(
        desired=desired,
        ready=len(ready),
        updated=int(status.get("updatedReplicas") or 0),
        pending_message=_first(_unschedulable(pod) for pod in present) or (blocked if _is_quota(blocked) else None),
        crash=_crash(present),
        # A pod that was evicted stays in the list as Failed for a long time; it matters only while its
        # replacement is missing.
        evicted=bool(taken_away) and len(ready) < desired,
        cannot_start=_first(_cannot_start(pod) for pod in present) or (None if _is_quota(blocked) else blocked),
        restarts=sum(_restarts(state) for pod in present for state in _containers(pod)),
        ready_since=min(ready, default=None),
        first_start=min(starts, default=None),
        last_start=max(starts, default=None),
        fetching=fetching_of(present),
    )


def why_waiting(pod: Mapping[str, Any]) -> str | None:
    """Why a pod cannot start: no node takes it, a claim is not there, or the kubelet refuses; None when it can."""
    return _unschedulable(pod) or _cannot_start(pod)


def _belongs(pod: Mapping[str, Any], deployment: Mapping[str, Any] | None) -> bool:
    if deployment is None:
        return True
    labels = pod.get("metadata", {}).get("labels") or {}
    return bool(labels.get(LABEL_REVISION) == deployment.get("metadata", {}).get("name"))


def _leaving(pod: Mapping[str, Any]) -> bool:
    return bool(pod.get("metadata", {}).get("deletionTimestamp"))


def _taken_away(pod: Mapping[str, Any]) -> bool:
    if pod.get("status", {}).get("reason") in TAKEN_AWAY_REASONS:
        return True
    if _condition(pod, "DisruptionTarget").get("status") == "True":
        return True
    return any(_ended(state).get("reason") == "ContainerStatusUnknown" for state in _containers(pod))


def _condition(pod: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    conditions = pod.get("status", {}).get("conditions") or []
    found: Mapping[str, Any] = next((item for item in conditions if item.get("type") == kind), {})
    return found


def _containers(pod: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the states of the user's containers: that the model cannot be fetched is no crash of it."""
    status = pod.get("status", {})
    of_init = [state for state in status.get("initContainerStatuses") or [] if not is_fetch(state)]
    return [*of_init, *(status.get("containerStatuses") or [])]


def _ended(state: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return how a container last ended, from its present state or the one before."""
    found: Mapping[str, Any] = (
        (state.get("state") or {}).get("terminated") or (state.get("lastState") or {}).get("terminated") or {}
    )
    return found


def _ready_since(pod: Mapping[str, Any]) -> float | None:
    ready = _condition(pod, "Ready")
    return instant(ready.get("lastTransitionTime")) or 0.0 if ready.get("status") == "True" else None


def _started(pod: Mapping[str, Any]) -> float | None:
    """Return when the pod's containers ran first."""
    running = [
        instant(((state.get("state") or {}).get("running") or {}).get("startedAt"))
        for state in pod.get("status", {}).get("containerStatuses") or []
    ]
    restarted = any(_restarts(state) for state in pod.get("status", {}).get("containerStatuses") or [])
    known = [start for start in running if start is not None]
    # After a restart startedAt is the latest start; the pod's own startTime is then the better word for the
    # first.
    return min(known) if known and not restarted else instant(pod.get("status", {}).get("startTime"))


def _unschedulable(pod: Mapping[str, Any]) -> str | None:
    placed = _condition(pod, "PodScheduled")
    if placed.get("status") != "False" or placed.get("reason") not in {"Unschedulable", "SchedulingGated"}:
        return None
    return str(placed.get("message") or placed["reason"])


def _cannot_start(pod: Mapping[str, Any]) -> str | None:
    for state in _containers(pod):
        waiting = (state.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") in IMAGE_REASONS:
            message = waiting.get("message")
            return f"container {state.get('name')}: {waiting['reason']}{f': {message}' if message else ''}"
    return None


def _crash(pods: Iterable[Mapping[str, Any]]) -> Crash | None:
    """Return the worst that the containers did: an OOM kill at any time, else one that is down now by itself."""
    states = [(pod, state) for pod in pods for state in _containers(pod)]
    restarts = sum(_restarts(state) for _, state in states)
    count = f"{restarts} restart{'' if restarts == 1 else 's'} in all"
    for pod, state in states:
        if _ended(state).get("reason") == "OOMKilled":
            return Crash("OutOfMemory", restarts, f"{_where(pod, state)} was killed for want of memory; {count}")
    down = [(pod, state) for pod, state in states if _down(pod, state)]
    if not down:
        return None
    pod, state = max(down, key=lambda item: _restarts(item[1]))
    return Crash("CrashLoop", restarts, f"{_where(pod, state)} {_exit_words(_ended(state))}; {count}")


def _down(pod: Mapping[str, Any], state: Mapping[str, Any]) -> bool:
    """Say whether a container has ended by itself and not been started again: once more than it was restarted.

    An init container that ended with 0 did what it should.
    """
    if _waiting(state) == "CrashLoopBackOff":
        return True
    ended = (state.get("state") or {}).get("terminated")
    if not ended:
        return False
    return bool(ended.get("exitCode")) or state in (pod.get("status", {}).get("containerStatuses") or [])


def _restarts(state: Mapping[str, Any]) -> int:
    return int(state.get("restartCount") or 0)


def _waiting(state: Mapping[str, Any]) -> str | None:
    reason = ((state.get("state") or {}).get("waiting") or {}).get("reason")
    return None if reason is None else str(reason)


def _where(pod: Mapping[str, Any], state: Mapping[str, Any]) -> str:
    return f"container {state.get('name')} of pod {pod.get('metadata', {}).get('name', '?')}"


def _exit_words(ended: Mapping[str, Any]) -> str:
    code = ended.get("exitCode")
    if code is None:
        return "keeps ending"
    last = str(ended.get("message") or "").strip().splitlines()
    words = EXIT_WORDS.get(int(code), f"exited with {code}")
    return f"{words}: {last[-1][:200]}" if last else words


def _replica_failure(status: Mapping[str, Any]) -> str | None:
    """Return why the Deployment cannot even create pods: a quota, or an admission that refuses them."""
    for condition in status.get("conditions") or []:
        if condition.get("type") == "ReplicaFailure" and condition.get("status") == "True":
            return str(condition.get("message") or condition.get("reason") or "pods cannot be created")
    return None


def _is_quota(message: str | None) -> bool:
    return message is not None and "quota" in message


def _first(messages: Iterable[str | None]) -> str | None:
    return next((message for message in messages if message), None)


def instant(text: Any) -> float | None:
    """Read a time as the API server writes it."""
    try:
        return datetime.fromisoformat(str(text)).timestamp() if text else None
    except ValueError:
        return None
