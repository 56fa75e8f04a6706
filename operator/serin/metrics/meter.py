"""Reads a rollout's own samples out of a snapshot: the increases since its last reading, or why none.

`read` is a function of the snapshot and the meter. The meter is where the last reading ended: one cursor a
series. It is never stored. After a restart `resume` puts each cursor on the last sample at or before the
instant that the stored evidence ends with, and reading the missed instants one after the other gives what it
would have given live.

What becomes of an arm, by what the snapshot shows (each row has a test):

DP: data plane, MS: model server, whose targets belong to one arm each.

| targets                   | the arm's series                | result for the gate                        |
|---------------------------|---------------------------------|--------------------------------------------|
| the query failed          |                                 | Outage MetricsUnavailable                  |
| DP: none up               | any                             | Outage StaleMetrics                        |
| DP: up                    | none yet (born with a request)  | counts, 0 of 0                             |
| DP: up                    | no new sample, or no increase   | counts, 0 of 0                             |
| DP: some up, some not     | there                           | counts of those up; the others' come later |
| MS: neither arm's up      | any                             | Outage StaleMetrics                        |
| MS: this arm's never seen | none                            | Missing NotAttributable                    |
| MS: this arm's not up     | any                             | Missing StaleMetrics                       |
| MS: this arm's up         | none yet                        | counts, 0 of 0                             |
| up                        | only NaN, infinite, negative    | Missing StaleMetrics                       |
| up                        | latency, no edge at objective   | Missing NoBucketAtObjective, edges named   |
| up                        | requests counted, no latency    | Missing NoBucketAtObjective                |
| any                       | both arms have one key          | Missing NotAttributable                    |
| any                       | two rollouts answer to its name | Missing NotAttributable                    |
| any                       | the preset cannot measure it    | Missing NotAttributable, with the reason   |
| query refused or failed   |                                 | Missing MetricsUnavailable, this gate      |
| query: no target seen     | none                            | Missing NotAttributable                    |
| query: target up          | none, or some                   | counts; an absent counter is 0             |
| query: its targets not up | any                             | Missing StaleMetrics                       |

"Up" at an instant: a scrape in the last three scrape intervals before instant - settle. An instance that
several jobs scrape counts once, for the job that sorts first: else every request would count twice.

Pure: no clock, no I/O.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, assert_never

from serin.api.reasons import Reason
from serin.metrics.presets.base import Key, Outcome, Preset, unsupported
from serin.metrics.presets.query import QUERY
from serin.metrics.reading import (
    ArmRef,
    Arms,
    CompareNeed,
    Counted,
    Missing,
    Need,
    Outage,
    QueryNeed,
    Reading,
    SlowNeed,
)
from serin.metrics.series import Cursor, Series, Step, advance, baseline
from serin.metrics.snapshot import Failure, Samples, Snapshot
from serin.stats.counts import Counts

__all__ = ["Meter", "read", "resume"]

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


def read(  # noqa: PLR0917 - the six things that a reading depends on, nothing else
    snapshot: Snapshot, instant: float, arms: Arms, needs: Sequence[Need], preset: Preset, meter: Meter
) -> tuple[Reading | Outage, Meter]:
    """Read one rollout at `instant`, which the snapshot must cover.

    Returns:
        The reading and the meter to read on with; with an Outage, the same meter.

    Raises:
        ValueError: `instant` is not after the meter's or not covered by the snapshot: a mistake of the
        caller.
    """
    grid = snapshot.grid
    if not meter.instant < instant <= snapshot.instant:
        raise ValueError(
            f"cannot read {instant}: last read {meter.instant}, the snapshot is of {snapshot.instant}"
        )
    samples = snapshot.presets.get(preset.name, Failure(f"nothing was asked for the preset {preset.name}"))
    if isinstance(samples, Failure):
        return Outage(instant, Reason.METRICS_UNAVAILABLE, samples.message), meter
    stale = _why_stale(preset, samples, arms, grid.upto(instant), grid.reach)
    if stale:
        return Outage(instant, Reason.STALE_METRICS, stale), meter

    seconds = instant - meter.instant
    if seconds > grid.span_longest:
        fresh = resume(snapshot, instant, arms, needs, preset)
        nothing = {need.gate: Counted(Counts(), Counts()) for need in needs}
        return _reading(fresh, nothing, seconds=0.0, skipped_seconds=seconds), fresh

    if meter.cursors is None:
        meter = resume(snapshot, meter.instant, arms, needs, preset)
    span = _Span(snapshot, instant, arms, needs, preset=preset, meter=meter)
    gates = {need.gate: _gate(span, need) for need in needs}
    after = Meter(instant, span.cursors)
    return (
        _reading(
            after,
            gates,
            seconds=seconds,
            stable_requests=span.requests("stable"),
            candidate_requests=span.requests("candidate"),
            outage_seconds=max(0.0, seconds - grid.interval),
        ),
        after,
    )


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


def _reading(
    meter: Meter,
    gates: Mapping[str, Counted | Missing],
    *,
    seconds: float,
    stable_requests: int = 0,
    candidate_requests: int = 0,
    outage_seconds: float = 0.0,
    skipped_seconds: float = 0.0,
) -> Reading:
    return Reading(
        meter.instant,
        seconds,
        gates,
        stable_requests,
        candidate_requests,
        meter.knows("stable"),
        meter.knows("candidate"),
        outage_seconds,
        skipped_seconds,
    )


class _Span:
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
                reach_seconds=self.reach,
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

    def outcomes(self, role: Role) -> Iterator[tuple[Outcome, Step]]:
        """The arm's requests by what became of them."""
        for one, step in self.steps(role):
            if one.name in self.preset.requests:
                outcome = self.preset.classify(one.labels)
                if outcome is not None:
                    yield outcome, step

    def requests(self, role: Role) -> int:
        """All requests of an arm."""
        return round(sum(step.increase for _, step in self.outcomes(role)))

    def edges_seconds(self, role: Role) -> list[float]:
        """All edges of the arm's latency histograms, rising, without infinity."""
        samples, arm = self.samples(OWN), self.arm(role)
        if samples is None or arm is None:
            return []
        series = _of_arm(samples, self.preset.keys_of(arm))
        edges = {_edge(one.labels.get("le", "")) for one in series if one.name == self.preset.bucket}
        return sorted(edge * self.preset.latency_unit for edge in edges if edge < math.inf)

    def recent(self, one: Series) -> bool:
        """Whether the series has a sample in the span or shortly before."""
        return any(self.floor < time <= self.upto for time in reversed(one.times))


def _gate(span: _Span, need: Need) -> Counted | Missing:
    why = unsupported(span.preset, need)
    if why:
        return Missing(Reason.NOT_ATTRIBUTABLE, why)
    uses = _uses(need) if isinstance(need, QueryNeed) else (OWN,)
    if isinstance(need, QueryNeed):
        failed = _query_failure(span.snapshot, need)
        if failed:
            return failed
    counts: dict[Role, Counts] = {"stable": Counts(), "candidate": Counts()}
    for role in counts:
        arm = span.arm(role)
        if arm is None:
            continue
        missing = _why_missing(span, role, arm, uses)
        if missing:
            return missing
        counted = _counts(span, role, need)
        if isinstance(counted, Missing):
            return counted
        counts[role] = counted
    return Counted(counts["stable"], counts["candidate"])


def _counts(span: _Span, role: Role, need: Need) -> Counts | Missing:
    match need:
        case CompareNeed():
            return _failed(span, role, "server-error" if need.what == "serverErrors" else "client-error")
        case SlowNeed():
            return _slow(span, role, need.objective_seconds)
        case QueryNeed():
            return _queried(span, role, need)
        case _:
            assert_never(need)


def _failed(span: _Span, role: Role, outcome: Outcome) -> Counts | Missing:
    taken = list(span.outcomes(role))
    unusable = _only_invalid(role, [step for _, step in taken], ", ".join(span.preset.requests))
    if unusable:
        return unusable
    bad = sum(step.increase for became, step in taken if became == outcome)
    return Counts(span.requests(role), round(bad))


def _slow(span: _Span, role: Role, objective_seconds: float) -> Counts | Missing:
    unit, latency = span.preset.latency_unit, span.preset.latency
    histograms: dict[tuple[tuple[str, str], ...], dict[float, Step]] = {}
    for one, step in span.steps(role):
        if one.name == span.preset.bucket and span.preset.timed(one.labels) and span.recent(one):
            group = tuple(pair for pair in one.identity if pair[0] != "le")
            histograms.setdefault(group, {})[_edge(one.labels.get("le", ""))] = step
    if not histograms:
        if span.requests(role) == 0:
            return Counts()
        return Missing(
            Reason.NO_BUCKET_AT_OBJECTIVE,
            f"{role}: requests are counted but {latency}_bucket has no series: the histogram is off, or "
            "stored as a native histogram only (always_scrape_classic_histograms keeps the buckets)",
        )
    usable = []
    for edges in histograms.values():
        edge = next((e for e in edges if _at(e * unit, objective_seconds)), None)
        if edge is not None and math.inf in edges:
            usable.append((edges[math.inf], edges[edge]))
    if not usable:
        named = ", ".join(f"{edge:g}" for edge in span.edges_seconds(role)) or "none"
        return Missing(
            Reason.NO_BUCKET_AT_OBJECTIVE,
            f"{role}: {latency} has no edge at {objective_seconds:g} s; its edges in seconds: {named}. "
            "Set the objective to one of them, or add an edge",
        )
    unusable = _only_invalid(role, [step for pair in usable for step in pair], f"{latency}_bucket")
    if unusable:
        return unusable
    total = round(sum(all_.increase for all_, _ in usable))
    slow = round(sum(max(0.0, all_.increase - fast.increase) for all_, fast in usable))
    return Counts(total, min(slow, total))


def _queried(span: _Span, role: Role, need: QueryNeed) -> Counts | Missing:
    totals, bads = ([step for _, step in span.steps(role, use)] for use in _uses(need))
    unusable = _only_invalid(role, totals, need.total) or _only_invalid(role, bads, need.bad)
    if unusable:
        return unusable
    total = round(sum(step.increase for step in totals))
    bad = round(sum(step.increase for step in bads))
    # A scrape may fall between the two increments of one event; more than that is a wrong pair of templates.
    if bad > total + max(1, total // 20):
        return Missing(
            Reason.METRICS_UNAVAILABLE,
            f"{role}: `{need.bad}` rose by {bad} but `{need.total}` by {total}: bad ones must be among all",
        )
    return Counts(max(total, bad), bad)


def _only_invalid(role: Role, steps: Sequence[Step], what: str) -> Missing | None:
    if any(step.invalid for step in steps) and not any(step.valid for step in steps):
        return Missing(
            Reason.STALE_METRICS,
            f"{role}: {what} has only NaN, infinite or negative values since the last reading",
        )
    return None


def _query_failure(snapshot: Snapshot, need: QueryNeed) -> Missing | None:
    for use in _uses(need):
        answer = snapshot.queries.get(use, Failure(f"`{use[1]}` was not asked"))
        if isinstance(answer, Failure):
            return Missing(Reason.METRICS_UNAVAILABLE, answer.message)
    return None


def _uses(need: QueryNeed) -> tuple[Use, Use]:
    return (need.policy_key, need.total), (need.policy_key, need.bad)


def _why_missing(span: _Span, role: Role, arm: ArmRef, uses: Sequence[Use]) -> Missing | None:
    """Why nothing can be said of an arm, whatever its counters show; None when it can."""
    preset = span.preset if uses == (OWN,) else QUERY
    answers = [samples for use in uses if (samples := span.samples(use))]
    keys = preset.keys_of(arm)
    stable = span.arms.stable
    if stable and preset.keys_of(stable)[0] == preset.keys_of(span.arms.candidate)[0]:
        name = " / ".join(keys[0])
        return Missing(
            Reason.NOT_ATTRIBUTABLE, f"both arms are called {name} in the metrics of {preset.name}"
        )
    for key in keys:
        if any(key in samples.clashing and key in samples.series for samples in answers):
            name = " / ".join(part for part in key if part)
            return Missing(
                Reason.NOT_ATTRIBUTABLE,
                f"{role}: series called {name} may be another ModelDeployment's; rename one of them",
            )
    if preset.plane == "data-plane":
        return None
    targets = {t for samples in answers for key in keys for t in samples.targets.get(key, ())}
    if any(target in samples.up(span.upto, span.reach) for samples in answers for target in targets):
        return None
    pair = ("serin_dev_revision", arm.revision)
    if any(pair in key[2] for key in span.cursors if key[0] == role and key[1] in uses):
        seen = (samples.beats_of(target).newest(span.upto) for samples in answers for target in targets)
        last = max((time for time in seen if time is not None), default=None)
        age = f"since {span.upto - last:.0f} s" if last is not None else "any more"
        return Missing(Reason.STALE_METRICS, f"{role}: no pod of revision {arm.revision} is scraped {age}")
    return Missing(
        Reason.NOT_ATTRIBUTABLE,
        f"{role}: no scraped target has the label serin_dev_revision={arm.revision}; the scrape must copy "
        "the pod label serin.dev/revision",
    )


def _why_stale(preset: Preset, samples: Samples, arms: Arms, upto: float, reach_seconds: float) -> str | None:
    """Why there is no reading at all at this instant; None when there is one."""
    up = samples.up(upto, reach_seconds)
    if preset.plane == "data-plane":
        if up:
            return None
        wanted = f"no target of {preset.name} is scraped ({', '.join(preset.heartbeats)})"
        beats = list(samples.beats.values())
    else:
        refs = [arm for arm in (arms.stable, arms.candidate) if arm]
        targets = {t for arm in refs for key in preset.keys_of(arm) for t in samples.targets.get(key, ())}
        if targets & up:
            return None
        named = " or ".join(arm.revision for arm in refs)
        wanted = f"no scraped target has the label serin_dev_revision={named}"
        beats = [samples.beats_of(target) for target in targets]
    last = max((time for one in beats if (time := one.newest(upto)) is not None), default=None)
    if last is None:
        return wanted
    return f"{wanted}: the newest sample is {upto - last:.0f} s old, more than {reach_seconds:.0f} s"


def _in_use(
    snapshot: Snapshot, arms: Arms, needs: Sequence[Need], preset: Preset
) -> Iterator[tuple[Role, Use, Samples, Series]]:
    """Every series that the needs of a rollout are read from, each once for an arm and a use."""
    objectives = [need.objective_seconds for need in needs if isinstance(need, SlowNeed)]
    queries = {use for need in needs if isinstance(need, QueryNeed) for use in _uses(need)}
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
    edge = _edge(one.labels.get("le", ""))
    return edge == math.inf or any(_at(edge * unit, objective) for objective in objectives)


@lru_cache(maxsize=1024)
def _edge(text: str) -> float:
    """An edge as a number: Prometheus 3 writes 1.0 where an exporter wrote 1."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def _at(edge_seconds: float, objective_seconds: float) -> bool:
    return abs(edge_seconds - objective_seconds) <= 1e-9 * objective_seconds
