"""How far an arm's pods are with fetching the model: what their init container said when it last ended.

    refused       what is at the uri is not what was pinned, or is dangerous     a fact about the candidate
    unavailable   the store, the credentials, the volume, the image              nobody's fault that runs here
    running       the files are on their way                                     takes what it takes

The program (serin.artifacts) writes one line of JSON into its termination message. Its words are a contract between
two processes that may be of different versions, so they are read here and not imported; what cannot be read, and what
was killed before it could say anything, is no verdict on the model.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from serin.workloads.fetch import FETCH_CONTAINER

FetchState = Literal["running", "unavailable", "refused"]

REFUSING: Final = frozenset({"DigestMismatch", "Unsafe", "TooLarge", "UnsupportedScheme"})
"""Reasons of the program that speak of the artifact: the same content will never do."""
_OF_THE_VOLUME: Final = "--into"
"""The field that a failure of the volume names: a full one is not the artifact's fault."""
_FIELDS: Final = {"--max-bytes": "spec.model.fetch.maxBytes", "--timeout": "spec.model.fetch.timeout"}
"""Options of the program that are made of a field: whoever reads the status can set only that."""
_WORST: Final[tuple[FetchState, ...]] = ("refused", "unavailable", "running")
_WORDS_MAX: Final = 600


@dataclass(frozen=True, slots=True)
class Fetching:
    """The worst that pods of an arm say of it."""

    state: FetchState
    message: str


def is_fetch(state: Mapping[str, Any]) -> bool:
    """Say whether a container's status is that of the init container which fetches."""
    return bool(state.get("name") == FETCH_CONTAINER)


def fetching_of(pods: Iterable[Mapping[str, Any]]) -> Fetching | None:
    """Return how far the pods are; None when all have what they need."""
    found = [one for pod in pods if (one := _of_pod(pod)) is not None]
    return min(found, key=lambda one: _WORST.index(one.state), default=None)


def _of_pod(pod: Mapping[str, Any]) -> Fetching | None:
    name = pod.get("metadata", {}).get("name", "?")
    for status in pod.get("status", {}).get("initContainerStatuses") or []:
        if is_fetch(status):
            return _of_container(status, f"pod {name}")
    return None


def _of_container(status: Mapping[str, Any], where: str) -> Fetching | None:
    state = status.get("state") or {}
    ended = state.get("terminated") or (status.get("lastState") or {}).get("terminated")
    if ended and not ended.get("exitCode"):
        return None
    if ended:
        return _failed(ended, where)
    waiting = state.get("waiting") or {}
    if waiting.get("reason") in (None, "PodInitializing", "ContainerCreating"):
        does = "fetches the model" if "running" in state else "gets its volumes and its image before it fetches"
        return Fetching("running", f"{where} {does}")
    words = f": {waiting['message']}" if waiting.get("message") else ""
    return Fetching("unavailable", f"container {FETCH_CONTAINER} of {where}: {waiting['reason']}{words}"[:_WORDS_MAX])


def failure(ended: Mapping[str, Any] | None, where: str) -> Fetching | None:
    """Read how the container of a resolve Job failed; None when none has."""
    return _failed(ended, where) if ended else None


def _failed(ended: Mapping[str, Any], where: str) -> Fetching:
    said = _said(ended.get("message"))
    if said is None:
        last = str(ended.get("message") or "").strip().splitlines()
        words = f"container {FETCH_CONTAINER} of {where} ended with {ended.get('exitCode')} ({ended.get('reason')})"
        return Fetching("unavailable", f"{words}: {last[-1]}"[:_WORDS_MAX] if last else words)
    reason, field, message = said
    refused = reason in REFUSING and field != _OF_THE_VOLUME
    field = _FIELDS.get(field, field)
    words = (
        f"{field}: {message} ({reason}, {where})" if len(message) < _WORDS_MAX else f"{field}: {message[:_WORDS_MAX]}…"
    )
    return Fetching("refused" if refused else "unavailable", words)


def _said(message: Any) -> tuple[str, str, str] | None:
    """Reason, field and message of a failure as the program writes it."""
    try:
        record = json.loads(str(message))
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict) or record.get("outcome") != "failed":
        return None
    return str(record.get("reason")), str(record.get("field")), str(record.get("message"))
