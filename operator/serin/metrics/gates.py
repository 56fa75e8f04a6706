"""What one gate learns from a span: counts of both arms, or why there are none.

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

Each gate is counted from one metric only, because a proxy's histograms and counters may lag each other.

Pure: no clock, no I/O.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import assert_never

from serin.api.reasons import Reason
from serin.metrics.meter import OWN, Role, Span, Use, edge_at, edge_of, uses_of
from serin.metrics.presets.base import REVISION_LABEL, Outcome, Preset, unsupported
from serin.metrics.presets.query import QUERY
from serin.metrics.reading import ArmRef, Arms, CompareNeed, Counted, Missing, Need, QueryNeed, SlowNeed
from serin.metrics.series import Step
from serin.metrics.snapshot import Failure, Samples, Snapshot
from serin.stats.counts import Counts

__all__ = ["count", "count_arm", "why_stale"]


def count(span: Span, need: Need) -> Counted | Missing:
    """The counts that `need` asks for."""
    counts: dict[Role, Counts] = {"stable": Counts(), "candidate": Counts()}
    for role in counts:
        counted = count_arm(span, role, need)
        if isinstance(counted, Missing):
            return counted
        counts[role] = counted
    return Counted(counts["stable"], counts["candidate"])


def count_arm(span: Span, role: Role, need: Need) -> Counts | Missing:
    """One arm's part of what `need` asks for, whatever is known of the other; 0 of 0 where there is no such arm."""
    why = unsupported(span.preset, need)
    if why:
        return Missing(Reason.NOT_ATTRIBUTABLE, why)
    uses = uses_of(need) if isinstance(need, QueryNeed) else (OWN,)
    if isinstance(need, QueryNeed):
        failed = _query_failure(span.snapshot, need)
        if failed:
            return failed
    arm = span.arm(role)
    if arm is None:
        return Counts()
    return _why_missing(span, role, arm, uses) or _counts(span, role, need)


def _counts(span: Span, role: Role, need: Need) -> Counts | Missing:
    match need:
        case CompareNeed():
            return _failed(span, role, "server-error" if need.what == "serverErrors" else "client-error")
        case SlowNeed():
            return _slow(span, role, need.objective_seconds)
        case QueryNeed():
            return _queried(span, role, need)
        case _:
            assert_never(need)


def _failed(span: Span, role: Role, outcome: Outcome) -> Counts | Missing:
    taken = span.outcomes(role)
    unusable = _only_invalid(role, [step for _, step in taken], ", ".join(span.preset.requests))
    if unusable:
        return unusable
    if any(step.increase for became, step in taken if became == "unknown"):
        return Missing(Reason.NOT_ATTRIBUTABLE, f"{role}: {span.preset.why_unknown}")
    bad = sum(step.increase for became, step in taken if became == outcome)
    return Counts(span.requests(role), round(bad))


def _slow(span: Span, role: Role, objective_seconds: float) -> Counts | Missing:
    unit, latency = span.preset.latency_unit, span.preset.latency
    histograms: dict[tuple[tuple[str, str], ...], dict[float, Step]] = {}
    for one, step in span.steps(role):
        if span.is_latency(one):
            group = tuple(pair for pair in one.identity if pair[0] != "le")
            histograms.setdefault(group, {})[edge_of(one.labels.get("le", ""))] = step
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
        edge = next((e for e in edges if edge_at(e * unit, objective_seconds)), None)
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


def _queried(span: Span, role: Role, need: QueryNeed) -> Counts | Missing:
    totals, bads = ([step for _, step in span.steps(role, use)] for use in uses_of(need))
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
    for use in uses_of(need):
        answer = snapshot.queries.get(use, Failure(f"`{use[1]}` was not asked"))
        if isinstance(answer, Failure):
            return Missing(Reason.METRICS_UNAVAILABLE, answer.message)
    return None


def _why_missing(span: Span, role: Role, arm: ArmRef, uses: Sequence[Use]) -> Missing | None:
    """Why nothing can be said of an arm, whatever its counters show; None when it can."""
    preset = span.preset if uses == (OWN,) else QUERY
    answers = [samples for use in uses if (samples := span.samples(use))]
    keys = preset.keys_of(arm)
    stable = span.arms.stable
    if stable and preset.keys_of(stable)[0] == preset.keys_of(span.arms.candidate)[0]:
        name = " / ".join(keys[0])
        return Missing(Reason.NOT_ATTRIBUTABLE, f"both arms are called {name} in the metrics of {preset.name}")
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
    pair = (REVISION_LABEL, arm.revision)
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


def why_stale(preset: Preset, samples: Samples, arms: Arms, upto: float, reach_seconds: float) -> str | None:
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
