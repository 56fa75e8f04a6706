"""On a cluster with the Prometheus Operator's kinds the chart's objects of them are taken, and made without asking."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import yaml

from tests.cluster import Cluster, ClusterError
from tests.integration.charts import monitoring
from tests.unit.charts.helm import NAMESPACE, helm, rendered, values
from tests.unit.charts.objects import CHART, MONITORING, documents

GROUP = "monitoring.coreos.com/v1"
KINDS = {"ServiceMonitor", "PodMonitor", "PrometheusRule"}
STRICT = ("apply", "--server-side", "--validate=strict", "--dry-run=server", "-o", "name", "-f", "-")


@pytest.fixture(scope="module")
def monitored(cluster: Cluster) -> Iterator[Cluster]:
    """The cluster with those kinds, which other tests do not expect."""
    for path in monitoring.crds():
        cluster.kubectl("apply", "--server-side", "-f", str(path))
    cluster.kubectl("wait", "--for=condition=Established", "crd", "--all")
    yield cluster
    cluster.kubectl("delete", "crd", "--selector", "!app.kubernetes.io/name", "--wait=false")


def test_the_pin_and_the_go_module_agree() -> None:
    """The version in the cache's path is that of the types."""
    text = (monitoring.MODULE / "go.mod").read_text()
    assert f"require {monitoring.TYPES} v{monitoring.VERSION}\n" in text
    assert f"tool {monitoring.GENERATOR.package}\n" in text


@pytest.mark.parametrize("name", ["monitored", "namespaced"])
def test_the_charts_objects_are_taken(monitored: Cluster, name: str) -> None:
    """Strictly: no field that the kinds do not have."""
    made = [one for one in documents(rendered("--values", values(name))) if one["apiVersion"] == GROUP]
    assert made
    taken = monitored.kubectl(*STRICT, input=yaml.safe_dump_all(made)).split()
    assert len(taken) == len(made)


def test_the_plain_manifests_are_taken(monitored: Cluster) -> None:
    """Those for clusters with the Prometheus Operator."""
    text = (MONITORING / "prometheus-operator.yaml").read_text()
    assert {one["kind"] for one in documents(text)} == KINDS
    assert len(monitored.kubectl(*STRICT, input=text).split()) == len(KINDS)


def test_a_field_that_the_kinds_do_not_have_is_refused(monitored: Cluster) -> None:
    """So the tests above can fail."""
    (monitor,) = [
        one for one in documents((MONITORING / "prometheus-operator.yaml").read_text()) if one["kind"] == "PodMonitor"
    ]
    monitor["spec"]["podTargetLabel"] = []
    with pytest.raises(ClusterError, match="podTargetLabel"):
        monitored.kubectl(*STRICT, input=json.dumps(monitor))


def test_an_installation_finds_the_kinds_by_itself(monitored: Cluster) -> None:
    """`auto` asks this very server; the CRDs of Serin are left out, for other tests have theirs."""
    flags = ("--namespace", NAMESPACE, "--set", "crds.enabled=false")
    done = helm("install", "auto", CHART, *flags, kubeconfig=monitored.kubeconfig)
    assert done.returncode == 0, done.stderr
    try:
        names = ",".join(f"{kind.lower()}s.monitoring.coreos.com" for kind in KINDS)
        found = json.loads(monitored.kubectl("get", names, "--namespace", NAMESPACE, "-o", "json"))["items"]
        assert {one["kind"] for one in found} == KINDS
    finally:
        helm("uninstall", "auto", "--namespace", NAMESPACE, kubeconfig=monitored.kubeconfig)
