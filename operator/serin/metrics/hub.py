"""One set of queries for all rollouts of a source.

At each instant of the grid the rollouts that want numbers are put together: one query for each preset in use
and two for each policy with a query gate, whatever the number of rollouts. The answer is a `Snapshot` that
every rollout then reads for itself (`read`, which is pure).

    meter = Meter.start(instant of the stored evidence, or now)
    hub.snapshot(t_k, wants) -> Snapshot -> read(snapshot, t_k, ...) -> Reading | Outage, meter

When a rollout has missed instants (a restart, an outage of the source), one `replay` covers them and each is
read in order, which gives what it would have given live; see `instants_missed`.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from serin.api.reasons import Reason
from serin.metrics.meter import Meter, needed_from, resume, uses_of
from serin.metrics.presets import Preset, preset_named
from serin.metrics.presets.query import QUERY
from serin.metrics.prometheus import MetricsUnavailable, PrometheusSource
from serin.metrics.promql import TemplateError, any_of, expand
from serin.metrics.read import read
from serin.metrics.reading import ArmRef, Arms, Need, Outage, QueryNeed, SlowNeed
from serin.metrics.series import Series
from serin.metrics.snapshot import Failure, Grid, Samples, Snapshot, index_samples
from serin.metrics.source import MetricSource

__all__ = ["Hub", "Meter", "Want", "read", "resume"]


@dataclass(frozen=True, slots=True)
class Want:
    """What one rollout wants to read.

    preset: a name, or `auto` for the source's own.
    meter: where its last reading ended; queries reach back to it.
    """

    arms: Arms
    needs: Sequence[Need]
    preset: str
    meter: Meter

    @property
    def refs(self) -> tuple[ArmRef, ...]:
        """Its arms that there are."""
        return tuple(arm for arm in (self.arms.stable, self.arms.candidate) if arm)


class Asker(Protocol):
    """What the hub needs of a client."""

    async def query(self, expression: str, time: float) -> list[Series]:
        """Raw samples of a range selector."""

    async def now(self) -> float:
        """The source's own time."""

    def close(self) -> None:
        """Give everything back."""


class Hub:
    """All rollouts' access to one source."""

    def __init__(self, source: MetricSource, client: Asker | None = None) -> None:
        self.source = source
        self.grid: Grid = source.grid
        self._client: Asker = client or PrometheusSource(source)

    async def now(self) -> float:
        """The source's own time, seconds since the epoch.

        Raises:
            MetricsUnavailable: it did not answer.
        """
        return await self._client.now()

    def instant_at(self, now: float) -> float:
        """The newest instant of the grid that is not after `now`."""
        return self.grid.instant_at(now)

    def instants_missed(self, meter: Meter, until: float) -> list[float]:
        """The instants after the meter's and up to `until`, oldest first: what there is to read.

        A gap longer than an hour is not read up: then there is only the last instant, and the reading says
        so.
        """
        if until - meter.instant > self.grid.span_longest:
            return [self.grid.instant_at(until)]
        return self.grid.instants(meter.instant, until)

    def preset(self, name: str) -> Preset:
        """The preset that a policy names; `auto` is the source's own.

        Raises:
            ValueError: there is no such preset.
        """
        return preset_named(self.source.preset if name == "auto" else name)

    async def snapshot(self, instant: float, wants: Sequence[Want]) -> Snapshot | Outage:
        """Everything that the rollouts need in order to read `instant`, and what they missed before it.

        An Outage when nothing at all was answered. Where only some queries failed, reading says so where it
        counts.
        """
        return await self._ask(instant, wants)

    async def replay(self, since: float, until: float, wants: Sequence[Want]) -> Snapshot | Outage:
        """Like `snapshot`, but reaching back far enough to read every instant in (since, until] anew.

        After a restart, with fresh meters (`Meter.start(since)`). At most an hour is read back.
        """
        return await self._ask(until, wants, since)

    def close(self) -> None:
        """Give threads and connections back."""
        self._client.close()

    async def _ask(self, instant: float, wants: Sequence[Want], since: float = math.inf) -> Snapshot | Outage:
        upto = self.grid.upto(instant)
        recent = upto - self.grid.lookback
        oldest = self.grid.upto(max(since, instant - self.grid.span_longest)) - self.grid.memory
        presets: dict[str, _Ask] = {}
        queries: dict[tuple[str, str], _Ask] = {}
        for want in wants:
            begin = min(recent, oldest, needed_from(self.grid, want.meter, instant))
            ask = presets.setdefault(self.preset(want.preset).name, _Ask(recent))
            ask.add(want.refs, begin)
            ask.latency |= any(isinstance(need, SlowNeed) for need in want.needs)
            for need in want.needs:
                for use in uses_of(need) if isinstance(need, QueryNeed) else ():
                    queries.setdefault(use, _Ask(recent)).add(want.refs, begin)
        async with asyncio.TaskGroup() as group:
            asked = {
                name: group.create_task(self._preset(preset_named(name), ask, upto)) for name, ask in presets.items()
            }
            pulse = group.create_task(self._pulse(queries.values(), recent, upto))
            queried = {use: group.create_task(self._template(use[1], ask, upto)) for use, ask in queries.items()}
        answers = {name: task.result() for name, task in asked.items()}
        failures = [answer.message for answer in answers.values() if isinstance(answer, Failure)]
        if answers and len(failures) == len(answers):
            return Outage(instant, Reason.METRICS_UNAVAILABLE, failures[0])
        templated = {use: _templated(task.result(), pulse.result(), queries[use].refs) for use, task in queried.items()}
        begin = min((ask.begin for ask in presets.values()), default=recent)
        return Snapshot(instant, begin, self.grid, answers, templated)

    async def _preset(self, preset: Preset, ask: _Ask, upto: float) -> Samples | Failure:
        def selector(refs: Sequence[ArmRef]) -> str:
            return preset.selector(refs, self.source.extra_matchers, latency=ask.latency)

        try:
            series = await self._all(selector, ask, upto)
            series += await self._earlier(preset, series, ask.begin, upto)
        except MetricsUnavailable as error:
            return Failure(str(error))
        return index_samples(preset, ask.refs, series)

    async def _earlier(self, preset: Preset, series: Iterable[Series], begin: float, upto: float) -> list[Series]:
        """What says from which number the series of a target count that is new, or was silent for long.

        Its scrapes as far back as the memory reaches, and when its process started. Nothing is asked where no target
        is new.
        """
        settled = begin + self.grid.reach
        new = {one.target for one in series if one.name in preset.heartbeats and _first_beat(preset, one) > settled}
        if not new:
            return []
        matchers = [
            any_of("__name__", [*preset.heartbeats, *([preset.start_metric] if preset.start_metric else [])]),
            any_of("job", sorted({job for job, _ in new})),
            any_of("instance", sorted({instance for _, instance in new})),
            *self.source.extra_matchers,
        ]
        return await self._range("{" + ",".join(matchers) + "}", begin - self.grid.memory, upto)

    async def _pulse(self, asks: Iterable[_Ask], recent: float, upto: float) -> list[Series]:
        """When the pods of arms with query gates were scraped; else the samples themselves must do."""
        together = _Ask(recent)
        for ask in asks:
            together.add(ask.refs, ask.begin)
        if not together.refs:
            return []
        try:
            selector = QUERY.selector(together.refs, self.source.extra_matchers)
            series = await self._range(selector, together.begin, upto)
            return series + await self._earlier(QUERY, series, together.begin, upto)
        except MetricsUnavailable:
            return []

    async def _template(self, template: str, ask: _Ask, upto: float) -> list[Series] | Failure:
        def selector(refs: Sequence[ArmRef]) -> str:
            return expand(template, (ref.revision for ref in refs))

        try:
            return await self._all(selector, ask, upto)
        except (MetricsUnavailable, TemplateError) as error:
            return Failure(f"`{template}`: {error}")

    async def _all(self, selector: Callable[[Sequence[ArmRef]], str], ask: _Ask, upto: float) -> list[Series]:
        """The samples of all arms; those whose reading is behind are asked for apart, further back."""
        found: dict[tuple[tuple[str, str], ...], Series] = {}
        for refs, begin in ((ask.refs_recent, ask.recent), (ask.refs_behind, ask.begin)):
            if refs:
                # The same heartbeats come with both; the second answer has more of them.
                found.update({one.identity: one for one in await self._range(selector(refs), begin, upto)})
        return list(found.values())

    async def _range(self, selector: str, begin: float, upto: float) -> list[Series]:
        return await self._client.query(f"{selector}[{round((upto - begin) * 1000)}ms]", upto)


class _Ask:
    """The arms that one query is about, how far back it must reach for each, and whether one has a gate on latency."""

    def __init__(self, recent: float) -> None:
        self.recent = recent
        self.latency = False
        self._begins: dict[ArmRef, float] = {}

    def add(self, refs: Iterable[ArmRef], begin: float) -> None:
        for ref in refs:
            self._begins[ref] = min(begin, self._begins.get(ref, begin))

    @property
    def begin(self) -> float:
        """The oldest sample that any of them needs."""
        return min(self._begins.values())

    @property
    def refs(self) -> list[ArmRef]:
        """All arms."""
        return sorted(self._begins, key=lambda arm: (arm.namespace, arm.service, arm.revision))

    @property
    def refs_recent(self) -> list[ArmRef]:
        """Arms for which an ordinary query will do."""
        return [ref for ref in self.refs if self._begins[ref] >= self.recent]

    @property
    def refs_behind(self) -> list[ArmRef]:
        """Arms that need older samples."""
        return [ref for ref in self.refs if self._begins[ref] < self.recent]


def _first_beat(preset: Preset, one: Series) -> float:
    """The first scrape with success that a heartbeat shows; infinite when there is none."""
    whole = preset.heartbeats[one.name] != "up"
    return next((time for time, value in zip(one.times, one.values, strict=True) if whole or value == 1), math.inf)


def _templated(answer: list[Series] | Failure, pulse: Iterable[Series], refs: Sequence[ArmRef]) -> Samples | Failure:
    return answer if isinstance(answer, Failure) else index_samples(QUERY, refs, [*answer, *pulse])
