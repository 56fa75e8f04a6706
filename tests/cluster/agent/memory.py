"""Kill containers that use more memory than their limit, as the kernel's OOM killer does in a real pod.

Memory control groups are not for ordinary users and differ between machines, and RLIMIT_AS counts address
space, which is not what a limit means. So the resident memory is sampled. A container that grows faster than
a sample interval overshoots for that long; the outcome is the same.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Protocol

_SAMPLE_SECONDS = 0.2
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Limited(Protocol):
    """Something with a memory limit."""

    @property
    def memory_limit_bytes(self) -> int | None:
        """The limit, or None for no limit."""

    @property
    def pid(self) -> int | None:
        """Its first process, or None when it does not run."""

    def out_of_memory(self) -> None:
        """It has passed its limit."""


class Watcher:
    """Samples all registered containers."""

    def __init__(self) -> None:
        self._watched: set[Limited] = set()

    def add(self, container: Limited) -> None:
        """Watch a container, if it has a limit at all."""
        if container.memory_limit_bytes is not None:
            self._watched.add(container)

    def discard(self, container: Limited) -> None:
        """Stop watching."""
        self._watched.discard(container)

    async def run(self) -> None:
        """Sample for ever."""
        while True:
            for container in list(self._watched):
                limit, pid = container.memory_limit_bytes, container.pid
                if limit is not None and pid is not None and resident_bytes(pid) > limit:
                    container.out_of_memory()
            await asyncio.sleep(_SAMPLE_SECONDS)


def resident_bytes(pid: int) -> int:
    """What a process and its descendants hold in memory; shared pages count for each."""
    return sum(_resident(member) for member in tree(pid))


def tree(pid: int) -> list[int]:
    """A process and its descendants."""
    members = [pid]
    for member in members:  # grows while it is read
        try:
            tasks = list(Path(f"/proc/{member}/task").iterdir())
        except OSError:
            continue
        for task in tasks:
            try:
                members += [int(child) for child in (task / "children").read_text().split()]
            except OSError:
                continue
    return members


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE_BYTES
    except (OSError, IndexError):
        return 0
