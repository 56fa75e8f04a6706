"""Each bad data set, endpoint or report, from the file to the revision: the program's real answer in a real rollout.

The Job's pod ends with the termination message of `serin evaluate`; the decision core reads it as it reads a pod's.
What is left is a named reason in status and record, with stable serving all traffic as before.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest
from aiohttp import web
from sklearn.datasets import load_iris

from serin.cli.main import main
from serin.evaluate.faults import Effect, Fault, Unfit
from serin.rollout.plan import Validation
from serin.rollout.state import Placed
from serin.traffic.state import Routed
from serin.workloads.jobs import Ended, Running
from tests.demo.model_server import IrisModel
from tests.integration.evaluate.serving import ANSWER, Json, answering, iris, served
from tests.unit.rollout.looks import plan
from tests.unit.rollout.world import World, serving

NAMES = ("sepal_length", "sepal_width", "petal_length", "petal_width")
HOLDOUT = Validation("holdout", "d1", 600.0)


def table(**columns: Any) -> pa.Table:
    """The iris data, with some columns in the place of its own; None takes one away."""
    rows, species = load_iris(return_X_y=True)
    found: Json = {name: rows[:, place] for place, name in enumerate(NAMES)} | {"species": species.astype(float)}
    found |= columns
    return pa.table({name: values for name, values in found.items() if values is not None})


def written(make: Callable[[], pa.Table]) -> Callable[[Path], Json]:
    """A data set as a file."""

    def write(folder: Path) -> Json:
        pyarrow.parquet.write_table(make(), folder / "iris.parquet")
        return {}

    return write


def with_nan() -> pa.Table:
    species = load_iris(return_X_y=True)[1].astype(float)
    species[7] = float("nan")
    return table(species=species)


def not_parquet(folder: Path) -> Json:
    (folder / "iris.parquet").write_bytes(b"PAR1 and no more")
    return {}


def too_large(folder: Path) -> Json:
    written(table)(folder)
    return {"limits": {"rowsMax": 100}}


def not_there(_folder: Path) -> Json:
    return {}


def another_file(folder: Path) -> Json:
    written(table)(folder)
    data = {"name": "iris", "path": "iris.parquet", "target": "species", "digest": f"sha256:{'0' * 64}"}
    return {"datasets": [data]}


def stale(folder: Path) -> Json:
    written(table)(folder)
    age = {"maxAge": "30d", "asOf": "2020-01-01T00:00:00Z"}
    return {"datasets": [{"name": "iris", "path": "iris.parquet", "target": "species", **age}]}


def out_of_time(folder: Path) -> Json:
    written(table)(folder)
    return {"asking": {"deadline": "1ms"}}


def no_snapshot(folder: Path) -> Json:
    written(table)(folder)
    return {"snapshot": {"path": "training.json"}}


def no_artifact(folder: Path) -> Json:
    written(table)(folder)
    (folder / "model.skops").write_bytes(b"no model")
    return {"skew": {"artifact": "model.skops"}}


def misspelt(folder: Path) -> Json:
    written(table)(folder)
    return {"gaets": []}


BAD: list[tuple[str, Fault, Callable[[Path], Json]]] = [
    ("no file", Fault.DATASET_UNREADABLE, not_there),
    ("a file of another format", Fault.DATASET_MALFORMED, not_parquet),
    ("no row", Fault.DATASET_EMPTY, written(lambda: table().slice(0, 0))),
    ("too many rows", Fault.DATASET_TOO_LARGE, too_large),
    ("old rows", Fault.DATASET_STALE, stale),
    ("another file than the digest's", Fault.DATASET_CHANGED, another_file),
    ("no target column", Fault.WRONG_COLUMNS, written(lambda: table(species=None))),
    ("a feature that is no number", Fault.WRONG_COLUMNS, written(lambda: table(petal_width=[["a"]] * 150))),
    ("NaN for a target", Fault.TARGET_UNUSABLE, written(with_nan)),
    ("a class that nobody named", Fault.TARGET_UNUSABLE, written(lambda: table(species=[7.0] * 150))),
    ("longer than its deadline", Fault.OUT_OF_TIME, out_of_time),
    ("no training snapshot", Fault.SNAPSHOT_UNUSABLE, no_snapshot),
    ("an artifact that cannot be loaded", Fault.ARTIFACT_UNUSABLE, no_artifact),
    ("a field that nobody knows", Fault.INVALID_CONFIG, misspelt),
]


def answer_of(folder: Path, url: str, changes: Json) -> str:
    """The termination message of `serin evaluate`, run as in a Job."""
    config: Json = {
        "revision": "iris-v2",
        "task": "classification",
        "classes": [0, 1, 2],
        "datasets": [{"name": "iris", "path": "iris.parquet", "target": "species"}],
        "endpoints": {"candidate": {"model": "iris", "answer": ANSWER, "url": url}},
        "asking": {"batchRows": 40, "backoff": "1ms", "attempts": 2, "requestTimeout": "20s"},
        "gates": [{"name": "good", "metric": "accuracy", "min": 0.9}],
    } | changes
    (folder / "evaluation.json").write_text(json.dumps(config))
    log = folder / "termination-log"
    arguments = ["--config", str(folder / "evaluation.json"), "--output", str(folder / "reports")]
    main(["evaluate", *arguments, "--termination-log", str(log)])
    return log.read_text()


def told(answer: str, failed: str | None = None) -> World:
    """A rollout whose Job has ended with this answer."""
    world = serving("v1", plan(validations=(HOLDOUT,)))
    world.deploy("v2")
    for _ in range(3):
        world.tick()
    (running,) = (name for name, job in world.jobs.items() if isinstance(job, Running))
    world.jobs[running] = Ended(answer, failed)
    world.tick()
    return world


def is_named(world: World, reason: str, effect: Effect) -> None:
    """The reason is in status and record, and stable serves all traffic, untouched."""
    said = next(one for one in world.conditions if one.type == "Promoted")
    expected = {
        Effect.HOLD: ("ValidationUndecided", False),
        Effect.STALLED: ("ValidationBlocked", True),
        Effect.REJECT: ("RolledBack", True),
    }[effect]
    assert (said.reason, any(one.type == "Stalled" for one in world.conditions)) == expected
    assert "stage holdout: " in said.message
    assert reason in said.message
    attempt = world.state.attempt
    kept = [one.message for one in attempt.steps] if attempt is not None else []
    kept += [str(one["message"]) for one in world.records.get("iris-v2", {}).get("record", ())]
    assert any(reason in message for message in kept)
    assert world.state.stable == Placed("iris-v1", "v1", "a")
    assert isinstance(world.route, Routed)
    assert not world.route.reaches("b")


@pytest.fixture(scope="module")
def url() -> Any:
    with served(iris(IrisModel())) as address:
        yield address


@pytest.mark.parametrize(("sentence", "fault", "bad"), BAD, ids=[sentence for sentence, *_ in BAD])
def test_a_bad_data_set_is_a_named_reason_on_the_revision(
    tmp_path: Path, url: str, sentence: str, fault: Fault, bad: Callable[[Path], Json]
) -> None:
    answer = answer_of(tmp_path, url, bad(tmp_path))
    assert json.loads(answer)["fault"]["reason"] == fault, sentence
    is_named(told(answer), fault, Unfit(fault, "").effect)


@pytest.mark.parametrize(
    ("sentence", "fault", "answer"),
    [
        ("it refuses the rows", Fault.ENDPOINT_REFUSED, lambda _: web.Response(status=422)),
        ("it does not know the model", Fault.ENDPOINT_NOT_FOUND, lambda _: web.Response(status=404)),
        ("it fails", Fault.ENDPOINT_FAILED, lambda _: web.Response(status=500)),
        ("it answers something else", Fault.ANSWER_MALFORMED, lambda _: {"outputs": []}),
    ],
)
def test_an_endpoints_fault_is_a_named_reason_on_the_revision(
    tmp_path: Path, sentence: str, fault: Fault, answer: Any
) -> None:
    written(table)(tmp_path)
    with served(answering(answer)) as address:
        said = answer_of(tmp_path, address, {})
    assert json.loads(said)["fault"]["reason"] == fault, sentence
    is_named(told(said), fault, Unfit(fault, "", arm="candidate").effect)


@pytest.mark.parametrize(
    ("sentence", "answer", "failed", "words"),
    [
        ("no JSON", "Traceback (most recent call last)", "BackoffLimitExceeded: x", "gave no answer"),
        ("another schema", json.dumps({"ok": True}), None, "gave no answer"),
        ("a pass without a gate", json.dumps({"verdict": "pass", "gates": []}), None, "without a gate"),
        ("about another revision", json.dumps({"verdict": "pass", "revision": "iris-v9"}), None, "about iris-v9"),
        ("longer than the Job may take", "", "DeadlineExceeded: Job was active longer", "DeadlineExceeded"),
    ],
)
def test_a_report_that_is_none_blocks_in_words(sentence: str, answer: str, failed: str | None, words: str) -> None:
    """Of a program of the user's own; nothing of it is ever a pass."""
    world = told(answer, failed)
    for _ in range(6):  # a Job without a word is given a minute for its pod's last ones
        world.tick()
    is_named(world, words, Effect.STALLED)
