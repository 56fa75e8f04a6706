"""What a Job says at its end: JSON in its termination message, of which Kubernetes keeps 4096 bytes."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import assert_never

from serin.artifacts.errors import ArtifactError
from serin.artifacts.fetching import Fetched
from serin.artifacts.resolving import Resolved

BYTES_MAX = 4096
EXIT_REFUSED = 1
EXIT_TRY_AGAIN = 75
"""As in sysexits.h: a Job's podFailurePolicy can tell it from what will not change by itself."""


def message(outcome: Resolved | Fetched | ArtifactError) -> str:
    """Return an outcome as one line of JSON, of at most 4096 bytes.

    The key `outcome` is "resolved", "fetched" or "failed"; a failure has `reason`, `field`, `message` and `retry`.
    """
    match outcome:
        case Resolved():
            return _bounded({"outcome": "resolved"} | asdict(outcome), "uri")
        case Fetched():
            return _bounded({"outcome": "fetched"} | asdict(outcome), "uri")
        case ArtifactError():
            failed: dict[str, object] = {
                "outcome": "failed",
                "reason": outcome.reason.value,
                "field": outcome.field,
                "message": outcome.message,
                "retry": outcome.reason.worth_a_retry,
            }
            return _bounded(failed, "message")
    assert_never(outcome)


def write(path: Path, text: str) -> None:
    """Write the message where Kubernetes looks for it; outside of a pod there is no such place, and no harm."""
    try:
        path.write_text(text)
    except OSError:
        return


def exit_code(outcome: Resolved | Fetched | ArtifactError) -> int:
    """Return 0, 1 for what somebody has to change, 75 for what may pass."""
    if not isinstance(outcome, ArtifactError):
        return 0
    return EXIT_TRY_AGAIN if outcome.reason.worth_a_retry else EXIT_REFUSED


def _bounded(record: dict[str, object], longest: str) -> str:
    text = json.dumps(record, ensure_ascii=True)
    while len(text) > BYTES_MAX:
        value = str(record[longest])
        record = record | {longest: value[: len(value) - max(16, (len(text) - BYTES_MAX) // 6)].rstrip("…") + "…"}
        text = json.dumps(record, ensure_ascii=True)
    return text
