"""What is said to an endpoint and what it says: rows to a request's bytes, an answer's bytes to lists. No I/O.

Open Inference Protocol v2 (REST): kserve/open-inference-protocol, `specification/protocol/inference_rest.md`.
KServe v1: `{"instances": [...]}` to `/v1/models/NAME:predict`. MLflow: `{"dataframe_split": {...}}` to `/invocations`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, assert_never
from urllib.parse import quote

import numpy as np
import pyarrow as pa
from pydantic_core import from_json, to_json

from serin.evaluate.columns import kind_of, numbers
from serin.evaluate.endpoints import Endpoint
from serin.evaluate.faults import Fault, Unfit


@dataclass(frozen=True, slots=True)
class Flat:
    """A tensor [rows, width] row by row, as Open Inference sends it; a million lists of three would take seconds."""

    data: list[Any]
    width: int


Values = list[Any] | Flat
"""A value, or a list of values, for each row; or all of them flat."""


@dataclass(frozen=True, slots=True)
class Said:
    """What an endpoint answered.

    Attributes:
        prediction: A value for each row; None when the answer has no such part.
        scores: A value, or several, for each row.
    """

    prediction: Values | None
    scores: Values | None


def path_of(endpoint: Endpoint) -> str:
    """The path of inference, with whatever stands in the url before it."""
    base = (endpoint.url.path or "").rstrip("/")
    model, version = quote(endpoint.model or "", safe=""), endpoint.version
    if endpoint.path is not None:
        return base + "/" + endpoint.path.lstrip("/")
    match endpoint.protocol:
        case "openInference":
            return f"{base}/v2/models/{model}" + (f"/versions/{quote(version, safe='')}" if version else "") + "/infer"
        case "kserveV1":
            return f"{base}/v1/models/{model}:predict"
        case "mlflow" | "custom":
            return f"{base}/invocations"
        case _:
            assert_never(endpoint.protocol)


def encode(endpoint: Endpoint, rows: pa.RecordBatch) -> bytes:
    """The body of a request for some rows; its columns are the features, in order.

    A missing value is null, a time its ISO form.

    Raises:
        Unfit: WrongColumns: a matrix is asked for and a column holds no numbers.
    """
    match endpoint.protocol:
        case "openInference":
            return _json({"inputs": _tensors(endpoint, rows), **_outputs(endpoint)})
        case "kserveV1":
            return _json({"instances": _lists(rows)})
        case "mlflow":
            return _json({"dataframe_split": {"columns": rows.schema.names, "data": _lists(rows)}})
        case "custom":
            return _json(_filled(endpoint.template, rows))
        case _:
            assert_never(endpoint.protocol)


def parsed(body: bytes) -> Any:
    """An answer's JSON; NaN and infinities are let through, to be found where they stand.

    Raises:
        Unfit: AnswerMalformed: it is no JSON, or the beginning of one.
    """
    try:
        # A byte order mark says nothing here, and some programs begin every text with one (RFC 8259, section 8.1).
        return from_json(body.removeprefix(b"\xef\xbb\xbf"), allow_inf_nan=True)
    except ValueError as error:
        raise Unfit(Fault.ANSWER_MALFORMED, f"the answer is no JSON: {error}") from error


def decode(endpoint: Endpoint, answer: Any, rows: int) -> Said:
    """What an answer's JSON says of `rows` rows.

    Raises:
        Unfit: AnswerMalformed: a part that is named is not there; AnswerWrongShape: a tensor does not have the rows
            that were asked for.
    """
    match endpoint.protocol:
        case "openInference":
            return _from_tensors(endpoint, answer, rows)
        case "kserveV1" | "mlflow":
            return _from_predictions(endpoint, answer)
        case "custom":
            named = endpoint.answer
            return Said(
                _pointed(answer, named.prediction) if named.prediction is not None else None,
                _pointed(answer, named.scores) if named.scores is not None else None,
            )
        case _:
            assert_never(endpoint.protocol)


def _json(value: Any) -> bytes:
    return to_json(value, inf_nan_mode="null")


def _tensors(endpoint: Endpoint, rows: pa.RecordBatch) -> list[dict[str, Any]]:
    request = endpoint.request
    kinds = [kind_of(name, rows.column(name).type) for name in rows.schema.names]
    layout = request.layout or ("matrix" if set(kinds) <= {"number", "boolean"} else "columns")
    if layout == "columns":
        return [
            {"name": name, "shape": [rows.num_rows, 1], **_typed(kind, name, rows.column(name))}
            for name, kind in zip(rows.schema.names, kinds, strict=True)
        ]
    shape = [rows.num_rows, rows.num_columns]
    return [
        {"name": request.tensor, "shape": shape, "datatype": request.datatype, "data": _matrix(rows, request.datatype)}
    ]


def _matrix(rows: pa.RecordBatch, datatype: str) -> list[Any]:
    flat = np.stack([numbers(name, rows.column(name)) for name in rows.schema.names], axis=1).ravel()
    if datatype.startswith("FP"):
        return list(flat.tolist())
    if not (np.isfinite(flat) & (flat == np.trunc(flat))).all():
        raise Unfit(Fault.WRONG_COLUMNS, f"a feature is missing or no whole number, and the tensor is {datatype}")
    return list(flat.astype(np.int64).tolist())


def _typed(kind: str, name: str, column: pa.Array) -> dict[str, Any]:
    match kind:
        case "boolean":
            return {"datatype": "BOOL", "data": column.to_pylist()}
        case "number" if pa.types.is_integer(column.type):
            return {"datatype": "INT64", "data": column.to_pylist()}
        case "number":
            return {"datatype": "FP64", "data": numbers(name, column).tolist()}
        case _:
            return {"datatype": "BYTES", "data": column.cast(pa.string()).to_pylist()}


def _outputs(endpoint: Endpoint) -> dict[str, Any]:
    """Only what is read has to be computed and sent; without names, all of it."""
    names = [one for one in (endpoint.answer.prediction, endpoint.answer.scores) if one is not None]
    return {"outputs": [{"name": name} for name in names]} if names else {}


def _lists(rows: pa.RecordBatch) -> list[list[Any]]:
    kinds = {kind_of(name, rows.column(name).type) for name in rows.schema.names}
    if kinds == {"number"} and not any(pa.types.is_integer(one.type) for one in rows.columns):
        return list(np.stack([numbers(name, rows.column(name)) for name in rows.schema.names], axis=1).tolist())
    return [list(row) for row in zip(*(_plain(column) for column in rows.columns), strict=True)]


def _plain(column: pa.Array) -> list[Any]:
    if pa.types.is_decimal(column.type):
        column = column.cast(pa.float64())
    return list(column.to_pylist())


def _filled(template: Any, rows: pa.RecordBatch) -> Any:
    match template:
        case "${rows}":
            return _lists(rows)
        case "${columns}":
            return rows.schema.names
        case "${records}":
            return [dict(zip(rows.schema.names, row, strict=True)) for row in _lists(rows)]
        case dict():
            return {key: _filled(value, rows) for key, value in template.items()}
        case list():
            return [_filled(value, rows) for value in template]
        case _:
            return template


def _from_tensors(endpoint: Endpoint, answer: Any, rows: int) -> Said:
    outputs = answer.get("outputs") if isinstance(answer, Mapping) else None
    if not isinstance(outputs, list) or not outputs or not all(isinstance(one, Mapping) for one in outputs):
        raise Unfit(Fault.ANSWER_MALFORMED, "the answer has no list 'outputs'")
    by_name = {str(one.get("name")): one for one in outputs}
    named = endpoint.answer
    if named.prediction is None and named.scores is None:
        if len(outputs) != 1:
            raise Unfit(
                Fault.ANSWER_MALFORMED,
                f"the answer has outputs {', '.join(map(str, by_name))}; answer.prediction has to say which",
            )
        return Said(_tensor(outputs[0], rows), None)
    found = []
    for name in (named.prediction, named.scores):
        if name is not None and name not in by_name:
            raise Unfit(Fault.ANSWER_MALFORMED, f"no output {name}; there are {', '.join(map(str, by_name))}")
        found.append(_tensor(by_name[name], rows) if name is not None else None)
    return Said(*found)


def _tensor(output: Mapping[str, Any], rows: int) -> Values:
    """A tensor's data, a value for each row when it has one column."""
    shape, data, name = output.get("shape"), output.get("data"), output.get("name")
    if not isinstance(shape, list) or not isinstance(data, list) or not all(type(one) is int for one in shape):
        raise Unfit(Fault.ANSWER_MALFORMED, f"output {name} has no shape or no data")
    if not 1 <= len(shape) <= 2 or shape[0] != rows or min(shape) < 1:
        raise Unfit(Fault.ANSWER_WRONG_SHAPE, f"output {name} has shape {shape} for {rows} rows")
    width = shape[1] if len(shape) == 2 else 1
    if len(data) == rows and width > 1 and all(isinstance(one, list) for one in data):
        return data
    if len(data) == rows and width == 1:
        if list not in set(map(type, data)):
            return data
        return [one[0] if isinstance(one, list) and len(one) == 1 else one for one in data]
    if len(data) != math.prod(shape):  # also a list that is nested in part
        raise Unfit(Fault.ANSWER_WRONG_SHAPE, f"output {name} has {len(data)} values for shape {shape}")
    return Flat(data, width)


def _from_predictions(endpoint: Endpoint, answer: Any) -> Said:
    found = answer.get("predictions") if isinstance(answer, Mapping) else None
    named = endpoint.answer
    names = [one for one in (named.prediction, named.scores) if one is not None]
    if isinstance(found, list) and not names:
        return Said(found, None)
    if isinstance(found, Mapping):
        parts = [
            _list(found.get(name), name) if name is not None else None for name in (named.prediction, named.scores)
        ]
        if names:
            return Said(*parts)
    if isinstance(found, list) and all(isinstance(one, Mapping) for one in found):
        missing = next((name for name in names for one in found if name not in one), None)
        if missing is not None:
            raise Unfit(Fault.ANSWER_MALFORMED, f"a prediction has no {missing}")
        return Said(
            [one[named.prediction] for one in found] if named.prediction is not None else None,
            [one[named.scores] for one in found] if named.scores is not None else None,
        )
    if isinstance(found, list) and len(names) == 1:
        # Plain lists hold one thing; that it has a name says only which of the two it is.
        return Said(found, None) if named.prediction is not None else Said(None, found)
    raise Unfit(Fault.ANSWER_MALFORMED, "the answer has no 'predictions' of the form that answer describes")


def _list(value: Any, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise Unfit(Fault.ANSWER_MALFORMED, f"the answer has no list {name}")
    return value


def _pointed(answer: Any, pointer: str) -> list[Any]:
    """What a JSON pointer points at (RFC 6901)."""
    found = answer
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(found, Mapping) and key in found:
            found = found[key]
        elif isinstance(found, list) and key.isdecimal() and int(key) < len(found):
            found = found[int(key)]
        else:
            raise Unfit(Fault.ANSWER_MALFORMED, f"the answer has nothing at {pointer}")
    return _list(found, pointer)
