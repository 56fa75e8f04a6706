"""The evaluation from beginning to end: look at the data, ask, measure, judge, and say one thing, once."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import numpy as np

from serin import __version__
from serin.evaluate.asking import Asker
from serin.evaluate.config import Config
from serin.evaluate.endpoints import Endpoint
from serin.evaluate.estimates import Estimate
from serin.evaluate.faults import Arm, Effect, Fault, Unfit
from serin.evaluate.gates import figure_of, judge
from serin.evaluate.gathered import Gathered, Progress, gather
from serin.evaluate.metrics.scores import reliability
from serin.evaluate.reading import Source
from serin.evaluate.report import (
    Asked,
    ColumnReport,
    DatasetReport,
    FaultReport,
    Figure,
    Reliability,
    Report,
    Run,
    Scope,
    SkewReport,
    worst,
)
from serin.evaluate.scopes import Evaluated, ScopeFigures, evaluate, positive_second
from serin.evaluate.skew import check_skew
from serin.evaluate.snapshot import TrainingSnapshot, findings, load_snapshot
from serin.evaluate.survey import Survey, survey

_CONFUSION_CLASSES_MAX = 50


@dataclass(slots=True)
class _Made:
    """What there is so far; a fault ends the run and keeps it."""

    ages: dict[str, float | None] = field(default_factory=dict)
    asked: dict[Arm, Asked] = field(default_factory=dict)
    datasets: list[DatasetReport] = field(default_factory=list)


def digests_of(config: Config, folder: Path) -> dict[str, str]:
    """The data sets' digests by name.

    Raises:
        Unfit: DatasetUnreadable.
    """
    return {one.name: Source(folder / one.path, one.kind).digest() for one in config.datasets}


async def run(config: Config, folder: Path, now: datetime, progress: Progress) -> Report:
    """Evaluate; every way to go wrong ends as a report, too.

    Args:
        config: The configuration.
        folder: What its paths are relative to.
        now: An aware time, the one of this evaluation.
        progress: Told after each batch.
    """
    started, made = time.monotonic(), _Made()
    fault: Unfit | None = None
    judged: tuple[dict[str, Evaluated], SkewReport | None] = ({}, None)
    try:
        async with asyncio.timeout(config.asking.deadline.total_seconds()):
            judged = await _evaluated(config, folder, now, progress, made)
    except TimeoutError:
        limit = config.asking.deadline.total_seconds()
        fault = Unfit(Fault.OUT_OF_TIME, f"the evaluation took longer than its deadline of {limit:g} s")
    except Unfit as unfit:
        fault = unfit
    evaluated, skew = judged
    gates = [judge(config, gate, evaluated) for gate in config.gates] if fault is None else []
    verdicts = [gate.verdict for gate in gates] + ([skew.verdict] if skew is not None else [])
    return Report(
        revision=config.revision,
        config_digest=config.digest(),
        verdict=worst(verdicts) if fault is None else ("fail" if fault.effect is Effect.REJECT else "undecided"),
        fault=fault_report(fault) if fault is not None else None,
        gates=gates,
        datasets=made.datasets,
        skew=skew,
        run=Run(
            started=now,
            seconds=round(time.monotonic() - started, 3),
            program=f"serin {__version__}",
            age_seconds=made.ages,
            asked=made.asked,
        ),
    )


def fault_report(fault: Unfit) -> FaultReport:
    """A fault as in reports."""
    return FaultReport(
        reason=fault.fault, effect=fault.effect, arm=fault.arm, dataset=fault.dataset, message=str(fault)[:1000]
    )


async def _evaluated(
    config: Config, folder: Path, now: datetime, progress: Progress, made: _Made
) -> tuple[dict[str, Evaluated], SkewReport | None]:
    """All data sets are looked at before any model is asked."""
    snapshot = load_snapshot(folder / config.snapshot.path) if config.snapshot is not None else None
    surveys = []
    for dataset in config.datasets:
        seen = survey(config, dataset, Source(folder / dataset.path, dataset.kind), now)
        made.ages[dataset.name] = seen.age_seconds
        surveys.append(seen)
    evaluated: dict[str, Evaluated] = {}
    skew: SkewReport | None = None
    async with AsyncExitStack() as stack:
        askers: dict[Arm, Asker] = {}
        for arm, endpoint in _endpoints(config):
            askers[arm] = await stack.enter_async_context(Asker(config, arm, endpoint))
        try:
            for place, seen in enumerate(surveys):
                sample = config.skew.rows if config.skew is not None and place == 0 else 0
                gathered = await gather(config, seen, askers, snapshot, progress, sample_rows=sample)
                if config.skew is not None and place == 0:
                    skew = check_skew(config, config.skew, folder, gathered)
                one = evaluate(config, gathered, snapshot)
                evaluated[seen.dataset.name] = one
                made.datasets.append(_dataset_report(config, one, snapshot))
                # Only figures are needed further: a million rows of one data set at a time.
                gathered.arms.clear()
        finally:
            for arm, asker in askers.items():
                tally = asker.tally
                made.asked[arm] = Asked(requests=tally.requests, retries=tally.retries, seconds=round(tally.seconds, 3))
    return evaluated, skew


def _endpoints(config: Config) -> list[tuple[Arm, Endpoint]]:
    found: list[tuple[Arm, Endpoint]] = [("candidate", config.endpoints.candidate)]
    if config.endpoints.stable is not None:
        found.append(("stable", config.endpoints.stable))
    return found


def _dataset_report(config: Config, one: Evaluated, snapshot: TrainingSnapshot | None) -> DatasetReport:
    seen, confidence = one.gathered.survey, config.intervals.confidence
    return DatasetReport(
        name=seen.dataset.name,
        digest=seen.digest,
        rows=seen.rows,
        duplicates=seen.duplicates,
        columns=_columns(seen, one, snapshot, confidence),
        missing_columns=sorted(set(snapshot.columns) - set(seen.columns)) if snapshot is not None else [],
        scopes=[_scope(scope, confidence) for scope in one.scopes],
        fairness={name: _figures(found, confidence) for name, found in one.fairness.items()},
        stable_fairness={name: _figures(found, confidence) for name, found in one.stable_fairness.items()},
        confusion=_confusion(config, one.gathered),
        reliability=_reliability(config, one.gathered),
        flips=one.gathered.flips,
    )


def _scope(scope: ScopeFigures, confidence: float) -> Scope:
    return Scope(
        kind=scope.kind,
        name=scope.name,
        rows=scope.rows,
        candidate=_figures(scope.candidate, confidence),
        stable=_figures(scope.stable, confidence) if scope.stable is not None else None,
        comparison=_figures(scope.comparison, confidence),
    )


def _figures(found: Mapping[str, Estimate], confidence: float) -> dict[str, Figure]:
    return {name: figure_of(one, confidence) for name, one in found.items()}


def _columns(
    seen: Survey, one: Evaluated, snapshot: TrainingSnapshot | None, confidence: float
) -> dict[str, ColumnReport]:
    said = findings(seen, snapshot) if snapshot is not None else {}
    there = {
        name: ColumnReport(
            kind=profile.kind,
            missing=profile.missing,
            low=_number(profile.low),
            high=_number(profile.high),
            drift=figure_of(one.drift[name], confidence) if name in one.drift else None,
            findings=said.get(name, []),
        )
        for name, profile in seen.columns.items()
    }
    trained = snapshot.columns if snapshot is not None else {}
    lost = {
        name: ColumnReport(kind=column.kind, missing=seen.rows, findings=said[name])
        for name, column in trained.items()
        if name not in there
    }
    return there | lost


def _confusion(config: Config, gathered: Gathered) -> list[list[int]] | None:
    count = len(config.classes or ())
    if not 0 < count <= _CONFUSION_CLASSES_MAX:
        return None
    cells = gathered.target.astype(np.int64) * count + gathered.arms["candidate"].predicted
    found: list[list[int]] = np.bincount(cells, minlength=count * count).reshape(count, count).tolist()
    return found


def _reliability(config: Config, gathered: Gathered) -> dict[Arm, list[Reliability]]:
    found: dict[Arm, list[Reliability]] = {}
    for arm, answers in gathered.arms.items():
        if answers.scores is None:
            continue
        target, scores = positive_second(config, gathered.target, answers.scores)
        found[arm] = [Reliability(rows=one.rows, said=one.said, came=one.came) for one in reliability(target, scores)]
    return found


def _number(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
