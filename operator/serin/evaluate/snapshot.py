"""The training snapshot: what the features looked like when the model was trained, small enough to keep with it.

`serin evaluate --config evaluation.yaml --write-snapshot training.json` makes one from the first data set; later data
are held against it. Numbers are kept as twenty bins of about equal shares, texts as their fifty most frequent values.
"""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pyarrow as pa
from pydantic import Field, ValidationError, model_validator

from serin.evaluate.columns import numbers
from serin.evaluate.faults import Fault, Unfit
from serin.evaluate.resampling import Codes, Floats
from serin.evaluate.sections import Section
from serin.evaluate.survey import BATCH_ROWS, Survey

BINS = 20
VALUES = 50
_SAMPLE_MAX = 200_000
"""Numbers that the edges of bins are made from, spread over the whole file."""


class SnapshotColumn(Section):
    """A feature. Its counts are by bin: edges' bins or values, then all others, then missing."""

    kind: Literal["number", "category", "boolean", "time"]
    low: float | None = None
    high: float | None = None
    edges: list[float] = Field(default_factory=list)
    """Numbers: a value v is in bin i when edges[i-1] <= v < edges[i]."""
    values: list[str] = Field(default_factory=list)
    """Everything else, as text."""
    counts: Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=2)]

    @model_validator(mode="after")
    def _bins_fit(self) -> SnapshotColumn:
        if self.edges != sorted(set(self.edges)):
            raise ValueError("edges have to rise")
        wanted = (len(self.edges) + 1 if self.kind == "number" else len(self.values) + 1) + 1
        if len(self.counts) != wanted:
            raise ValueError(f"has {len(self.counts)} counts for {wanted} bins")
        return self

    @property
    def rows(self) -> int:
        """How many there were."""
        return sum(self.counts)

    def bins_of(self, name: str, column: pa.Array) -> Codes:
        """The bin of each row, shape [rows].

        Raises:
            Unfit: WrongColumns: the column's type is not what the snapshot's bins are for.
        """
        missing = len(self.counts) - 1
        if pa.types.is_null(column.type):
            return np.full(len(column), missing, np.int32)
        if self.kind == "number":
            values = numbers(name, column)
            places = np.searchsorted(np.asarray(self.edges), values, side="right").astype(np.int32)
            places[np.isnan(values)] = missing
            return places
        known = {value: place for place, value in enumerate(self.values)}
        encoded = column.cast(pa.string()).dictionary_encode()
        table = np.array([known.get(one, missing - 1) for one in encoded.dictionary.to_pylist()] + [missing], np.int32)
        places = encoded.indices.fill_null(len(table) - 1).to_numpy(zero_copy_only=False)
        return np.asarray(table[places], dtype=np.int32)


class TrainingSnapshot(Section):
    """The whole file."""

    version: Literal["serin.dev/snapshot/v1"] = "serin.dev/snapshot/v1"
    digest: str
    """Of the training data."""
    rows: Annotated[int, Field(ge=1)]
    duplicates: Annotated[int, Field(ge=0)] = 0
    columns: dict[str, SnapshotColumn]


def load_snapshot(path: Path) -> TrainingSnapshot:
    """Read a snapshot.

    Raises:
        Unfit: SnapshotUnusable.
    """
    try:
        return TrainingSnapshot.model_validate_json(path.read_bytes())
    except OSError as error:
        raise Unfit(Fault.SNAPSHOT_UNUSABLE, f"{path.name} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        fault = error.errors()[0]
        words = f"{'.'.join(map(str, fault['loc'])) or 'file'}: {fault['msg']}"
        raise Unfit(Fault.SNAPSHOT_UNUSABLE, f"{path.name}: {words}") from error


def make_snapshot(seen: Survey) -> TrainingSnapshot:
    """A snapshot of a data set's features; two passes over the file after the survey's."""
    step = max(seen.rows // _SAMPLE_MAX, 1)
    sampled: dict[str, list[Floats]] = {name: [] for name, one in seen.columns.items() if one.kind == "number"}
    words: dict[str, Counter[str]] = {name: Counter() for name in seen.columns if name not in sampled}
    before = 0
    for batch in seen.source.batches(BATCH_ROWS, seen.roles.features):
        for name, kept in sampled.items():
            kept.append(numbers(name, batch.column(name))[-before % step :: step])
        for name, counter in words.items():
            counter.update(one for one in batch.column(name).cast(pa.string()).to_pylist() if one is not None)
        before += batch.num_rows
    columns: dict[str, SnapshotColumn] = {}
    for name, profile in seen.columns.items():
        edges = _edges(np.concatenate(sampled[name])) if name in sampled else []
        values = [value for value, _ in words[name].most_common(VALUES)] if name in words else []
        empty = [0] * ((len(edges) + 1 if name in sampled else len(values) + 1) + 1)
        columns[name] = SnapshotColumn(
            kind=profile.kind,
            low=_finite(profile.low),
            high=_finite(profile.high),
            edges=edges,
            values=values,
            counts=empty,
        )
    counts = {name: np.zeros(len(one.counts), dtype=np.int64) for name, one in columns.items()}
    for batch in seen.source.batches(BATCH_ROWS, seen.roles.features):
        for name, one in columns.items():
            counts[name] += np.bincount(one.bins_of(name, batch.column(name)), minlength=len(one.counts))
    return TrainingSnapshot(
        digest=seen.digest,
        rows=seen.rows,
        duplicates=seen.duplicates,
        columns={name: one.model_copy(update={"counts": counts[name].tolist()}) for name, one in columns.items()},
    )


def _edges(values: Floats) -> list[float]:
    """Inner edges of bins with about equal shares; fewer when values repeat."""
    there = values[np.isfinite(values)]
    if not len(there):
        return []
    found = np.unique(np.quantile(there, np.linspace(0, 1, BINS + 1)[1:-1], method="nearest"))
    return [float(one) for one in found]


def _finite(value: float | None) -> float | None:
    """The end of a range; an infinite value is none, and JSON has no way to write it."""
    return value if value is not None and math.isfinite(value) else None


def findings(seen: Survey, snapshot: TrainingSnapshot) -> dict[str, list[str]]:
    """What differs from the training data, in words, by feature: types, ranges, missing values.

    The data's features in their order, and then those that only training had.
    """
    found: dict[str, list[str]] = {}
    for name, profile in seen.columns.items():
        trained = snapshot.columns.get(name)
        if trained is None:
            found[name] = ["is not in the training data"]
            continue
        words = found.setdefault(name, [])
        if trained.kind != profile.kind:
            words.append(f"is a {profile.kind}, and was a {trained.kind}")
            continue
        if None not in (profile.low, trained.low) and profile.low < trained.low:  # type: ignore[operator]
            words.append(f"goes down to {profile.low:g}; training ended at {trained.low:g}")
        if None not in (profile.high, trained.high) and profile.high > trained.high:  # type: ignore[operator]
            words.append(f"goes up to {profile.high:g}; training ended at {trained.high:g}")
        now, then = profile.missing / seen.rows, trained.counts[-1] / max(trained.rows, 1)
        if now > then:
            words.append(f"{now:.2%} are missing, and {then:.2%} were")
    there = set(seen.source.columns())
    for name in snapshot.columns:
        if name not in seen.columns:
            where = "is in the data, but no feature of them" if name in there else "is not in the data"
            found[name] = [f"{where}; training had it"]
    return found
