"""The first look at a data set: every check that needs no model, before any model is asked.

One pass over the file. It ends with what is known of the data, or with the name of what is wrong with them; an endpoint
that serves users is not bothered with rows that could not be judged anyway.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from serin.evaluate.columns import Coder, Kind, Roles, kind_of, newest, numbers, roles_of
from serin.evaluate.config import Config, Dataset, age_seconds
from serin.evaluate.faults import Fault, Unfit
from serin.evaluate.reading import Source
from serin.evaluate.resampling import mixed

Prints = NDArray[np.uint64]

BATCH_ROWS = 16_384
"""Rows that are looked at together; nothing but memory depends on it."""


@dataclass(frozen=True, slots=True)
class ColumnProfile:
    """A feature as it is in the data.

    Attributes:
        kind: What it holds.
        missing: Rows without a value, NaN included.
        low: The least number; None for what is no number, or all missing.
        high: The largest.
    """

    kind: Kind
    missing: int
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Survey:
    """A data set that can be judged.

    Attributes:
        dataset: Its configuration.
        source: The file.
        roles: Which column is for what.
        digest: Of the file's bytes.
        rows: How many there are.
        duplicates: Rows whose features are all those of an earlier row.
        newest: The newest time of the time column.
        age_seconds: How old the data are; None when nothing tells.
        columns: Profiles of the features.
    """

    dataset: Dataset
    source: Source
    roles: Roles
    digest: str
    rows: int
    duplicates: int
    newest: datetime | None
    age_seconds: float | None
    columns: Mapping[str, ColumnProfile]


@dataclass(slots=True)
class _Column:
    """A profile as it grows."""

    kind: Kind
    missing: int = 0
    low: float = np.inf
    high: float = -np.inf

    def add(self, name: str, column: pa.Array) -> None:
        if self.kind == "number":
            values = numbers(name, column)
            missing = np.isnan(values)
            self.missing += int(missing.sum())
            if not missing.all():
                self.low = min(self.low, float(np.nanmin(values)))
                self.high = max(self.high, float(np.nanmax(values)))
        else:
            self.missing += column.null_count

    def done(self) -> ColumnProfile:
        ranged = self.low <= self.high
        return ColumnProfile(self.kind, self.missing, self.low if ranged else None, self.high if ranged else None)


@dataclass(slots=True)
class _Seen:
    """What is known so far."""

    rows: int = 0
    newest: datetime | None = None
    columns: dict[str, _Column] = field(default_factory=dict)
    prints: list[Prints] = field(default_factory=list)


def survey(config: Config, dataset: Dataset, source: Source, now: datetime) -> Survey:
    """Look at a data set.

    Args:
        config: The configuration.
        dataset: Its section of the data set.
        source: The file.
        now: An aware time; the age of the data is reckoned from it.

    Raises:
        Unfit: with the data set's name: DatasetUnreadable, DatasetMalformed, DatasetEmpty, DatasetTooLarge,
            DatasetStale, DatasetChanged, WrongColumns, TargetUnusable.
    """
    try:
        return _survey(config, dataset, source, now)
    except Unfit as unfit:
        raise unfit.of(dataset.name) from unfit


def _survey(config: Config, dataset: Dataset, source: Source, now: datetime) -> Survey:
    digest = source.digest()
    if dataset.digest is not None and dataset.digest != digest:
        raise Unfit(Fault.DATASET_CHANGED, f"{source.path.name} is {digest}, and {dataset.digest} was asked for")
    roles = roles_of(config, dataset, source.columns())
    if roles.time is None:
        # Said by the configuration: no need to read the file to know it.
        _check_age(dataset, None, now)
    seen = _Seen()
    classes = Coder(config.classes, closed=True) if config.classes is not None else None
    limited = {name: Coder() for name in (*_sliced_by_value(config), *roles.grouped)}
    for batch in source.batches(BATCH_ROWS, roles.all):
        _check_kinds(config, roles, batch)
        _check_target(config, roles, batch, classes, seen.rows)
        for name in roles.features:
            column = batch.column(name)
            seen.columns.setdefault(name, _Column(kind_of(name, column.type))).add(name, column)
        for name, coder in limited.items():
            coder.codes(batch.column(name))
            if len(coder.values) > config.limits.values_max:
                raise Unfit(
                    Fault.DATASET_TOO_LARGE,
                    f"column {name} has more than {config.limits.values_max} values to look at one by one (valuesMax)",
                )
        if roles.time is not None and (latest := newest(roles.time, batch.column(roles.time))) is not None:
            seen.newest = max(latest, seen.newest or latest)
        seen.prints.append(_prints(batch, roles.features))
        seen.rows += batch.num_rows
        if seen.rows > config.limits.rows_max:
            raise Unfit(Fault.DATASET_TOO_LARGE, f"more than {config.limits.rows_max} rows (rowsMax)")
    if seen.rows == 0:
        raise Unfit(Fault.DATASET_EMPTY, f"{source.path.name} has no row")
    _check_stored(config, roles, seen.rows)
    if roles.time is not None:
        _check_age(dataset, seen.newest, now)
    ordered = np.sort(np.concatenate(seen.prints))
    # Sixty times as fast as np.unique, which hashes.
    different = 1 + int(np.count_nonzero(ordered[1:] != ordered[:-1]))
    return Survey(
        dataset,
        source,
        roles,
        digest,
        seen.rows,
        seen.rows - different,
        seen.newest,
        age_seconds(dataset, seen.newest, now),
        {name: one.done() for name, one in seen.columns.items()},
    )


def _sliced_by_value(config: Config) -> list[str]:
    return [one.column for one in config.slices if one.every_value]


def _check_age(dataset: Dataset, latest: datetime | None, now: datetime) -> None:
    if dataset.max_age is None:
        return
    age = age_seconds(dataset, latest, now)
    if age is None:
        raise Unfit(Fault.DATASET_STALE, f"{dataset.time_column} has no time at all, so the age is not known")
    if age < 0:
        raise Unfit(Fault.DATASET_STALE, f"the data are from {-age / 86400:.1f} days in the future: no age can be told")
    limit = dataset.max_age.total_seconds()
    if age > limit:
        raise Unfit(Fault.DATASET_STALE, f"the data are {age / 86400:.1f} days old; maxAge is {limit / 86400:.1f} days")


def _check_kinds(config: Config, roles: Roles, batch: pa.RecordBatch) -> None:
    """Whether what rows are told apart by can be: it would be found when the models had been asked."""
    for name in (roles.target, roles.query, *roles.sliced, *roles.grouped):
        if name is not None:
            kind_of(name, batch.column(name).type)
    for one in config.slices:
        if one.at_least is not None or one.below is not None:
            numbers(one.column, batch.column(one.column).slice(0, 0))


def _check_target(config: Config, roles: Roles, batch: pa.RecordBatch, classes: Coder | None, before: int) -> None:
    column = batch.column(roles.target)
    if classes is not None:
        bad, what = classes.codes(column) < 0, "missing or none of classes"
    else:
        values = numbers(roles.target, column)
        bad, what = ~np.isfinite(values), "missing, NaN or infinite"
        if config.task == "ranking":
            bad, what = bad | (values < 0), "missing, not finite or below 0"
    if bad.any():
        first = int(np.argmax(bad))
        raise Unfit(
            Fault.TARGET_UNUSABLE,
            f"{roles.target} of row {before + first} is {column[first].as_py()!r}: {what}"
            + (f"; {int(bad.sum())} rows in {batch.num_rows} are so" if bad.sum() > 1 else ""),
        )
    if roles.query is not None and (Coder().codes(batch.column(roles.query)) < 0).any():
        raise Unfit(Fault.WRONG_COLUMNS, f"{roles.query} has a row without a query")


def _check_stored(config: Config, roles: Roles, rows: int) -> None:
    """What will be kept of each row, before anybody is asked for it."""
    arms = 2 if config.endpoints.stable is not None else 1
    # A class is its code and has a probability for each class beside it; all else is one number.
    said, scores = (4, 8 * len(config.classes)) if config.classes is not None else (8, 0)
    block, query, scope = 4, 4 if roles.query is not None else 0, 2
    each = said + block + query + scope * (len(config.slices) + len(config.groups)) + arms * (said + scores)
    megabytes = rows * each / 1e6
    if megabytes > config.limits.stored_megabytes_max:
        raise Unfit(
            Fault.DATASET_TOO_LARGE,
            f"{rows} rows at {each} bytes are {megabytes:.0f} MB; storedMegabytesMax is "
            f"{config.limits.stored_megabytes_max:g}",
        )


def _prints(batch: pa.RecordBatch, features: tuple[str, ...]) -> Prints:
    """64 bits for each row's features; of a million different rows two are alike with probability 3e-8."""
    found = np.zeros(batch.num_rows, dtype=np.uint64)
    for name in features:
        column = batch.column(name)
        if kind_of(name, column.type) == "number":
            bits = (numbers(name, column) + 0.0).view(np.uint64)
        else:
            encoded = column.cast(pa.string()).dictionary_encode()
            words = np.array([_text_bits(word) for word in encoded.dictionary.to_pylist()] + [1], dtype=np.uint64)
            bits = words[pc.fill_null(encoded.indices, len(words) - 1).to_numpy(zero_copy_only=False)]
        found = mixed(found ^ bits)
    return found


def _text_bits(word: str) -> int:
    return int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "big")
