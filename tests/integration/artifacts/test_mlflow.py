"""models against a real tracking server with its registry, artifacts served by itself."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from serin.artifacts import ArtifactError, Cache, Limits, Policy, Reason, fetch, resolve
from tests.integration.artifacts.processes import free_port, running


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a tracking server."""
    root = tmp_path_factory.mktemp("mlflow")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [
        *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
        *("--backend-store-uri", f"sqlite:///{root / 'mlflow.db'}", "--artifacts-destination", root / "artifacts"),
        *("--serve-artifacts",),
    ]
    environment = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true", "HOME": str(root)}
    with running(command, f"{url}/health", root / "log", environment):
        yield url


@pytest.fixture
def mlflow_url(server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The same, named in the environment."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", server)
    return server


def register(name: str, folder: Path) -> str:
    """Log a folder as a run's artifact, register it, and return the version."""
    from mlflow import MlflowClient
    from mlflow.exceptions import RestException

    client = MlflowClient()
    run = client.create_run("0")
    client.log_artifacts(run.info.run_id, str(folder), "model")
    with suppress(RestException):
        client.create_registered_model(name)
    source = f"{run.info.artifact_uri}/model"
    return str(client.create_model_version(name, source, run.info.run_id).version)


def model(folder: Path, weights: bytes) -> Path:
    """Files as a flavour of MLflow would write them."""
    (folder / "data").mkdir(parents=True)
    (folder / "MLmodel").write_text("flavors: {onnx: {data: data/model.onnx}}\n")
    (folder / "data" / "model.onnx").write_bytes(weights)
    return folder


def test_versions_and_aliases_are_resolved_and_fetched(mlflow_url: str, tmp_path: Path) -> None:
    """An alias is pinned to its version; moved, it means another digest; the old version stays what it was."""
    from mlflow import MlflowClient

    one = register("iris", model(tmp_path / "one", b"one" * 100_000))
    two = register("iris", model(tmp_path / "two", b"two" * 100_000))
    client = MlflowClient()
    client.set_registered_model_alias("iris", "champion", one)
    before = resolve("models:/iris@champion")
    assert before.uri == f"models:/iris/{one}"
    client.set_registered_model_alias("iris", "champion", two)
    after = resolve("models:/iris@champion")
    assert after.uri == f"models:/iris/{two}"
    assert before.digest != after.digest
    with pytest.raises(ArtifactError) as error:
        fetch("models:/iris@champion", before.digest, tmp_path / "a")
    assert error.value.reason is Reason.DIGEST_MISMATCH
    fetch("models:/iris@champion", before.digest, tmp_path / "b", resolved_uri=before.uri)
    assert (tmp_path / "b" / "data" / "model.onnx").read_bytes() == b"one" * 100_000


def test_a_scikit_learn_models_pickle_needs_a_digest(mlflow_url: str, tmp_path: Path) -> None:
    """The commonest flavour is a pickle: refused by version number, served by digest, or where the policy says so."""
    folder = model(tmp_path / "sk", b"x")
    (folder / "model.pkl").write_bytes(b"\x80\x04N.")
    version = register("pickled", folder)
    with pytest.raises(ArtifactError) as error:
        resolve(f"models:/pickled/{version}")
    assert error.value.reason is Reason.UNSAFE
    found = resolve(f"models:/pickled/{version}", policy=Policy(pickles=True), cache=Cache(tmp_path / "c", 1 << 30))
    assert fetch(found.uri, found.digest, tmp_path / "a", cache=Cache(tmp_path / "c", 1 << 30)).received == 0


def test_a_version_of_one_file_is_a_folder_and_keeps_its_name(mlflow_url: str, tmp_path: Path) -> None:
    """The name is in its digest, so the cache never has it under another; the same bytes from elsewhere are not it."""
    cache = Cache(tmp_path / "cache", 1 << 30)
    (tmp_path / "claims" / "models").mkdir(parents=True)
    (tmp_path / "claims" / "models" / "claimed.onnx").write_bytes(b"one file")
    alone = resolve("pvc://models/claimed.onnx", claims=tmp_path / "claims", cache=cache)
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "model.onnx").write_bytes(b"one file")
    version = register("alone", tmp_path / "one")
    found = resolve(f"models:/alone/{version}", cache=cache)
    assert found.digest != alone.digest
    assert fetch(found.uri, found.digest, tmp_path / "into", cache=cache).cached
    assert [path.name for path in (tmp_path / "into").glob("[!.]*")] == ["model.onnx"]


@pytest.mark.parametrize("uri", ["models:/none/1", "models:/none@champion", "models:/iris/999", "models:/iris@none"])
def test_what_is_not_there_is_not_found(mlflow_url: str, tmp_path: Path, uri: str) -> None:
    """Neither a model nor a version nor an alias."""
    with pytest.raises(ArtifactError) as error:
        fetch(uri, None, tmp_path)
    assert error.value.reason is Reason.ARTIFACT_NOT_FOUND


def test_without_an_address_it_is_said_which_variable_to_set(tmp_path: Path) -> None:
    """A library's default would be a folder of the container."""
    with pytest.raises(ArtifactError, match="MLFLOW_TRACKING_URI") as error:
        fetch("models:/iris/1", None, tmp_path)
    assert error.value.reason is Reason.SOURCE_UNAVAILABLE


def test_a_server_that_is_gone_is_unavailable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within the time that it may take."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(ArtifactError) as error:
        fetch("models:/iris/1", None, tmp_path, limits=Limits(seconds_max=3))
    assert error.value.reason in {Reason.SOURCE_UNAVAILABLE, Reason.TIMED_OUT}
