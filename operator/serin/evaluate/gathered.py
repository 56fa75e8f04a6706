"""The pass over a data set that asks: rows go out in batches, and what is needed of them is kept in compact arrays.

Of a row are kept its target, each arm's answer, and one small number for each slice, group and query: a million rows of
two arms with three probabilities each are about 80 MB. The features themselves are let go.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from serin.evaluate.answers import Answers
from serin.evaluate.asking import Asker
from serin.evaluate.columns import Coder, numbers
from serin.evaluate.config import Config, Slice
from serin.evaluate.faults import Arm, Effect, Fault, Unfit, alike
from serin.evaluate.report import Flip
from serin.evaluate.resampling import Codes, Floats, Resamples
from serin.evaluate.snapshot import TrainingSnapshot
from serin.evaluate.survey import Survey

Progress = Callable[[str, int, int], None]
"""Told the data set, the rows that are done and all rows, after each batch."""


@dataclass(slots=True)
class Partition:
    """Rows by scope: the code of each, -1 for none, and the scopes' names by code."""

    names: list[str]
    codes: NDArray[np.int16]


@dataclass(slots=True)
class Gathered:
    """A data set with answers.

    Attributes:
        survey: What was known of it before.
        target: Classes by code, or numbers, shape [rows].
        arms: Each arm's answers.
        slices: By the name of the slice's section.
        groups: By the name of the protected attribute.
        resamples: Of the rows, the same for both arms and all scopes.
        queries: The query of each row, for ranking.
        query_count: How many there are.
        flips: The first negative flips.
        drift: Rows by block and bin, for each feature that the training snapshot knows.
        sample: The rows that the skew check asks the artifact, in order.
        sampled: Their numbers.
    """

    survey: Survey
    target: NDArray[Any]
    arms: dict[Arm, Answers]
    slices: dict[str, Partition]
    groups: dict[str, Partition]
    resamples: Resamples
    queries: Codes | None = None
    query_count: int = 0
    flips: list[Flip] = field(default_factory=list)
    drift: dict[str, Floats] = field(default_factory=dict)
    sample: list[pa.RecordBatch] = field(default_factory=list)
    sampled: list[int] = field(default_factory=list)


async def gather(
    config: Config,
    survey: Survey,
    askers: Mapping[Arm, Asker],
    snapshot: TrainingSnapshot | None,
    progress: Progress,
    *,
    sample_rows: int = 0,
) -> Gathered:
    """Ask both arms all rows.

    Args:
        config: The configuration.
        survey: The data set.
        askers: The open endpoints.
        snapshot: The training data, for drift.
        progress: Told after each batch.
        sample_rows: How many rows are kept whole for the skew check.

    Raises:
        Unfit: with the data set's name: whatever the endpoints or their answers are at fault with; DatasetChanged when
            the file has other rows than in the survey.
    """
    keeper = _Keeper(config, survey, tuple(askers), snapshot, sample_rows)
    pending: deque[tuple[int, pa.RecordBatch, asyncio.Task[list[Answers]]]] = deque()
    before = 0

    async def settle() -> None:
        start, batch, task = pending.popleft()
        keeper.keep(start, batch, dict(zip(askers, await task, strict=True)))
        progress(survey.dataset.name, start + batch.num_rows, survey.rows)

    try:
        for batch in survey.source.batches(config.asking.batch_rows, survey.roles.all):
            _check_room(survey, before + batch.num_rows)
            asked = batch.select(list(survey.roles.features))
            pending.append((before, batch, asyncio.create_task(_all(askers, asked))))
            before += batch.num_rows
            # One batch more than is under way: it is encoded while the others are answered.
            while len(pending) > config.asking.in_flight:
                await settle()
        while pending:
            await settle()
    except Unfit as unfit:
        raise unfit.of(survey.dataset.name) from unfit
    finally:
        for _, _, task in pending:
            task.cancel()
        await asyncio.gather(*(task for _, _, task in pending), return_exceptions=True)
    if before != survey.rows or survey.source.digest() != survey.digest:
        words = f"{survey.source.path.name} changed while the models were asked"
        raise Unfit(Fault.DATASET_CHANGED, words, dataset=survey.dataset.name)
    return keeper.done()


def _check_room(survey: Survey, rows: int) -> None:
    if rows > survey.rows:
        raise Unfit(Fault.DATASET_CHANGED, f"{survey.source.path.name} has more rows than a moment ago")


async def _all(askers: Mapping[Arm, Asker], rows: pa.RecordBatch) -> list[Answers]:
    """All arms' answers. Each is waited for: what a fault of one arm means depends on what the other does."""
    found = await asyncio.gather(*(asker.ask(rows) for asker in askers.values()), return_exceptions=True)
    answers: list[Answers] = []
    faults: dict[Arm, Unfit] = {}
    for arm, one in zip(askers, found, strict=True):
        match one:
            case Unfit():
                faults[arm] = one
            case BaseException():
                raise one
            case _:
                answers.append(one)
    if faults:
        raise _told(faults)
    return answers


def _told(faults: Mapping[Arm, Unfit]) -> Unfit:
    """The one that counts of both arms' faults on the same rows."""
    candidate, stable = faults.get("candidate"), faults.get("stable")
    if candidate is None or stable is None:
        return next(iter(faults.values()))
    if alike(candidate, stable):
        words = f"both models alike, so it is the data, or how they are asked: {candidate}"
        return Unfit(candidate.fault, words)
    # Stable cannot show now whether these rows can be answered, so the candidate is not rejected for them.
    return stable if candidate.effect is Effect.REJECT else candidate


class _Keeper:
    """Arrays that are filled batch by batch."""

    def __init__(
        self, config: Config, survey: Survey, arms: Sequence[Arm], snapshot: TrainingSnapshot | None, sample: int
    ) -> None:
        rows = survey.rows
        self._config, self._survey = config, survey
        self._snapshot = snapshot
        self._kind = np.int32 if config.classes is not None else np.float64
        self._target = np.empty(rows, dtype=self._kind)
        self._predicted: dict[Arm, NDArray[Any]] = {arm: np.empty(rows, dtype=self._kind) for arm in arms}
        self._scores: dict[Arm, Floats | None] = dict.fromkeys(arms)
        self._scored = dict.fromkeys(arms, 0)
        self._classes = Coder(config.classes, closed=True) if config.classes is not None else None
        self._slices = {one.name: (_Slicer(one), np.empty(rows, np.int16)) for one in config.slices}
        self._groups = {
            one.name: (_Slicer(Slice(name=one.name, column=one.column, every_value=True)), np.empty(rows, np.int16))
            for one in config.groups
        }
        self._queries = (Coder(), np.empty(rows, np.int32)) if survey.roles.query is not None else None
        self._resamples = Resamples.of(rows, config.intervals.resamples, survey.digest)
        self._drift: dict[str, Floats] = {}
        self._flips: list[Flip] = []
        wanted = np.linspace(0, rows - 1, min(sample, rows)).astype(np.int64) if sample else np.empty(0, np.int64)
        self._wanted = np.unique(wanted)
        self._sample: list[pa.RecordBatch] = []

    def keep(self, start: int, batch: pa.RecordBatch, answers: Mapping[Arm, Answers]) -> None:
        """Take a batch in."""
        place = slice(start, start + batch.num_rows)
        target = batch.column(self._survey.roles.target)
        name = self._survey.roles.target
        self._target[place] = self._classes.codes(target) if self._classes is not None else numbers(name, target)
        for arm, one in answers.items():
            self._predicted[arm][place] = one.predicted
            self._keep_scores(arm, place, one.scores)
        for slicer, codes in (*self._slices.values(), *self._groups.values()):
            codes[place] = slicer.codes(batch.column(slicer.section.column))
        if self._queries is not None and self._survey.roles.query is not None:
            coder, queries = self._queries
            queries[place] = coder.codes(batch.column(self._survey.roles.query))
        self._keep_flips(start, batch, place)
        self._keep_drift(batch, place)
        chosen = self._wanted[(self._wanted >= start) & (self._wanted < place.stop)] - start
        if len(chosen):
            self._sample.append(batch.select(list(self._survey.roles.features)).take(pa.array(chosen)))

    def done(self) -> Gathered:
        """What was kept."""
        mixed: dict[Arm, Unfit] = {}
        for arm, predicted in self._predicted.items():
            if self._scores[arm] is not None and self._scored[arm] != len(predicted):
                words = f"{arm}: some answers have scores and others do not"
                mixed[arm] = Unfit(Fault.ANSWER_MALFORMED, words, arm=arm)
        if mixed:
            raise _told(mixed)
        arms = {arm: Answers(predicted, self._scores[arm]) for arm, predicted in self._predicted.items()}
        return Gathered(
            self._survey,
            self._target,
            arms,
            {name: Partition(slicer.names, codes) for name, (slicer, codes) in self._slices.items()},
            {name: Partition(slicer.names, codes) for name, (slicer, codes) in self._groups.items()},
            self._resamples,
            self._queries[1] if self._queries is not None else None,
            len(self._queries[0].values) if self._queries is not None else 0,
            self._flips,
            self._drift,
            self._sample,
            self._wanted.tolist(),
        )

    def _keep_scores(self, arm: Arm, place: slice, scores: Floats | None) -> None:
        if scores is None:
            return
        kept = self._scores[arm]
        if kept is None:
            kept = self._scores[arm] = np.empty((len(self._target), scores.shape[1]))
        kept[place] = scores
        self._scored[arm] += len(scores)

    def _keep_flips(self, start: int, batch: pa.RecordBatch, place: slice) -> None:
        classes, room = self._config.classes, self._config.limits.named_rows_max - len(self._flips)
        if classes is None or "stable" not in self._predicted or room <= 0:
            return
        target, new, old = (
            one[place] for one in (self._target, self._predicted["candidate"], self._predicted["stable"])
        )
        named = self._survey.roles.id
        for row in np.flatnonzero((old == target) & (new != target))[:room].tolist():
            self._flips.append(
                Flip(
                    row=start + row,
                    id=str(batch.column(named)[row].as_py()) if named is not None else None,
                    target=classes[target[row]],
                    stable=classes[old[row]],
                    candidate=classes[new[row]],
                )
            )

    def _keep_drift(self, batch: pa.RecordBatch, place: slice) -> None:
        if self._snapshot is None:
            return
        blocks = self._resamples.blocks[place].astype(np.int64)
        for name in self._survey.roles.features:
            trained = self._snapshot.columns.get(name)
            # A column without any value has no type: all of it is missing, whatever it was.
            typed = not pa.types.is_null(batch.column(name).type)
            if trained is None or (typed and trained.kind != self._survey.columns[name].kind):
                continue
            bins = len(trained.counts)
            kept = self._drift.setdefault(name, np.zeros((self._resamples.count, bins)))
            cells = blocks * bins + trained.bins_of(name, batch.column(name))
            np.add.at(kept.reshape(-1), cells, 1.0)


class _Slicer:
    """The scope of each row within one slice's section."""

    def __init__(self, section: Slice) -> None:
        self.section = section
        self._coder = Coder(section.values or (), closed=section.values is not None)

    @property
    def names(self) -> list[str]:
        """The scopes' names by code."""
        if self.section.every_value:
            return [f"{self.section.name}={value}" for value in self._coder.values]
        return [self.section.name]

    def codes(self, column: pa.Array) -> NDArray[np.int16]:
        section = self.section
        if section.every_value:
            return self._coder.codes(column).astype(np.int16)
        if section.values is not None:
            inside = self._coder.codes(column) >= 0
        else:
            values = numbers(section.column, column)
            inside = ~np.isnan(values)
            inside &= values >= (section.at_least if section.at_least is not None else -np.inf)
            inside &= values < (section.below if section.below is not None else np.inf)
        return np.where(inside, 0, -1).astype(np.int16)
