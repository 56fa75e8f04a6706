"""The work queue: which ModelDeployments to look at, each by one worker at a time.

    add(key)               look soon; a key that waits already is not queued twice
    add_later(key, s)      look in s seconds, or sooner if something happens
    a key that is added while it is worked on is looked at once more afterwards
    a look that fails comes back after 0.2 s, 0.4 s, ... 60 s; one that succeeds forgets that

kopf could call us for each object by itself; measured at 5,000 objects its timers and daemons cost four times the
idle CPU of this queue, and they write annotations.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)

RETRY_SECONDS_MIN = 0.2
RETRY_SECONDS_MAX = 60.0
_FAILURES_MAX = 10


class WorkQueue(Generic[K]):
    """Keys that wait, keys that are worked on, keys that come back later. For one event loop."""

    def __init__(self) -> None:
        """Start empty."""
        self._ready: deque[K] = deque()
        self._waiting: set[K] = set()
        self._working: set[K] = set()
        self._again: set[K] = set()
        self._later: list[tuple[float, int, K]] = []
        self._due: dict[K, float] = {}
        self._failures: dict[K, int] = {}
        self._count = 0
        self._wake = asyncio.Event()

    def __len__(self) -> int:
        """How many keys wait to be looked at now."""
        return len(self._ready)

    def add(self, key: K) -> None:
        """Look at a key as soon as a worker is free."""
        self._due.pop(key, None)
        if key in self._working:
            self._again.add(key)
        elif key not in self._waiting:
            self._waiting.add(key)
            self._ready.append(key)
            self._wake.set()

    def add_later(self, key: K, seconds: float) -> None:
        """Look at a key in so many seconds; an earlier time that is set already stays."""
        due = asyncio.get_running_loop().time() + max(seconds, 0.0)
        if self._due.get(key, float("inf")) <= due or key in self._waiting:
            return
        self._due[key] = due
        self._count += 1
        heapq.heappush(self._later, (due, self._count, key))
        self._wake.set()

    def forget(self, key: K) -> None:
        """Drop what is planned for a key that is gone."""
        self._due.pop(key, None)
        self._failures.pop(key, None)

    async def run(self, work: Callable[[K], Awaitable[None]], workers: int) -> None:
        """Work until cancelled. `work` raises to have its key back later; it handles its own reporting."""
        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(self._worker(work))

    async def _worker(self, work: Callable[[K], Awaitable[None]]) -> None:
        while True:
            key = await self._next()
            try:
                await work(key)
            except Exception:  # noqa: BLE001 - whatever failed was reported where it failed; the key comes back
                # Counted no further than it takes to wait longest: 2 ** 1024 is no float.
                failures = self._failures[key] = min(self._failures.get(key, 0) + 1, _FAILURES_MAX)
                self._done(key)
                self.add_later(key, min(RETRY_SECONDS_MIN * 2 ** (failures - 1), RETRY_SECONDS_MAX))
            else:
                self._failures.pop(key, None)
                self._done(key)

    def _done(self, key: K) -> None:
        self._working.discard(key)
        if key in self._again:
            self._again.discard(key)
            self.add(key)

    async def _next(self) -> K:
        loop = asyncio.get_running_loop()
        while True:
            while self._later and self._later[0][0] <= loop.time():
                due, _, key = heapq.heappop(self._later)
                if self._due.get(key) == due:
                    self.add(key)
            if self._ready:
                key = self._ready.popleft()
                self._waiting.discard(key)
                self._working.add(key)
                return key
            self._wake.clear()
            timeout = self._later[0][0] - loop.time() if self._later else None
            try:
                async with asyncio.timeout(timeout):
                    await self._wake.wait()
            except TimeoutError:
                continue
