"""What a Job and its pods say: whether it has ended, and with which words.

The API keeps the words in the pod, not in the Job, so both are read. A Job whose pod was killed or whose node was lost
is started again by Kubernetes and has not ended.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from serin.api.names import GROUP

LABEL_JOB: Final = f"{GROUP}/job"
"""On the Job's pods: its name. They carry no revision and no slot, for they serve nobody."""
LABEL_STAGE: Final = f"{GROUP}/stage"
"""On the Job and its pods: the stage that asks, for people and log queries."""


@dataclass(frozen=True, slots=True)
class Running:
    """The Job is there and has not ended."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The Job has ended.

    answer: the termination message of its last pod, "" for none. failed: why the Job failed, None when it did not.
    """

    answer: str
    failed: str | None = None


JobState: TypeAlias = Running | Ended


def job_state(job: Mapping[str, Any], pods: Iterable[Mapping[str, Any]]) -> JobState:
    """Read a Job.

    Args:
        job: The live Job.
        pods: Live pods; those of other Jobs are left out.
    """
    conditions = {one.get("type"): one for one in job.get("status", {}).get("conditions") or []}
    complete, failed = (conditions.get(kind, {}).get("status") == "True" for kind in ("Complete", "Failed"))
    if not complete and not failed:
        return Running()
    name = job["metadata"]["name"]
    mine = [pod for pod in pods if (pod["metadata"].get("labels") or {}).get(LABEL_JOB) == name]
    mine.sort(key=lambda pod: pod["metadata"].get("creationTimestamp", ""))
    answers = [answer for pod in mine if (answer := _last_words(pod))]
    answer = answers[-1] if answers else ""
    if complete:
        return Ended(answer)
    said = conditions["Failed"]
    return Ended(answer, f"{said.get('reason')}: {said.get('message')}")


def _last_words(pod: Mapping[str, Any]) -> str:
    for state in pod.get("status", {}).get("containerStatuses") or []:
        for when in ("state", "lastState"):
            words = ((state.get(when) or {}).get("terminated") or {}).get("message")
            if words:
                return str(words)
    return ""
