"""`wait`: how a rollout ended, as a closed set; each has an exit code of its own, so that a pipeline can tell.

    0    Promoted      the revision that the spec asks for is stable
    3    RolledBack    it was on trial, or to be, and stable serves
    4    Stalled       somebody has to do something; waiting will not help
    5    Superseded    the spec asks for something else than when the wait began, or the object is gone
    124  TimedOut      nothing of that within --timeout

1 and 2 are left to failures of the command itself and to unusable arguments. Only what is said about the present spec
counts: right after an apply the old conditions still stand, with Promoted=True of the version before.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TypeAlias, assert_never

from serin.plugin.objects import Deployment
from serin.plugin.raw import Raw, part

# A policy or a route that is applied a moment after the deployment makes it Stalled for that moment.
STALLED_SECONDS_MIN = 15.0

_ROLLED_BACK = frozenset({"RolledBack", "PreviouslyRejected", "FirstRevisionFailing", "Aborted", "DeadlineExceeded"})


@dataclass(frozen=True, slots=True)
class Promoted:
    """The revision that the spec asks for is stable."""

    message: str


@dataclass(frozen=True, slots=True)
class RolledBack:
    """The revision was tried, or refused because it had been, and does not serve."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Stalled:
    """A person has to do something."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Superseded:
    """The spec asks for something else than when the wait began, or there is no spec any more."""

    message: str


@dataclass(frozen=True, slots=True)
class TimedOut:
    """No end came in time. message: what it last waited for."""

    message: str


Ending: TypeAlias = Promoted | RolledBack | Stalled | Superseded | TimedOut


def ending(md: Deployment, stalled_seconds: float) -> Ending | None:
    """How the rollout ended; None while it goes on or the operator has not looked at the spec.

    stalled_seconds: for how long it has been seen stalled without a break. What can mend itself gets
    `STALLED_SECONDS_MIN`; a rollback is final at once.
    """
    if md.deleting:
        return Superseded(f"{md.key} is being deleted")
    if not md.observed:
        return None
    stalled = md.condition("Stalled")
    if stalled is not None and stalled.status == "True":
        reason = stalled.reason or "Stalled"
        if reason in _ROLLED_BACK:
            return RolledBack(reason, stalled.message)
        return Stalled(reason, stalled.message) if stalled_seconds >= STALLED_SECONDS_MIN else None
    promoted = md.condition("Promoted")
    if promoted is not None and promoted.status == "True" and md.rollout is None:
        return Promoted(promoted.message)
    return None


def exit_code(end: Ending) -> int:
    """The exit code of an end."""
    match end:
        case Promoted():
            return 0
        case RolledBack():
            return 3
        case Stalled():
            return 4
        case Superseded():
            return 5
        case TimedOut():
            return 124
        case _:
            assert_never(end)


def describe(end: Ending, key: str) -> str:
    """The end in a line."""
    match end:
        case Promoted(message=message):
            return f"{key} promoted: {message}"
        case RolledBack(reason=reason, message=message):
            return f"{key} rolled back ({reason}): {message}"
        case Stalled(reason=reason, message=message):
            return f"{key} stalled ({reason}): {message}"
        case Superseded(message=message):
            return f"{key} superseded: {message}"
        case TimedOut(message=message):
            return f"{key} timed out: {message}"
        case _:
            assert_never(end)


def content(raw: Raw) -> str:
    """What of a raw ModelDeployment makes a revision, as text; when it changes, another rollout is meant."""
    model, serving = part(part(raw, "spec"), "model"), part(part(raw, "spec"), "serving")
    identity = [model.get(name) for name in ("name", "version", "uri", "digest")]
    return json.dumps([identity, [serving.get(name) for name in ("template", "port", "protocol")]], sort_keys=True)
