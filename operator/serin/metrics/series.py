"""Exact increases of counters from raw samples: the arithmetic under every count.

Not `increase()`: that one extrapolates, and cannot be asked twice with the same answer. Here every sample is
consumed once, in order, and a `Cursor` remembers the last one.

| what the samples show                                          | increase                                  |
|----------------------------------------------------------------|-------------------------------------------|
| 5 then 8                                                       | 3                                         |
| 8 then 2: the process restarted                                | 2                                         |
| 8, three scrapes without it, then 9: forgotten and learnt anew | 9                                         |
| 8, no scrape at all for a while, then 9                        | 1, when it comes back                     |
| first 4; its target was scraped before, without it             | 4: born with its first request            |
| first 4; its process has started shortly before                | 4                                         |
| first 4; none of these: the target itself is new to us         | 0: the first sample is the baseline       |
| NaN, infinite, negative                                        | ignored; the series is there all the same |

"Before" and "shortly" reach back as far as the memory of `advance` and no further. Nothing but the samples decides
what an increase is, so that it does not matter when one looks.

Pure: no clock, no I/O. Times are seconds since the epoch.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

__all__ = ["ABSENT_SCRAPES", "NO_BEATS", "Beats", "Cursor", "Series", "Step", "Target", "advance", "baseline"]

# So many scrapes of a target without the series, and the series is gone: what comes back under its name
# counts from 0. One would do if scrapes were always whole; three leaves room for stores that drop single
# samples.
ABSENT_SCRAPES = 3

Labels = Mapping[str, str]
Target = tuple[str, str]
"""(job, instance): one endpoint that Prometheus scrapes."""


@dataclass(frozen=True, slots=True)
class Series:
    """One series with its samples, oldest first.

    labels: all of them, `__name__` too.
    times, values: equally long; times rise strictly, values may be NaN.
    identity, target: derived from the labels once, because every reading needs them.
    """

    labels: Labels
    times: tuple[float, ...]
    values: tuple[float, ...]
    identity: tuple[tuple[str, str], ...] = field(init=False, repr=False, compare=False)
    target: Target = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "identity", tuple(sorted(self.labels.items())))
        object.__setattr__(self, "target", (self.labels.get("job", ""), self.labels.get("instance", "")))

    @classmethod
    def of(cls, labels: Labels, samples: Iterable[tuple[float, float]]) -> Series:
        """A series from (time, value) pairs, oldest first."""
        pairs = tuple(samples)
        return cls(labels, tuple(t for t, _ in pairs), tuple(v for _, v in pairs))

    @property
    def name(self) -> str:
        """The metric's name."""
        return self.labels.get("__name__", "")


@dataclass(frozen=True, slots=True)
class Beats:
    """When a target was scraped with success, and when its process started.

    runs: times of its scrapes, rising, one run for each set of labels that the target had. A scrape
        configuration that gains or loses a label renames every series of the target at once; a beat of the
        old run must then not pass for proof that the renamed series are new.
    starts: start times of the process, one for each life seen in the window; empty where nothing tells.
    """

    runs: tuple[tuple[float, ...], ...] = ()
    starts: tuple[float, ...] = ()

    def within(self, after: float, upto: float) -> int:
        """How many scrapes lie in (after, upto]."""
        return max((bisect_right(run, upto) - bisect_right(run, after) for run in self.runs), default=0)

    def between(self, after: float, before: float) -> int:
        """How many scrapes lie in (after, before)."""
        return max((bisect_left(run, before) - bisect_right(run, after) for run in self.runs), default=0)

    def prove_new(self, time: float, memory_seconds: float) -> bool:
        """Whether a series with its first sample in the scrape at `time` has counted from 0 since the one before.

        So it has when the target was scraped shortly before under the same labels, or its process has just started.
        """
        since = time - memory_seconds
        for run in self.runs:
            index = bisect_left(run, time)
            if index < len(run) and run[index] == time and index and run[index - 1] > since:
                return True
        return any(since < start <= time for start in self.starts)

    def newest(self, upto: float) -> float | None:
        """The last scrape that is not after `upto`."""
        last = [run[index - 1] for run in self.runs if (index := bisect_right(run, upto))]
        return max(last, default=None)


NO_BEATS = Beats()


class Cursor(NamedTuple):
    """How far one series has been read.

    timestamp: of the last sample read, also when that was NaN.
    value: the last number read; NaN if there was none yet.
    missed: scrapes of the target since then that did not have the series.
    """

    timestamp: float
    value: float
    missed: int = 0


class Step(NamedTuple):
    """What reading on has given: the new cursor (None: nothing seen yet) and the increase.

    valid, invalid: samples consumed in this step, numbers and others (NaN, infinite, negative).
    """

    cursor: Cursor | None
    increase: float
    valid: int
    invalid: int


def advance(
    cursor: Cursor | None,
    series: Series,
    *,
    since: float,
    upto: float,
    floor: float,
    beats: Beats = NO_BEATS,
    memory_seconds: float = 0.0,
) -> Step:
    """Read `series` on from `cursor` to `upto`.

    A sample that came late, at or before `since` but after the cursor, falls into this step: totals stay
    exact.

    Args:
        cursor: where the last reading ended; None for a series that is new.
        series: the samples that the store has now.
        since: end of the last reading (its instant less settle).
        upto: end of this one; later samples are left for the next.
        floor: samples up to here are never read for a series without cursor.
        beats: scrapes of the series' target.
        memory_seconds: how long before a first sample a scrape or a start of the process says what it counts from.
    """
    times, values = series.times, series.values
    end = bisect_right(times, upto)
    start = bisect_right(times, cursor.timestamp if cursor else floor, 0, end)
    if start == end:
        if cursor is None:
            return Step(None, 0.0, 0, 0)
        missed = cursor.missed + beats.within(since, upto)
        return Step(cursor if missed == cursor.missed else cursor._replace(missed=missed), 0.0, 0, 0)

    if cursor is None:
        first = times[start]
        last, value, missed = first, 0.0 if beats.prove_new(first, memory_seconds) else math.nan, 0
    else:
        last, value, missed = cursor

    if not _is_count(values[start]) and cursor is None:
        value = math.nan  # there from the start, but from which number nobody knows

    increase, valid, invalid = 0.0, 0, 0
    for index in range(start, end):
        time, now = times[index], values[index]
        # `missed` has the scrapes up to `since`; a sample that came late was not missed by them after all.
        if index > start or time <= since:
            missed = beats.between(last, time)
        else:
            missed += beats.between(since, time)
        usable = _is_count(now)
        if missed >= ABSENT_SCRAPES:
            value = 0.0 if usable else math.nan
        last = time
        if not usable:
            invalid += 1
            continue
        valid += 1
        if now < value:
            increase += now
        elif value <= now:
            increase += now - value
        value = now  # after a NaN of no known number neither holds, and this one is the baseline
    return Step(Cursor(last, value, beats.within(last, upto)), increase, valid, invalid)


def baseline(series: Series, *, upto: float, floor: float, beats: Beats = NO_BEATS) -> Cursor | None:
    """The cursor that reading up to `upto` would have left, from the samples in (floor, upto].

    None when the series has no sample there.
    """
    end = bisect_right(series.times, upto)
    start = bisect_right(series.times, floor, 0, end)
    if start == end:
        return None
    last, value = series.times[start], math.nan
    for time, now in zip(series.times[start:end], series.values[start:end], strict=True):
        if _is_count(now):
            value = now
        elif beats.between(last, time) >= ABSENT_SCRAPES:
            value = math.nan
        last = time
    return Cursor(last, value, beats.within(last, upto))


def _is_count(value: float) -> bool:
    return 0.0 <= value < math.inf
