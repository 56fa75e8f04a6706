"""Everything that can go wrong with data, endpoints, artifacts and reports: a closed list, each with what it means.

    Unfit                       an evaluation that cannot be made, or that already tells against the candidate
     |-- effect Hold            waiting or a repair outside may help; nothing was found about the candidate
     |-- effect Reject          the candidate itself is at fault, whatever its scores would have been
     '-- effect Stalled         waiting will not help: somebody has to change the configuration or the data

None of them is ever a pass. What stable does wrong is never held against the candidate, and what both arms do alike is
neither's: then the rows, or the way in which they are asked, are at fault.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, assert_never

Arm = Literal["candidate", "stable"]
"""Who is asked: the model on trial, or the one that serves by default."""


class Effect(StrEnum):
    """What a fault means for the rollout."""

    HOLD = "hold"
    """Nothing is known about the candidate, and it stays where it is."""
    REJECT = "reject"
    """The candidate is at fault."""
    STALLED = "stalled"
    """Somebody has to change the configuration or the data."""


class Fault(StrEnum):
    """The reasons, each with what it means."""

    INVALID_CONFIG = "InvalidConfig"
    """The configuration cannot be read, or a field of it is wrong."""
    DATASET_UNREADABLE = "DatasetUnreadable"
    """The file is not there, or may not be read."""
    DATASET_MALFORMED = "DatasetMalformed"
    """The file is not what its format says, or a column changes its type on the way."""
    DATASET_EMPTY = "DatasetEmpty"
    """The file has no row."""
    DATASET_TOO_LARGE = "DatasetTooLarge"
    """There are more rows, or more bytes to keep of them, than the limits allow."""
    DATASET_STALE = "DatasetStale"
    """The data are older than maxAge; a model that does well on old data may do badly today."""
    DATASET_CHANGED = "DatasetChanged"
    """The file is not the one of the digest, or changed while it was read."""
    WRONG_COLUMNS = "WrongColumns"
    """A column that is needed is not there, or has a type that cannot be used."""
    TARGET_UNUSABLE = "TargetUnusable"
    """A target is missing, NaN, infinite, or no known class: nobody can say what the right answer was."""
    ENDPOINT_UNREACHABLE = "EndpointUnreachable"
    """Nobody listens at the endpoint, or the connection breaks, after all attempts."""
    ENDPOINT_TIMED_OUT = "EndpointTimedOut"
    """The endpoint took longer than requestTimeout, or answers 408, after all attempts."""
    ENDPOINT_NOT_FOUND = "EndpointNotFound"
    """The endpoint answers 401, 403, 404, 405 or a redirect: the path, the model's name or our rights are wrong."""
    ENDPOINT_REFUSED = "EndpointRefused"
    """The endpoint answers another 4xx: it does not take these rows."""
    ENDPOINT_FAILED = "EndpointFailed"
    """The endpoint answers 425, 429, 499 or 5xx, after all attempts."""
    ANSWER_MALFORMED = "AnswerMalformed"
    """An answer is not what the protocol says: at each attempt no JSON, nothing, or bytes of another Content-Encoding
    than it says; or the named output is not there."""
    ANSWER_WRONG_SHAPE = "AnswerWrongShape"
    """An answer has another number of rows or columns than was asked for."""
    ANSWER_NOT_FINITE = "AnswerNotFinite"
    """An answer holds NaN, infinity or nothing where a number belongs."""
    ANSWER_UNKNOWN_CLASS = "AnswerUnknownClass"
    """An answer names a class that the configuration does not know, or a score is no probability."""
    ARTIFACT_UNUSABLE = "ArtifactUnusable"
    """The model's artifact cannot be loaded or asked, or holds types that nobody said to trust."""
    SNAPSHOT_UNUSABLE = "SnapshotUnusable"
    """The training snapshot cannot be read."""
    REPORT_INVALID = "ReportInvalid"
    """A report that another program wrote does not have the published schema."""
    OUT_OF_TIME = "OutOfTime"
    """The whole evaluation took longer than its deadline."""


_STALLED = frozenset(
    {
        Fault.INVALID_CONFIG,
        Fault.DATASET_UNREADABLE,
        Fault.DATASET_MALFORMED,
        Fault.DATASET_EMPTY,
        Fault.DATASET_TOO_LARGE,
        Fault.DATASET_CHANGED,
        Fault.WRONG_COLUMNS,
        Fault.TARGET_UNUSABLE,
        Fault.ENDPOINT_NOT_FOUND,
        Fault.ARTIFACT_UNUSABLE,
        Fault.SNAPSHOT_UNUSABLE,
        Fault.REPORT_INVALID,
    }
)
_OF_THE_ANSWER = frozenset(
    {
        Fault.ENDPOINT_REFUSED,
        Fault.ANSWER_MALFORMED,
        Fault.ANSWER_WRONG_SHAPE,
        Fault.ANSWER_NOT_FINITE,
        Fault.ANSWER_UNKNOWN_CLASS,
    }
)
"""What an endpoint does deliberately. That it cannot be reached, is late or fails may be the cluster's fault."""


def alike(candidate: Unfit, stable: Unfit) -> bool:
    """Whether both arms show the same fault of the answer on the same rows, so that it tells nothing about either.

    >>> refused = Unfit(Fault.ENDPOINT_REFUSED, "HTTP 422")
    >>> alike(refused, refused), alike(refused, Unfit(Fault.ENDPOINT_FAILED, "HTTP 500"))
    (True, False)
    """
    return candidate.fault is stable.fault and candidate.fault in _OF_THE_ANSWER


def effect_of(fault: Fault, arm: Arm | None) -> Effect:
    """What a fault means, given whose it is. All of stable's hold; an answer's fault that is no single arm's stalls.

    >>> effect_of(Fault.ANSWER_NOT_FINITE, "candidate"), effect_of(Fault.ANSWER_NOT_FINITE, "stable")
    (<Effect.REJECT: 'reject'>, <Effect.HOLD: 'hold'>)
    >>> effect_of(Fault.ANSWER_NOT_FINITE, None)
    <Effect.STALLED: 'stalled'>
    """
    if fault in _STALLED:
        return Effect.STALLED
    match arm:
        case "candidate":
            return Effect.REJECT if fault in _OF_THE_ANSWER else Effect.HOLD
        case "stable":
            return Effect.HOLD
        case None:
            return Effect.STALLED if fault in _OF_THE_ANSWER else Effect.HOLD
        case _:
            assert_never(arm)


class Unfit(Exception):
    """An evaluation that ends with a named reason.

    Attributes:
        fault: The reason.
        arm: Whose it is; None when it is neither's, or that of both alike.
        dataset: The name of the data set, when it is one's.
    """

    def __init__(self, fault: Fault, message: str, *, arm: Arm | None = None, dataset: str | None = None) -> None:
        """Say what was found, with the value and the limit."""
        super().__init__(message)
        self.fault = fault
        self.arm = arm
        self.dataset = dataset

    @property
    def effect(self) -> Effect:
        """What it means for the rollout."""
        return effect_of(self.fault, self.arm)

    def of(self, dataset: str) -> Unfit:
        """The same, of a data set."""
        return Unfit(self.fault, str(self), arm=self.arm, dataset=dataset)
