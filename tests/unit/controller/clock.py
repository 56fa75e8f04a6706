"""An event loop whose time jumps to the next thing that is due, so that a test of an hour takes a millisecond."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class _Jumping(selectors.DefaultSelector):
    """Never waits: what it is told to wait for has passed at once."""

    def __init__(self, loop: ClockLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> Any:
        found = super().select(0)
        if not found and timeout is None:
            raise AssertionError("nothing will ever happen any more")
        if not found and timeout is not None and timeout > 0:
            self._loop.now += timeout
        return found


class ClockLoop(asyncio.SelectorEventLoop):
    """`now` is its time in seconds; it starts at 0."""

    def __init__(self) -> None:
        self.now = 0.0
        super().__init__(_Jumping(self))

    def time(self) -> float:
        """Seconds since the loop was made."""
        return self.now


def run(story: Coroutine[Any, Any, T], seconds_max: float = 100_000.0) -> T:
    """Run a story on a clock of its own; what it started and left behind is cancelled."""

    async def bounded() -> T:
        async with asyncio.timeout(seconds_max):
            return await story

    with asyncio.Runner(loop_factory=ClockLoop) as runner:
        return runner.run(bounded())


def now() -> float:
    """The time on the running loop, to the millisecond."""
    return round(asyncio.get_running_loop().time(), 3)
