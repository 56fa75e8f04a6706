"""The Job that pins a uri without a digest, once, before the first pod of its revision.

    spec.model.uri, no digest  ->  serin artifact resolve  ->  status.artifact of the ModelRevision  ->  the pods

It runs in the user's namespace, with the service account of the model's pods and the credentials of the fetch. Of its
own accord it is tried again: Kubernetes starts a pod that failed anew, with back-off, and when the Job has given up its
TTL takes it away, upon which it is made again. So nothing has to be remembered of a try that brought nothing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from serin.api.model_deployment import ModelDeployment
from serin.api.model_revision import ModelRevision
from serin.api.names import LABEL_DEPLOYMENT, LABEL_MANAGED, MANAGED_BY
from serin.workloads.fetch import RESOLVE_CONTAINER, Fetcher, resolve_pod
from serin.workloads.fetching import Fetching, failure
from serin.workloads.jobs import LABEL_CONTAINER, LABEL_JOB, Ended, container_states, job_state, question_name
from serin.workloads.ownership import object_metadata

Json = dict[str, Any]

TRIES_MAX: Final = 4
"""Pods that fail before the Job does; Kubernetes waits 10, 20 and 40 s between them."""
AGAIN_SECONDS: Final = 60
"""How long an ended Job stays, and so how long until a failed one is made again."""
START_SECONDS_MAX: Final = 300
"""For image and volumes, beside what one try may take."""
TRY_SECONDS: Final = 3600.0
"""What one try may take where the resource says nothing; the program's own default."""
_EXIT_REFUSED: Final = 1
"""The program's exit code for what another try at once does not help."""

_SHARED: Final = (
    *("serviceAccountName", "automountServiceAccountToken", "imagePullSecrets", "securityContext"),
    *("nodeSelector", "tolerations", "priorityClassName", "dnsPolicy", "dnsConfig", "hostAliases"),
)
"""What the Job's pod has of the model's: who it is, and where it may run. Nothing that a selector could match."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """What a uri means: the digest of its files, and for the record where, how large (bytes) and of which type."""

    digest: str
    uri: str | None = None
    size_bytes: int | None = None
    media_type: str | None = None

    def to_status(self) -> Json:
        """As `status.artifact` of a ModelRevision."""
        known = {
            "digest": self.digest,
            "uri": self.uri,
            "sizeBytes": self.size_bytes,
            "mediaType": self.media_type,
        }
        return {name: value for name, value in known.items() if value is not None}

    @classmethod
    def from_status(cls, raw: Mapping[str, Any]) -> Artifact:
        """As `to_status` wrote it.

        Raises:
            KeyError: it has no digest.
        """
        return cls(raw["digest"], raw.get("uri"), raw.get("sizeBytes"), raw.get("mediaType"))


def is_unpinned(revision: Mapping[str, Any]) -> bool:
    """Say whether a live ModelRevision is to be fetched and nobody knows by which digest yet."""
    model = revision["spec"]["model"]
    return model.get("fetch") is not None and not model.get("digest") and not found_digest(revision)


def found_digest(revision: Mapping[str, Any]) -> str | None:
    """The digest that a resolve Job has found for a live ModelRevision, None for none."""
    digest: str | None = ((revision.get("status") or {}).get("artifact") or {}).get("digest")
    return digest


def polled_artifact(revision: Mapping[str, Any]) -> Artifact | None:
    """What a poll had found when it made this revision; None for a revision of a spec as it is written."""
    polled = revision["spec"].get("polled")
    return Artifact.from_status(polled) if polled else None


def resolve_name(deployment: str, revision: str, attempt: int) -> str:
    """The Job's name: another attempt asks again."""
    return question_name(deployment, "r", [revision, attempt])


def poll_name(deployment: str, revision: str, number: int) -> str:
    """The name of the Job that asks for the `number`th time whether the uri of a pinned revision has moved."""
    return question_name(deployment, "p", [revision, "poll", number])


def resolve_job(md: ModelDeployment, revision: ModelRevision, name: str, fetcher: Fetcher) -> Json:
    """Return the Job that says what a revision's uri means, complete, to be created.

    Args:
        md: The deployment, for namespace and ownership.
        revision: Whose uri; it has `fetch`.
        name: The Job's name.
        fetcher: The operator's image.
    """
    model = revision.spec.model
    fetch = model.fetch
    assert fetch is not None  # noqa: S101 - nothing else is ever unpinned
    template = (revision.spec.serving.template or {}).get("spec") or {}
    shared = {key: template[key] for key in _SHARED if template.get(key) is not None}
    seconds = fetch.timeout.seconds if fetch.timeout is not None else TRY_SECONDS
    labels = {LABEL_DEPLOYMENT: md.metadata.name, LABEL_MANAGED: MANAGED_BY, LABEL_JOB: name}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": object_metadata(md, name, {LABEL_CONTAINER: RESOLVE_CONTAINER}),
        "spec": {
            "backoffLimit": TRIES_MAX - 1,
            "activeDeadlineSeconds": math.ceil(seconds) + START_SECONDS_MAX,
            "ttlSecondsAfterFinished": AGAIN_SECONDS,
            "podFailurePolicy": {
                "rules": [
                    {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
                    {"action": "FailJob", "onExitCodes": {"operator": "In", "values": [_EXIT_REFUSED]}},
                ]
            },
            "template": {
                "metadata": {"labels": labels},
                "spec": {**shared, "restartPolicy": "Never", **resolve_pod(model, fetch, fetcher)},
            },
        },
    }


def resolution(name: str, job: Mapping[str, Any] | None, pods: Iterable[Mapping[str, Any]]) -> Artifact | Fetching:
    """Read what a resolve Job says: the artifact, or how far it is.

    Whatever cannot be read is unavailable: no artifact, and nothing against the model.

    Args:
        name: Its name.
        job: The live Job, None when there is none (yet).
        pods: Live pods; those of other Jobs are left out.
    """
    where = f"Job {name}"
    running = Fetching("running", f"{where} finds out which files spec.model.uri means, before any pod starts")
    if job is None:
        return running
    mine = [pod for pod in pods if (pod["metadata"].get("labels") or {}).get(LABEL_JOB) == name]
    state = job_state(job, mine, RESOLVE_CONTAINER)
    if not isinstance(state, Ended):
        return failure(_last_end(mine), where) or running
    if state.failed is None and (found := _artifact(state.answer)) is not None:
        return found
    if not state.heard and not state.answer:
        # Its pod's last words are on their way; should they never come, the TTL lets it be asked again.
        return running
    said = failure({"message": state.answer, "exitCode": 1, "reason": state.failed or "Complete"}, where)
    return said or running


def _artifact(answer: str) -> Artifact | None:
    try:
        raw = json.loads(answer)
    except (ValueError, RecursionError):
        return None
    if not isinstance(raw, dict) or raw.get("outcome") != "resolved" or not _is_digest(raw.get("digest")):
        return None
    size, uri, media = raw.get("size"), raw.get("uri"), raw.get("media")
    return Artifact(
        digest=str(raw["digest"]),
        uri=uri if isinstance(uri, str) else None,
        size_bytes=size if isinstance(size, int) else None,
        media_type=media if isinstance(media, str) else None,
    )


def _is_digest(text: Any) -> bool:
    algorithm, _, value = str(text).partition(":")
    return algorithm == "sha256" and len(value) == 64 and not set(value) - set("0123456789abcdef")


def _last_end(pods: Iterable[Mapping[str, Any]]) -> Json | None:
    """How the newest pod that failed did so, while the Job tries again."""
    newest = sorted(pods, key=lambda pod: pod["metadata"].get("creationTimestamp", ""), reverse=True)
    for pod in newest:
        for status in container_states(pod, RESOLVE_CONTAINER):
            ended = (status.get("state") or {}).get("terminated")
            if ended and ended.get("exitCode"):
                return dict(ended)
    return None
