"""How far a rollout has been read, and the increases since.

The meter is where the last reading ended: one cursor a series. It is never stored. After a restart `resume` puts
each cursor on the last sample at or before the instant that the stored evidence ends with, and reading the missed
instants one after the other gives what it would have given live.

A cursor is kept while its series, or its target, is silent for less than `Grid.memory`. A series that comes back
later is new.

Pure: no clock, no I/O.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from serin.metrics.presets.base import Key, Outcome, Preset
from serin.metrics.presets.query import QUERY
from serin.metrics.reading import ArmRef, Arms, Need, QueryNeed, SlowNeed
from serin.metrics.series import Cursor, Series, Step, advance, baseline
from serin.metrics.snapshot import Grid, Samples, Snapshot

__all__ = ["OWN", "Meter", "Role", "Span", "Use", "edge_at", "edge_of", "needed_from", "resume", "uses_of"]

Role = Literal["stable", "candidate"]
Use = tuple[str, str]
"""What a series is read for: the preset's own metrics, or (policy key, query template)."""
CursorKey = tuple[Role, Use, tuple[tuple[str, str], ...]]
"""(arm, use, identity of the series)."""

OWN: Use = ("", "")


@dataclass(frozen=True, slots=True)
class Meter:
    """Where the last reading of one rollout ended.

    instant: t_k of that reading, seconds since the epoch.
    cursors: one for each series known; None until a snapshot has given the baseline.
    """

    instant: float
    cursors: Mapping[CursorKey, Cursor] | None = None

    @classmethod
    def start(cls, instant: float) -> Meter:
        """A meter that counts from `instant` on: now, or after a restart that of the stored evidence."""
        return cls(instant)

    def knows(self, role: Role) -> bool:
        """Whether a series of the arm is known to the preset."""
        return any(key[0] == role and key[1] == OWN for key in self.cursors or ())


def needed_from(grid: Grid, meter: Meter, instant: float) -> float:
    """The oldest sample time that reading `instant` on from `meter` may look at."""
    if instant - meter.instant > grid.span_longest:
        return grid.upto(instant) - grid.memory  # skipped: only a baseline at `instant` is wanted
    fresh = meter.cursors is None
    return grid.upto(meter.instant) - grid.memory if fresh else grid.floor(meter.instant)


def resume(snapshot: Snapshot, instant: float, arms: Arms, needs: Sequence[Need], preset: Preset) -> Meter:
    """The meter that reading at `instant` has left, found again in a snapshot that reaches back behind it."""
    upto = snapshot.grid.upto(instant)
    cursors: dict[CursorKey, Cursor] = {}
    for role, use, samples, one in _in_use(snapshot, arms, needs, preset):
        floor = upto - snapshot.grid.memory
        cursor = baseline(one, upto=upto, floor=floor, beats=samples.beats_of(one.target))
        if cursor:
            cursors[role, use, one.identity] = cursor
    return Meter(instant, cursors)


class Span:
    """All increases of one rollout between two readings, taken once and then summed up by each gate."""

    def __init__(
        self,
        snapshot: Snapshot,
        instant: float,
        arms: Arms,
        needs: Sequence[Need],
        *,
        preset: Preset,
        meter: Meter,
    ) -> None:
        grid = snapshot.grid
        self.snapshot, self.arms, self.preset = snapshot, arms, preset
        self.since, self.upto = grid.upto(meter.instant), grid.upto(instant)
        self.floor, self.reach = grid.floor(meter.instant), grid.reach
        self.cursors: dict[CursorKey, Cursor] = {}
        self._steps: dict[tuple[Role, Use], list[tuple[Series, Step]]] = {}
        self._outcomes: dict[Role, list[tuple[Outcome, Step]]] = {}
        before = dict(meter.cursors or {})
        for role, use, samples, one in _in_use(snapshot, arms, needs, preset):
            key: CursorKey = (role, use, one.identity)
            step = advance(
                before.pop(key, None),
                one,
                since=self.since,
                upto=self.upto,
                floor=self.floor,
                beats=samples.beats_of(one.target),
                memory_seconds=grid.memory,
            )
            if step.cursor is None:
                continue
            self._keep(key, step.cursor, grid.memory)
            if one.target not in samples.doubles(self.since - self.reach, self.upto):
                self._steps.setdefault((role, use), []).append((one, step))
        for key, cursor in before.items():
            # Nothing of this series in the snapshot: its target is silent, or has dropped it.
            labels = dict(key[2])
            answer = self.samples(key[1])
            target = (labels.get("job", ""), labels.get("instance", ""))
            missed = answer.beats_of(target).within(self.since, self.upto) if answer else 0
            self._keep(key, cursor._replace(missed=cursor.missed + missed), grid.memory)

    def _keep(self, key: CursorKey, cursor: Cursor, memory_seconds: float) -> None:
        if cursor.timestamp > self.upto - memory_seconds:
            self.cursors[key] = cursor

    def split(self, role: Role, part_of: Callable[[Series], str]) -> dict[str, Span]:
        """This span once for each part of an arm's series, as if the arm had those series only."""
        steps: dict[str, dict[tuple[Role, Use], list[tuple[Series, Step]]]] = {}
        for key, taken in self._steps.items():
            for pair in taken if key[0] == role else ():
                steps.setdefault(part_of(pair[0]), {}).setdefault(key, []).append(pair)
        return {part: self._only(one) for part, one in steps.items()}

    def _only(self, steps: dict[tuple[Role, Use], list[tuple[Series, Step]]]) -> Span:
        part = copy(self)
        vars(part).update(_steps=steps, _outcomes={})
        return part

    def samples(self, use: Use) -> Samples | None:
        """The answer that a use's series come from; None when there was none."""
        answer = self.snapshot.presets.get(self.preset.name) if use == OWN else self.snapshot.queries.get(use)
        return answer if isinstance(answer, Samples) else None

    def arm(self, role: Role) -> ArmRef | None:
        """The arm in this role."""
        return self.arms.stable if role == "stable" else self.arms.candidate

    def steps(self, role: Role, use: Use = OWN) -> list[tuple[Series, Step]]:
        """The arm's series and what each has given."""
        return self._steps.get((role, use), [])

    def outcomes(self, role: Role) -> list[tuple[Outcome, Step]]:
        """The arm's requests by what became of them."""
        if role not in self._outcomes:
            self._outcomes[role] = [
                (outcome, step)
                for one, step in self.steps(role)
                if one.name in self.preset.requests and (outcome := self.preset.classify(one.labels))
            ]
        return self._outcomes[role]

    def requests(self, role: Role) -> int:
        """All answered requests of an arm.

        One whose caller went away was not: a candidate that hangs until its callers give up has answered nothing.
        """
        return round(sum(step.increase for outcome, step in self.outcomes(role) if outcome != "cancelled"))

    def given_up(self, role: Role) -> int:
        """The requests of an arm whose callers went away: not answered, but proof that they were sent there."""
        return round(sum(step.increase for outcome, step in self.outcomes(role) if outcome == "cancelled"))

    def edges_seconds(self, role: Role) -> list[float]:
        """All edges of the arm's latency histograms, rising, without infinity."""
        samples, arm = self.samples(OWN), self.arm(role)
        if samples is None or arm is None:
            return []
        series = _of_arm(samples, self.preset.keys_of(arm))
        edges = {edge_of(one.labels.get("le", "")) for one in series if self.is_latency(one)}
        return sorted(edge * self.preset.latency_unit for edge in edges if edge < math.inf)

    def is_latency(self, one: Series) -> bool:
        """Whether a series is a latency bucket of user requests with a sample in the span or shortly before."""
        if one.name != self.preset.bucket or not self.preset.timed(one.labels):
            return False
        index = bisect_right(one.times, self.upto)
        return index > 0 and one.times[index - 1] > self.floor


def uses_of(need: QueryNeed) -> tuple[Use, Use]:
    """What a query gate's total and its bad ones are read for."""
    return (need.policy_key, need.total), (need.policy_key, need.bad)


def _in_use(
    snapshot: Snapshot, arms: Arms, needs: Sequence[Need], preset: Preset
) -> Iterator[tuple[Role, Use, Samples, Series]]:
    """Every series that the needs of a rollout are read from, each once for an arm and a use."""
    objectives = [need.objective_seconds for need in needs if isinstance(need, SlowNeed)]
    queries = {use for need in needs if isinstance(need, QueryNeed) for use in uses_of(need)}
    roles: tuple[tuple[Role, ArmRef | None], ...] = (("stable", arms.stable), ("candidate", arms.candidate))
    for role, arm in roles:
        if arm is None:
            continue
        samples = snapshot.presets.get(preset.name)
        if isinstance(samples, Samples):
            for one in _of_arm(samples, preset.keys_of(arm)):
                if one.name == preset.bucket and not _wanted_edge(one, objectives, preset.latency_unit):
                    continue
                yield role, OWN, samples, one
        for use in sorted(queries):
            answer = snapshot.queries.get(use)
            if isinstance(answer, Samples):
                for one in _of_arm(answer, QUERY.keys_of(arm)):
                    yield role, use, answer, one


def _of_arm(samples: Samples, keys: Sequence[Key]) -> Iterator[Series]:
    for key in keys:
        yield from samples.series.get(key, ())


def _wanted_edge(one: Series, objectives: Sequence[float], unit: float) -> bool:
    if not objectives:
        return False
    edge = edge_of(one.labels.get("le", ""))
    return edge == math.inf or any(edge_at(edge * unit, objective) for objective in objectives)


@lru_cache(maxsize=1024)
def edge_of(text: str) -> float:
    """An edge as a number: Prometheus 3 writes 1.0 where an exporter wrote 1."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def edge_at(edge_seconds: float, objective_seconds: float) -> bool:
    """Whether an edge is at the objective, but for the rounding of a unit."""
    return abs(edge_seconds - objective_seconds) <= 1e-9 * objective_seconds
