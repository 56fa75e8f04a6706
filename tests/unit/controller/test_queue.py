"""Which keys are looked at, when, and by how many workers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from serin.controller.queue import RETRY_SECONDS_MAX, WorkQueue
from tests.unit.controller.clock import now, run

Work = Callable[[str], Awaitable[None]]


class Looks:
    """A worker that notes when it looked at what; a look lasts `seconds` and fails for the first `failures`."""

    def __init__(self, seconds: float = 0.0, failures: int = 0) -> None:
        self.seen: list[tuple[float, str]] = []
        self.at_once = self.at_once_max = 0
        self._seconds, self._failures = seconds, failures

    async def __call__(self, key: str) -> None:
        """Look at a key."""
        self.seen.append((now(), key))
        self.at_once += 1
        self.at_once_max = max(self.at_once_max, self.at_once)
        await asyncio.sleep(self._seconds)
        self.at_once -= 1
        if self._failures:
            self._failures -= 1
            raise RuntimeError(key)

    @property
    def times(self) -> list[float]:
        """When it looked."""
        return [at for at, _ in self.seen]


async def let_work(queue: WorkQueue[str], work: Work, seconds: float, workers: int = 2) -> None:
    """Let the workers work for so long."""
    task = asyncio.create_task(queue.run(work, workers))
    await asyncio.sleep(seconds)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def test_a_key_that_waits_already_is_not_queued_twice() -> None:
    """However many events come before a worker is free, there is one look."""
    looks = Looks()

    async def story() -> None:
        queue = WorkQueue[str]()
        for _ in range(5):
            queue.add("a")
        assert len(queue) == 1
        await let_work(queue, looks, 10)

    run(story())
    assert looks.seen == [(0.0, "a")]


def test_keys_are_looked_at_side_by_side_and_each_by_one_worker() -> None:
    """Two workers take two keys at once; the same key never has two."""
    looks, other = Looks(seconds=1), Looks(seconds=1)

    async def story() -> None:
        queue = WorkQueue[str]()
        queue.add("a")
        queue.add("b")
        await let_work(queue, looks, 10)
        queue.add("a")

        async def again() -> None:
            for _ in range(8):
                await asyncio.sleep(0.1)
                queue.add("a")

        await asyncio.gather(let_work(queue, other, 10), again())

    run(story())
    assert looks.seen == [(0.0, "a"), (0.0, "b")]
    assert other.at_once_max == 1
    assert other.times == [10.0, 11.0], "what came meanwhile is one look more, right after"


def test_a_key_comes_back_when_it_is_due() -> None:
    """Not before, and once."""
    looks = Looks()

    async def story() -> None:
        queue = WorkQueue[str]()
        queue.add_later("a", 30)
        queue.add_later("b", 0)
        await let_work(queue, looks, 100)

    run(story())
    assert looks.seen == [(0.0, "b"), (30.0, "a")]


def test_of_two_times_the_earlier_holds() -> None:
    """A later time never postpones a look, and does not add one."""
    looks = Looks()

    async def story() -> None:
        queue = WorkQueue[str]()
        queue.add_later("a", 30)
        queue.add_later("a", 5)
        queue.add_later("a", 60)
        await let_work(queue, looks, 100)

    run(story())
    assert looks.times == [5.0]


def test_a_look_for_an_event_replaces_the_one_that_was_planned() -> None:
    """What was to be seen then is seen now; whoever looks plans anew."""
    looks = Looks()

    async def story() -> None:
        queue = WorkQueue[str]()
        queue.add_later("a", 30)

        async def event() -> None:
            await asyncio.sleep(10)
            queue.add("a")

        await asyncio.gather(let_work(queue, looks, 100), event())

    run(story())
    assert looks.times == [10.0]


def test_a_look_can_plan_the_next_one_while_it_works() -> None:
    """add_later from within the look holds after it."""
    seen = []

    async def story() -> None:
        queue = WorkQueue[str]()

        async def work(key: str) -> None:
            seen.append(now())
            queue.add_later(key, 7)

        queue.add("a")
        await let_work(queue, work, 20)

    run(story())
    assert seen == [0.0, 7.0, 14.0]


def test_a_look_that_fails_comes_back_later_and_later() -> None:
    """0.2 s, 0.4 s, ...; one that succeeds forgets that."""
    looks = Looks(failures=4)

    async def story() -> None:
        queue = WorkQueue[str]()
        queue.add("a")
        await let_work(queue, looks, 50)
        looks._failures = 1
        queue.add("a")
        await let_work(queue, looks, 50)

    run(story())
    assert looks.times == [0.0, 0.2, 0.6, 1.4, 3.0, 50.0, 50.2]


def test_a_failing_look_never_waits_longer_than_a_minute() -> None:
    """An API server that was away for an hour is found again within a minute."""
    looks = Looks(failures=10_000)

    async def story() -> None:
        queue = WorkQueue[str]()
        queue.add("a")
        await let_work(queue, looks, 3600)

    run(story())
    gaps = [later - earlier for earlier, later in zip(looks.times, looks.times[1:], strict=False)]
    assert max(gaps) <= RETRY_SECONDS_MAX + 0.001


def test_a_look_that_fails_for_a_day_ends_nobody() -> None:
    """With one more failure than a float has powers of two, the worker and the operator with it ended."""
    looks = Looks(failures=10_000)

    async def story() -> None:
        queue = WorkQueue[str]()
        queue.add("a")
        await let_work(queue, looks, 1100 * RETRY_SECONDS_MAX)

    run(story())
    assert len(looks.times) > 1090


def test_an_event_during_a_failing_look_is_not_held_back() -> None:
    """It may be the very thing that the look failed for."""
    looks = Looks(seconds=1, failures=1)

    async def story() -> None:
        queue = WorkQueue[str]()
        queue.add("a")

        async def event() -> None:
            await asyncio.sleep(0.5)
            queue.add("a")

        await asyncio.gather(let_work(queue, looks, 100), event())

    run(story())
    assert looks.times == [0.0, 1.0]
