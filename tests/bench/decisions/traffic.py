"""Requests as the metrics show them: counts of both arms, tick by tick, for many rollouts side by side.

A tick is 15 s for the first hour, which every rule needs, and 300 s for the rest of the day, which only a test that may
wait looks at. Looking less often than it could makes a test decide later, never better, so its long waits are upper
bounds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["DAY", "HOUR", "LATE_TICK", "PODS", "TICK", "Arms", "Floats", "Hour", "Stream", "Weather"]

Floats = NDArray[np.float64]
Arms = tuple[Floats, Floats, Floats, Floats]  # stable's requests, its bad ones, the candidate's, its bad ones

TICK, HOUR, DAY = 15.0, 3600.0, 86_400.0
LATE_TICK = 300.0
TICKS_IN_HOUR = int(HOUR / TICK)
_INCIDENT_SECONDS, _INCIDENT_RATE = 120.0, 0.3
_LATE_TICKS = 2
PODS = 3


@dataclass(frozen=True, slots=True)
class Weather:
    """What happens to the traffic beside the two rates. The default is calm.

    day: amplitude in [0, 1) of a daily wave in speed, half of it in both rates; each rollout starts at its own hour.
    burst: shape of a gamma in the speed of each 15 s; 0 is none, 0.5 is wild.
    clump: bad requests come in groups of this size.
    incidents: a day, each of 120 s in which both arms fail 30 % more of their requests.
    noise: shape of a gamma that multiplies each pod's own rate in each 15 s; 0 is none. Stable has three pods, the
        candidate one.
    breaks_at: seconds until which the candidate is as good as stable.
    late: bad requests are counted 30 s after they came.
    cold_seconds, cold_factor: the candidate's rate is this many times as high at first.
    labels_after: seconds until anything can be counted.
    resets: probability that an arm loses a tick's counts to a counter that starts anew.
    unread: probability that the metrics cannot be read at a tick.
    outage: (from, to) in seconds, when they cannot be read at all.
    silent: an arm that reports nothing.
    sick: both arms fail this many times as often as stable did before.
    history_seconds: what is known of stable before.
    """

    day: float = 0.0
    burst: float = 0.0
    clump: int = 1
    incidents: float = 0.0
    noise: float = 0.0
    breaks_at: float = 0.0
    late: bool = False
    cold_seconds: float = 0.0
    cold_factor: float = 1.0
    labels_after: float = 0.0
    resets: float = 0.0
    unread: float = 0.0
    outage: tuple[float, float] = (0.0, 0.0)
    silent: Literal["", "stable", "candidate"] = ""
    sick: float = 1.0
    history_seconds: float = HOUR


@dataclass(frozen=True, slots=True)
class Hour:
    """The first hour: counts of shape (ticks, runs) and whether each tick could be read, shape (ticks,)."""

    arms: Arms
    read: NDArray[np.bool_]

    def minutes(self) -> Arms:
        """The counts by minute, shapes (minutes, runs)."""
        ticks = int(60 / TICK)
        n0, x0, n1, x1 = (counts.reshape(-1, ticks, counts.shape[1]).sum(axis=1) for counts in self.arms)
        return n0, x0, n1, x1

    def minutes_read(self) -> NDArray[np.bool_]:
        """Whether the metrics answer at the end of each minute."""
        return self.read[int(60 / TICK) - 1 :: int(60 / TICK)]


@dataclass
class Stream:
    """Rollouts of one scenario. Draw ticks in order; each is new.

    speed: requests/s of both arms. share: the candidate's part. base, rate: stable's and the candidate's rate.
    """

    speed: float
    share: float
    base: float
    rate: float
    runs: int
    rng: np.random.Generator
    weather: Weather = field(default_factory=Weather)

    def __post_init__(self) -> None:
        """Draw what each rollout has of its own."""
        self._phase = self.rng.uniform(0, 2 * np.pi, self.runs)
        self._incident_until = np.zeros(self.runs)
        self._waiting = [np.zeros((2, self.runs)) for _ in range(_LATE_TICKS)]

    def history(self) -> tuple[Floats, Floats]:
        """Stable's requests and bad ones before the rollout; shapes (runs,)."""
        n = self.rng.poisson(self.speed * self.weather.history_seconds, self.runs)
        return n.astype(np.float64), self._bad(n, np.full(self.runs, self.base))

    def pods(self, windows: int = 60, seconds: float = 60.0) -> tuple[Floats, Floats]:
        """Stable's pods before the rollout, for an A/A: requests and bad ones, shapes (windows, pods, runs)."""
        w = self.weather
        shape = (windows, PODS, self.runs)
        n = self.rng.poisson(self.speed * seconds / PODS, shape)
        p = np.full(shape, self.base)
        if w.noise:
            ticks = w.noise * seconds / TICK
            p = p * self.rng.gamma(ticks, 1 / ticks, shape)
        return n.astype(np.float64), self._bad(n, np.clip(p, 0.0, 1.0))

    def hour(self) -> Hour:
        """Draw the first hour."""
        ticks = [self.draw(TICK * i, TICK) for i in range(TICKS_IN_HOUR)]
        n0, x0, n1, x1 = (np.stack([tick[k] for tick in ticks]) for k in range(4))
        ends = TICK * np.arange(1, TICKS_IN_HOUR + 1)
        read = self.rng.uniform(size=TICKS_IN_HOUR) >= self.weather.unread
        start, stop = self.weather.outage
        return Hour((n0, x0, n1, x1), read & ~((ends > start) & (ends <= stop)))

    def draw(self, start: float, seconds: float, share: float | Floats | None = None) -> Arms:
        """Draw the counts of [start, start + seconds), for all rollouts; share is the candidate's if not the usual."""
        w = self.weather
        wave = np.sin(2 * np.pi * start / DAY + self._phase)
        speed = self.speed * seconds * (1 + w.day * wave)
        if w.burst:
            shape = w.burst * seconds / TICK
            speed = speed * self.rng.gamma(shape, 1 / shape, self.runs)
        part = self.share if share is None else share
        worse = self.rate - self.base if start >= w.breaks_at else 0.0
        arms: list[Floats] = []
        calm = 1 + 0.5 * w.day * wave
        extra = self._incident(start, seconds)
        for arm, (of, more) in enumerate(((1 - part, 0.0), (part, worse))):
            n = self.rng.poisson(speed * of)
            p = self.base * w.sick * calm + more
            if w.noise:
                shape = w.noise * (1 if arm else PODS) * seconds / TICK
                p = p * self.rng.gamma(shape, 1 / shape, self.runs)
            if arm == 1 and start < w.cold_seconds:
                p = p * w.cold_factor
            x = self._bad(n, np.clip(p + extra, 0.0, 1.0))
            arms += [n.astype(np.float64), x]
        n0, x0, n1, x1 = self._counted_late(arms) if w.late else arms
        return self._lost((n0, x0, n1, x1), start)

    def _bad(self, n: NDArray[np.int64], p: Floats) -> Floats:
        clump = self.weather.clump
        if clump == 1:
            return self.rng.binomial(n, p).astype(np.float64)
        return np.minimum(self.rng.binomial(-(-n // clump), p) * clump, n).astype(np.float64)

    def _incident(self, start: float, seconds: float) -> Floats:
        """The additional rate that an incident of both arms brings, on average over the tick."""
        if not self.weather.incidents:
            return np.zeros(self.runs)
        begins = self.rng.uniform(size=self.runs) < self.weather.incidents * seconds / DAY
        self._incident_until = np.where(begins, start + _INCIDENT_SECONDS, self._incident_until)
        part = np.clip(self._incident_until - start, 0.0, seconds) / seconds
        return _INCIDENT_RATE * part

    def _counted_late(self, arms: list[Floats]) -> list[Floats]:
        n0, x0, n1, x1 = arms
        self._waiting.append(np.stack([x0, x1]))
        y0, y1 = self._waiting.pop(0)
        return [n0 - x0 + y0, y0, n1 - x1 + y1, y1]

    def _lost(self, arms: Arms, start: float) -> Arms:
        w = self.weather
        keep0 = np.full(self.runs, w.silent != "stable" and start >= w.labels_after)
        keep1 = np.full(self.runs, w.silent != "candidate" and start >= w.labels_after)
        if w.resets:
            keep0 &= self.rng.uniform(size=self.runs) >= w.resets
            keep1 &= self.rng.uniform(size=self.runs) >= w.resets
        n0, x0, n1, x1 = arms
        return n0 * keep0, x0 * keep0, n1 * keep1, x1 * keep1
