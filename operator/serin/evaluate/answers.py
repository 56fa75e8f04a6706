"""From what an endpoint said to arrays that can be counted: shapes, types, classes and probabilities are checked here.

Whatever does not fit is the arm's fault by name. A NaN that got through would make every later comparison false, and
whichever branch comes last would be taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from serin.evaluate.columns import Coder
from serin.evaluate.config import Config
from serin.evaluate.endpoints import Answer
from serin.evaluate.faults import Fault, Unfit
from serin.evaluate.protocols import Flat, Said, Values
from serin.evaluate.resampling import Floats

_SUM_TOLERANCE = 1e-3
"""How far a row's probabilities may be from 1 together, and one of them beyond 0 or 1: half precision, a thousand
classes."""


@dataclass(frozen=True, slots=True)
class Answers:
    """An arm's answers to some rows.

    Attributes:
        predicted: Classes by code (int32), or numbers (float64), shape [rows]; for ranking the scores.
        scores: Probabilities, shape [rows, classes]; None when the model says none.
    """

    predicted: NDArray[Any]
    scores: Floats | None


def answers_of(config: Config, named: Answer, said: Said, rows: int) -> Answers:
    """Check and convert.

    Raises:
        Unfit: AnswerWrongShape, AnswerNotFinite, AnswerUnknownClass, AnswerMalformed; the arm is the caller's to say.
    """
    if config.classes is None:
        # One number for each row; what it is called does not matter.
        values = said.scores if said.prediction is None else said.prediction
        if values is None:
            raise Unfit(Fault.ANSWER_MALFORMED, "the answer has no predictions")
        return Answers(_numbers(values, (rows,), "predictions"), None)
    count = len(config.classes)
    scores = _probabilities(config, said.scores, rows, count) if said.scores is not None else None
    if said.prediction is not None:
        return Answers(_classes(config, named, said.prediction, rows), scores)
    if scores is None:
        raise Unfit(Fault.ANSWER_MALFORMED, "the answer has neither predictions nor scores")
    return Answers(scores.argmax(axis=1).astype(np.int32), scores)


def _classes(config: Config, named: Answer, values: Values, rows: int) -> NDArray[np.int32]:
    if isinstance(values, Flat):
        raise Unfit(Fault.ANSWER_WRONG_SHAPE, f"predictions have shape [{rows}, {values.width}] where classes belong")
    if len(values) != rows:
        raise Unfit(Fault.ANSWER_WRONG_SHAPE, f"{len(values)} predictions for {rows} rows")
    try:
        column = pa.array(values)
    except pa.ArrowException as error:
        raise Unfit(Fault.ANSWER_MALFORMED, f"predictions are of several types: {error}") from error
    except OverflowError as error:
        raise Unfit(Fault.ANSWER_UNKNOWN_CLASS, "a prediction is a number of more than 64 bits, no class") from error
    if pa.types.is_nested(column.type):
        raise Unfit(Fault.ANSWER_WRONG_SHAPE, "a prediction is a list or an object where a class belongs")
    missing = column.is_null(nan_is_null=True).to_numpy(zero_copy_only=False)
    if missing.any():
        gap = int(np.argmax(missing))
        raise Unfit(Fault.ANSWER_NOT_FINITE, f"the prediction for row {gap} of the batch is {values[gap]}")
    assert config.classes is not None  # noqa: S101 - the caller has looked
    known = list(range(len(config.classes))) if named.prediction_is == "index" else config.classes
    codes = Coder(known, closed=True).codes(column)
    if (codes < 0).any():
        first = int(np.argmax(codes < 0))
        raise Unfit(
            Fault.ANSWER_UNKNOWN_CLASS,
            f"the prediction for row {first} of the batch is {values[first]!r}, none of {known[:10]}",
        )
    return codes


def _probabilities(config: Config, values: Values, rows: int, count: int) -> Floats:
    alone = isinstance(values, list) and bool(values) and not isinstance(values[0], list)
    if alone and count == 2:
        second = _numbers(values, (rows,), "scores")
        found = np.stack([1 - second, second], axis=1)
        if config.positive_code == 0:
            found = found[:, ::-1]
    else:
        found = _numbers(values, (rows, count), "scores")
    beyond = (found < -_SUM_TOLERANCE) | (found > 1 + _SUM_TOLERANCE)
    if beyond.any():
        place = int(np.argmax(beyond.any(axis=1)))
        raise Unfit(Fault.ANSWER_UNKNOWN_CLASS, f"the scores of row {place} of the batch are no probabilities")
    if (off := np.abs(found.sum(axis=1) - 1)).max(initial=0.0) > _SUM_TOLERANCE:
        place = int(off.argmax())
        raise Unfit(
            Fault.ANSWER_UNKNOWN_CLASS,
            f"the probabilities of row {place} of the batch are {found[place].sum():.4g} together",
        )
    # A mean or a calibration of good models ends at 1.0000000000000002 now and then.
    return found.clip(0.0, 1.0)


def _numbers(values: Values, shape: tuple[int, ...], what: str) -> Floats:
    try:
        if isinstance(values, Flat):
            found = np.array(values.data, dtype=np.float64).reshape(-1, values.width)
        else:
            found = np.array(values, dtype=np.float64)
    except OverflowError as error:
        raise Unfit(Fault.ANSWER_NOT_FINITE, f"{what} hold a number that is larger than any float") from error
    except (TypeError, ValueError) as error:
        if isinstance(values, list) and _ragged(values):
            raise Unfit(Fault.ANSWER_WRONG_SHAPE, f"{what} have rows of several lengths") from error
        raise Unfit(Fault.ANSWER_MALFORMED, f"{what} hold something that is no number") from error
    if found.shape == (shape[0], 1) and len(shape) == 1:
        found = found[:, 0]
    if found.shape != shape:
        raise Unfit(Fault.ANSWER_WRONG_SHAPE, f"{what} have shape {list(found.shape)}, and {list(shape)} was asked for")
    if not np.isfinite(found).all():
        place = int(np.argmax(~np.isfinite(found.reshape(shape[0], -1)).all(axis=1)))
        raise Unfit(Fault.ANSWER_NOT_FINITE, f"{what} of row {place} of the batch are {found[place].tolist()}")
    return found


def _ragged(values: list[Any]) -> bool:
    return len({len(one) if isinstance(one, list) else -1 for one in values}) > 1
