"""What a Job and its pods say: whether it has ended, and with which words.

The API keeps the words in the pod, not in the Job, so both are read. A Job whose pod was killed or whose node was lost
is started again by Kubernetes and has not ended.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from serin.api.names import GROUP
from serin.workloads.pods import instant, why_waiting

LABEL_JOB: Final = f"{GROUP}/job"
"""On the Job's pods: its name. They carry no revision and no slot, for they serve nobody."""
LABEL_STAGE: Final = f"{GROUP}/stage"
"""On the Job and its pods: the stage that asks, for people and log queries."""
LABEL_CONTAINER: Final = f"{GROUP}/container"
"""On the Job: the container that answers. Its pod may hold others, of the user's template or injected."""


WAITS_CHARACTERS_MAX: Final = 300
"""A scheduler names every node that it has tried."""


@dataclass(frozen=True, slots=True)
class Running:
    """The Job is there and has not ended. waits: why its pod cannot start, None when it can."""

    waits: str | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """The Job has ended.

    answer: the termination message of its last pod's own container, "" for none. failed: why the Job failed, None when
    it did not. at: when, in seconds since 1970. heard: whether a pod of it that has ended was seen. Jobs and pods come
    by watches of their own, so a Job can be over a moment before its pod's last words are here.
    """

    answer: str
    failed: str | None = None
    at: float = 0.0
    heard: bool = True


JobState: TypeAlias = Running | Ended


def question_name(deployment: str, kind: str, question: Sequence[object]) -> str:
    """The name of the Job that asks a question, at most 53 characters: another question is another Job.

    kind: a letter that tells kinds of questions apart, for people.
    """
    digest = hashlib.sha256(json.dumps(question).encode()).hexdigest()
    return f"{deployment}-{kind}-{digest[:10]}"


def job_state(job: Mapping[str, Any], pods: Iterable[Mapping[str, Any]], own: str | None = None) -> JobState:
    """Read a Job.

    Args:
        job: The live Job.
        pods: Live pods; those of other Jobs are left out.
        own: The container that answers where the Job does not say it, as one that an older operator has made. None
            where nobody knows: then no container is believed.
    """
    conditions = {one.get("type"): one for one in job.get("status", {}).get("conditions") or []}
    complete, failed = (conditions.get(kind, {}).get("status") == "True" for kind in ("Complete", "Failed"))
    name = job["metadata"]["name"]
    mine = [pod for pod in pods if (pod["metadata"].get("labels") or {}).get(LABEL_JOB) == name]
    mine.sort(key=lambda pod: pod["metadata"].get("creationTimestamp", ""))
    if not complete and not failed:
        waits = why_waiting(mine[-1]) if mine else None
        return Running(waits[:WAITS_CHARACTERS_MAX] if waits is not None else None)
    speaks = (job["metadata"].get("labels") or {}).get(LABEL_CONTAINER, own)
    answers = [answer for pod in mine if speaks is not None and (answer := _last_words(pod, speaks))]
    answer = answers[-1] if answers else ""
    heard = any(pod.get("status", {}).get("phase") in ("Succeeded", "Failed") for pod in mine)
    said = conditions["Complete" if complete else "Failed"]
    at = instant(said.get("lastTransitionTime")) or 0.0
    return Ended(answer, None if complete else f"{said.get('reason')}: {said.get('message')}", at, heard)


def container_states(pod: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """What the kubelet says of the container that answers; of a sidecar it is said elsewhere, or by another name."""
    return [one for one in pod.get("status", {}).get("containerStatuses") or [] if one.get("name") == name]


def _last_words(pod: Mapping[str, Any], container: str) -> str:
    for state in container_states(pod, container):
        for when in ("state", "lastState"):
            words = ((state.get(when) or {}).get("terminated") or {}).get("message")
            if words:
                return str(words)
    return ""
