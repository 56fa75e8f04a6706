"""The demo's model server: the Open Inference Protocol, its faults, its metrics."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skops.io
from aiohttp.test_utils import TestClient, TestServer
from numpy.typing import NDArray
from prometheus_client.parser import text_string_to_metric_families
from sklearn.datasets import load_iris
from sklearn.naive_bayes import GaussianNB

from tests.demo.model_server import IrisModel, Server, Settings

Json = dict[str, Any]
Client = TestClient[Any, Any]

ROW = [5.1, 3.5, 1.4, 0.2]
TENSOR: Json = {"name": "features", "shape": [1, 4], "datatype": "FP64", "data": ROW}
INFER = "/v2/models/iris/infer"


@pytest.fixture(scope="module")
def model() -> IrisModel:
    return IrisModel()


class Started:
    """A server in this process, and a client of it."""

    def __init__(self, model: IrisModel, **settings: Any) -> None:
        self.server = Server(Settings(version="7", **settings), model, chance=random.Random(1))
        self.server.ready = True
        self.client: Client = TestClient(TestServer(self.server.application()))

    async def metrics(self) -> dict[tuple[str, str], float]:
        """Return the samples by name and by what tells them apart."""
        text = await (await self.client.get("/metrics")).text()
        return {
            (sample.name, sample.labels.get("code") or sample.labels.get("le") or ""): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }


@pytest.fixture
async def healthy(model: IrisModel) -> AsyncIterator[Started]:
    started = Started(model)
    async with started.client:
        yield started


async def test_it_infers(healthy: Started) -> None:
    """Two rows in, two species and their probabilities out, with the request's own id."""
    tensor = {**TENSOR, "shape": [2, 4], "data": [ROW, [6.3, 3.3, 6.0, 2.5]]}
    response = await healthy.client.post(INFER, json={"id": "42", "inputs": [tensor]})
    answer = await response.json()
    assert (response.status, response.headers["x-serin-version"]) == (200, "7")
    assert (answer["id"], answer["model_name"], answer["model_version"]) == ("42", "iris", "7")
    species, probabilities = answer["outputs"]
    assert (species["name"], species["datatype"], species["shape"], species["data"]) == (
        "species",
        "INT64",
        [2],
        [0, 2],
    )
    assert (probabilities["shape"], len(probabilities["data"])) == ([2, 3], 6)
    assert sum(probabilities["data"][:3]) == pytest.approx(1)


async def test_outputs_can_be_chosen(healthy: Started) -> None:
    """A request that names outputs gets those."""
    call = {"inputs": [TENSOR], "outputs": [{"name": "species"}]}
    answer = await (await healthy.client.post(INFER, json=call)).json()
    assert [output["name"] for output in answer["outputs"]] == ["species"]


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        pytest.param("{", 400, "not JSON", id="no JSON"),
        pytest.param("[]", 400, "list 'inputs'", id="no object"),
        pytest.param({"inputs": [{"name": "x"}]}, 400, "lacks shape, datatype, data", id="fields missing"),
        pytest.param({"inputs": []}, 422, "one input tensor, not 0", id="no tensor"),
        pytest.param({"inputs": [{**TENSOR, "shape": [1, 3]}]}, 422, "shape must be", id="a feature is missing"),
        pytest.param({"inputs": [{**TENSOR, "shape": [0, 4], "data": []}]}, 422, "shape must be", id="no row"),
        pytest.param(
            {"inputs": [{**TENSOR, "data": ROW[:3]}]}, 422, "data has 3 values", id="data do not fill the shape"
        ),
        pytest.param({"inputs": [{**TENSOR, "data": ["a", 1, 2, 3]}]}, 422, "not a number", id="text"),
        pytest.param(
            {"inputs": [{**TENSOR, "datatype": "BYTES"}]}, 422, "datatype BYTES", id="a type it does not take"
        ),
        pytest.param({"inputs": [TENSOR], "outputs": [{"name": "colour"}]}, 422, "unknown output colour", id="output"),
    ],
)
async def test_a_bad_request_is_the_clients_fault(healthy: Started, body: Any, status: int, words: str) -> None:
    """400 for what cannot be read and 422 for what does not fit the model, with a reason; never a 500."""
    sent = {"data": body} if isinstance(body, str) else {"json": body}
    response = await healthy.client.post(INFER, **sent)
    assert response.status == status
    assert words in (await response.json())["error"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v2", 200),
        ("/v2/health/live", 200),
        ("/v2/health/ready", 200),
        ("/v2/models/iris", 200),
        ("/v2/models/iris/ready", 200),
        ("/v2/models/iris/versions/7", 200),
        ("/v2/models/iris/versions/7/ready", 200),
        ("/v2/models/iris/versions/8", 404),
        ("/v2/models/wine", 404),
    ],
)
async def test_paths_of_the_protocol(healthy: Started, path: str, status: int) -> None:
    """Server, health, model and version; what is not served is not found."""
    assert (await healthy.client.get(path)).status == status


async def test_on_its_way_out_it_is_not_ready_and_answers_on(healthy: Started) -> None:
    """A gateway needs a moment to learn of it; until then every request is answered, and its connection closed."""
    healthy.server.leave()
    assert (await healthy.client.get("/v2/health/ready")).status == 503
    assert (await healthy.client.get("/v2/health/live")).status == 200
    response = await healthy.client.post(INFER, json={"inputs": [TENSOR]})
    assert (response.status, response.headers["Connection"]) == (200, "close")


async def test_metrics_count_what_was_answered(healthy: Started) -> None:
    """By code, and by duration with an edge at the objective; a code is there before its first request."""
    assert (await healthy.metrics())["http_requests_total", "500"] == 0
    for inputs in ([TENSOR], [TENSOR], []):
        await healthy.client.post(INFER, json={"inputs": inputs})
    metrics = await healthy.metrics()
    assert (metrics["http_requests_total", "200"], metrics["http_requests_total", "422"]) == (2, 1)
    assert metrics["request_duration_seconds_bucket", "0.3"] == 3
    assert ("process_start_time_seconds", "") in metrics


@pytest.mark.parametrize(("fraction", "least", "most"), [(0.0, 0, 0), (0.3, 40, 80), (1.0, 200, 200)])
async def test_it_fails_as_often_as_told(model: IrisModel, fraction: float, least: int, most: int) -> None:
    """A share of the answers is 500, and the metrics say so."""
    started = Started(model, fail_fraction=fraction)
    async with started.client:
        statuses = [(await started.client.post(INFER, json={"inputs": [TENSOR]})).status for _ in range(200)]
        failed = statuses.count(500)
        assert least <= failed <= most
        assert (await started.metrics())["http_requests_total", "500"] == failed


async def test_it_is_slow_when_told(model: IrisModel) -> None:
    """A slow answer is a right one, above the objective."""
    started = Started(model, slow_fraction=1.0, slow_seconds=0.31)
    async with started.client:
        assert (await started.client.post(INFER, json={"inputs": [TENSOR]})).status == 200
        metrics = await started.metrics()
    buckets = [metrics["request_duration_seconds_bucket", edge] for edge in ("0.3", "+Inf")]
    assert buckets == [0, 1]


async def test_it_is_not_ready_while_it_loads(model: IrisModel) -> None:
    """Live at once, ready later; who asks too early is told so."""
    started = Started(model)
    started.server.ready = False
    async with started.client:
        assert (await started.client.get("/v2/health/live")).status == 200
        assert (await started.client.get("/v2/health/ready")).status == 503
        assert (await started.client.post(INFER, json={"inputs": [TENSOR]})).status == 503


def test_settings_come_from_the_environment() -> None:
    """Serin says which model and version, the demo says which faults."""
    env = {"SERIN_MODEL_NAME": "wine", "SERIN_MODEL_VERSION": "3", "FAIL_FRACTION": "0.03", "SLOW_FRACTION": ""}
    settings = Settings.of(env)
    assert (settings.model, settings.version, settings.fail_fraction, settings.slow_fraction) == (
        "wine",
        "3",
        0.03,
        0.0,
    )
    assert Settings.of({}) == Settings()


def test_a_model_that_was_fetched_answers_instead_of_the_trained_one(tmp_path: Path) -> None:
    """As skops keeps it, where Serin puts it; what is not there is an error and no other model."""
    rows, species = load_iris(return_X_y=True)
    other = GaussianNB().fit(rows, species)
    skops.io.dump(other, tmp_path / "model.skops")
    served = IrisModel(Settings.of({"SERIN_MODEL_PATH": str(tmp_path)})).infer(rows)["probabilities"][1]
    assert np.allclose(served, other.predict_proba(rows))
    assert not np.allclose(served, IrisModel().infer(rows)["probabilities"][1])
    with pytest.raises(FileNotFoundError):
        IrisModel(Settings.of({"SERIN_MODEL_PATH": str(tmp_path / "empty")}))


def test_a_wrong_model_is_wrong_on_the_same_rows_each_time_and_on_others_in_another_version() -> None:
    """Negative flips are rows that one version got right and the next one does not."""
    rows = load_iris(return_X_y=True)[0].repeat(10, axis=0) + np.linspace(0, 0.01, 1500)[:, None]
    right = IrisModel().infer(rows)["species"][1]

    def wrong(version: str) -> NDArray[np.bool_]:
        found: NDArray[np.bool_] = (
            IrisModel(Settings(wrong_fraction=0.1, version=version)).infer(rows)["species"][1] != right
        )
        return found

    assert (wrong("1") == wrong("1")).all()
    # 0.1 of 1,500 rows, three standard deviations of 11.6 to either side.
    assert 115 < wrong("1").sum() < 185
    assert (wrong("1") & wrong("2")).sum() < 40
