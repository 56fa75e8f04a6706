"""Every way in which an artifact cannot be had: eight reasons, a closed set.

A message names what is wrong and says what to do. It is written by us, never taken from a library: their texts
hold URLs, and URLs hold signatures.
"""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Why there is no artifact. Whether trying again may help is a property of the reason, not of the caller."""

    ARTIFACT_NOT_FOUND = "ArtifactNotFound"
    """The source answered, and has no such artifact."""
    DIGEST_MISMATCH = "DigestMismatch"
    """The source has other content than the digest says."""
    ACCESS_DENIED = "AccessDenied"
    """The source wants other credentials, or a folder may not be read or written."""
    TOO_LARGE = "TooLarge"
    """The artifact, its number of files or what it unpacks to is over a limit, or the volume is full."""
    UNSAFE = "Unsafe"
    """The content could harm: a pickle that nobody pinned, an archive that leaves its folder, a redirect to
    another scheme."""
    TIMED_OUT = "TimedOut"
    """It took longer than it may. A partial download is kept and gone on with."""
    SOURCE_UNAVAILABLE = "SourceUnavailable"
    """The source does not answer, or answers with an error of its own."""
    UNSUPPORTED_SCHEME = "UnsupportedScheme"
    """The uri is not of a form that can be read here."""

    @property
    def worth_a_retry(self) -> bool:
        """Whether the same call may succeed later although nobody changes anything."""
        return self in {Reason.TIMED_OUT, Reason.SOURCE_UNAVAILABLE}


class ArtifactError(Exception):
    """There is no artifact, and why.

    Attributes:
        reason: one of the closed set.
        field: what a user would change: a field of the resource, or an option of the command.
        message: a sentence for people, with what to do; it never holds a credential.
    """

    def __init__(self, reason: Reason, message: str, *, field: str = "spec.model.uri") -> None:
        super().__init__(f"{reason.value}: {field}: {message}")
        self.reason = reason
        self.field = field
        self.message = message


class Interrupted(Exception):
    """A transfer broke off and may be gone on with; nobody outside the transfer sees it."""

    def __init__(self, cause: ArtifactError) -> None:
        super().__init__(cause.message)
        self.cause = cause


def not_found(what: str) -> ArtifactError:
    """The source has no such thing."""
    return ArtifactError(Reason.ARTIFACT_NOT_FOUND, f"{what} is not there; correct the uri, or put the artifact there")


def denied(what: str, give: str) -> ArtifactError:
    """The source wants other credentials.

    Args: what: who refused. give: how credentials are given to this kind of source.
    """
    return ArtifactError(Reason.ACCESS_DENIED, f"{what} refused access; {give}")


def unavailable(what: str, how: str) -> ArtifactError:
    """The source does not answer; the same call may succeed later."""
    return ArtifactError(
        Reason.SOURCE_UNAVAILABLE, f"{what} {how}; see that it runs and can be reached from the cluster, then retry"
    )
