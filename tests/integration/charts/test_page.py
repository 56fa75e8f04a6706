"""The commands of docs/install.md, run as they stand there."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster import API_ONLY, Cluster
from tests.unit.charts.helm import NAMESPACE, program
from tests.unit.charts.objects import ROOT

CRDS = sorted((Path(__file__).parents[3] / "crds").glob("*.yaml"))

PAGE = (ROOT / "docs" / "install.md").read_text()
FENCED = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
BLOCKS = [text for language, text in FENCED if not language]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """A cluster that nobody installed anything on."""
    with Cluster(f"page-{os.getpid()}", components=API_ONLY) as running:
        yield running


def _run(cluster: Cluster, block: str) -> None:
    words = shlex.split(block.replace("\\\n", " "))
    programs = {"helm": str(program()), "kubectl": cluster.state.kubectl}
    done = subprocess.run(
        [programs[words[0]], *words[1:]],
        cwd=ROOT,
        env=os.environ | {"KUBECONFIG": str(cluster.kubeconfig)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, f"{block}\n{done.stdout}\n{done.stderr}"


def _there(cluster: Cluster, kind: str) -> list[str]:
    label = ("--selector", "app.kubernetes.io/name=serin", "--namespace", NAMESPACE)
    return cluster.kubectl("get", kind, *label, "-o", "name").split()


def test_the_commands_do_what_the_page_says(cluster: Cluster) -> None:
    """With Helm from the first to the last; then without it, on the CRDs that stayed."""
    install, plain, upgrade, remove = BLOCKS
    _run(cluster, install)
    image = "{.items[*].spec.template.spec.containers[0].image}"
    asked = ("get", "deployment", "--namespace", NAMESPACE, "-o", f"jsonpath={image}")
    before = cluster.kubectl(*asked)
    assert before.startswith("registry.example/serin:")
    _run(cluster, upgrade)
    assert cluster.kubectl(*asked) == before, "an upgrade keeps the values of the installation"
    _run(cluster, remove)
    assert _there(cluster, "deployment") == []
    assert len(_there(cluster, "crd")) == len(CRDS)
    _run(cluster, plain)
    assert _there(cluster, "deployment") == ["deployment.apps/serin"]
    cluster.kubectl("delete", "-f", str(ROOT / "manifests" / "install"), "--wait=false")
    assert len(_there(cluster, "crd")) == len(CRDS)
