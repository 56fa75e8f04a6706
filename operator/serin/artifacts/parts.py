"""A file on its way, as it lies on the disk: where it goes, and where it is kept for others at the same time.

What is kept is written from the same memory as the file itself, so both cost one hash, and what others do to the kept
one meanwhile is never read back. A link would cost less than the second copy and give a model server that writes into
its file the cache's; a copy of what is kept, made afterwards, would have to be hashed again, because others can write
there.

What makes a part good to go on with is the validator it was started under. It is noted beside the file before the
first byte is written. Without one, only a digest known beforehand can tell, at the end.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from serin.artifacts.digest import CHUNK_BYTES
from serin.artifacts.limits import Deadline
from serin.artifacts.source import RemoteFile


@dataclass(frozen=True, slots=True)
class Local:
    """Where a file goes."""

    target: Path
    note: Path
    """A small file that says what the target is a part of."""


class Part:
    """What has come of a file, and the hash of it.

    Attributes:
        size: bytes.
        hash: of these bytes, running.
        kept: whether the place that only keeps it has them, too; nothing that goes wrong there ends a transfer.
    """

    def __init__(
        self, file: RemoteFile, local: Local | None, keep: Local | None, deadline: Deadline, *, content_known: bool
    ) -> None:
        """Take up the longer of the parts that are there, and bring the other place to the same.

        Args: content_known: whether a digest known beforehand will show a wrong continuation.

        Raises:
            ArtifactError: TimedOut.
        """
        self._file = file
        self._local = local
        self._keep = keep
        self.kept = keep is not None
        self.start_anew()
        sure = file.validator is not None or content_known
        ours, theirs = (self._usable(place) if sure and place is not None else 0 for place in (local, keep))
        if keep is not None and theirs >= max(ours, 1):
            self._take_up(keep, theirs, local, deadline)
        elif local is not None and ours:
            self._take_up(local, ours, keep, deadline)

    def start_anew(self) -> None:
        """Forget what has come."""
        self.size = 0
        self.hash = hashlib.sha256()

    @contextmanager
    def growing(self) -> Iterator[Callable[[bytes], None]]:
        """Give what takes the bytes that follow."""
        with self._open(self._local) as write, self._open(self._keep) as keep:

            def take(chunk: bytes) -> None:
                self.size += len(chunk)
                self.hash.update(chunk)
                write(chunk)
                keep(chunk)

            yield take

    def _take_up(self, there: Local, usable: int, other: Local | None, deadline: Deadline) -> None:
        buffer = memoryview(bytearray(CHUNK_BYTES))
        with ExitStack() as stack:
            file = None
            with self._sparing(there):
                file = stack.enter_context(there.target.open("rb", buffering=0))
            write = stack.enter_context(self._open(other))
            while file is not None and self.size < usable:
                count = 0
                with self._sparing(there):
                    count = file.readinto(buffer[: usable - self.size]) or 0
                if not count:
                    return
                deadline.remaining()
                self.size += count
                self.hash.update(buffer[:count])
                write(buffer[:count])

    @contextmanager
    def _open(self, place: Local | None) -> Iterator[Callable[[bytes | memoryview], object]]:
        """Open a place at the present size, after noting what it is a part of; gives what writes there."""
        if place is None or not self._in_use(place):
            yield len
            return
        file = None
        with self._sparing(place):
            for folder in (place.target.parent, place.note.parent):
                folder.mkdir(parents=True, exist_ok=True)
            if not self.size:
                place.target.unlink(missing_ok=True)
                place.note.write_text(json.dumps(_identity(self._file)))
            file = place.target.open("ab")
        if file is None:
            yield len
            return
        out = file

        def write(chunk: bytes | memoryview) -> None:
            if self._in_use(place):
                with self._sparing(place):
                    out.write(chunk)

        try:
            with self._sparing(place):
                out.truncate(self.size)
            yield write
        finally:
            with self._sparing(place):
                out.close()

    def _in_use(self, place: Local) -> bool:
        return self.kept or place is not self._keep

    @contextmanager
    def _sparing(self, place: Local) -> Iterator[None]:
        """What goes wrong where the file is only kept ends the keeping and not the transfer."""
        try:
            yield
        except OSError:
            if place is not self._keep:
                raise
            self.kept = False

    def _usable(self, place: Local) -> int:
        """Bytes that may be gone on with."""
        try:
            size = place.target.stat().st_size
            same = json.loads(place.note.read_text()) == _identity(self._file)
        except (OSError, ValueError, RecursionError):
            return 0
        return size if same and (self._file.size is None or size <= self._file.size) else 0


def _identity(file: RemoteFile) -> dict[str, str | int | None]:
    # The location itself stays out of files: it may be a signed address.
    place = hashlib.sha256(file.location.encode()).hexdigest() if file.validator is None else None
    return {"place": place, "validator": file.validator, "size": file.size}
