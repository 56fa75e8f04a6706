"""`serin evaluate` against real endpoints: the demo's model server, and endpoints that fail."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from aiohttp import web
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score
from skops.io import dump

from serin.cli.main import main
from serin.evaluate.faults import Effect, Fault
from serin.evaluate.report import read_report
from tests.demo.model_server import IrisModel
from tests.integration.artifacts.bucket_server import Bucket, bucket_served
from tests.integration.evaluate.serving import ANSWER, Json, answering, evaluated, iris, served

NAMES = ("sepal_length", "sepal_width", "petal_length", "petal_width")
CLASSES = [0, 1, 2]
KEPT_AS = "ml/iris/iris-2-x7k2p.1.holdout"


@pytest.fixture(scope="module")
def model() -> IrisModel:
    return IrisModel()


@pytest.fixture(scope="module")
def url(model: IrisModel) -> Iterator[str]:
    with served(iris(model)) as address:
        yield address


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with iris as parquet."""
    rows, species = load_iris(return_X_y=True)
    columns = {name: rows[:, place] for place, name in enumerate(NAMES)}
    pyarrow.parquet.write_table(pa.table({**columns, "species": species}), tmp_path / "iris.parquet")
    return tmp_path


def setup(url: str, *, stable: str | None = None, **changes: Any) -> Json:
    """A configuration as it stands in a file."""
    endpoint = {"model": "iris", "answer": ANSWER}
    endpoints = {"candidate": endpoint | {"url": url}}
    if stable is not None:
        endpoints["stable"] = endpoint | {"url": stable}
    return {
        "revision": "iris-2-x7k2p",
        "task": "classification",
        "classes": CLASSES,
        "datasets": [{"name": "iris", "path": "iris.parquet", "target": "species"}],
        "endpoints": endpoints,
        "asking": {"batchRows": 40, "backoff": "1ms", "requestTimeout": "20s"},
        "gates": [{"name": "accuracy", "metric": "accuracy", "min": 0.9}],
    } | changes


def test_a_good_model_passes_with_scikit_learns_figures(folder: Path, url: str) -> None:
    """Asked over HTTP in batches of 40, measured as scikit-learn measures the model itself on all rows."""
    found = evaluated(folder, setup(url, stable=url))
    rows, species = load_iris(return_X_y=True)
    own = LogisticRegression(max_iter=500).fit(rows, species)
    figures = found.datasets[0].scopes[0].candidate
    assert found.verdict == "pass", found
    assert figures["accuracy"].value == pytest.approx(accuracy_score(species, own.predict(rows)), abs=1e-9)
    assert figures["logLoss"].value == pytest.approx(log_loss(species, own.predict_proba(rows)), abs=1e-9)
    wanted = roc_auc_score(species, own.predict_proba(rows), multi_class="ovr")
    assert figures["rocAuc"].value == pytest.approx(wanted, abs=1e-9)
    assert found.run.asked["candidate"].requests == 4
    page = next(folder.glob("reports/*/report.html")).read_text()
    assert "<svg" in page
    assert "http" not in page.replace("http-equiv", "")


def test_the_same_data_give_the_same_report_but_for_the_run(folder: Path, url: str) -> None:
    """In another folder, too: intervals are resampled by the data's digest."""
    first = evaluated(folder, setup(url, stable=url))
    (folder / "again").mkdir()
    (folder / "iris.parquet").rename(folder / "again" / "iris.parquet")
    second = evaluated(folder / "again", setup(url, stable=url))
    assert first.model_copy(update={"run": second.run}) == second


def test_a_finished_evaluation_asks_nobody_again_and_an_interrupted_one_starts_again(folder: Path, url: str) -> None:
    """A Job that is started twice counts once; what a killed one left is swept away."""
    first = evaluated(folder, setup(url))
    (place,) = folder.glob("reports/iris-2-x7k2p-*")
    assert evaluated(folder, setup(url)).run == first.run
    (place / "report.json").write_text((place / "report.json").read_text()[:500])
    (folder / "reports" / f".{place.name}-a1b2c3d4").mkdir()
    again = evaluated(folder, setup(url))
    assert again.run.started > first.run.started
    assert again.model_copy(update={"run": first.run}) == first
    assert [one.name for one in (folder / "reports").iterdir()] == [place.name]


def test_other_data_under_the_same_name_are_evaluated_anew(folder: Path, url: str) -> None:
    """The report of the old file says nothing about the new one."""
    first = evaluated(folder, setup(url))
    table = pyarrow.parquet.read_table(folder / "iris.parquet")
    pyarrow.parquet.write_table(table.slice(0, 149), folder / "iris.parquet")
    assert evaluated(folder, setup(url)).datasets[0].rows == first.datasets[0].rows - 1


def _answer(call: Json, species: list[Any], probabilities: list[Any] | None = None) -> Json:
    rows = call["inputs"][0]["shape"][0]
    scores = probabilities or [1.0 if k == s else 0.0 for s in species for k in CLASSES]
    return {
        "outputs": [
            {"name": "species", "datatype": "INT64", "shape": [rows], "data": species},
            {"name": "probabilities", "datatype": "FP64", "shape": [rows, 3], "data": scores},
        ]
    }


def _ones(call: Json) -> Json:
    return _answer(call, [1] * call["inputs"][0]["shape"][0])


def _nan(call: Json) -> web.Response:
    rows = call["inputs"][0]["shape"][0]
    return web.Response(text=json.dumps(_answer(call, [1] * rows, [float("nan")] * rows * 3)))


async def _late(_call: Json) -> Json:
    await asyncio.sleep(5)
    return {}


def _says(status: int) -> Any:
    return lambda _call: web.json_response({"error": "no"}, status=status)


def _nothing(status: int) -> Any:
    return lambda _call: web.Response(status=status)


def _no_gzip(status: int) -> Any:
    """The header of a proxy that packs answers, before an answer that is not packed."""
    return lambda call: web.json_response(_ones(call), status=status, headers={"Content-Encoding": "gzip"})


@pytest.mark.parametrize(
    ("answer", "fault", "effect"),
    [
        pytest.param(_nan, Fault.ANSWER_NOT_FINITE, Effect.REJECT, id="NaN"),
        pytest.param(lambda call: _answer(call, [1]), Fault.ANSWER_WRONG_SHAPE, Effect.REJECT, id="a row"),
        pytest.param(lambda _: {"outputs": "x"}, Fault.ANSWER_MALFORMED, Effect.REJECT, id="no protocol"),
        pytest.param(_says(422), Fault.ENDPOINT_REFUSED, Effect.REJECT, id="422"),
        pytest.param(_says(404), Fault.ENDPOINT_NOT_FOUND, Effect.STALLED, id="404"),
        pytest.param(_says(500), Fault.ENDPOINT_FAILED, Effect.HOLD, id="500"),
        pytest.param(_says(307), Fault.ENDPOINT_NOT_FOUND, Effect.STALLED, id="a redirect"),
        pytest.param(_late, Fault.ENDPOINT_TIMED_OUT, Effect.HOLD, id="late"),
        pytest.param(_nothing(200), Fault.ANSWER_MALFORMED, Effect.REJECT, id="200 and nothing"),
        pytest.param(_nothing(204), Fault.ANSWER_MALFORMED, Effect.REJECT, id="204"),
        pytest.param(_says(202), Fault.ANSWER_MALFORMED, Effect.REJECT, id="202, an answer for later"),
        pytest.param(_no_gzip(200), Fault.ANSWER_MALFORMED, Effect.REJECT, id="no gzip"),
        pytest.param(_no_gzip(503), Fault.ENDPOINT_FAILED, Effect.HOLD, id="503 and no gzip"),
    ],
)
def test_an_endpoints_fault_is_a_named_reason_and_never_a_pass(
    folder: Path, answer: Any, fault: Fault, effect: Effect
) -> None:
    """With its arm and data set; only what the candidate does deliberately is held against it."""
    asking = {"batchRows": 40, "backoff": "1ms", "attempts": 2, "requestTimeout": "300ms" if answer is _late else "20s"}
    with served(answering(answer)) as address:
        found = evaluated(folder, setup(address, asking=asking))
    assert found.fault is not None
    assert (found.fault.reason, found.fault.effect, found.fault.arm) == (fault, effect, "candidate")
    assert found.fault.dataset == "iris"
    assert found.verdict == ("fail" if effect is Effect.REJECT else "undecided")


@pytest.mark.parametrize("status", [200, 201, 203])
def test_an_answer_of_a_success_that_has_a_body_counts(folder: Path, status: int) -> None:
    """Frameworks for REST say 201 to a POST, and a proxy 203 when it has rewritten what a model said."""
    with served(answering(lambda call: web.json_response(_ones(call), status=status))) as address:
        found = evaluated(folder, setup(address))
    assert found.fault is None
    figure = found.datasets[0].scopes[0].candidate["accuracy"]
    assert figure.value == pytest.approx(1 / 3)


@pytest.mark.parametrize("bad", [_nothing(204), _no_gzip(200)], ids=["204", "no gzip"])
def test_an_empty_or_wrongly_packed_answer_is_asked_for_again(folder: Path, bad: Any) -> None:
    """Once may be a proxy that starts; at each attempt it is what the model says."""
    calls = iter(range(100))
    with served(answering(lambda call: bad(call) if next(calls) % 2 == 0 else _ones(call))) as address:
        found = evaluated(folder, setup(address, asking={"batchRows": 50, "inFlight": 1, "backoff": "1ms"}))
    assert found.fault is None
    assert (found.run.asked["candidate"].requests, found.run.asked["candidate"].retries) == (6, 3)


def test_nobody_listening_holds(folder: Path) -> None:
    """A pod that is not there yet is no bad model."""
    with served(answering(_ones)) as address:
        pass
    found = evaluated(folder, setup(address, asking={"attempts": 2, "backoff": "1ms"}))
    assert found.fault is not None
    assert (found.fault.reason, found.fault.effect) == (Fault.ENDPOINT_UNREACHABLE, Effect.HOLD)


def test_stables_faults_are_not_held_against_the_candidate(folder: Path, url: str) -> None:
    """Stable answers NaN: nothing can be compared, and nothing is judged."""
    with served(answering(_nan)) as address:
        found = evaluated(folder, setup(url, stable=address))
    assert found.fault is not None
    assert (found.fault.arm, found.fault.effect, found.verdict) == ("stable", Effect.HOLD, "undecided")


def test_a_request_that_fails_once_is_asked_again(folder: Path, model: IrisModel) -> None:
    """503 for every first attempt: the evaluation is the same, and says how often it asked."""
    seen: set[str] = set()

    def flaky(call: Json) -> Any:
        key = json.dumps(call["inputs"])
        if key not in seen:
            seen.add(key)
            return web.Response(status=503)
        rows = np.array(call["inputs"][0]["data"]).reshape(-1, 4)
        outputs = model.infer(rows)
        return _answer(call, outputs["species"][1].tolist(), outputs["probabilities"][1].ravel().tolist())

    with served(answering(flaky)) as address:
        found = evaluated(folder, setup(address))
    assert found.verdict == "pass"
    assert (found.run.asked["candidate"].requests, found.run.asked["candidate"].retries) == (8, 4)


def test_a_higher_score_with_negative_flips_is_stopped_and_names_the_rows(folder: Path, url: str) -> None:
    """The candidate is perfect but for one class's first ten rows, which stable gets right."""
    rows, species = load_iris(return_X_y=True)
    answers = {tuple(row): int(kind) for row, kind in zip(rows.tolist(), species, strict=True)}
    wrong = {tuple(row) for row in rows[:10].tolist()}

    def candidate(call: Json) -> Json:
        asked = [tuple(row) for row in np.array(call["inputs"][0]["data"]).reshape(-1, 4).tolist()]
        return _answer(call, [1 if row in wrong else answers[row] for row in asked])

    gates = [{"name": "flips", "metric": "negativeFlipRate", "max": 0.01}]
    with served(answering(candidate)) as address:
        found = evaluated(folder, setup(address, stable=url, gates=gates), "--exit-code", code=1)
    assert found.verdict == "fail"
    assert [one.row for one in found.datasets[0].flips] == list(range(10))
    assert (found.datasets[0].flips[0].target, found.datasets[0].flips[0].candidate) == (0, 1)


def test_a_stale_set_holds_and_asks_nobody(folder: Path) -> None:
    """The endpoint is not even there."""
    dataset = {
        "name": "iris",
        "path": "iris.parquet",
        "target": "species",
        "maxAge": "1d",
        "asOf": "2020-01-01T00:00:00Z",
    }
    found = evaluated(folder, setup("http://127.0.0.1:1", datasets=[dataset]), "--exit-code", code=3)
    assert found.fault is not None
    assert (found.fault.reason, found.fault.effect) == (Fault.DATASET_STALE, Effect.HOLD)
    assert found.run.asked == {}


def test_the_deadline_ends_an_evaluation_that_hangs(folder: Path) -> None:
    """With a named reason, and undecided."""
    with served(answering(_late)) as address:
        found = evaluated(folder, setup(address, asking={"deadline": "500ms"}))
    assert found.fault is not None
    assert found.fault.reason is Fault.OUT_OF_TIME


@pytest.mark.parametrize("protocol", ["kserveV1", "mlflow", "custom"])
def test_the_other_protocols_give_the_same_figures(folder: Path, url: str, model: IrisModel, protocol: str) -> None:
    """Same model, same rows, three other ways to say them."""

    def answer(call: Json) -> Json:
        rows = call.get("instances") or call.get("dataframe_split", {}).get("data") or call["given"]["rows"]
        scores = model.infer(np.array(rows))["probabilities"][1].tolist()
        return {"deep": [{"p": scores}]} if "given" in call else {"predictions": scores}

    custom = {"path": "/score", "template": {"given": {"rows": "${rows}"}}}
    with served(answering(answer)) as address:
        endpoint: Json = {"url": address, "protocol": protocol, "model": "iris", "answer": {"scores": "p"}}
        if protocol == "custom":
            endpoint |= custom | {"answer": {"scores": "/deep/0/p"}}
        found = evaluated(folder, setup(url, endpoints={"candidate": endpoint}))
    direct = evaluated(folder, setup(url))
    assert found.datasets[0].scopes[0].candidate == direct.datasets[0].scopes[0].candidate


@pytest.mark.parametrize(("scale", "verdict"), [(1.0, "pass"), (10.0, "fail")])
def test_preprocessing_that_differs_in_serving_is_caught(folder: Path, url: str, scale: float, verdict: str) -> None:
    """The endpoint takes centimetres; an artifact that was trained on millimetres says something else."""
    rows, species = load_iris(return_X_y=True)
    dump(LogisticRegression(max_iter=500).fit(rows * scale, species), folder / "model.skops")
    found = evaluated(folder, setup(url, skew={"artifact": "model.skops", "rows": 50}))
    assert found.skew is not None
    assert (found.skew.rows, found.skew.verdict, found.verdict) == (50, verdict, verdict), found.skew
    assert bool(found.skew.named) == (verdict == "fail")


def test_data_that_drifted_are_told_from_the_training_snapshot(folder: Path, url: str) -> None:
    """A snapshot of iris against iris: no drift. Against petals three times as long: drift in that feature alone."""
    gates = [{"name": "drift", "metric": "populationStability", "max": 2.0}]
    config = setup(url, gates=gates, snapshot={"path": "training.json"})
    snapshot = ("--write-snapshot", str(folder / "training.json"))
    with pytest.raises(FileNotFoundError):
        evaluated(folder, config, *snapshot)
    same = evaluated(folder, config)
    assert same.verdict == "pass", same.gates
    table = pyarrow.parquet.read_table(folder / "iris.parquet")
    long = pa.array(np.array(table.column("petal_length")) * 3 + 10)
    moved = table.set_column(table.column_names.index("petal_length"), "petal_length", long)
    pyarrow.parquet.write_table(moved, folder / "iris.parquet")
    found = evaluated(folder, config)
    assert found.verdict == "fail", found.gates
    verdicts = {one.scope: one.verdict for one in found.gates[0].scopes}
    assert verdicts == {f"column={name}": "fail" if name == "petal_length" else "pass" for name in NAMES}
    assert "goes up to" in found.datasets[0].columns["petal_length"].findings[0]


def test_a_feature_that_only_training_had_is_heard_of_without_a_gate_on_drift(
    folder: Path, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A model that fills it in answers all the same: report, page and output say it as they say what else differs."""
    table = pyarrow.parquet.read_table(folder / "iris.parquet")
    pyarrow.parquet.write_table(table.append_column("colour", [[1.0] * 150]), folder / "iris.parquet")
    config = setup(url, snapshot={"path": "training.json"})
    with pytest.raises(FileNotFoundError):
        evaluated(folder, config, "--write-snapshot", str(folder / "training.json"))
    pyarrow.parquet.write_table(table, folder / "iris.parquet")
    found = evaluated(folder, config)
    assert found.verdict == "pass", found.gates
    lost = found.datasets[0].columns["colour"]
    assert (lost.kind, lost.missing, lost.findings) == ("number", 150, ["is not in the data; training had it"])
    assert found.datasets[0].missing_columns == ["colour"]
    assert "differs    iris: colour is not in the data; training had it\n" in capsys.readouterr().out
    (page,) = folder.glob("reports/*/report.html")
    row = page.read_text().partition("<td>colour</td>")[2].partition("</tr>")[0]
    assert "is not in the data; training had it" in row


def test_no_arm_is_asked_faster_than_told_and_further_attempts_count(folder: Path, model: IrisModel) -> None:
    """An endpoint that says 429 is the last one to be asked faster; each arm has the rate for itself."""
    came: dict[str, list[float]] = {"candidate": [], "stable": []}
    refused: Counter[str] = Counter()

    def counted(arm: str) -> web.Application:
        def answer(call: Json) -> Any:
            came[arm].append(time.monotonic())
            batch = json.dumps(call)
            if arm == "candidate" and refused[batch] < 2:
                refused[batch] += 1
                return web.json_response({}, status=429)
            return {"predictions": model.infer(np.array(call["instances"]))["probabilities"][1].tolist()}

        return answering(answer)

    with served(counted("candidate")) as candidate, served(counted("stable")) as stable:
        v1 = {"protocol": "kserveV1", "model": "iris", "answer": {"scores": ""}}
        endpoints = {"candidate": v1 | {"url": candidate}, "stable": v1 | {"url": stable}}
        asking = {"batchRows": 50, "backoff": "1ms", "rowsPerSecond": 500, "inFlight": 4}
        found = evaluated(folder, setup(candidate, endpoints=endpoints, asking=asking))
    assert found.verdict == "pass", found
    assert (len(came["candidate"]), len(came["stable"])) == (9, 3)
    for times in came.values():
        # 50 rows at 500 a second are a tenth of one; a request may be late, which does not bring the next one nearer.
        assert times[-1] - times[0] >= (len(times) - 1) * 0.1 - 0.05


def test_the_short_answer_fits_into_a_termination_message(folder: Path, url: str) -> None:
    """4096 bytes, with the failing gates first, and the digest of the report that stands."""
    gates = [{"name": f"gate-{place}", "metric": "accuracy", "min": 0.5} for place in range(63)]
    gates.append({"name": "impossible", "metric": "accuracy", "min": 0.999999})
    log = folder / "termination-log"
    evaluated(folder, setup(url, gates=gates), "--termination-log", str(log))
    said = json.loads(log.read_text())
    assert len(log.read_bytes()) <= 4096
    assert said["gates"][0]["name"] == "impossible"
    numbers = said["gates"][0]
    assert (numbers["metric"], numbers["limit"]) == ("accuracy", "at least 0.999999")
    assert numbers["low"] < numbers["value"] < numbers["high"] < 0.999999
    assert said["gatesLeftOut"] > 0
    assert said["digest"].startswith("sha256:")


def test_a_configuration_that_is_wrong_ends_with_2_and_a_reason(folder: Path) -> None:
    """Nothing is written but the short answer."""
    (folder / "evaluation.yaml").write_text("task: guessing")
    log = folder / "log"
    assert main(["evaluate", "--config", str(folder / "evaluation.yaml"), "--termination-log", str(log)]) == 2
    assert json.loads(log.read_text())["fault"]["reason"] == "InvalidConfig"


def test_a_job_keeps_its_report_in_the_bucket_of_the_policy_and_says_where(
    folder: Path, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over a server that checks signatures: the short answer's digest is that of what lies in the bucket."""
    with bucket_served(folder / "store", "reports") as bucket:
        for name, value in bucket.environment.items():
            monkeypatch.setenv(name, value)
        said = told(folder, setup(url), "--report-uri", "s3://reports/ml")
        assert said["report"] == f"s3://reports/ml/{KEPT_AS}/report.json"
        content = (bucket.folder / "ml" / KEPT_AS / "report.json").read_bytes()
        assert said["digest"] == f"sha256:{hashlib.sha256(content).hexdigest()}"
        assert read_report(content.decode()).verdict == said["verdict"] == "pass"
        assert "<svg" in (bucket.folder / "ml" / KEPT_AS / "report.html").read_text()
    assert not (folder / "reports").exists(), "there and nowhere else"


@pytest.mark.parametrize(("least", "verdict"), [(0.5, "pass"), (0.999999, "fail")])
def test_a_store_that_is_away_changes_no_verdict(
    folder: Path, url: str, monkeypatch: pytest.MonkeyPatch, least: float, verdict: str
) -> None:
    """Nobody listens there. The Job ends well, for it has its answer, and says in words what is missing."""
    for name, value in Bucket(folder, "http://127.0.0.1:1").environment.items():
        monkeypatch.setenv(name, value)
    gates = [{"name": "accuracy", "metric": "accuracy", "min": least}]
    said = told(folder, setup(url, gates=gates), "--report-uri", "s3://reports/ml", "--report-seconds", "1")
    assert (said["verdict"], said["report"], said["digest"]) == (verdict, None, None)
    assert said["reportTrouble"].startswith("the report was not stored: SourceUnavailable")


def test_a_folder_of_reports_that_cannot_be_written_changes_no_verdict(folder: Path, url: str) -> None:
    """A file is where it should be. Who reads a short answer reads it there; on a terminal it is a failure."""
    (folder / "taken").write_text("no folder")
    said = told(folder, setup(url), "--output", str(folder / "taken"))
    assert said["verdict"] == "pass"
    assert "not stored" in said["reportTrouble"]
    assert main(["evaluate", "--config", str(folder / "evaluation.yaml"), "--output", str(folder / "taken")]) == 2


@pytest.mark.parametrize(
    "options",
    [
        ("--report-uri", "s3://reports/ml"),
        ("--report-uri", "s3://reports/ml", "--report-name", "../../etc/x.1.y"),
        ("--report-uri", "s3://reports/ml", "--report-name", KEPT_AS, "--report-keep", "0"),
        ("--report-uri", "s3://reports/ml", "--report-name", KEPT_AS, "--report-keep", "1001"),
    ],
)
def test_a_report_without_a_name_or_a_number_is_refused_before_anybody_is_asked(
    folder: Path, options: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "evaluation.yaml").write_text("task: regression")
    assert main(["evaluate", "--config", str(folder / "evaluation.yaml"), *options]) == 2
    assert "--report-" in capsys.readouterr().err


def told(folder: Path, config: Json, *options: str) -> Json:
    """The short answer of `serin evaluate`, started as a Job would start it."""
    (folder / "evaluation.yaml").write_text(json.dumps(config))
    command = ["evaluate", "--config", str(folder / "evaluation.yaml"), "--termination-log", str(folder / "log")]
    assert main([*command, "--report-name", KEPT_AS, *options]) == 0
    found: Json = json.loads((folder / "log").read_text())
    return found
