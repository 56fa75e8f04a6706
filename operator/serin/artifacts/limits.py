"""How large an artifact may be, what it may hold, and how long getting it may take."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from serin.artifacts.errors import ArtifactError, Reason

GIB = 1 << 30


@dataclass(frozen=True, slots=True)
class Limits:
    """What is allowed; the defaults fit a model of a few gigabytes on an ordinary node."""

    bytes_max: int = 50 * GIB
    """Bytes that the source delivers, all files together."""
    files_max: int = 10_000
    """Files of the artifact, and members of an archive."""
    unpacked_bytes_max: int = 100 * GIB
    """Bytes that archives unpack to, all together."""
    unpacked_ratio_max: float = 200.0
    """Unpacked bytes for each packed byte of an archive. Weights reach 2, text 10, a bomb 1,000."""
    seconds_max: float = 3600.0
    """Seconds for the whole call, waiting for others included."""

    def check_bytes(self, count: int) -> None:
        """Refuse more bytes than allowed.

        Raises:
            ArtifactError: TooLarge.
        """
        if count > self.bytes_max:
            raise ArtifactError(
                Reason.TOO_LARGE,
                f"the artifact has {count} bytes or more and {self.bytes_max} are allowed; raise the limit, or leave "
                f"out what serving does not need",
                field="--max-bytes",
            )

    def check_files(self, count: int) -> None:
        """Refuse more files than allowed.

        Raises:
            ArtifactError: TooLarge.
        """
        if count > self.files_max:
            raise too_many_files(f"the artifact has {count} files or more", self.files_max)


def too_many_files(words: str, allowed: int) -> ArtifactError:
    """The error for more files than allowed. No field of a resource raises this limit, so it says what helps there."""
    return ArtifactError(
        Reason.TOO_LARGE,
        f"{words} and {allowed} are allowed; leave out what serving does not need, or put many small files into one "
        f"that the model server opens itself: an archive beside other files stays packed (by hand there is "
        f"--max-files)",
    )


@dataclass(frozen=True, slots=True)
class Policy:
    """What a cluster's owner has decided; everything off is the safe choice."""

    pickles: bool = False
    """Whether files that run code when they are loaded may come from a source that nobody pinned."""
    plain_http: bool = False
    """Whether http:// is good enough, for a store within the cluster."""
    unpack: bool = True
    """Whether an artifact that is one archive is unpacked."""


class Deadline:
    """The instant at which a call has to end, on the monotonic clock."""

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._end = clock() + seconds

    def remaining(self) -> float:
        """Seconds that are left, above zero.

        Raises:
            ArtifactError: TimedOut.
        """
        left = self.left()
        if left <= 0:
            raise self.missed()
        return left

    def left(self) -> float:
        """Seconds that are left; zero or less when it is over."""
        return self._end - self._clock()

    def pause(self, seconds: float) -> None:
        """Sleep, but never past the end.

        Raises:
            ArtifactError: TimedOut, without sleeping.
        """
        time.sleep(min(seconds, self.remaining()))

    def missed(self) -> ArtifactError:
        """The error for a call that did not end in time."""
        return ArtifactError(
            Reason.TIMED_OUT,
            f"it took more than {self._seconds:g} s; what has come is kept, so trying again goes on from there; "
            f"raise the limit if the artifact is large",
            field="--timeout",
        )

    @contextmanager
    def guard(self, stop: Callable[[], object]) -> Iterator[None]:
        """Call `stop` when the end comes inside: it wakes a read that a slow server would make last for ever."""
        timer = threading.Timer(self.remaining(), stop)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
