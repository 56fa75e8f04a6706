"""A real API server takes every object that the chart makes, strictly: no field that it does not know."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.cluster import Cluster, ClusterError
from tests.unit.charts.helm import NAMESPACE, SETS, rendered
from tests.unit.charts.objects import INSTALL, Json, documents, installed

CRDS = sorted((Path(__file__).parents[3] / "crds").glob("*.yaml"))

STRICT = ("apply", "--server-side", "--validate=strict", "--force-conflicts")
MONITORING = "monitoring.coreos.com/"


def _taken(cluster: Cluster, objects: list[Json]) -> list[str]:
    """Apply without storing anything, and return the names."""
    text = yaml.safe_dump_all(objects)
    return cluster.kubectl(*STRICT, "--dry-run=server", "-o", "name", "-f", "-", input=text).split()


@pytest.mark.parametrize("values", [None, *SETS], ids=lambda path: path.stem if path else "default")
def test_every_object_is_taken(cluster: Cluster, values: Path | None) -> None:
    """The Prometheus Operator's own kinds aside, which this server does not have."""
    flags = ("--values", values) if values else ()
    made = [one for one in documents(rendered(*flags)) if not one["apiVersion"].startswith(MONITORING)]
    assert len(_taken(cluster, made)) == len(made)


def test_a_field_that_nobody_knows_is_refused(cluster: Cluster) -> None:
    """So the tests above can fail."""
    deployment = installed()["Deployment", "serin"]
    deployment["spec"]["template"]["spec"]["topologySpreadConstraint"] = []
    with pytest.raises(ClusterError, match="topologySpreadConstraint"):
        _taken(cluster, [deployment])


def test_pods_pass_the_restricted_standard(cluster: Cluster) -> None:
    """The namespace of the manifests enforces it; one step less is refused."""
    template = installed()["Deployment", "serin"]["spec"]["template"]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "serin", "namespace": NAMESPACE}, **template}
    pod["metadata"] = {"name": "serin", "namespace": NAMESPACE, "labels": template["metadata"]["labels"]}
    assert _taken(cluster, [pod]) == ["pod/serin"]
    loose = json.loads(json.dumps(pod))
    del loose["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"]
    with pytest.raises(ClusterError, match="violates PodSecurity"):
        _taken(cluster, [loose])


@pytest.mark.parametrize("way", [STRICT, ("apply", "--validate=strict")], ids=["server-side", "client-side"])
def test_the_plain_manifests_are_taken_by_kustomize(cluster: Cluster, way: tuple[str, ...]) -> None:
    """By server-side apply, and by the old way, which has to fit each object into an annotation."""
    taken = cluster.kubectl(*way, "--dry-run=server", "-o", "name", "-k", str(INSTALL.parent)).split()
    assert len(taken) == len(installed()) + len(CRDS)
