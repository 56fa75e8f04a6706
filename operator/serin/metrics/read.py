"""Reading a rollout at an instant: a function of a snapshot and a meter, and nothing else.

    reading, meter = read(snapshot, instant, arms, needs, preset, meter)

An Outage leaves the meter where it was, so that what is counted later falls into the first reading after. A gap of
more than an hour is not read up: the reading then says how much was skipped and is the new baseline. That decision
does not look at outcomes, so that evidence stays valid.

Pure: no clock, no I/O.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from serin.api.reasons import Reason
from serin.metrics.gates import count, why_stale
from serin.metrics.history import history_of
from serin.metrics.meter import Meter, Span, needed_from, resume
from serin.metrics.presets.base import Preset
from serin.metrics.reading import Arms, Counted, Missing, Need, Outage, Reading, StableHistory
from serin.metrics.snapshot import Failure, Snapshot
from serin.stats.counts import Counts

__all__ = ["read"]

_MILLISECOND = 0.001


def read(
    snapshot: Snapshot,
    instant: float,
    arms: Arms,
    needs: Sequence[Need],
    preset: Preset,
    meter: Meter,
    *,
    history: bool = False,
) -> tuple[Reading | Outage, Meter]:
    """Read one rollout at `instant`, which the snapshot must cover.

    history: this is the time before an attempt, taken in one go; the reading then also says what stable did in
        each minute of it.

    Returns:
        The reading and the meter to read on with; with an Outage, the same meter.

    Raises:
        ValueError: `instant` is not after the meter's or not covered by the snapshot: a mistake of the
        caller.
    """
    grid = snapshot.grid
    if not meter.instant < instant <= snapshot.instant:
        raise ValueError(f"cannot read {instant}: last read {meter.instant}, the snapshot is of {snapshot.instant}")
    if needed_from(grid, meter, instant) < snapshot.since - _MILLISECOND:
        raise ValueError(f"cannot read {instant}: the snapshot reaches back to {snapshot.since}, the meter further")
    samples = snapshot.presets.get(preset.name, Failure(f"nothing was asked for the preset {preset.name}"))
    if isinstance(samples, Failure):
        return Outage(instant, Reason.METRICS_UNAVAILABLE, samples.message), meter
    stale = why_stale(preset, samples, arms, grid.upto(instant), grid.reach)
    if stale:
        return Outage(instant, Reason.STALE_METRICS, stale), meter

    seconds = instant - meter.instant
    if seconds > grid.span_longest:
        fresh = resume(snapshot, instant, arms, needs, preset)
        nothing = {need.gate: Counted(Counts(), Counts()) for need in needs}
        return _reading(fresh, nothing, seconds=0.0, skipped_seconds=seconds), fresh

    if meter.cursors is None:
        meter = resume(snapshot, meter.instant, arms, needs, preset)
    span = Span(snapshot, instant, arms, needs, preset=preset, meter=meter)
    gates = {need.gate: count(span, need) for need in needs}
    after = Meter(instant, span.cursors)
    return (
        _reading(
            after,
            gates,
            seconds=seconds,
            stable_requests=span.requests("stable"),
            candidate_requests=span.requests("candidate"),
            candidate_given_up=span.given_up("candidate"),
            outage_seconds=max(0.0, seconds - grid.interval),
            history=history_of(snapshot, instant, arms, needs, preset, meter) if history and arms.stable else {},
        ),
        after,
    )


def _reading(
    meter: Meter,
    gates: Mapping[str, Counted | Missing],
    *,
    seconds: float,
    stable_requests: int = 0,
    candidate_requests: int = 0,
    candidate_given_up: int = 0,
    outage_seconds: float = 0.0,
    skipped_seconds: float = 0.0,
    history: Mapping[str, StableHistory] | None = None,
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
        candidate_given_up,
        history or {},
    )
