"""What the Dockerfile makes starts as a pod does, under the account and the rights of the chart, and gets to work."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import time
import tomllib
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from tests.cluster import API_ONLY, Cluster, tools
from tests.integration.charts import image
from tests.unit.charts.helm import NAMESPACE
from tests.unit.charts.objects import INSTALL, ROOT, Json, installed

ACCOUNT = f"system:serviceaccount:{NAMESPACE}:serin"
SAMPLE = ROOT / "manifests" / "samples" / "smallest.yaml"
SECONDS_MAX = 90.0


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the last stage copies."""
    return image.build(tmp_path_factory.mktemp("image"))


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """An API server with the plain manifests installed, which writes down every request."""
    with Cluster(f"image-{os.getpid()}", components=API_ONLY, audit="RequestResponse") as running:
        for path in tools.gateway_api_crds():
            running.kubectl("apply", "--server-side", "-f", str(path))
        running.kubectl("apply", "--server-side", "-k", str(INSTALL.parent))
        running.kubectl("create", "namespace", "ml")
        running.kubectl("wait", "--for=condition=Established", "crd", "--all")
        yield running


@pytest.fixture
def kubeconfig(cluster: Cluster, tmp_path: Path) -> Path:
    """That of the operator's account."""
    raw = yaml.safe_load(cluster.kubeconfig.read_text())
    token = cluster.kubectl("create", "token", "serin", "--namespace", NAMESPACE).strip()
    for user in raw["users"]:
        user["user"] = {"token": token}
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(raw))
    return path


def test_the_environment_holds_the_package_and_nothing_to_install_with(environment: Path) -> None:
    """And only what is locked for running."""
    packages = {_plain(path.name.partition("-")[0]) for path in environment.glob("lib/*/site-packages/*.dist-info")}
    locked = (ROOT / "requirements" / "run.txt").read_text()
    wanted = {_plain(line.partition("==")[0]) for line in locked.splitlines() if "==" in line}
    assert "serin" in packages
    assert "pip" not in packages
    assert packages - {"serin"} <= wanted


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_the_package_comes_from_the_wheel(environment: Path) -> None:
    """Bytecode included, because nothing can be written at run time."""
    (package,) = environment.glob("lib/*/site-packages/serin")
    made = {path.relative_to(package) for path in package.rglob("*.py")}
    source = ROOT / "operator" / "serin"
    assert made == {path.relative_to(source) for path in source.rglob("*.py")}
    compiled = {path.name.partition(".")[0] for path in package.glob("__pycache__/*.pyc")}
    assert compiled >= {path.stem for path in package.glob("*.py")}


def test_it_says_its_version(environment: Path) -> None:
    """By the script that the entry point names."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    done = subprocess.run(
        [environment / "bin" / "serin", "--version"], env={}, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == f"serin {version}"


def test_it_runs_like_a_pod_and_gets_to_work(
    cluster: Cluster, environment: Path, kubeconfig: Path, tmp_path: Path
) -> None:
    """Ready, leading, and a first ModelDeployment gets what it needs; it ends when it is told to.

    Nobody refused it anything on the way: a right that is missing in the chart would be a 403 in the API server's log.
    """
    found = installed()
    (container,) = found["Deployment", "serin"]["spec"]["template"]["spec"]["containers"]
    port = _free_port()
    config = yaml.safe_load(found["ConfigMap", "serin"]["data"]["config.yaml"])
    config["listen"] = {"host": "127.0.0.1", "port": port}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    arguments = [word for word in container["args"] if not word.startswith("--config=")]
    log = tmp_path / "log"
    process = image.start(
        environment,
        *(f"--config={tmp_path / 'config.yaml'}", f"--kubeconfig={kubeconfig}", *arguments),
        log=log,
    )
    try:

        def until(what: str, holds: Callable[[], bool]) -> None:
            deadline = time.monotonic() + SECONDS_MAX
            while not holds():
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, f"{what}\n{log.read_text()}"
                time.sleep(0.3)

        until("ready", lambda: _status(f"http://127.0.0.1:{port}/readyz") == 200)
        until("leading", lambda: b"serin_leading 1.0" in _body(f"http://127.0.0.1:{port}/metrics"))
        cluster.kubectl("apply", "--validate=strict", "-f", str(SAMPLE))
        until("a Deployment", lambda: len(_names(cluster, "deployments")) == 1)
        until("a route", lambda: _names(cluster, "httproutes") == ["iris"])
        until("a status", lambda: "status" in _model(cluster))
        lease = json.loads(cluster.kubectl("get", "lease", "serin", "--namespace", NAMESPACE, "-o", "json"))
        assert lease["spec"]["holderIdentity"]
        cluster.kubectl("delete", "modeldeployment", "iris", "--namespace", "ml")
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0, log.read_text()
    finally:
        process.kill()
        process.wait(10)
    requests = _requests(cluster)
    assert requests, "the operator used the account of the chart"
    assert [one for one in requests if one["responseStatus"]["code"] in (401, 403)] == []
    # Every line is JSON, so that it can be collected: nothing was printed beside the log.
    assert all(json.loads(line)["message"] for line in log.read_text().splitlines())


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
    return port


def _status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            status: int = answer.status
    except OSError:
        return 0
    return status


def _body(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=5) as answer:
        body: bytes = answer.read()
    return body


def _names(cluster: Cluster, kind: str) -> list[str]:
    answer = cluster.kubectl("get", kind, "--namespace", "ml", "-o", "json")
    return [one["metadata"]["name"] for one in json.loads(answer)["items"]]


def _model(cluster: Cluster) -> Json:
    found: Json = json.loads(cluster.kubectl("get", "modeldeployment", "iris", "--namespace", "ml", "-o", "json"))
    return found


def _requests(cluster: Cluster) -> list[Json]:
    """Those of the operator's account that were answered."""
    lines = (cluster.run_dir / "audit.log").read_text().splitlines()
    found = [json.loads(line) for line in lines]
    return [one for one in found if one["user"]["username"] == ACCOUNT and "responseStatus" in one]
