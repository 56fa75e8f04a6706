"""What a source answered for one instant or for a span of them, indexed so that each rollout finds its own.

The index is built once; after that a rollout touches only its own series, however many others there are.

Pure: building one from series is all there is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from serin.metrics.presets.base import Key, Preset
from serin.metrics.reading import ArmRef
from serin.metrics.series import NO_BEATS, Beats, Series, Target

__all__ = ["Failure", "Grid", "Samples", "Snapshot", "index_samples"]


@dataclass(frozen=True, slots=True)
class Grid:
    """The times that all rollouts of a source share, in seconds.

    interval: between two instants.
    settle: how long after a scrape its samples are surely in the store; an instant t reads up to t - settle.
    scrape: between two scrapes of a target.
    lookback: how far back an ordinary query reaches.
    """

    interval: float = 15.0
    settle: float = 30.0
    scrape: float = 15.0
    lookback: float = 90.0

    @property
    def reach(self) -> float:
        """A target without a sample for so long is not up; one with a sample before it, was."""
        return 3 * self.scrape

    def floor(self, instant: float) -> float:
        """How far back the reading after `instant` looks at samples of a series that it does not know."""
        return self.upto(instant) - (self.lookback - self.interval)

    @property
    def memory(self) -> float:
        """A series silent for longer, of a target that is silent too, is forgotten; see `meter`."""
        return max(min(300.0, max(60.0, 20 * self.scrape)), self.lookback)

    @property
    def span_longest(self) -> float:
        """A gap in reading that is longer than this is not read up, but skipped and said."""
        return 3600.0

    def instant_at(self, now: float) -> float:
        """The newest instant of the grid that is not after `now`."""
        return now // self.interval * self.interval

    def upto(self, instant: float) -> float:
        """The end of what is read at `instant`."""
        return instant - self.settle

    def instants(self, since: float, until: float) -> list[float]:
        """Every instant in (since, until], oldest first."""
        first = self.instant_at(since) + self.interval
        count = round((self.instant_at(until) - first) / self.interval) + 1
        return [first + n * self.interval for n in range(max(0, count))]


@dataclass(frozen=True, slots=True)
class Samples:
    """The answer to one preset's query, or to one template's.

    series: by arm key.
    clashing: keys that more than one arm in use answers to; their series belong to nobody.
    beats: when each target was scraped.
    targets: for model servers and templates, the targets that carry an arm's label; empty for data planes,
        whose targets serve every arm.
    """

    series: Mapping[Key, tuple[Series, ...]] = field(default_factory=dict)
    clashing: frozenset[Key] = frozenset()
    beats: Mapping[Target, Beats] = field(default_factory=dict)
    targets: Mapping[Key, frozenset[Target]] = field(default_factory=dict)
    _memo: dict[tuple[str, float, float], frozenset[Target]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def up(self, upto: float, reach_seconds: float) -> frozenset[Target]:
        """The targets with a scrape in (upto - reach, upto]."""
        return self._remembered("up", upto - reach_seconds, upto, self._scraped)

    def doubles(self, after: float, upto: float) -> frozenset[Target]:
        """Targets scraped in (after, upto] whose instance another job scrapes too.

        The job that sorts first is not among them: it counts, the others would count the same requests again.
        """
        return self._remembered("doubles", after, upto, self._doubles)

    def _remembered(
        self, what: str, after: float, upto: float, find: Callable[[float, float], frozenset[Target]]
    ) -> frozenset[Target]:
        # All rollouts of a source ask for the same instant; with many targets the answer is worth keeping.
        key = (what, after, upto)
        if key not in self._memo:
            self._memo[key] = find(after, upto)
        return self._memo[key]

    def _scraped(self, after: float, upto: float) -> frozenset[Target]:
        return frozenset(target for target, beats in self.beats.items() if beats.within(after, upto))

    def _doubles(self, after: float, upto: float) -> frozenset[Target]:
        jobs: dict[str, list[str]] = {}
        for job, instance in self._scraped(after, upto):
            if instance:
                jobs.setdefault(instance, []).append(job)
        return frozenset((job, at) for at, several in jobs.items() for job in several if job != min(several))

    def beats_of(self, target: Target) -> Beats:
        """The scrapes of one target."""
        return self.beats.get(target, NO_BEATS)


@dataclass(frozen=True, slots=True)
class Failure:
    """A query that had no usable answer, in words for the user."""

    message: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All answers of a source, with the samples after `since` and up to `grid.upto(instant)`.

    presets: by preset name; queries: by (policy key, template).
    """

    instant: float
    since: float
    grid: Grid
    presets: Mapping[str, Samples | Failure] = field(default_factory=dict)
    queries: Mapping[tuple[str, str], Samples | Failure] = field(default_factory=dict)


def index_samples(preset: Preset, arms: Iterable[ArmRef], series: Iterable[Series]) -> Samples:
    """Sort what a query returned by the arms that asked.

    Series of other arms, and of no arm, are dropped; samples of a heartbeat metric become beats.
    """
    owners: dict[Key, set[ArmRef]] = {}
    for arm in arms:
        for key in preset.keys_of(arm):
            owners.setdefault(key, set()).add(arm)

    found: dict[Key, list[Series]] = {}
    clashing = {key for key, refs in owners.items() if len(refs) > 1}
    carried: dict[Key, set[Target]] = {}
    pulses = _Pulses(preset)
    others: dict[Target, list[Series]] = {}
    for one in series:
        if one.name in preset.heartbeats or one.name == preset.start_metric:
            pulses.add(one)
            if preset.plane == "model-server":
                for key in preset.keys(one.labels):
                    carried.setdefault(key, set()).add(one.target)
            continue
        keys = [key for key in preset.keys(one.labels) if key in owners]
        if len(keys) > 1:
            clashing.update(keys)
        for key in keys:
            found.setdefault(key, []).append(one)
            others.setdefault(one.target, []).append(one)
            if preset.plane == "model-server":
                carried.setdefault(key, set()).add(one.target)
    return Samples(
        series={key: tuple(values) for key, values in found.items()},
        clashing=frozenset(clashing),
        beats=pulses.beats(others),
        targets={key: frozenset(values) for key, values in carried.items()},
    )


class _Pulses:
    """Collects heartbeats by target."""

    def __init__(self, preset: Preset) -> None:
        self._preset = preset
        self._runs: dict[Target, dict[tuple[tuple[str, str], ...], set[float]]] = {}
        self._starts: dict[Target, set[float]] = {}

    def add(self, one: Series) -> None:
        kind = self._preset.heartbeats.get(one.name, "start")
        run = self._runs.setdefault(one.target, {}).setdefault(one.identity[1:], set())
        for time, value in zip(one.times, one.values, strict=True):
            if kind == "up" and value != 1:
                continue
            run.add(time)
            if kind == "start":
                self._starts.setdefault(one.target, set()).add(value)
            elif kind == "uptime":
                self._starts.setdefault(one.target, set()).add(time - value)

    def beats(self, others: Mapping[Target, list[Series]]) -> dict[Target, Beats]:
        """Beats of all targets; where no heartbeat metric tells, every sample of the target is a beat."""
        beats = {
            target: Beats(
                tuple(tuple(sorted(run)) for run in runs.values() if run),
                tuple(sorted(self._starts.get(target, ()))),
            )
            for target, runs in self._runs.items()
        }
        for target, series in others.items():
            if target not in beats:
                beats[target] = Beats((tuple(sorted({time for one in series for time in one.times})),))
        return beats
