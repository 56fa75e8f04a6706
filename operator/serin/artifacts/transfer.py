"""One file from a source to the disk: goes on after a break, counts, hashes, keeps the time.

Memory does not depend on the file's size: one chunk at a time, which is hashed and written while the core's cache still
has it. A second thread for the hash took a fifth more of the processors' time for 2 GB over TLS, and longer in all
where they had other work, too.

What makes a partial file good to go on with is the validator it was started under. It is stored beside the file
before the first byte is. Without one, only a digest known beforehand can tell, at the end.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from serin.artifacts.digest import Digest, hash_file
from serin.artifacts.errors import ArtifactError, Interrupted, Reason, unavailable
from serin.artifacts.limits import Deadline, Limits
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


@dataclass(frozen=True, slots=True)
class Local:
    """Where a file goes."""

    target: Path
    note: Path
    """A small file that says what the target is a part of."""


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
    *,
    allowed: int,
    limits: Limits,
    deadline: Deadline,
    content_known: bool,
) -> Received:
    """Bring a file to its place, going on with what is there already.

    Args: local: None reads and hashes only. allowed: bytes this file may have. content_known: whether a digest
    known beforehand will show a wrong continuation.

    Raises:
        ArtifactError: as the source does, TooLarge, TimedOut. The part that came is kept.
    """
    transfer = _Transfer(source, file, local, allowed, limits, deadline, content_known or file.digest is not None)
    return persistently(deadline, transfer.attempt, lambda: transfer.received)


class _Transfer:
    """One file on its way; knows what has come over all tries."""

    def __init__(
        self,
        source: Source,
        file: RemoteFile,
        local: Local | None,
        allowed: int,
        limits: Limits,
        deadline: Deadline,
        content_known: bool,
    ) -> None:
        self._source = source
        self._file = file
        self._local = local
        self._allowed = allowed
        self._limits = limits
        self._deadline = deadline
        self._content_known = content_known
        self.received = 0
        self._size = _usable_part(file, local, content_known)
        self._resumed = self._size > 0
        self._hash = hash_file(local.target) if local is not None and self._size else hashlib.sha256()

    def attempt(self) -> Received:
        """Try once, from where the last try or an earlier call broke off."""
        if self._size and self._size == self._file.size:
            return self._done()
        if self._file.validator is None and not self._content_known:
            self._start_anew()
        with ExitStack() as stack:
            body = stack.enter_context(self._source.open(self._file, self._size))
            stack.enter_context(self._deadline.guard(body.stop))
            if body.offset != self._size:
                self._start_anew()
            write = self._opened(stack)
            for chunk in body.chunks:
                self._size += len(chunk)
                self.received += len(chunk)
                if self._size > self._allowed:
                    self._limits.check_bytes(self._limits.bytes_max + self._size - self._allowed)
                self._hash.update(chunk)
                write(chunk)
        if self._file.size is not None and self._size != self._file.size:
            how = f"gave {self._size} bytes of {shown(self._file.path)} and not {self._file.size}"
            raise Interrupted(unavailable("the source", how))
        return self._done()

    def _done(self) -> Received:
        return Received(Digest.of_hex(self._hash.hexdigest()), self._size, self.received, self._resumed)

    def _start_anew(self) -> None:
        self._size = 0
        self._hash = hashlib.sha256()
        self._resumed = False

    def _opened(self, stack: ExitStack) -> Callable[[bytes], object]:
        """Open the file at the offset, after noting what it is a part of."""
        if self._local is None:
            return len
        for folder in (self._local.target.parent, self._local.note.parent):
            folder.mkdir(parents=True, exist_ok=True)
        if not self._size:
            self._local.target.unlink(missing_ok=True)
            self._local.note.write_text(json.dumps(_identity(self._file)))
        out = stack.enter_context(self._local.target.open("ab"))
        out.truncate(self._size)
        return out.write


def _usable_part(file: RemoteFile, local: Local | None, content_known: bool) -> int:
    """Bytes of a target that may be gone on with."""
    if local is None or not local.target.is_file():
        return 0
    size = local.target.stat().st_size
    try:
        same = json.loads(local.note.read_text()) == _identity(file)
    except (OSError, ValueError, RecursionError):
        return 0
    sure = file.validator is not None or content_known
    return size if same and sure and (file.size is None or size <= file.size) else 0


def _identity(file: RemoteFile) -> dict[str, str | int | None]:
    # The location itself stays out of files: it may be a signed address.
    place = hashlib.sha256(file.location.encode()).hexdigest() if file.validator is None else None
    return {"place": place, "validator": file.validator, "size": file.size}
