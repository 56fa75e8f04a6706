"""Columns as arrays: which of them are for what, what type each has, and codes for the values of a few."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from serin.evaluate.config import Config, Dataset
from serin.evaluate.faults import Fault, Unfit
from serin.evaluate.resampling import Codes, Floats

Kind = Literal["number", "category", "boolean", "time"]
"""What a column holds, as far as its distribution is concerned."""


_PANDAS_INDEX = re.compile(r"__index_level_\d+__")
"""What pandas calls an index without a name in a parquet file: where the rows stood before they were chosen."""


@dataclass(frozen=True, slots=True)
class Roles:
    """Which column is for what."""

    features: tuple[str, ...]
    target: str
    id: str | None
    query: str | None
    time: str | None
    sliced: tuple[str, ...]
    grouped: tuple[str, ...]

    @property
    def all(self) -> tuple[str, ...]:
        """Every column that is read, once."""
        rest = (one for one in (self.target, self.id, self.query, self.time) if one is not None)
        return tuple(dict.fromkeys((*self.features, *rest, *self.sliced, *self.grouped)))


def roles_of(config: Config, dataset: Dataset, found: Sequence[str]) -> Roles:
    """Give each column its role.

    Raises:
        Unfit: WrongColumns: one is missing or there twice, the target is a feature, or nothing is left to ask by.
    """
    if twice := sorted({name for name in found if found.count(name) > 1}):
        raise Unfit(Fault.WRONG_COLUMNS, f"column {twice[0]} is there twice")
    sliced = tuple(dict.fromkeys(one.column for one in config.slices))
    grouped = tuple(dict.fromkeys(one.column for one in config.groups))
    other = {dataset.target, dataset.id, dataset.query, dataset.time_column, *grouped, *dataset.ignore}
    features = dataset.features
    if features is None:
        features = [name for name in found if name not in other and not _PANDAS_INDEX.fullmatch(name)]
    roles = Roles(tuple(features), dataset.target, dataset.id, dataset.query, dataset.time_column, sliced, grouped)
    if missing := [name for name in roles.all if name not in found]:
        have = ", ".join(found[:20]) + (", ..." if len(found) > 20 else "")
        raise Unfit(Fault.WRONG_COLUMNS, f"no column {', '.join(missing)}; there are {have}")
    if not features:
        raise Unfit(Fault.WRONG_COLUMNS, "no column is left to ask the model by")
    if dataset.target in features:
        raise Unfit(Fault.WRONG_COLUMNS, f"{dataset.target} is the target and a feature: the model would be told")
    return roles


def kind_of(name: str, kind: pa.DataType) -> Kind:
    """What a column holds.

    Raises:
        Unfit: WrongColumns: lists, structures, bytes; times of day and durations, of which nobody says whether the
            model takes seconds, nanoseconds or a text.
    """
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_boolean(kind):
        return "boolean"
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return "number"
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind):
        return "category"
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return "time"
    if pa.types.is_time(kind) or pa.types.is_duration(kind) or pa.types.is_interval(kind):
        instead = "a number in the unit that the model was trained with, or a text"
    else:
        instead = "numbers, texts, booleans or timestamps, one for each row"
    raise Unfit(
        Fault.WRONG_COLUMNS,
        f"column {name} has type {kind}, which cannot be used: write it as {instead}; a column that is no "
        "feature belongs into ignore",
    )


def numbers(name: str, column: pa.Array) -> Floats:
    """A column as numbers, shape [rows]; NaN where a value is missing.

    Raises:
        Unfit: WrongColumns: it holds something else.
    """
    if kind_of(name, column.type) not in {"number", "boolean"}:
        raise Unfit(Fault.WRONG_COLUMNS, f"column {name} has type {column.type} where numbers are needed")
    plain = column.cast(pa.float64(), safe=False) if not pa.types.is_boolean(column.type) else column.cast(pa.int8())
    return np.asarray(plain.to_numpy(zero_copy_only=False), dtype=np.float64)


def newest(name: str, column: pa.Array) -> datetime | None:
    """The newest time of a column, to the microsecond; None when all are missing.

    Raises:
        Unfit: WrongColumns: it holds no times.
    """
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        column = _times(name, column)
    elif not (pa.types.is_timestamp(column.type) or pa.types.is_date(column.type) or pa.types.is_null(column.type)):
        raise _no_times(name, column.type)
    # Times without a zone are UTC; dates are their midnight. Python's own times end at the microsecond.
    found: datetime | None = pc.max(column.cast(pa.timestamp("us"), safe=False)).as_py()
    return found.replace(tzinfo=UTC) if found is not None else None


def _times(name: str, column: pa.Array) -> pa.Array:
    """Texts as times: JSON has no times, and pyarrow takes only whole seconds for such."""
    for kind in (pa.timestamp("ns", tz="UTC"), pa.timestamp("ns")):
        try:
            return column.cast(kind)
        except pa.ArrowInvalid:
            continue
    raise _no_times(name, column.type)


def _no_times(name: str, kind: pa.DataType) -> Unfit:
    return Unfit(
        Fault.WRONG_COLUMNS, f"column {name} has type {kind} where times are needed: write 2026-11-01T00:00:00Z"
    )


class Coder:
    """Codes for the values of a column as they come, or for a list that is known: 0 for the first, and so on."""

    def __init__(self, values: Sequence[Any] = (), *, closed: bool = False) -> None:
        """With `closed`, a value that is not in the list has the code -1, as a missing one has."""
        self._codes: dict[Any, int] = {_plain(value): code for code, value in enumerate(values)}
        self._closed = closed

    @property
    def values(self) -> list[Any]:
        """The values by code."""
        return list(self._codes)

    def codes(self, column: pa.Array) -> Codes:
        """A column's codes, shape [rows]; -1 for a missing or, if closed, unknown value. NaN is missing."""
        if pa.types.is_dictionary(column.type):
            # What a file keeps as categories has values that no row has, when the rows were chosen from more.
            column = column.dictionary_decode()
        if pa.types.is_floating(column.type):
            column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
        encoded = column.dictionary_encode()
        table = np.empty(len(encoded.dictionary) + 1, dtype=np.int32)
        for place, value in enumerate(encoded.dictionary.to_pylist()):
            table[place] = self._code(value)
        table[-1] = -1
        places = encoded.indices.fill_null(len(encoded.dictionary)).to_numpy(zero_copy_only=False)
        return np.asarray(table[places], dtype=np.int32)

    def _code(self, value: Any) -> int:
        plain = _plain(value)
        if plain is None:
            return -1
        if plain not in self._codes:
            if self._closed:
                return -1
            self._codes[plain] = len(self._codes)
        return self._codes[plain]


def _plain(value: Any) -> Any:
    """1.0 and 1 are one class: a column of whole numbers with a gap in it becomes one of floats."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
