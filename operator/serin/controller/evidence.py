"""The metrics grid: at each instant one snapshot of a source, for all rollouts together.

A reconcile says what it wants to read and from when; the clock of the source wakes it at each instant with the
snapshot that covers everything since its last reading. Nothing is asked while nothing is wanted.

The time of the grid is Prometheus's own. It is asked for once a minute and extrapolated by our monotonic clock in
between, so that two machines' wall clocks are never compared.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from serin.api.reasons import Reason
from serin.controller.memory import Key
from serin.metrics.hub import Hub
from serin.metrics.hub import Want as HubWant
from serin.metrics.meter import Meter
from serin.metrics.prometheus import MetricsUnavailable
from serin.metrics.read import read
from serin.metrics.reading import Arms, Need, Outage, Reading
from serin.metrics.snapshot import Snapshot

logger = logging.getLogger(__name__)

TIME_TRUSTED_SECONDS = 60.0

HISTORY_SCRAPES_MAX = 240
"""An hour of scrapes every 15 s. History is read as raw samples; an hour of them a second apart, for two hundred
rollouts at once, would be ten million."""


@dataclass(frozen=True, slots=True)
class Want:
    """What one rollout reads. source, preset: by name."""

    source: str
    preset: str
    arms: Arms
    needs: tuple[Need, ...]


@dataclass(frozen=True, slots=True)
class Forward:
    """Read from now on."""


@dataclass(frozen=True, slots=True)
class GoOn:
    """Read on from a stored instant, each missed instant for itself."""

    instant: float


@dataclass(frozen=True, slots=True)
class History:
    """First take up to an hour before now in one go, but nothing before `since`; then read from now on."""

    since: float


Beginning: TypeAlias = Forward | GoOn | History


@dataclass(slots=True)
class _Reader:
    """One rollout that reads. meter: None until the source's time is known."""

    want: Want
    beginning: Beginning
    meter: Meter | None = None
    at_once: bool = False
    answer: Snapshot | Outage | None = None


class Evidence:
    """All metric sources, and who reads what from them."""

    def __init__(self, hubs: Mapping[str, Hub], wake: Callable[[Key], None]) -> None:
        """`wake` is called with the key of each rollout that has something new to read."""
        self._hubs = hubs
        self._wake = wake
        self._readers: dict[Key, _Reader] = {}
        self._wanted = {name: asyncio.Event() for name in hubs}
        self._away: set[str] = set()

    def want(self, key: Key, want: Want, beginning: Beginning) -> None:
        """Read for this rollout. The same want goes on where it is; another one begins anew."""
        reader = self._readers.get(key)
        if reader is None or reader.want != want:
            self._readers[key] = _Reader(want, beginning)
            self._wanted[want.source].set()

    def drop(self, key: Key) -> None:
        """Read no more for this rollout."""
        self._readers.pop(key, None)

    def take(self, key: Key) -> tuple[Reading | Outage, ...]:
        """What is new since the last call, oldest first; the reading position moves on."""
        reader = self._readers.get(key)
        if reader is None or reader.answer is None:
            return ()
        answer, reader.answer = reader.answer, None
        if isinstance(answer, Outage) or reader.meter is None:
            return (answer,) if isinstance(answer, Outage) else ()
        hub = self._hubs[reader.want.source]
        preset = hub.preset(reader.want.preset)
        instants = [answer.instant] if reader.at_once else hub.instants_missed(reader.meter, answer.instant)
        readings: list[Reading | Outage] = []
        for instant in instants:
            if instant <= reader.meter.instant:
                continue
            want, history = reader.want, reader.at_once
            reading, reader.meter = read(answer, instant, want.arms, want.needs, preset, reader.meter, history=history)
            readings.append(reading)
            reader.at_once = reader.at_once and isinstance(reading, Outage)
        return tuple(readings)

    async def run(self) -> None:
        """Run all sources' clocks until cancelled."""
        async with asyncio.TaskGroup() as group:
            for name, hub in self._hubs.items():
                group.create_task(self._forever(name, hub))

    def close(self) -> None:
        """Give the sources' threads and connections back."""
        for hub in self._hubs.values():
            hub.close()

    async def _forever(self, name: str, hub: Hub) -> None:
        """Run one source's clock; a fault of ours in it must not end the operator, who rolls back by the others."""
        while True:
            try:
                await self._clock(name, hub)
            except Exception:
                logger.exception("metrics clock failed, starting anew", extra={"source": name})
                self._tell(name, "a fault in reading the metrics; see the operator's log")
            await asyncio.sleep(hub.grid.interval)

    async def _clock(self, name: str, hub: Hub) -> None:
        loop = asyncio.get_running_loop()
        offset: float | None = None
        asked_at = float("-inf")
        last = float("-inf")
        while True:
            if not any(reader.want.source == name for reader in self._readers.values()):
                self._wanted[name].clear()
                await self._wanted[name].wait()
            if offset is None or loop.time() - asked_at > TIME_TRUSTED_SECONDS:
                try:
                    offset, asked_at = await hub.now() - loop.time(), loop.time()
                except MetricsUnavailable as error:
                    offset = None
                    self._tell(name, str(error))
                    await asyncio.sleep(hub.grid.interval)
                    continue
            instant = hub.instant_at(loop.time() + offset)
            if instant > last:
                last = instant
                await self._look(name, hub, instant)
            rest = instant + hub.grid.interval - (loop.time() + offset)
            await asyncio.sleep(max(rest, 0.01))

    async def _look(self, name: str, hub: Hub, instant: float) -> None:
        """Ask for everything that is wanted at one instant, and wake those who want it."""
        readers = {key: reader for key, reader in self._readers.items() if reader.want.source == name}
        recent: dict[Key, HubWant] = {}
        long_ago: dict[Key, HubWant] = {}
        for key, reader in readers.items():
            meter = self._begin(reader, hub, instant)
            if meter.instant >= instant:
                continue
            want = HubWant(reader.want.arms, reader.want.needs, reader.want.preset, meter)
            # One rollout that reads up an hour must not make the query an hour long for all the others.
            behind = instant - meter.instant > 2 * hub.grid.lookback
            (long_ago if behind else recent)[key] = want
        for wants in (recent, long_ago):
            if wants:
                answer = await _asked(hub, instant, list(wants.values()))
                self._log(name, answer)
                for key in wants:
                    if self._readers.get(key) is readers[key]:
                        readers[key].answer = answer
                        self._wake(key)

    def _log(self, name: str, answer: Snapshot | Outage) -> None:
        """A line when a source goes away and one when it is back, not one for each instant."""
        match answer:
            case Outage(message=message):
                if name not in self._away:
                    logger.warning("metrics unavailable", extra={"source": name, "why": message})
                self._away.add(name)
            case Snapshot():
                if name in self._away:
                    logger.info("metrics are back", extra={"source": name})
                self._away.discard(name)

    def _begin(self, reader: _Reader, hub: Hub, instant: float) -> Meter:
        if reader.meter is None:
            grid = hub.grid
            longest = min(grid.span_longest - grid.interval, HISTORY_SCRAPES_MAX * grid.scrape)
            match reader.beginning:
                case Forward():
                    reader.meter = Meter.start(instant)
                case GoOn(instant=since):
                    reader.meter = Meter.start(since)
                case History(since=since):
                    reader.meter = Meter.start(min(max(since, instant - longest), instant - grid.interval))
                    reader.at_once = True
        return reader.meter

    def _tell(self, name: str, words: str) -> None:
        """The source does not even tell its time: everyone who reads it holds, and knows why."""
        self._log(name, Outage(0.0, Reason.METRICS_UNAVAILABLE, words))
        for key, reader in self._readers.items():
            if reader.want.source == name:
                reader.answer = Outage(0.0, Reason.METRICS_UNAVAILABLE, words)
                self._wake(key)


async def _asked(hub: Hub, instant: float, wants: Sequence[HubWant]) -> Snapshot | Outage:
    try:
        return await hub.snapshot(instant, wants)
    except (MetricsUnavailable, ExceptionGroup) as error:
        first = error.exceptions[0] if isinstance(error, ExceptionGroup) else error
        if not isinstance(first, MetricsUnavailable):
            raise
        return Outage(instant, Reason.METRICS_UNAVAILABLE, str(first))
