"""What an endpoint's fault says of the candidate: nothing when stable shows it too, and nothing when it may pass."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from aiohttp import web
from sklearn.datasets import load_iris

from serin.evaluate.faults import Effect, Fault
from serin.evaluate.report import FaultReport, Report
from tests.integration.evaluate.serving import ANSWER, Answering, Json, answering, evaluated, served

FAST = {"batchRows": 50, "backoff": "1ms", "attempts": 3, "requestTimeout": "20s"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with iris as parquet."""
    rows, species = load_iris(return_X_y=True)
    columns: Json = {f"x{place}": rows[:, place] for place in range(4)}
    pyarrow.parquet.write_table(pa.table({**columns, "species": species}), tmp_path / "iris.parquet")
    return tmp_path


def ended(folder: Path, candidate: Answering, stable: Answering | None = None, **asking: Any) -> Report:
    """The report on two endpoints that answer so."""
    with served(answering(candidate)) as first, served(answering(stable or candidate)) as second:
        endpoint: Json = {"model": "iris", "answer": ANSWER}
        endpoints = {"candidate": endpoint | {"url": first}}
        if stable is not None:
            endpoints["stable"] = endpoint | {"url": second}
        config = {
            "revision": "iris-2",
            "task": "classification",
            "classes": [0, 1, 2],
            "datasets": [{"name": "iris", "path": "iris.parquet", "target": "species"}],
            "endpoints": endpoints,
            "asking": FAST | asking,
            "gates": [{"name": "accuracy", "metric": "accuracy", "min": 0.9}],
        }
        return evaluated(folder, config)


def fault_of(report: Report) -> FaultReport:
    """The fault that ended it."""
    assert report.fault is not None
    return report.fault


def right(call: Json) -> Json:
    """Every answer the right one: the species follows from the first rows' order."""
    rows, species = load_iris(return_X_y=True)
    known = {tuple(row): int(kind) for row, kind in zip(rows.tolist(), species, strict=True)}
    asked = np.array(call["inputs"][0]["data"]).reshape(-1, 4).tolist()
    said = [known[tuple(row)] for row in asked]
    return outputs(said, [1.0 if kind == one else 0.0 for one in said for kind in range(3)])


def outputs(species: list[Any], scores: list[Any]) -> Json:
    """Open Inference's form."""
    return {
        "outputs": [
            {"name": "species", "datatype": "INT64", "shape": [len(species)], "data": species},
            {"name": "probabilities", "datatype": "FP64", "shape": [len(species), 3], "data": scores},
        ]
    }


def another_name(call: Json) -> Json:
    """An output that answer.prediction does not name."""
    answer = right(call)
    answer["outputs"][0]["name"] = "label"
    return answer


def one_row(_call: Json) -> Json:
    return outputs([1], [0.0, 1.0, 0.0])


def a_class_more(call: Json) -> Json:
    return outputs([7] * len(right(call)["outputs"][0]["data"]), right(call)["outputs"][1]["data"])


def nan(call: Json) -> Json:
    answer = right(call)
    answer["outputs"][1]["data"][0] = float("nan")
    return answer


def says(status: int) -> Answering:
    return lambda _call: web.json_response({"error": "no"}, status=status)


SHARED = [
    pytest.param(another_name, Fault.ANSWER_MALFORMED, id="another output"),
    pytest.param(one_row, Fault.ANSWER_WRONG_SHAPE, id="a row"),
    pytest.param(a_class_more, Fault.ANSWER_UNKNOWN_CLASS, id="a class"),
    pytest.param(nan, Fault.ANSWER_NOT_FINITE, id="NaN"),
    pytest.param(says(422), Fault.ENDPOINT_REFUSED, id="422"),
]


@pytest.mark.parametrize(("answer", "fault"), SHARED)
def test_what_both_models_do_is_neithers_fault(folder: Path, answer: Answering, fault: Fault) -> None:
    """The rows, or the configuration: somebody has to change it, and the candidate is not rejected for it."""
    found = ended(folder, answer, answer)
    told = fault_of(found)
    assert (told.reason, told.effect, told.arm, told.dataset) == (fault, Effect.STALLED, None, "iris")
    assert "both models alike" in told.message
    assert found.verdict == "undecided"


@pytest.mark.parametrize(("answer", "fault"), SHARED)
@pytest.mark.parametrize("stable", [right, None], ids=["stable is well", "first deployment"])
def test_what_the_candidate_alone_does_rejects_it(
    folder: Path, answer: Answering, fault: Fault, stable: Answering | None
) -> None:
    """Stable answers the same rows, or there is nobody to compare with."""
    found = ended(folder, answer, stable)
    told = fault_of(found)
    assert (told.reason, told.effect, told.arm, found.verdict) == (fault, Effect.REJECT, "candidate", "fail")


def test_nothing_is_held_against_the_candidate_while_stable_cannot_be_asked(folder: Path) -> None:
    """Whether these rows can be answered at all is not known then."""
    found = ended(folder, says(422), says(503))
    told = fault_of(found)
    assert (told.reason, told.effect, told.arm) == (Fault.ENDPOINT_FAILED, Effect.HOLD, "stable")
    assert found.verdict == "undecided"


@pytest.mark.parametrize(
    ("status", "fault", "effect"),
    [
        pytest.param(408, Fault.ENDPOINT_TIMED_OUT, Effect.HOLD, id="408"),
        pytest.param(425, Fault.ENDPOINT_FAILED, Effect.HOLD, id="425"),
        pytest.param(429, Fault.ENDPOINT_FAILED, Effect.HOLD, id="429"),
        pytest.param(499, Fault.ENDPOINT_FAILED, Effect.HOLD, id="499"),
        pytest.param(413, Fault.INVALID_CONFIG, Effect.STALLED, id="413"),
        pytest.param(431, Fault.INVALID_CONFIG, Effect.STALLED, id="431"),
    ],
)
def test_what_a_status_says_of_the_moment_or_the_request_rejects_nobody(
    folder: Path, status: int, fault: Fault, effect: Effect
) -> None:
    """Time-outs are tried again and hold; a request that is too large stalls and names what makes it so."""
    found = ended(folder, says(status))
    told = fault_of(found)
    assert (told.reason, told.effect, told.arm, found.verdict) == (fault, effect, "candidate", "undecided")
    # Two batches are under way at a time; a third may not have begun.
    assert (found.run.asked["candidate"].retries >= 2) == (effect is Effect.HOLD)
    assert ("asking.batchRows" in told.message) == (effect is Effect.STALLED)


def cut_off(_call: Json) -> Any:
    """200 and the beginning of an answer, as a pod that is killed leaves it behind a proxy."""
    return web.Response(body=b'{"outputs":', content_type="application/json")


def in_turn(*answers: Answering) -> Answering:
    """For one request after the other, the last for all that follow."""
    left = iter(answers[:-1])

    def answer(call: Json) -> Any:
        return next(left, answers[-1])(call)

    return answer


def test_an_answer_that_ends_in_the_middle_is_asked_for_again(folder: Path) -> None:
    """A pod was killed; the next one answers."""
    found = ended(folder, in_turn(cut_off, right), right, inFlight=1)
    assert (found.verdict, found.run.asked["candidate"].retries) == ("pass", 1), found.fault


def test_an_endpoint_that_never_says_json_is_malformed(folder: Path) -> None:
    """All attempts, so it is no accident."""
    found = ended(folder, cut_off, inFlight=1)
    told = fault_of(found)
    assert (told.reason, told.effect) == (Fault.ANSWER_MALFORMED, Effect.REJECT)
    assert "no JSON" in told.message
    assert "after 3 attempts" in told.message


@pytest.mark.parametrize("turns", [(says(503), cut_off), (cut_off, says(503))], ids=["before", "after"])
def test_no_json_beside_another_trouble_is_no_verdict(folder: Path, turns: tuple[Answering, Answering]) -> None:
    """503, 503, half an answer: that is a pod that goes away, and not what a model means to say."""
    first, second = turns
    found = ended(folder, in_turn(first, second, second), inFlight=1)
    told = fault_of(found)
    assert (told.reason, told.effect) == (Fault.ENDPOINT_FAILED, Effect.HOLD)
