"""Scikit-learn models from where people keep them, a bucket and a registry; what answers is the file that came.

What is rolled out are the samples that users copy, `fetched-from-s3.yaml` and `fetched-from-mlflow.yaml`.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import skops.io
from numpy.typing import NDArray
from sklearn.datasets import load_iris

from tests.cluster.settings import NODE_ADDRESS
from tests.demo.manifests import REPOSITORY
from tests.demo.stage import condition, is_true
from tests.e2e.lifecycle.bucket import store_served
from tests.e2e.lifecycle.samples import Sample
from tests.e2e.lifecycle.training import trained
from tests.e2e.lifecycle.world import Holds, Json, Model, World, begins_first, promoted, together

ROWS: NDArray[np.float64] = load_iris(return_X_y=True)[0]
S3_PORT = 18091
MLFLOW_PORT = 18092
SECONDS_MAX = 150.0


@contextmanager
def serving(world: World, name: str, command: Sequence[str | Path], env: Mapping[str, str]) -> Iterator[Any]:
    """Run a server inside the cluster for as long as the block lasts."""
    with (world.folder / f"{name}.log").open("ab") as log:
        server = world.cluster.popen(command, env=env, stdout=log, stderr=log)
    try:
        yield server
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:  # it waits for connections that are kept alive
            server.kill()


async def answered_by(iris: Model) -> str:
    """Ask for all flowers of the data set, and return the version whose own probabilities these are."""
    tensor = {"name": "features", "datatype": "FP64", "shape": list(ROWS.shape), "data": ROWS.ravel().tolist()}
    url = f"{iris.world.cluster.gateway_url}/v2/models/iris/infer"
    async with (
        aiohttp.ClientSession(headers={"Host": iris.host}) as session,
        session.post(url, json={"inputs": [tensor]}) as response,
    ):
        assert response.status == 200, await response.text()
        outputs = {one["name"]: one for one in (await response.json())["outputs"]}
    said = np.array(outputs["probabilities"]["data"]).reshape(outputs["probabilities"]["shape"])
    found = [one for one in ("1", "2") if np.allclose(said, trained(one).predict_proba(ROWS), rtol=1e-6, atol=1e-9)]
    assert len(found) == 1, f"{iris.host} answers like {found or 'neither version'}"
    return found[0]


async def pinned(iris: Model, version: str) -> tuple[str, str]:
    """Uri and digest that a version was pinned to."""
    artifact = (await iris.revision(version))["status"]["artifact"]
    return artifact["uri"], artifact["digest"]


def moved_on(before: str) -> Holds:
    """Whether another revision than this one has been promoted."""

    def holds(md: Json) -> bool:
        return is_true(md, "Promoted") and md["status"]["stable"]["revision"] != before

    return holds


async def another_pod(iris: Model, slot: str) -> None:
    """Delete the only pod of a slot, as when its node goes, and wait until another one answers."""
    (before,) = await iris.world.list("Pod", deployment=iris.name, slot=slot)
    await iris.world.delete("Pod", before["metadata"]["name"])

    async def is_ready() -> bool:
        pods = await iris.world.list("Pod", deployment=iris.name, slot=slot)
        others = [pod for pod in pods if pod["metadata"]["uid"] != before["metadata"]["uid"]]
        return len(pods) == len(others) == 1 and condition(others[0], "Ready").get("status") == "True"

    await iris.world.eventually(is_ready, "another pod is ready")
    await iris.world.eventually(lambda: _answers(iris), "the gateway has learnt of it")


async def _answers(iris: Model) -> bool:
    url = f"{iris.world.cluster.gateway_url}/v2/health/ready"
    async with aiohttp.ClientSession(headers={"Host": iris.host}) as session, session.get(url) as response:
        return response.status == 200


@together
async def test_models_by_s3_are_promoted_and_gone_back_to_without_the_bucket(world: World) -> None:
    """Two prefixes, pinned by a Job, with keys from a Secret for Job and init container; then the bucket is away."""
    iris = world.model("by-s3")
    plan = Sample("fetched-from-s3", iris)
    uris = {"1": "s3://models/iris/1/", "2": plan.md["spec"]["model"]["uri"]}
    async with store_served(world, iris.its("store"), S3_PORT, "models") as bucket:
        await plan.reach(bucket.environment)
        for version in ("1", "2"):
            folder = bucket.folder / "iris" / version
            folder.mkdir(parents=True)
            skops.io.dump(trained(version), folder / "model.skops")
        await plan.roll_out("1", uri=uris["1"])
        await iris.until(promoted("1"))
        assert await answered_by(iris) == "1"
        async with world.load(iris.host) as load:
            await plan.roll_out("2")
            await iris.until(promoted("2"))
            await iris.until_pods("a", 0)
        assert not load.failures, load.failures
        assert load.of("2") > 0
        assert await answered_by(iris) == "2"
        pins = {one: await pinned(iris, one) for one in ("1", "2")}
        assert {one: uri for one, (uri, _) in pins.items()} == uris
        assert len({digest for _, digest in pins.values()}) == 2
    await plan.roll_out("1", uri=uris["1"])
    md = await iris.until(promoted("1"))
    assert condition(md, "Promoted")["reason"] == "WentBack"
    await iris.until_pods("b", 0)
    assert await answered_by(iris) == "1", "from the cache, by what the Job found weeks ago"


@together
@begins_first
async def test_models_of_a_registry_by_version_and_by_an_alias_that_moves(world: World) -> None:
    """An alias is pinned when its revision is made. Moved, it moves nothing that runs; polled, it is a rollout."""
    iris = world.model("by-mlflow")
    plan = Sample("fetched-from-mlflow", iris)
    root = world.folder / iris.name
    root.mkdir()
    address = f"http://{NODE_ADDRESS}:{MLFLOW_PORT}"
    quiet = {
        "MLFLOW_TRACKING_URI": address,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # half of the time that it takes to start
        "GIT_PYTHON_REFRESH": "quiet",
        "NO_PROXY": "*",
        "HOME": str(root),
    }
    command: list[str | Path] = [
        *(sys.executable, "-m", "mlflow", "server", "--host", NODE_ADDRESS, "--port", str(MLFLOW_PORT)),
        *("--workers", "1", "--backend-store-uri", f"sqlite:///{root / 'mlflow.db'}"),
        *("--artifacts-destination", root / "artifacts", "--serve-artifacts"),
    ]

    async def mlflow(*act: str) -> None:
        program = [sys.executable, "-m", "tests.e2e.lifecycle.training", *act]
        env = {**quiet, "PYTHONPATH": str(REPOSITORY)}
        await asyncio.to_thread(world.cluster.run, program, env=env, cwd=root, timeout=SECONDS_MAX)

    with serving(world, "mlflow", command, quiet):
        await mlflow("log", "iris")
        await plan.reach({"MLFLOW_TRACKING_URI": address})
        await plan.roll_out("1", uri="models:/iris/1")
        await iris.until(promoted("1"))
        assert await answered_by(iris) == "1"
        await mlflow("alias", "iris", "champion", "2")
        async with world.load(iris.host) as load:
            await plan.roll_out("2")
            await iris.until(promoted("2"))
            await iris.until_pods("a", 0)
        assert not load.failures, load.failures
        assert load.of("2") > 0
        assert await answered_by(iris) == "2"
        (one, first), (two, second) = [await pinned(iris, version) for version in ("1", "2")]
        assert (one, two) == ("models:/iris/1", "models:/iris/2")
        assert first != second

        await mlflow("alias", "iris", "champion", "1")
        await another_pod(iris, "b")
        assert await answered_by(iris) == "2", "there is no cache: it was fetched anew, as what the alias meant"

        before = (await iris.revision("2"))["metadata"]["name"]
        async with world.load(iris.host) as load:
            await iris.patch({"spec": {"model": {"pollInterval": "1m"}}})
            md = await iris.until(moved_on(before), "what the alias means now is promoted")
            await iris.until_pods("b", 0)
        assert not load.failures, load.failures
        assert md["status"]["stable"]["version"] == "2", "the label is the spec's"
        assert md["status"]["poll"]["artifact"]["uri"] == "models:/iris/1"
        assert await answered_by(iris) == "1"
