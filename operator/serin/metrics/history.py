"""What stable did before a rollout, minute by minute and pod by pod: how much its bad requests clump.

The hour before an attempt is read in one go. Its totals feed the margin and the first guess; cut into windows of
equal time they also show by how much stable differs from itself, which is what `serin.stats.overdispersion` measures.
The windows are read as missed instants are after a restart, one after the other from the raw samples, so that each
count falls into the window in which it was scraped and none is made up.

Pods are told apart where they export the counters themselves (model servers, counters of a user's own). Behind a data
plane a series is a proxy's and not a pod's; there only the windows remain.

Pure: no clock, no I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from serin.metrics.gates import count_arm
from serin.metrics.meter import Meter, Span
from serin.metrics.presets.base import Preset
from serin.metrics.reading import Arms, Missing, Need, QueryNeed, StableHistory
from serin.metrics.series import Series
from serin.metrics.snapshot import Grid, Snapshot
from serin.stats.counts import Counts

__all__ = ["PODS_MAX", "WINDOWS_MAX", "WINDOW_SECONDS", "history_of", "window_seconds"]

WINDOW_SECONDS = 60.0
"""Requests that fail together do so within seconds; a window must be longer than their clump, else it is cut in two
and looks like two that are alike."""
WINDOWS_MAX = 60
PODS_MAX = 16
"""Sixteen pods for an hour are 900 degrees of freedom: phi is then known to a few percent."""


def window_seconds(grid: Grid) -> float:
    """How long a window is: whole instants of the grid, a minute or more, and at least two scrapes of a target."""
    least = max(WINDOW_SECONDS, 2 * grid.scrape)
    return -(-least // grid.interval) * grid.interval


def history_of(
    snapshot: Snapshot, instant: float, arms: Arms, needs: Sequence[Need], preset: Preset, meter: Meter
) -> Mapping[str, StableHistory]:
    """Stable's requests between the meter's instant and `instant`, by gate; gates that cannot be read are left out.

    The candidate is left out: that it has no pod yet says nothing against what stable did. The windows end at
    `instant`; what is too short for one at the beginning is in the totals only.
    """
    whole = Span(snapshot, instant, arms, needs, preset=preset, meter=meter)
    totals = {need.gate: count_arm(whole, "stable", need) for need in needs}
    known = [need for need in needs if not isinstance(totals[need.gate], Missing)]
    spans = list(_windows(snapshot, instant, arms, known, preset, meter))
    found: dict[str, StableHistory] = {}
    for need in known:
        total = totals[need.gate]
        assert isinstance(total, Counts)  # noqa: S101 - only those are known
        windows = tuple(_counts(span, need) for span in spans)
        found[need.gate] = StableHistory(total, windows, _by_pod(spans, need, preset))
    return found


def _windows(
    snapshot: Snapshot, instant: float, arms: Arms, needs: Sequence[Need], preset: Preset, meter: Meter
) -> Iterable[Span]:
    length = window_seconds(snapshot.grid)
    number = min(int((instant - meter.instant) // length), WINDOWS_MAX)
    ends = [instant - length * (number - index) for index in range(number + 1)]
    for end in ends:
        if end <= meter.instant:
            continue
        span = Span(snapshot, end, arms, needs, preset=preset, meter=meter)
        if end > ends[0]:
            yield span
        meter = Meter(end, span.cursors)


def _by_pod(spans: Sequence[Span], need: Need, preset: Preset) -> tuple[tuple[Counts, ...], ...]:
    """The windows of each pod; nothing where pods cannot be told apart.

    Which pods are taken where there are too many depends on their names only, never on how they did.
    """
    if preset.plane == "data-plane" and not isinstance(need, QueryNeed):
        return ()
    cut = [span.split("stable", pod_of) for span in spans]
    pods = sorted({pod for parts in cut for pod in parts})
    if len(pods) < 2:
        return ()
    return tuple(
        tuple(_counts(parts[pod], need) if pod in parts else Counts() for parts in cut) for pod in pods[:PODS_MAX]
    )


def pod_of(one: Series) -> str:
    """The pod that exports a series: by its label, else by the endpoint that is scraped."""
    return one.labels.get("pod") or one.target[1]


def _counts(span: Span, need: Need) -> Counts:
    """The window's counts. One that cannot be read is as good as one without requests: it says nothing."""
    found = count_arm(span, "stable", need)
    return Counts() if isinstance(found, Missing) else found
