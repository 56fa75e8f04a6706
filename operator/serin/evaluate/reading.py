"""Files as batches: parquet, CSV and JSON lines, a bounded number of rows at a time, and their digest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, assert_never

import pyarrow as pa
import pyarrow.csv
import pyarrow.json
import pyarrow.parquet

from serin.evaluate.config import Format
from serin.evaluate.faults import Fault, Unfit

_BLOCK_BYTES = 1 << 22
"""What CSV and JSON are parsed by; a row has to fit into it. Also guesses their types from the first block, so a column
that changes its type later is malformed instead of turning into text."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file of a data set."""

    path: Path
    kind: Format

    def digest(self) -> str:
        """`sha256:` of the file's bytes, read once, a part at a time.

        Raises:
            Unfit: DatasetUnreadable.
        """
        try:
            with self.path.open("rb") as file:
                return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise _unreadable(self.path, error) from error

    def columns(self) -> list[str]:
        """The names of its columns, in the file's order.

        Raises:
            Unfit: DatasetUnreadable, DatasetMalformed, DatasetEmpty.
        """
        with self._faults():
            match self.kind:
                case "parquet":
                    return list(pyarrow.parquet.read_schema(self.path).names)
                case "csv" | "jsonl":
                    if self.path.stat().st_size == 0:
                        raise Unfit(Fault.DATASET_EMPTY, f"{self.path.name} is empty")
                    with self._open() as reader:
                        return list(reader.schema.names)
                case _:
                    assert_never(self.kind)

    def batches(self, rows: int, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """The rows in the file's order, `rows` of them in each batch but the last; only these columns.

        Raises:
            Unfit: DatasetUnreadable, DatasetMalformed.
        """
        with self._faults():
            wanted = list(dict.fromkeys(columns))
            if self.kind == "parquet":
                with pyarrow.parquet.ParquetFile(self.path) as file:
                    found = (
                        _without_views(one.select(wanted)) for one in file.iter_batches(batch_size=rows, columns=wanted)
                    )
                    yield from _regrouped(found, rows)
                return
            with self._open() as reader:
                yield from _regrouped((self._text(one.select(wanted)) for one in reader), rows)

    def _text(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The same, if its texts are. Of what is none, pyarrow makes bytes (CSV), or leaves it as it is (JSON)."""
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            if pa.types.is_binary(column.type) or (pa.types.is_string(column.type) and not _is_utf8(column)):
                words = f"column {name} is not UTF-8: save the file as UTF-8"
                raise Unfit(Fault.DATASET_MALFORMED, f"{self.path.name}: {words}")
        return batch

    def _open(self) -> Any:
        if self.kind == "csv":
            options = pyarrow.csv.ReadOptions(block_size=_BLOCK_BYTES, use_threads=False)
            # An empty cell is a missing value in a text column as in a column of numbers.
            convert = pyarrow.csv.ConvertOptions(strings_can_be_null=True)
            # A quoted text may go over several lines; without this pyarrow cuts blocks in the middle of one.
            parse = pyarrow.csv.ParseOptions(newlines_in_values=True)
            return pyarrow.csv.open_csv(self.path, read_options=options, parse_options=parse, convert_options=convert)
        return pyarrow.json.open_json(
            self.path, read_options=pyarrow.json.ReadOptions(block_size=_BLOCK_BYTES, use_threads=False)
        )

    def _faults(self) -> _Faults:
        return _Faults(self.path)


class _Faults:
    """What pyarrow raises, as ours."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        match error:
            case pa.ArrowException() | UnicodeDecodeError():
                text = str(error).splitlines()[0][:300]
                raise Unfit(Fault.DATASET_MALFORMED, f"{self._path.name}: {text}") from error
            case OSError():
                raise _unreadable(self._path, error) from error
            case _:
                pass


def _unreadable(path: Path, error: OSError) -> Unfit:
    return Unfit(Fault.DATASET_UNREADABLE, f"{path.name} cannot be read: {error.strerror or error}")


def _without_views(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Texts that some programs keep as views, which few of pyarrow's computations take, as any other text."""
    for place, field in enumerate(batch.schema):
        if pa.types.is_string_view(field.type):
            batch = batch.set_column(place, field.name, batch.column(place).cast(pa.string()))
    return batch


def _is_utf8(column: pa.Array) -> bool:
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _regrouped(batches: Iterator[pa.RecordBatch], rows: int) -> Iterator[pa.RecordBatch]:
    """The same rows in batches of this size: what a file calls a group or a block is its own matter."""
    held: list[pa.RecordBatch] = []
    count = 0
    for batch in batches:
        rest = batch
        while count + rest.num_rows >= rows:
            taken = rows - count
            yield _joined([*held, rest.slice(0, taken)])
            held, count, rest = [], 0, rest.slice(taken)
        if rest.num_rows:
            held.append(rest)
            count += rest.num_rows
    if held:
        yield _joined(held)


def _joined(batches: list[pa.RecordBatch]) -> pa.RecordBatch:
    return batches[0] if len(batches) == 1 else pa.concat_batches(batches)
