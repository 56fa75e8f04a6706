"""All figures of a data set: each measure of each arm, on all rows, on every slice and on every group."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from serin.evaluate.answers import Answers
from serin.evaluate.config import Config
from serin.evaluate.estimates import Estimate, estimates
from serin.evaluate.faults import Arm
from serin.evaluate.gathered import Gathered, Partition
from serin.evaluate.metrics.classes import class_measures
from serin.evaluate.metrics.drift import drift_measure
from serin.evaluate.metrics.fairness import fairness_measures
from serin.evaluate.metrics.flips import flip_measures
from serin.evaluate.metrics.numbers import number_measures
from serin.evaluate.metrics.orders import Lists, lists_of, order_measures
from serin.evaluate.metrics.scores import AREAS, area_measures, calibration_measures, loss_measures
from serin.evaluate.resampling import Codes, Floats, Resamples
from serin.evaluate.snapshot import TrainingSnapshot

Figures = dict[str, Estimate]


@dataclass(frozen=True, slots=True)
class ScopeFigures:
    """Figures of some rows.

    Attributes:
        kind: Why these rows.
        section: The name of the slice's or protected attribute's section.
        name: As in reports.
        rows: How many.
        candidate: Its measures.
        stable: Stable's; None when it is not asked.
        comparison: Measures of both.
    """

    kind: Literal["all", "slice", "group"]
    section: str
    name: str
    rows: int
    candidate: Figures
    stable: Figures | None
    comparison: Figures = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Evaluated:
    """All figures of a data set."""

    gathered: Gathered
    scopes: tuple[ScopeFigures, ...]
    fairness: Mapping[str, Figures]
    stable_fairness: Mapping[str, Figures]
    drift: Figures
    lost: tuple[str, ...] = ()
    """Features of the training data that the file has no column of."""


def evaluate(config: Config, gathered: Gathered, snapshot: TrainingSnapshot | None) -> Evaluated:
    """Compute them; a scope without a row is left out."""
    view = _View.of(config, gathered)
    parts = list(_parts(gathered))

    def of_arm(arm: Arm) -> tuple[list[Figures], dict[str, Figures]]:
        answers = gathered.arms[arm]
        measured = [view.measures(rows, answers, arm, kind) for kind, _, _, rows in parts]
        return measured, {name: view.fairness(name, answers) for name in gathered.groups}

    # NumPy sorts and sums without the interpreter's lock, so an arm takes no time beside the other one.
    with ThreadPoolExecutor() as threads:
        arms = dict(zip(gathered.arms, threads.map(of_arm, gathered.arms), strict=True))
    drift: Figures = {}
    lost: tuple[str, ...] = ()
    if snapshot is not None:
        there = set(gathered.survey.source.columns())
        lost = tuple(name for name in snapshot.columns if name not in there)
        for name, counts in gathered.drift.items():
            trained = np.asarray(snapshot.columns[name].counts, dtype=np.float64)
            (drift[name],) = estimates(drift_measure(counts, trained), gathered.resamples).values()
    candidate, fair = arms["candidate"]
    stable, stable_fair = arms.get("stable", ([None] * len(parts), {}))
    scopes = tuple(
        ScopeFigures(kind, section, name, len(rows), of_candidate, of_stable, view.comparison(rows))
        for (kind, section, name, rows), of_candidate, of_stable in zip(parts, candidate, stable, strict=True)
    )
    return Evaluated(gathered, scopes, fair, stable_fair, drift, lost)


def positive_second(config: Config, target: Codes, scores: Floats) -> tuple[Codes, Floats]:
    """Targets, shape [rows], and scores, shape [rows, classes], as measures of two classes take them."""
    if scores.shape[1] == 2 and config.positive_code == 0:
        return 1 - target, scores[:, ::-1]
    return target, scores


def _parts(
    gathered: Gathered,
) -> Iterator[tuple[Literal["all", "slice", "group"], str, str, NDArray[np.intp]]]:
    yield "all", "all", "all", np.arange(gathered.survey.rows)
    kinds: dict[Literal["all", "slice", "group"], dict[str, Partition]]
    kinds = {"slice": gathered.slices, "group": gathered.groups}
    for kind, partitions in kinds.items():
        for section, partition in partitions.items():
            for code, name in enumerate(partition.names):
                rows = np.flatnonzero(partition.codes == code)
                if len(rows):
                    yield kind, section, name, rows


@dataclass(frozen=True, slots=True)
class _View:
    """A data set with what all scopes share."""

    config: Config
    gathered: Gathered
    lists: Mapping[str, Lists]
    first_rows: NDArray[np.intp]
    query_resamples: Resamples | None

    @classmethod
    def of(cls, config: Config, gathered: Gathered) -> _View:
        """For ranking each arm's lists are measured once; scopes choose among them."""
        if gathered.queries is None:
            return cls(config, gathered, {}, np.empty(0, np.intp), None)
        lists: dict[str, Lists] = {
            arm: lists_of(gathered.target, one.predicted, gathered.queries, gathered.query_count, config.cutoff)
            for arm, one in gathered.arms.items()
        }
        _, first = np.unique(gathered.queries, return_index=True)
        drawn = Resamples.of(gathered.query_count, config.intervals.resamples, gathered.survey.digest)
        return cls(config, gathered, lists, first, drawn)

    def measures(self, rows: NDArray[np.intp], answers: Answers, arm: str, kind: str) -> Figures:
        resamples = self.gathered.resamples
        blocks = resamples.blocks[rows]
        target, predicted = self.gathered.target[rows], answers.predicted[rows]
        match self.config.task:
            case "regression":
                return estimates(number_measures(target, predicted, blocks, resamples), resamples)
            case "ranking":
                return self._orders(rows, arm)
            case "classification":
                count, positive = len(self.config.classes or ()), self.config.positive_code
                found = estimates(class_measures(target, predicted, count, positive, blocks, resamples), resamples)
                if answers.scores is not None:
                    target, scores = positive_second(self.config, target, answers.scores[rows])
                    families = [loss_measures, calibration_measures]
                    if kind == "all" or self._areas_of_parts:
                        families.append(area_measures)
                    for family in families:
                        found |= estimates(family(target, scores, blocks, resamples), resamples)
                return found

    @property
    def _areas_of_parts(self) -> bool:
        """Areas sort all rows by every class's score, once more for each slicing: only when a gate asks for it."""
        return any((gate.per_slice or gate.per_group) and gate.metric in AREAS for gate in self.config.gates)

    def comparison(self, rows: NDArray[np.intp]) -> Figures:
        gathered = self.gathered
        if self.config.task != "classification" or "stable" not in gathered.arms:
            return {}
        new, old = (gathered.arms[arm].predicted[rows] for arm in ("candidate", "stable"))
        resamples = gathered.resamples
        return estimates(flip_measures(gathered.target[rows], new, old, resamples.blocks[rows], resamples), resamples)

    def fairness(self, name: str, answers: Answers) -> Figures:
        """Of rows whose group is known."""
        positive, gathered = self.config.positive_code, self.gathered
        partition = gathered.groups[name]
        if positive is None or len(partition.names) < 2:
            return {}
        rows = np.flatnonzero(partition.codes >= 0)
        resamples = gathered.resamples
        summed = fairness_measures(
            gathered.target[rows],
            answers.predicted[rows],
            positive,
            partition.codes[rows].astype(np.int32),
            len(partition.names),
            resamples.blocks[rows],
            resamples,
        )
        return estimates(summed, resamples)

    def _orders(self, rows: NDArray[np.intp], arm: str) -> Figures:
        """Queries belong to the scope of their first row."""
        assert self.query_resamples is not None  # noqa: S101 - ranking has queries
        inside = np.zeros(self.gathered.survey.rows, dtype=bool)
        inside[rows] = True
        chosen = np.flatnonzero(inside[self.first_rows])
        resamples = self.query_resamples
        return estimates(order_measures(self.lists[arm], chosen, resamples.blocks[chosen], resamples), resamples)
