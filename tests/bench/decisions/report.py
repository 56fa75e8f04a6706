"""From results to tables and plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tests.bench.decisions import svg
from tests.bench.decisions.figures import Interval, mean_interval, median_interval, rate_interval
from tests.bench.decisions.rules import SERIN, Result
from tests.bench.decisions.scenarios import Scenario, Truth
from tests.bench.decisions.traffic import Floats

__all__ = ["Outcomes", "again", "gentle", "plots", "rules", "table", "worst"]

Outcomes = Sequence[tuple[Scenario, Mapping[str, Result]]]


@dataclass(frozen=True, slots=True)
class _Rates:
    """Of the scenarios with one truth: the mean rate of a verdict, and the largest."""

    mean: Interval
    worst: float


def _rates(outcomes: Outcomes, name: str, truth: Truth, verdict: int) -> _Rates:
    hits = [(int((r[name].verdict == verdict).sum()), r[name].runs) for s, r in outcomes if s.truth == truth]
    return _Rates(rate_interval(sum(h for h, _ in hits), sum(n for _, n in hits)), max(h / n for h, n in hits))


def excess(outcomes: Outcomes, name: str) -> Interval:
    """Excess errors per 1M requests, the mean over regressions."""
    found = [r[name] for s, r in outcomes if s.truth == "regression"]
    return mean_interval([r.excess[0] for r in found], [r.excess[1] for r in found], found[0].runs)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def rules(outcomes: Outcomes, names: Sequence[str]) -> str:
    """Which rule errs how often."""
    rows = []
    for name in names:
        false, missed = (_rates(outcomes, name, t, v) for t, v in (("equal", -1), ("regression", 1)))  # type: ignore[arg-type]
        inside = _rates(outcomes, name, "inside", -1)
        waits = [float((r[name].verdict == 0).mean()) for s, r in outcomes if s.truth != "inside"]
        rows.append(
            [
                name,
                f"{_three(false.mean)} ({false.worst:.3f})",
                f"{_three(missed.mean)} ({missed.worst:.3f})",
                f"{inside.mean.value:.3f}",
                _whole(excess(outcomes, name)),
                f"{np.mean(waits):.3f}",
            ]
        )
    header = [
        "rule",
        "false rollback: mean (worst)",
        "missed regression: mean (worst)",
        "inside the margin, rolled back",
        "excess errors per 1M requests",
        "no verdict in a day (an hour)",
    ]
    return table(header, rows)


def _times(outcomes: Outcomes, name: str, truth: Truth, verdict: int) -> tuple[Floats, int]:
    """Seconds of all rollouts with this truth and verdict, and how many rollouts there were."""
    chosen = [r[name] for s, r in outcomes if s.gentle and s.truth == truth]
    times = np.concatenate([r.seconds[r.verdict == verdict] for r in chosen]).astype(np.float64)
    return times, sum(r.runs for r in chosen)


def gentle(outcomes: Outcomes, names: Sequence[str]) -> str:
    """How long it takes where thresholds are at their best; a rollout without that verdict counts as for ever."""
    rows = []
    for name in names:
        cells = [name]
        for truth, verdict in (("equal", 1), ("regression", -1)):
            times, runs = _times(outcomes, name, truth, verdict)  # type: ignore[arg-type]
            filled = np.concatenate([times, np.full(runs - len(times), np.inf)])
            cells += [_clock(median_interval(filled)), f"{len(times) / runs:.3f}"]
        rows.append(cells)
    header = [
        "rule",
        "median time to promote an equal candidate",
        "promoted",
        "median time to roll back a regression",
        "rolled back",
    ]
    return table(header, rows)


def worst(outcomes: Outcomes, truth: Truth, verdict: int, how_many: int) -> list[Scenario]:
    """The scenarios in which Serin erred most often."""
    chosen = [
        (float((r[SERIN].verdict == verdict).mean()), -i, s) for i, (s, r) in enumerate(outcomes) if s.truth == truth
    ]
    return [scenario for _, _, scenario in sorted(chosen, key=lambda c: c[:2], reverse=True)[:how_many]]


def again(outcomes: Outcomes, verdict: int) -> tuple[str, float, float]:
    """The worst scenarios with fresh traffic: a table, the largest rate, the largest 99.9 % lower bound."""
    rows, rates, bounds = [], [], []
    for scenario, results in outcomes:
        found = results[SERIN]
        hits = int((found.verdict == verdict).sum())
        bound = rate_interval(hits, found.runs, 0.998)
        rates.append(hits / found.runs)
        bounds.append(bound.low)
        rows.append(
            [scenario.name, scenario.candidate, f"{hits} of {found.runs}", f"{bound.low:.5f}", f"{bound.high:.5f}"]
        )
    rows.sort(key=lambda row: -int(row[2].split()[0]))
    header = ["requests, share, rates", "candidate", "errors", "99.9 % lower bound", "upper bound"]
    return table(header, rows), max(rates), max(bounds)


def plots(outcomes: Outcomes, names: Sequence[str]) -> dict[str, str]:
    """The SVG files by name."""
    false = {n: _rates(outcomes, n, "equal", -1).mean for n in names}
    missed = {n: _rates(outcomes, n, "regression", 1).mean for n in names}
    harm = {n: excess(outcomes, n) for n in names}
    found = {n: _times(outcomes, n, "regression", -1) for n in names}
    return {
        "false-rollback.svg": svg.bars("False rollbacks of equal candidates, mean rate", false, 1e-4, 4),
        "missed-regression.svg": svg.bars("Missed regressions, mean rate", missed, 1e-5, 5),
        "excess-errors.svg": svg.bars("Excess errors per 1M requests", harm, 10, 0),
        "time-to-roll-back.svg": svg.curves(
            "Regressions rolled back, 0.1 to 0.5 % and 5 requests/s or more",
            {n: times for n, (times, _) in found.items()},
            {n: runs for n, (_, runs) in found.items()},
        ),
    }


def _three(interval: Interval) -> str:
    return f"{interval.value:.4f} [{interval.low:.4f}, {interval.high:.4f}]"


def _whole(interval: Interval) -> str:
    return f"{interval.value:.0f} [{interval.low:.0f}, {interval.high:.0f}]"


def _clock(interval: Interval) -> str:
    return f"{_words(interval.value)} [{_words(interval.low)}, {_words(interval.high)}]"


def _words(seconds: float) -> str:
    if not np.isfinite(seconds):
        return "never"
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.3g} min"
