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
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from serin.api.reasons import Reason
from serin.metrics.meter import Meter, read, resume
from serin.metrics.presets import Preset, preset_named
from serin.metrics.presets.query import QUERY
from serin.metrics.prometheus import MetricsUnavailable, PrometheusSource
from serin.metrics.promql import TemplateError, any_of, expand
from serin.metrics.reading import ArmRef, Arms, Need, Outage, QueryNeed
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
        """Like `snapshot`, for every instant in (since, until]; the meters stand at `since` or later.

        After a restart give fresh meters (`Meter.start(since)`); at most an hour is read back.
        """
        return await self._ask(until, wants, since)

    def close(self) -> None:
        """Give threads and connections back."""
        self._client.close()

    async def _ask(
        self, instant: float, wants: Sequence[Want], since: float | None = None
    ) -> Snapshot | Outage:
        upto = self.grid.upto(instant)
        begin = min(
            [self._begin(want, instant) for want in wants] + ([since] if since is not None else []),
            default=upto,
        )
        window = max(upto - begin, self.grid.lookback)
        presets: dict[str, list[ArmRef]] = {}
        policies: dict[tuple[str, str], list[ArmRef]] = {}
        for want in wants:
            presets.setdefault(self.preset(want.preset).name, []).extend(want.refs)
            for need in want.needs:
                if isinstance(need, QueryNeed):
                    for template in (need.total, need.bad):
                        policies.setdefault((need.policy_key, template), []).extend(want.refs)
        async with asyncio.TaskGroup() as group:
            asked = {
                name: group.create_task(self._preset(preset_named(name), refs, upto, window))
                for name, refs in presets.items()
            }
            pulse = group.create_task(
                self._pulse([ref for refs in policies.values() for ref in refs], upto, window)
            )
            queried = {
                use: group.create_task(self._template(use[1], refs, upto, window))
                for use, refs in policies.items()
            }
        answers = {name: task.result() for name, task in asked.items()}
        failures = [answer.message for answer in answers.values() if isinstance(answer, Failure)]
        if answers and len(failures) == len(answers):
            return Outage(instant, Reason.METRICS_UNAVAILABLE, failures[0])
        return Snapshot(
            instant,
            begin,
            self.grid,
            answers,
            {use: _templated(task.result(), pulse.result(), policies[use]) for use, task in queried.items()},
        )

    def _begin(self, want: Want, instant: float) -> float:
        """The oldest sample that reading this rollout may look at."""
        grid, meter = self.grid, want.meter
        if instant - meter.instant > grid.span_longest:
            return grid.upto(instant) - grid.memory  # skipped: a baseline at `instant` is all that is wanted
        fresh = meter.cursors is None
        return grid.upto(meter.instant) - grid.memory if fresh else grid.floor(meter.instant)

    async def _preset(
        self, preset: Preset, refs: Sequence[ArmRef], upto: float, window: float
    ) -> Samples | Failure:
        arms = sorted(set(refs), key=lambda arm: (arm.namespace, arm.service, arm.revision))
        try:
            series = await self._range(preset.selector(arms, self.source.extra_matchers), upto, window)
            if preset.start_metric:
                series += await self._starts(preset, series, upto, window)
        except MetricsUnavailable as error:
            return Failure(str(error))
        return index_samples(preset, arms, series)

    async def _starts(
        self, preset: Preset, series: Iterable[Series], upto: float, window: float
    ) -> list[Series]:
        """When the processes of new targets started; nothing is asked where no target is new."""
        settled = upto - window + self.grid.reach
        new = {one.target for one in series if one.name in preset.heartbeats and one.times[0] > settled}
        if not new or not preset.start_metric:
            return []
        matchers = [
            any_of("__name__", [preset.start_metric]),
            any_of("job", sorted({job for job, _ in new})),
            any_of("instance", sorted({instance for _, instance in new})),
            *self.source.extra_matchers,
        ]
        return await self._range("{" + ",".join(matchers) + "}", upto, window)

    async def _pulse(self, refs: Sequence[ArmRef], upto: float, window: float) -> list[Series]:
        """When the pods of arms with query gates were scraped; else the samples themselves must do."""
        if not refs:
            return []
        try:
            return await self._range(QUERY.selector(refs, self.source.extra_matchers), upto, window)
        except MetricsUnavailable:
            return []

    async def _template(
        self, template: str, refs: Sequence[ArmRef], upto: float, window: float
    ) -> list[Series] | Failure:
        try:
            return await self._range(expand(template, (ref.revision for ref in refs)), upto, window)
        except (MetricsUnavailable, TemplateError) as error:
            return Failure(f"`{template}`: {error}")

    async def _range(self, selector: str, upto: float, window: float) -> list[Series]:
        return await self._client.query(f"{selector}[{max(1, round(window * 1000))}ms]", upto)


def _templated(
    answer: list[Series] | Failure, pulse: Iterable[Series], refs: Sequence[ArmRef]
) -> Samples | Failure:
    return answer if isinstance(answer, Failure) else index_samples(QUERY, refs, [*answer, *pulse])
