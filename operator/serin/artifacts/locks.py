"""Locks between processes, which the kernel gives back when a process dies, however it dies."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from serin.artifacts.limits import Deadline

_LOOK_AGAIN_SECONDS = 0.1


@contextmanager
def locked(path: Path, deadline: Deadline, *, shared: bool = False) -> Iterator[None]:
    """Hold a lock, after waiting for it within the deadline.

    Waiting is by looking again: a blocking wait could not end in time. The file stays: whoever removed it could
    leave two processes with a lock each.

    Raises:
        ArtifactError: TimedOut.
        OSError: there is no lock and none can be made.
    """
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    with _opened(path, shared=shared) as file:
        while not _taken(file.fileno(), kind):
            time.sleep(min(_LOOK_AGAIN_SECONDS, deadline.remaining()))
        yield


@contextmanager
def locked_if_free(path: Path) -> Iterator[bool]:
    """Hold a lock if nobody else does; gives whether it is held."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        yield _taken(file.fileno(), fcntl.LOCK_EX)


def _opened(path: Path, *, shared: bool) -> IO[str]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("a")
    except OSError:
        if not shared:
            raise
        return path.open()  # on a volume that may only be read, under the lock of whoever may write


def _taken(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
