"""The metrics grid: when it is asked, for whom, and from when on each rollout reads."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

from serin.controller.evidence import Beginning, Evidence, Forward, GoOn, History, Want
from serin.controller.memory import Key
from serin.metrics.hub import Hub
from serin.metrics.prometheus import MetricsUnavailable
from serin.metrics.reading import Outage, Reading
from tests.unit.controller.clock import run
from tests.unit.metrics.store import Store
from tests.unit.metrics.world import ARMS, ERRORS, GRID, HEARTBEAT, SOURCE, T0, TRAEFIK, requests

IRIS: Key = ("ml", "iris")
SHOP: Key = ("ml", "shop")
WANT = Want("default", "auto", ARMS, (ERRORS,))
INTERVAL = GRID.interval


class Prometheus(Store):
    """Hours of steady traffic around T0: in each interval 10 requests at slot a and 2 at slot b."""

    def __init__(self) -> None:
        super().__init__()
        self.asked_for_time = 0
        self.away = False
        for number in range(int(9000 / INTERVAL)):
            at = T0 - 5400 + number * INTERVAL - 1
            self.scrape(at, [HEARTBEAT, requests("a", 200, 10 * number), requests("b", 200, 2 * number)], **TRAEFIK)

    async def now(self) -> float:
        """Its own time runs as ours does, from T0."""
        self.asked_for_time += 1
        self._answer()
        return T0 + asyncio.get_running_loop().time()

    async def query(self, expression: str, time: float) -> Any:
        """Answer, unless it is away."""
        self._answer()
        return await super().query(expression, time)

    def _answer(self) -> None:
        if self.away:
            raise MetricsUnavailable("connection refused")


@dataclass
class Rollouts:
    """Takes what it is woken for, as a look does."""

    taken: dict[Key, list[Reading | Outage]] = field(default_factory=dict)
    evidence: Evidence | None = None

    def wake(self, key: Key) -> None:
        """Look."""
        assert self.evidence is not None
        self.taken.setdefault(key, []).extend(self.evidence.take(key))

    def readings(self, key: Key = IRIS) -> list[Reading]:
        """What was read; an outage is a failure of the test."""
        found = self.taken.get(key, [])
        assert all(isinstance(one, Reading) for one in found), found
        return [one for one in found if isinstance(one, Reading)]


async def play(prometheus: Prometheus, steps: Sequence[tuple[float, Any]], rollouts: Rollouts) -> None:
    """Run the clocks; each step is so many seconds to wait, and what to do then."""
    evidence = rollouts.evidence = Evidence({"default": Hub(SOURCE, prometheus)}, rollouts.wake)
    task = asyncio.create_task(evidence.run())
    for seconds, act in steps:
        await asyncio.sleep(seconds)
        result = act(evidence)
        if isinstance(result, Coroutine):
            await result
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def wants(beginning: Beginning, key: Key = IRIS) -> Any:
    """A step: a rollout begins to read."""
    return lambda evidence: evidence.want(key, WANT, beginning)


def nothing(_: Evidence) -> None:
    """A step: only the time goes on."""


def test_nothing_is_asked_while_nothing_is_wanted() -> None:
    """An idle operator sends no query, not even for the time."""
    prometheus, rollouts = Prometheus(), Rollouts()
    run(play(prometheus, [(3000, nothing)], rollouts))
    assert prometheus.asked == []
    assert prometheus.asked_for_time == 0


def test_after_the_last_rollout_it_is_quiet_again() -> None:
    """What was dropped is not asked for."""
    prometheus, rollouts = Prometheus(), Rollouts()

    def mark(_: Evidence) -> None:
        rollouts.taken["mark", ""] = []
        prometheus.asked.append("mark")

    steps = [(0, wants(Forward())), (60, lambda evidence: evidence.drop(IRIS)), (20, mark), (1000, nothing)]
    run(play(prometheus, steps, rollouts))
    assert prometheus.asked[-1] == "mark"
    assert len(prometheus.asked) > 1


def test_a_rollout_that_looks_forward_reads_each_instant_from_now_on() -> None:
    """One reading an interval, on the grid, each of one interval."""
    prometheus, rollouts = Prometheus(), Rollouts()
    run(play(prometheus, [(1, wants(Forward())), (5 * INTERVAL, nothing)], rollouts))
    readings = rollouts.readings()
    assert [one.instant for one in readings] == [T0 + n * INTERVAL for n in range(1, 6)]
    assert [(one.stable_requests, one.candidate_requests) for one in readings] == [(10, 2)] * 5
    assert {one.seconds for one in readings} == {INTERVAL}


def test_a_new_attempt_takes_the_last_hour_in_one_go() -> None:
    """Stable's history: one reading of nearly an hour, then one an interval."""
    prometheus, rollouts = Prometheus(), Rollouts()
    run(play(prometheus, [(1, wants(History(0.0))), (2 * INTERVAL, nothing)], rollouts))
    first, *others = rollouts.readings()
    assert first.instant == T0
    assert 3000 < first.seconds <= 3600
    assert first.stable_requests == 10 * round(first.seconds / INTERVAL)
    assert [one.seconds for one in others] == [INTERVAL] * 2


def test_only_that_hour_comes_by_the_minute() -> None:
    """What is read live belongs to a comparison; how much stable clumps is measured before it."""
    prometheus, rollouts = Prometheus(), Rollouts()
    run(play(prometheus, [(1, wants(History(0.0))), (2 * INTERVAL, nothing)], rollouts))
    first, *others = rollouts.readings()
    windows = first.history["errors"].windows
    assert len(windows) == first.seconds // 60
    assert {one.total for one in windows} == {40}
    assert [one.history for one in others] == [{}, {}]


def test_history_does_not_reach_into_an_earlier_attempt() -> None:
    """What stable did beside another candidate is not its ordinary self."""
    prometheus, rollouts = Prometheus(), Rollouts()
    run(play(prometheus, [(1, wants(History(T0 - 300))), (1, nothing)], rollouts))
    (first,) = rollouts.readings()
    assert first.seconds == 300
    assert first.stable_requests == 10 * 300 / INTERVAL


def test_a_stored_attempt_goes_on_from_its_instant_each_instant_for_itself() -> None:
    """After a restart the evidence becomes what it would have been without it."""
    prometheus, rollouts = Prometheus(), Rollouts()
    run(play(prometheus, [(1, wants(GoOn(T0 - 4 * INTERVAL))), (INTERVAL, nothing)], rollouts))
    readings = rollouts.readings()
    assert [one.instant for one in readings] == [T0 + n * INTERVAL for n in range(-3, 2)]
    assert [one.stable_requests for one in readings] == [10] * 5


def test_all_rollouts_share_a_query_and_one_that_is_behind_has_its_own() -> None:
    """A replay of an hour must not make everybody's query an hour long."""
    prometheus, rollouts = Prometheus(), Rollouts()

    def count(_: Evidence) -> None:
        prometheus.asked.append("mark")

    steps = [
        (1, wants(Forward())),
        (0, wants(Forward(), SHOP)),
        (2 * INTERVAL, count),
        (0, wants(GoOn(T0 - 1800), ("ml", "late"))),
        (INTERVAL, nothing),
    ]
    run(play(prometheus, steps, rollouts))
    mark = prometheus.asked.index("mark")
    assert mark == 2, "two instants, two rollouts, one query each time"
    milliseconds = [int(query.rpartition("[")[2].removesuffix("ms]")) for query in prometheus.asked[mark + 1 :]]
    assert min(milliseconds) <= 1000 * (GRID.lookback + GRID.settle)
    assert max(milliseconds) >= 1_800_000


def test_an_outage_is_told_to_everybody_and_read_up_afterwards() -> None:
    """During it each learns why there is nothing; after it no request is missing and none is twice."""
    prometheus, rollouts = Prometheus(), Rollouts()

    def away(value: bool) -> Any:
        return lambda _: setattr(prometheus, "away", value)

    steps = [
        (1, wants(Forward())),
        (0, wants(Forward(), SHOP)),
        (2 * INTERVAL, away(True)),
        (8 * INTERVAL, away(False)),
        (4 * INTERVAL, nothing),
    ]
    run(play(prometheus, steps, rollouts))
    for key in (IRIS, SHOP):
        outages = [one for one in rollouts.taken[key] if isinstance(one, Outage)]
        readings = [one for one in rollouts.taken[key] if isinstance(one, Reading)]
        assert len(outages) >= 6
        assert all("connection refused" in one.message for one in outages)
        assert [one.instant for one in readings] == sorted({one.instant for one in readings})
        seconds = readings[-1].instant - (readings[0].instant - readings[0].seconds)
        assert sum(one.seconds for one in readings) == seconds
        assert sum(one.stable_requests for one in readings) == 10 * round(seconds / INTERVAL)


def test_the_sources_time_is_asked_for_now_and_then_and_not_for_each_reading() -> None:
    """In between our own monotonic clock goes on."""
    prometheus, rollouts = Prometheus(), Rollouts()
    run(play(prometheus, [(1, wants(Forward())), (600, nothing)], rollouts))
    assert 8 <= prometheus.asked_for_time <= 12


def test_the_same_want_again_goes_on_where_it_is() -> None:
    """Every look says what it wants; only another want begins anew."""
    prometheus, rollouts = Prometheus(), Rollouts()
    steps = [(1, wants(Forward())), *[(INTERVAL / 2, wants(History(0.0)))] * 8, (0, nothing)]
    run(play(prometheus, steps, rollouts))
    assert {one.seconds for one in rollouts.readings()} == {INTERVAL}


def test_what_was_asked_for_a_want_that_is_gone_is_not_taken_for_the_next() -> None:
    """A rollout that ended while its answer was on the way."""
    prometheus, rollouts = Prometheus(), Rollouts()

    def replaced(evidence: Evidence) -> None:
        evidence.drop(IRIS)
        evidence.want(IRIS, WANT, Forward())
        assert evidence.take(IRIS) == ()

    run(play(prometheus, [(1, wants(History(0.0))), (0.5, replaced), (2 * INTERVAL, nothing)], rollouts))
    assert rollouts.readings()[-1].seconds == INTERVAL


def test_a_fault_of_ours_in_one_reading_ends_no_clock() -> None:
    """Whoever reads is told and holds; with the next instant it goes on, and nothing is lost."""
    prometheus, rollouts = Prometheus(), Rollouts()
    answers = prometheus.query
    faults = [ZeroDivisionError("a mistake")]

    async def query(expression: str, time: float) -> Any:
        if faults and time > T0:
            raise faults.pop()
        return await answers(expression, time)

    prometheus.query = query  # type: ignore[method-assign]
    run(play(prometheus, [(1, wants(Forward())), (8 * INTERVAL, nothing)], rollouts))
    taken = rollouts.taken[IRIS]
    assert [type(one) for one in taken].count(Outage) == 1
    assert sum(one.stable_requests for one in taken if isinstance(one, Reading)) >= 6 * 10
    assert faults == []
