"""One file from a source to the disk: goes on after a break, counts, hashes, keeps the time.

Memory does not depend on the file's size: one chunk at a time, which is hashed and written while the core's cache still
has it. A second thread for the hash took a fifth more of the processors' time for 2 GB over TLS, and longer in all
where they had other work, too.

What there is of a file and where it lies is in `serin.artifacts.parts`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TypeVar

from serin.artifacts.digest import Digest
from serin.artifacts.errors import ArtifactError, Interrupted, Reason, unavailable
from serin.artifacts.limits import Deadline, Limits
from serin.artifacts.parts import Local, Part
from serin.artifacts.source import RemoteFile, Source
from serin.artifacts.uri import shown

_TRIES_WITHOUT_PROGRESS = 5
_PAUSE_SECONDS = 0.5
_PAUSE_SECONDS_MAX = 10.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Received:
    """A file that is there as a whole."""

    digest: Digest
    size: int
    """Bytes of the file."""
    received: int
    """Bytes that came over the network in this call, those of broken tries included."""
    resumed: bool
    """Whether a part of an earlier call was used."""
    kept: bool
    """Whether it is there, too, where it was to be kept."""


def persistently(deadline: Deadline, act: Callable[[], T], progressed: Callable[[], int] = lambda: 0) -> T:
    """Call something until it is not interrupted, at most five times without progress, within the deadline.

    Args: progressed: a number that grows when a try achieved something.

    Raises:
        ArtifactError: why the last try was interrupted, also when there is no time for another; TimedOut when the
        time ended a try that nothing had gone wrong before.
    """
    tries, before = 0, progressed()
    fault: ArtifactError | None = None
    while True:
        try:
            return act()
        except Interrupted as interrupted:
            now = progressed()
            tries, before = (1, now) if now > before else (tries + 1, before)
            if tries == 1:
                deadline.remaining()  # the end of the time may be what broke it off
            fault = interrupted.cause
            if tries >= _TRIES_WITHOUT_PROGRESS:
                raise fault from None
        except ArtifactError as error:
            if error.reason is not Reason.TIMED_OUT or fault is None or progressed() > before:
                raise
            # More time would not have helped.
            raise fault from None
        pause = min(_PAUSE_SECONDS * 2 ** (tries - 1), _PAUSE_SECONDS_MAX)
        if pause >= deadline.left():
            raise fault
        deadline.pause(pause)


def receive(
    source: Source,
    file: RemoteFile,
    local: Local | None,
    keep: Local | None,
    *,
    allowed: int,
    limits: Limits,
    deadline: Deadline,
    content_known: bool,
) -> Received:
    """Bring a file to its place, going on with what is there already.

    Args: local: None reads and hashes only. keep: where it is kept for others as well, if that can be. allowed: bytes
    this file may have. content_known: whether a digest known beforehand will show a wrong continuation.

    Raises:
        ArtifactError: as the source does, TooLarge, TimedOut. The part that came is kept.
    """
    known = content_known or file.digest is not None
    part = Part(file, local, keep, deadline, content_known=known)
    transfer = _Transfer(source, file, part, allowed, limits, deadline, known)
    return persistently(deadline, transfer.attempt, lambda: transfer.received)


class _Transfer:
    """One file on its way; knows what has come over all tries."""

    def __init__(
        self,
        source: Source,
        file: RemoteFile,
        part: Part,
        allowed: int,
        limits: Limits,
        deadline: Deadline,
        content_known: bool,
    ) -> None:
        self._source = source
        self._file = file
        self._part = part
        self._allowed = allowed
        self._limits = limits
        self._deadline = deadline
        self._content_known = content_known
        self.received = 0
        self._resumed = part.size > 0

    def attempt(self) -> Received:
        """Try once, from where the last try or an earlier call broke off."""
        part = self._part
        if part.size and part.size == self._file.size:
            return self._done()
        if self._file.validator is None and not self._content_known:
            self._start_anew()
        with ExitStack() as stack:
            body = stack.enter_context(self._source.open(self._file, part.size))
            stack.enter_context(self._deadline.guard(body.stop))
            if body.offset != part.size:
                self._start_anew()
            take = stack.enter_context(part.growing())
            for chunk in body.chunks:
                self.received += len(chunk)
                if part.size + len(chunk) > self._allowed:
                    self._limits.check_bytes(self._limits.bytes_max + part.size + len(chunk) - self._allowed)
                take(chunk)
        if self._file.size is not None and part.size != self._file.size:
            how = f"gave {part.size} bytes of {shown(self._file.path)} and not {self._file.size}"
            raise Interrupted(unavailable("the source", how))
        return self._done()

    def _done(self) -> Received:
        part = self._part
        return Received(Digest.of_hex(part.hash.hexdigest()), part.size, self.received, self._resumed, part.kept)

    def _start_anew(self) -> None:
        self._part.start_anew()
        self._resumed = False
