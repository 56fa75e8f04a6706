"""Helm against a real API server: install, upgrade, back, uninstall, again; no ModelDeployment is lost on the way."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.cluster import Cluster, ClusterError
from tests.unit.charts.helm import NAMESPACE, helm, values
from tests.unit.charts.objects import CHART, ROOT, Json, load

SAMPLE = ROOT / "manifests" / "samples" / "smallest.yaml"
VERSION = load(CHART / "Chart.yaml")["version"]


class Release:
    """An installation of the chart under the name serin."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def helm(self, command: str, *arguments: str | Path) -> str:
        """Run a command on the release, without waiting for pods that nobody runs here."""
        done = helm(command, "serin", *arguments, "--namespace", NAMESPACE, kubeconfig=self.cluster.kubeconfig)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def get(self, kind: str, name: str = "serin") -> Json:
        """One of its objects."""
        found: Json = json.loads(self.cluster.kubectl("get", kind, name, "--namespace", NAMESPACE, "-o", "json"))
        return found


@pytest.fixture
def release(cluster: Cluster) -> Iterator[Release]:
    """Installed, and gone with its CRDs afterwards."""
    release = Release(cluster)
    release.helm("install", CHART)
    cluster.kubectl("wait", "--for=condition=Established", "crd", "--all")
    yield release
    helm("uninstall", "serin", "--namespace", NAMESPACE, "--ignore-not-found", kubeconfig=cluster.kubeconfig)
    cluster.kubectl("delete", "crd", "--all", "--wait=false")


@pytest.fixture
def model(cluster: Cluster, release: Release) -> Json:
    """A ModelDeployment."""
    raw = yaml.safe_load(SAMPLE.read_text())
    cluster.kubectl("apply", "--validate=strict", "-f", "-", input=json.dumps(raw))
    return _model(cluster)


def _model(cluster: Cluster) -> Json:
    found: Json = json.loads(cluster.kubectl("get", "modeldeployment", "iris", "--namespace", "ml", "-o", "json"))
    return found


def test_a_life_of_an_installation(cluster: Cluster, release: Release, model: Json, tmp_path: Path) -> None:
    """Every step leaves the model exactly as it was: not even its resourceVersion changes."""
    newer = tmp_path / "serin"
    shutil.copytree(CHART, newer)
    chart = (newer / "Chart.yaml").read_text()
    (newer / "Chart.yaml").write_text(
        chart.replace(f"ersion: {VERSION}", "ersion: 9.9.9").replace(f'"{VERSION}"', '"9.9.9"')
    )

    release.helm(
        "upgrade",
        newer,
        "--values",
        values("monitored"),
        "--set",
        "metrics.serviceMonitor.enabled=false",
        "--set",
        "metrics.podMonitor.enabled=false",
        "--set",
        "metrics.rules.enabled=false",
    )
    (container,) = release.get("deployment")["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "serin:9.9.9"
    assert release.get("configmap", "serin-dashboard")
    crd = release.get("crd", "modeldeployments.serin.dev")
    assert crd["metadata"]["labels"]["app.kubernetes.io/version"] == "9.9.9"

    release.helm("rollback", "1")
    (container,) = release.get("deployment")["spec"]["template"]["spec"]["containers"]
    assert container["image"] == f"serin:{VERSION}"
    with pytest.raises(ClusterError, match="NotFound"):
        release.get("configmap", "serin-dashboard")

    release.helm("uninstall")
    left = cluster.kubectl(
        "get",
        "all,configmap,pdb,networkpolicy,role,rolebinding,serviceaccount",
        "-o",
        "name",
        "--namespace",
        NAMESPACE,
        "--selector",
        "app.kubernetes.io/name=serin",
    )
    assert left.split() == []
    assert _model(cluster) == model

    release.helm("install", CHART)
    assert _model(cluster) == model


def test_an_upgrade_that_changes_nothing_makes_no_new_pods(release: Release) -> None:
    """The pods' template stays the same to the byte."""
    before = release.get("deployment")
    release.helm("upgrade", CHART)
    after = release.get("deployment")
    assert after["spec"] == before["spec"]
    assert after["metadata"]["generation"] == before["metadata"]["generation"]


def test_bad_values_stop_an_upgrade_before_anything_is_applied(cluster: Cluster, release: Release) -> None:
    """With the field's name."""
    before = release.get("deployment")
    done = helm(
        "upgrade", "serin", CHART, "--set", "replica=5", "--namespace", NAMESPACE, kubeconfig=cluster.kubeconfig
    )
    assert done.returncode != 0
    assert "'replica' not allowed" in done.stderr
    assert release.get("deployment") == before


def test_crds_that_kubectl_applied_are_taken_over_when_asked(cluster: Cluster) -> None:
    """Not by accident: without the flag Helm refuses, and the answer names the CRD."""
    cluster.kubectl("apply", "--server-side", "-f", str(ROOT / "crds"))
    command = ("install", "serin", CHART, "--namespace", NAMESPACE)
    refusal = helm(*command, kubeconfig=cluster.kubeconfig)
    assert refusal.returncode != 0
    assert '"modeldeployments.serin.dev"' in refusal.stderr
    done = helm(*command, "--take-ownership", kubeconfig=cluster.kubeconfig)
    try:
        assert done.returncode == 0, done.stderr
    finally:
        helm("uninstall", "serin", "--namespace", NAMESPACE, kubeconfig=cluster.kubeconfig)
        cluster.kubectl("delete", "crd", "--all", "--wait=false")
