"""What is sent and what is made of the answers, for each protocol."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pyarrow as pa
import pytest

from serin.evaluate.answers import Answers, answers_of
from serin.evaluate.asking import Pace
from serin.evaluate.endpoints import Endpoint
from serin.evaluate.faults import Fault, Unfit
from serin.evaluate.protocols import decode, encode, parsed, path_of
from tests.unit.evaluate.builders import config

NUMBERS = pa.RecordBatch.from_pydict({"a": [1.0, 2.5], "b": [3.0, None]})
MIXED = pa.RecordBatch.from_pydict({"n": [1, 2], "word": ["x", None], "yes": [True, False]})


def endpoint(protocol: str = "openInference", **changes: Any) -> Endpoint:
    """An endpoint's section."""
    return Endpoint.model_validate({"url": "http://model:8080", "protocol": protocol, "model": "iris"} | changes)


CUSTOM = {"path": "/ask", "template": {"q": ["${columns}", "${records}"], "k": 1}, "answer": {"prediction": "/out/0/y"}}


@pytest.mark.parametrize(
    ("one", "path"),
    [
        (endpoint(), "/v2/models/iris/infer"),
        (endpoint(version="3", url="http://model/base/"), "/base/v2/models/iris/versions/3/infer"),
        (endpoint(model="a/b c"), "/v2/models/a%2Fb%20c/infer"),
        (endpoint("kserveV1"), "/v1/models/iris:predict"),
        (endpoint("mlflow"), "/invocations"),
        (endpoint("mlflow", path="score"), "/score"),
        (endpoint("custom", **CUSTOM), "/ask"),
    ],
)
def test_paths_are_the_protocols_unless_said(one: Endpoint, path: str) -> None:
    """A name cannot lead out of its place in the path."""
    assert path_of(one) == path


def test_numbers_are_one_tensor_and_mixed_columns_a_tensor_each() -> None:
    """Open Inference; what is missing is null, and only outputs that are read are asked for."""
    named = endpoint(answer={"prediction": "species"})
    assert json.loads(encode(named, NUMBERS)) == {
        "inputs": [{"name": "features", "shape": [2, 2], "datatype": "FP64", "data": [1.0, 3.0, 2.5, None]}],
        "outputs": [{"name": "species"}],
    }
    assert json.loads(encode(endpoint(), MIXED))["inputs"] == [
        {"name": "n", "shape": [2, 1], "datatype": "INT64", "data": [1, 2]},
        {"name": "word", "shape": [2, 1], "datatype": "BYTES", "data": ["x", None]},
        {"name": "yes", "shape": [2, 1], "datatype": "BOOL", "data": [True, False]},
    ]


def test_a_byte_order_mark_is_no_part_of_an_answer() -> None:
    """Some programs begin every text with one."""
    assert parsed(b'\xef\xbb\xbf{"predictions": [1]}') == {"predictions": [1]}


def test_the_other_protocols_send_rows() -> None:
    """As instances, as a data frame, or where a template says."""
    assert json.loads(encode(endpoint("kserveV1"), NUMBERS)) == {"instances": [[1.0, 3.0], [2.5, None]]}
    assert json.loads(encode(endpoint("mlflow"), MIXED)) == {
        "dataframe_split": {"columns": ["n", "word", "yes"], "data": [[1, "x", True], [2, None, False]]}
    }
    assert json.loads(encode(endpoint("custom", **CUSTOM), NUMBERS)) == {
        "q": [["a", "b"], [{"a": 1.0, "b": 3.0}, {"a": 2.5, "b": None}]],
        "k": 1,
    }


def test_times_are_sent_in_their_iso_form() -> None:
    """JSON has no times."""
    rows = pa.RecordBatch.from_pydict({"at": [datetime(2026, 11, 1, 12)]})  # noqa: DTZ001 - files have such times
    assert json.loads(encode(endpoint("kserveV1"), rows)) == {"instances": [["2026-11-01T12:00:00"]]}


def test_whole_number_tensors_take_only_whole_numbers() -> None:
    """2.5 as INT64 would silently be another row."""
    with pytest.raises(Unfit, match="no whole number"):
        encode(endpoint(request={"datatype": "INT64"}), NUMBERS)


def _infer(one: Endpoint, answer: Any, **changes: Any) -> Answers:
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    return answers_of(config(**changes), one.answer, decode(one, parsed(body), 2), 2)


def _output(name: str = "species", **changes: Any) -> dict[str, Any]:
    return {"name": name, "datatype": "BYTES", "shape": [2], "data": ["setosa", "virginica"]} | changes


SCORES = _output("p", shape=[2, 2], data=[0.9, 0.1, 0.2, 0.8])
BOTH = {"prediction": "species", "scores": "p"}


@pytest.mark.parametrize(
    ("one", "answer"),
    [
        (endpoint(), {"outputs": [_output()]}),
        (endpoint(answer=BOTH), {"outputs": [_output(shape=[2, 1]), SCORES]}),
        (endpoint(answer={"scores": "p"}), {"outputs": [SCORES]}),
        (endpoint(answer={"scores": "p"}), {"outputs": [_output("p", data=[0.1, 0.8])]}),
        (endpoint(answer={"prediction": "i", "predictionIs": "index"}), {"outputs": [_output("i", data=[0, 1])]}),
        (endpoint("kserveV1"), {"predictions": ["setosa", "virginica"]}),
        (endpoint("kserveV1", answer={"scores": "p"}), {"predictions": [[0.9, 0.1], [0.2, 0.8]]}),
        (endpoint("mlflow", answer={"prediction": "y"}), {"predictions": [{"y": "setosa"}, {"y": "virginica"}]}),
        (endpoint("mlflow", answer={"prediction": "y"}), {"predictions": {"y": ["setosa", "virginica"]}}),
        (endpoint("custom", **CUSTOM), {"out": [{"y": ["setosa", "virginica"]}]}),
    ],
)
def test_answers_become_classes(one: Endpoint, answer: Any) -> None:
    """By label, by index, or as the likeliest."""
    assert _infer(one, answer).predicted.tolist() == [0, 1]


def test_one_probability_is_the_positive_classs() -> None:
    """Whichever of the two that is."""
    one = endpoint(answer={"scores": "p"})
    answer = {"outputs": [_output("p", data=[0.1, 0.8])]}
    for positive, column in (("virginica", 1), ("setosa", 0)):
        scores = _infer(one, answer, positive=positive).scores
        assert scores is not None
        assert scores[:, column].tolist() == pytest.approx([0.1, 0.8])


FAULTS = [
    pytest.param(b"<html>", Fault.ANSWER_MALFORMED, "no JSON", id="no JSON"),
    pytest.param(b"", Fault.ANSWER_MALFORMED, "no JSON", id="nothing"),
    pytest.param([], Fault.ANSWER_MALFORMED, "no list 'outputs'", id="a list"),
    pytest.param({"outputs": []}, Fault.ANSWER_MALFORMED, "outputs", id="no outputs"),
    pytest.param(
        {"outputs": [_output("x"), SCORES]},
        Fault.ANSWER_MALFORMED,
        "no output species; there are x, p",
        id="another output",
    ),
    pytest.param({"outputs": [_output(shape=None), SCORES]}, Fault.ANSWER_MALFORMED, "no shape", id="no shape"),
    pytest.param({"outputs": [_output(shape=[3]), SCORES]}, Fault.ANSWER_WRONG_SHAPE, r"shape \[3\] for 2", id="rows"),
    pytest.param({"outputs": [_output(data=["setosa"]), SCORES]}, Fault.ANSWER_WRONG_SHAPE, "1 values", id="too few"),
    pytest.param(
        {"outputs": [_output(data=["rose", "setosa"]), SCORES]},
        Fault.ANSWER_UNKNOWN_CLASS,
        "'rose'",
        id="a class that nobody knows",
    ),
    pytest.param({"outputs": [_output(data=["setosa", None]), SCORES]}, Fault.ANSWER_NOT_FINITE, "row 1", id="null"),
    pytest.param(
        {"outputs": [_output(data=[["a"], "b"]), SCORES]}, Fault.ANSWER_UNKNOWN_CLASS, "'a'", id="half a list"
    ),
    pytest.param(
        b'{"outputs": [%b, {"name": "p", "shape": [2, 2], "data": [NaN, 1, 0, 1]}]}' % json.dumps(_output()).encode(),
        Fault.ANSWER_NOT_FINITE,
        "row 0",
        id="NaN",
    ),
    pytest.param(
        {"outputs": [_output(), SCORES | {"data": [0.9, None, 0.2, 0.8]}]},
        Fault.ANSWER_NOT_FINITE,
        "row 0",
        id="a score of null",
    ),
    pytest.param(
        {"outputs": [_output(), SCORES | {"data": [0.9, "a", 0.2, 0.8]}]},
        Fault.ANSWER_MALFORMED,
        "no number",
        id="a score of text",
    ),
    pytest.param(
        {"outputs": [_output(), SCORES | {"data": [0.9, 0.3, 0.2, 0.8]}]},
        Fault.ANSWER_UNKNOWN_CLASS,
        "1.2 together",
        id="probabilities above 1 together",
    ),
    pytest.param(
        {"outputs": [_output(), SCORES | {"data": [1.9, -0.9, 0.2, 0.8]}]},
        Fault.ANSWER_UNKNOWN_CLASS,
        "no probabilities",
        id="below 0",
    ),
    pytest.param(
        {"outputs": [_output(), SCORES | {"shape": [2, 3], "data": [0.5, 0.2, 0.3] * 2}]},
        Fault.ANSWER_WRONG_SHAPE,
        r"\[2, 3\]",
        id="a class too many",
    ),
    pytest.param(
        {"outputs": [_output(data=[10**400, 1]), SCORES]}, Fault.ANSWER_UNKNOWN_CLASS, "64 bits", id="a huge class"
    ),
    pytest.param(
        {"outputs": [_output(), SCORES | {"data": [10**400, 0, 0, 1]}]},
        Fault.ANSWER_NOT_FINITE,
        "larger than any float",
        id="a score beyond floats",
    ),
    pytest.param(
        {"outputs": [_output([]), SCORES]}, Fault.ANSWER_MALFORMED, "no output species", id="a name that is a list"
    ),
    pytest.param(
        {"outputs": [_output(), SCORES | {"data": [1.002, -0.002, 0.2, 0.8]}]},
        Fault.ANSWER_UNKNOWN_CLASS,
        "no probabilities",
        id="more than rounding",
    ),
]


@pytest.mark.parametrize("said", [[1.0000000000000002, -1e-17, 0.0, 1.0], [1.0005, 0.0, 0.0, 1.0]])
def test_a_probability_that_was_rounded_is_one(said: list[float]) -> None:
    """A mean of good models says 1.0000000000000002; nobody is rejected for the last bit, and no loss is below 0."""
    scores = _infer(endpoint(answer=BOTH), {"outputs": [_output(), SCORES | {"data": said}]}).scores
    assert scores is not None
    assert scores.tolist() == [[1.0, 0.0], [0.0, 1.0]]


def test_a_pointer_with_another_alphabets_digit_points_at_nothing() -> None:
    """A digit to look at is not always one to count with."""
    one = endpoint("custom", path="/p", template={}, answer={"prediction": "/x/\u00b2"})
    with pytest.raises(Unfit, match="nothing at /x/"):
        _infer(one, {"x": [["setosa"], ["setosa"]]})


@pytest.mark.parametrize(("answer", "fault", "words"), FAULTS)
def test_an_answer_that_cannot_be_counted_has_a_named_fault(answer: Any, fault: Fault, words: str) -> None:
    """With the row and the value; nothing half understood gets through."""
    with pytest.raises(Unfit, match=words) as caught:
        _infer(endpoint(answer=BOTH), answer)
    assert caught.value.fault is fault


@pytest.mark.parametrize("answer", [{}, {"predictions": None}, {"predictions": "setosa"}, [1, 2], {"error": "x"}])
def test_an_answer_without_predictions_is_malformed(answer: Any) -> None:
    """KServe and MLflow."""
    for protocol in ("kserveV1", "mlflow"):
        with pytest.raises(Unfit) as caught:
            _infer(endpoint(protocol), answer)
        assert caught.value.fault is Fault.ANSWER_MALFORMED


def test_numbers_of_a_regression_are_finite_and_one_for_each_row() -> None:
    """A list of one is a number; two are a wrong shape; infinity is none."""
    changes = {"task": "regression", "classes": None, "gates": [{"name": "g", "metric": "r2", "min": 0}]}
    one = endpoint("kserveV1")
    assert _infer(one, {"predictions": [[1.5], [2]]}, **changes).predicted.tolist() == [1.5, 2.0]
    for said, fault in (
        ([[1, 2], [3, 4]], Fault.ANSWER_WRONG_SHAPE),
        ([1.0], Fault.ANSWER_WRONG_SHAPE),
        ([[1], [2, 3]], Fault.ANSWER_WRONG_SHAPE),
        (["a", 1], Fault.ANSWER_MALFORMED),
        ([1, None], Fault.ANSWER_NOT_FINITE),
        ([1, float("inf")], Fault.ANSWER_NOT_FINITE),
    ):
        with pytest.raises(Unfit) as caught:
            _infer(one, {"predictions": said}, **changes)
        assert caught.value.fault is fault, said


def test_the_pace_does_not_make_up_for_a_pause() -> None:
    """100 rows a second: batches of 50 start half a second apart, and after a pause not two at once."""
    pace = Pace(100.0)
    assert [pace.wait_seconds(50, now=10.0) for _ in range(3)] == [0.0, 0.5, 1.0]
    assert [pace.wait_seconds(50, now=60.0) for _ in range(2)] == [0.0, 0.5]
    assert Pace(None).wait_seconds(50, now=10.0) == 0.0
