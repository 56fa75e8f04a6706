"""Gates: a figure with its interval against a limit, three verdicts, and how many rows would tell.

One scope: pass when the whole interval keeps the limit, fail when none of it does, undecided otherwise. With 95 % each
of the two is wrong in at most 2.5 % of evaluations.

Many scopes (slices, groups, features, data sets) under one gate:

- fail as soon as one scope fails after Holm's correction (S. Holm, Scand. J. Statist. 6, 1979): the probability that
  any scope that keeps the limit is said to break it stays at 2.5 %, however many there are.
- pass when every scope passes by its own interval. No correction is due: to pass wrongly, the one scope that breaks the
  limit has to pass wrongly, whatever the others do (the intersection-union test, R. Berger, Technometrics 24, 1982).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from serin.evaluate.config import Config
from serin.evaluate.estimates import Estimate, drop
from serin.evaluate.gate_config import Gate
from serin.evaluate.measures import COMPARISONS, DRIFT, FAIRNESS, MEASURES
from serin.evaluate.report import Figure, GateResult, GateScope, Interval, Verdict, worst
from serin.evaluate.scopes import Evaluated, ScopeFigures
from serin.evaluate.unseen import rows_to_see

_ROWS_MAX = 10**9
"""Beyond this nobody will collect them: the value is at the limit."""


def figure_of(found: Estimate, confidence: float) -> Figure:
    """As in reports: what is not known or not bounded is null."""
    low, high = found.interval(confidence)
    return Figure(value=_finite(found.value), interval=Interval(low=_finite(low), high=_finite(high)), rows=found.rows)


def judge(config: Config, gate: Gate, evaluated: Mapping[str, Evaluated]) -> GateResult:
    """A gate's verdict on all scopes that it is about.

    Args:
        config: The configuration.
        gate: The gate.
        evaluated: All data sets by name.
    """
    looked = {name: one for name, one in evaluated.items() if gate.dataset in {None, name}}
    seen = [_Seen(name, scope, found) for name, one in looked.items() for scope, found in _figures(gate, one)]
    seen += [_Seen(next(iter(looked)), section, _unknown(gate), empty=True) for section in _empty(gate, looked)]
    limit = _Limit.of(gate)
    failing = _holm(limit, seen, config.intervals.confidence, config.intervals.rows_min)
    scopes = [_judged(config, limit, one, failing.get(place), len(seen)) for place, one in enumerate(seen)]
    verdict = worst([one.verdict for one in scopes])
    return GateResult(
        name=gate.name,
        metric=gate.metric,
        limit=limit.words,
        verdict=verdict,
        message=_summary(gate, verdict, scopes),
        scopes=scopes,
    )


def rows_needed(found: Estimate, limit: float, confidence: float, rows_min: int) -> int | None:
    """About how many rows would tell on which side of a limit a measure is, if its value stays as it is.

    What resamples show of an interval shrinks with the square root of the rows: n (width / distance)^2, the width being
    theirs on the limit's side. What was not seen shrinks with the rows (`serin.evaluate.unseen`). The larger number
    counts. None when the value is at the limit, not known, or its interval not bounded there.

    For 0.92 [0.88, 0.95] of 400 rows against 0.9: 400 (0.04 / 0.02)^2 = 1600. For 150 right answers of 150 against
    0.999: 3688, although their interval of [0.976, 1] is 24 times as wide as the distance.
    """
    below = found.value > limit
    low, high = found.resampled(confidence) if found.known else (found.low, found.high)
    width = found.value - low if below else high - found.value
    distance = abs(found.value - limit)
    if not found.known or not math.isfinite(width) or distance == 0:
        return None
    needed = max(found.rows * (width / distance) ** 2, rows_min)
    unseen = distance / abs(found.value - (found.low if below else found.high))
    if 0 < unseen < 1:
        needed = max(needed, rows_to_see(unseen, confidence))
    return math.ceil(needed) if needed <= _ROWS_MAX else None


@dataclass(frozen=True, slots=True)
class _Limit:
    value: float
    at_least: bool
    words: str

    @classmethod
    def of(cls, gate: Gate) -> _Limit:
        at_least = gate.min is not None
        words = f"{'at least' if at_least else 'at most'} {gate.limit:g}"
        return cls(gate.limit, at_least, words if gate.max_drop_versus_stable is None else f"{words} worse than stable")

    def keeps(self, low: float, high: float) -> bool:
        return low >= self.value if self.at_least else high <= self.value


@dataclass(frozen=True, slots=True)
class _Seen:
    dataset: str
    scope: str
    found: Estimate
    empty: bool = False


def _figures(gate: Gate, one: Evaluated) -> Iterator[tuple[str, Estimate]]:
    """What a gate is about in a data set; a measure that there is not is one that is not known."""
    if gate.metric == DRIFT:
        # A feature that training did not have, or had as another type, has drifted by nobody knows how much.
        for name in one.gathered.survey.columns:
            yield f"column={name}", one.drift.get(name) or _unknown(gate)
        # One that only training had: a model that fills it in answers all the same, from less than it learnt with.
        for name in one.lost:
            yield f"column={name}", _unknown(gate)
        return
    if gate.metric in FAIRNESS:
        assert gate.group is not None  # noqa: S101 - the configuration has been checked
        found = one.fairness[gate.group].get(gate.metric)
        if gate.max_drop_versus_stable is not None:
            found = _dropped(found, one.stable_fairness.get(gate.group, {}).get(gate.metric))
        yield gate.group, found or _unknown(gate)
        return
    for scope in _scopes(gate, one.scopes):
        if gate.metric in COMPARISONS:
            compared = scope.comparison.get(gate.metric)
        elif gate.max_drop_versus_stable is not None:
            compared = _dropped(scope.candidate.get(gate.metric), (scope.stable or {}).get(gate.metric))
        else:
            compared = scope.candidate.get(gate.metric)
        yield scope.name, compared or _unknown(gate)


def _empty(gate: Gate, looked: Mapping[str, Evaluated]) -> list[str]:
    """Slices or groups without a row in any data set: what somebody asked for, and nobody knows."""
    if not (gate.per_slice or gate.per_group):
        return []
    parts = [one.gathered.slices if gate.per_slice else one.gathered.groups for one in looked.values()]
    there = {scope.section for one in looked.values() for scope in _scopes(gate, one.scopes)}
    wanted = dict.fromkeys(section for one in parts for section in one if gate.group in {None, section})
    return [section for section in wanted if section not in there]


def _scopes(gate: Gate, scopes: Sequence[ScopeFigures]) -> Iterator[ScopeFigures]:
    for scope in scopes:
        if gate.per_slice:
            chosen = scope.kind == "slice"
        elif gate.per_group:
            chosen = scope.kind == "group" and gate.group in {None, scope.section}
        else:
            chosen = scope.kind == "all"
        if chosen:
            yield scope


def _dropped(candidate: Estimate | None, stable: Estimate | None) -> Estimate | None:
    return drop(candidate, stable) if candidate is not None and stable is not None else None


def _unknown(gate: Gate) -> Estimate:
    measure = MEASURES[gate.metric]
    return Estimate(measure, math.nan, 0, np.full(1, math.nan), -math.inf, math.inf)


def _holm(limit: _Limit, seen: Sequence[_Seen], confidence: float, rows_min: int) -> dict[int, tuple[float, bool]]:
    """Each scope's adjusted p of breaking the limit, and whether it does: by rising p, the i-th times (k - i)."""
    level = (1 - confidence) / 2
    # Too few rows for a verdict are too few for evidence; they still count as a scope that is looked at.
    raw = [
        one.found.p_value(limit.value, above=not limit.at_least) if one.found.rows >= rows_min else 1.0 for one in seen
    ]
    found: dict[int, tuple[float, bool]] = {}
    highest = 0.0
    for rank, place in enumerate(sorted(range(len(seen)), key=raw.__getitem__)):
        highest = max(highest, min(1.0, raw[place] * (len(seen) - rank)))
        found[place] = (highest, highest <= level)
    return found


def _judged(config: Config, limit: _Limit, one: _Seen, holm: tuple[float, bool] | None, count: int) -> GateScope:
    confidence, rows_min = config.intervals.confidence, config.intervals.rows_min
    figure = figure_of(one.found, confidence)
    adjusted, failing = holm if holm is not None else (1.0, False)
    verdict: Verdict = "undecided"
    needed = None
    if one.empty:
        why = "it is not known: no row is in it"
    elif not one.found.known:
        why = "it is not known: not defined on these rows, or nobody said it"
        if one.found.measure.name == DRIFT:
            why = "it is not known: only one of data and training has such a column, or it is of another type"
    elif one.found.rows < rows_min:
        needed = max(rows_needed(one.found, limit.value, confidence, rows_min) or rows_min, rows_min)
        why = f"rests on {one.found.rows} rows, fewer than rowsMin; about {needed:,} would tell"
    elif failing:
        verdict, why = "fail", f"is not {limit.words}"
    elif limit.keeps(*one.found.interval(confidence)):
        verdict, why = "pass", f"is {limit.words}"
    else:
        needed = rows_needed(one.found, limit.value, confidence, rows_min)
        more = f"about {needed:,} rows would tell" if needed is not None else "more rows would hardly tell"
        why = f"may or may not be {limit.words}: {more}, {one.found.rows:,} are there"
    return GateScope(
        dataset=one.dataset,
        scope=one.scope,
        verdict=verdict,
        figure=figure,
        adjusted_p=adjusted if count > 1 else None,
        rows_needed=needed,
        message=f"{number(figure.value)} {interval(figure.interval)} {why}",
    )


def number(value: float | None) -> str:
    """Four digits; ? for what is not known."""
    return "?" if value is None else f"{value:.4g}"


def interval(found: Interval) -> str:
    """Both ends in brackets."""
    return f"[{number(found.low)}, {number(found.high)}]"


def _summary(gate: Gate, verdict: Verdict, scopes: Sequence[GateScope]) -> str:
    """The scope that decided, and how many are like it."""
    alike = [one for one in scopes if one.verdict == verdict]
    if not alike:
        return "nothing was measured"
    first = max(alike, key=lambda one: _distance(gate, one))
    count = f"; {len(alike)} of {len(scopes)} {verdict}" if len(scopes) > 1 else ""
    where = f" ({first.dataset}: {first.scope}{count})" if count or gate.per_slice or gate.per_group else ""
    return f"{gate.metric} {first.message}{where}"


def _distance(gate: Gate, one: GateScope) -> float:
    """How bad a scope is, to name the worst."""
    value = one.figure.value
    if value is None:
        return math.inf
    return -value if gate.min is not None else value


def _finite(value: float) -> float | None:
    # + 0.0: the negative of nothing is nothing.
    return float(value) + 0.0 if math.isfinite(value) else None
