"""What GitOps tools do to objects on a real API server, with their field managers, without the tools."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from serin.controller.kube import FIELD_MANAGER
from tests.cluster import Cluster, ClusterError
from tests.integration.gitops.conftest import NAMESPACE
from tests.integration.gitops.verdicts import verdicts
from tests.unit.cli.stories import MAKERS
from tests.unit.docs.pages import ROOT
from tests.unit.gitops.lua import HEALTH
from tests.unit.gitops.render import CONFIG_MAP
from tests.unit.gitops.test_repository import ENVIRONMENTS, built

FLUX = "kustomize-controller"
SAMPLES = ROOT / "manifests" / "samples"
Json = dict[str, Any]


def _kubectl(cluster: Cluster, *arguments: str, raw: Json | None = None) -> str:
    return cluster.kubectl("--namespace", NAMESPACE, *arguments, input=json.dumps(raw) if raw else None)


def _apply(cluster: Cluster, raw: Json, *flags: str, manager: str = FLUX) -> Json:
    """Server-side apply."""
    flags = ("apply", "--server-side", f"--field-manager={manager}", *flags, "-o", "json", "-f", "-")
    answer: Json = json.loads(_kubectl(cluster, *flags, raw=raw))
    return answer


def _owners(raw: Json) -> dict[str, Json]:
    """What each manager owns of the spec."""
    entries = raw["metadata"]["managedFields"]
    return {one["manager"]: one["fieldsV1"]["f:spec"] for one in entries if "f:spec" in one["fieldsV1"]}


# --- health -------------------------------------------------------------------------------------------------


def test_an_object_that_was_just_applied_is_not_finished(cluster: Cluster) -> None:
    """Before the operator has looked once: the CRD's default keeps a `wait` from being over at once."""
    raw = _apply(cluster, yaml.safe_load((SAMPLES / "smallest.yaml").read_text()))
    (said,) = verdicts([raw])
    assert (said.kstatus.status, said.argo.status) == ("InProgress", "Progressing")


def test_a_status_is_judged_alike_after_the_api_server_has_stored_it(cluster: Cluster) -> None:
    """Nothing that the tools read is pruned. The spec that follows makes it InProgress again."""
    raw = yaml.safe_load((SAMPLES / "smallest.yaml").read_text())
    for story, want in (("promoted", ("Current", "Healthy")), ("rolled_back", ("Failed", "Degraded"))):
        raw["metadata"]["name"] = story.replace("_", "-")
        stored = _apply(cluster, raw)
        status = MAKERS[story]().md["status"]
        stored["status"] = status | {"observedGeneration": stored["metadata"]["generation"]}
        name = f"modeldeployment/{raw['metadata']['name']}"
        stored = json.loads(_kubectl(cluster, "replace", "--subresource=status", "-o", "json", "-f", "-", raw=stored))
        (said,) = verdicts([stored])
        assert (said.kstatus.status, said.argo.status) == want
        _kubectl(cluster, "patch", name, "--type=merge", "-p", '{"spec": {"model": {"version": "9"}}}')
        (said,) = verdicts([json.loads(_kubectl(cluster, "get", name, "-o", "json"))])
        assert (said.kstatus.status, said.argo.status) == ("InProgress", "Progressing")


def test_kubectl_waits_for_promoted(cluster: Cluster) -> None:
    """It believes a condition of the present generation only."""
    raw = yaml.safe_load((SAMPLES / "smallest.yaml").read_text())
    raw["metadata"]["name"] = "waited-for"
    stored = _apply(cluster, raw)
    status = MAKERS["promoted"]().md["status"]
    _kubectl(cluster, "replace", "--subresource=status", "-f", "-", raw=stored | {"status": status})
    wait = ("wait", "modeldeployment/waited-for", "--for=condition=Promoted")
    assert "condition met" in _kubectl(cluster, *wait, "--timeout=5s")
    _kubectl(cluster, "patch", "modeldeployment/waited-for", "--type=merge", "-p", '{"spec":{"model":{"version":"9"}}}')
    with pytest.raises(ClusterError, match="timed out"):
        _kubectl(cluster, *wait, "--timeout=1s")


def test_the_health_check_is_merged_into_argo_cds_configuration(cluster: Cluster) -> None:
    """By the command in the file's head; what else was configured stays."""
    cluster.apply(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "argocd-cm", "namespace": "argocd", "labels": {"app.kubernetes.io/part-of": "argocd"}},
            "data": {"url": "https://argocd.example.com"},
        }
    )
    (command,) = [line for line in CONFIG_MAP.read_text().splitlines() if "kubectl" in line]
    words = command.lstrip("# ").replace("argocd-cm.yaml", str(CONFIG_MAP)).split()[1:]
    cluster.kubectl(*words)
    stored = json.loads(cluster.kubectl("--namespace", "argocd", "get", "configmap", "argocd-cm", "-o", "json"))
    assert stored["data"] == {
        "url": "https://argocd.example.com",
        "resource.customizations.health.serin.dev_ModelDeployment": HEALTH.read_text(),
    }
    assert stored["metadata"]["labels"] == {"app.kubernetes.io/part-of": "argocd"}


@pytest.mark.parametrize("path", ["policies", *(f"models/iris/{one}" for one in ENVIRONMENTS)])
def test_the_sample_repository_is_accepted(cluster: Cluster, path: str) -> None:
    raw = built(path)
    assert raw["metadata"]["namespace"] == NAMESPACE
    _apply(cluster, raw, "--dry-run=server", "--validate=strict")


# --- two weights in a route from Git ------------------------------------------------------------------------


@pytest.fixture
def route(cluster: Cluster, request: pytest.FixtureRequest) -> Json:
    """somebody-elses-route.yaml, applied as Flux does it; then Serin has written 80/20 as it does it."""
    raw: Json = next(iter(yaml.safe_load_all((SAMPLES / "somebody-elses-route.yaml").read_text())))
    raw["metadata"]["name"] = request.node.name.replace("_", "-")
    _apply(cluster, raw)
    _serin_writes(cluster, raw, 80, 20)
    return raw


def _serin_writes(cluster: Cluster, raw: Json, a: int, b: int) -> None:
    patch = [
        {"op": "replace", "path": f"/spec/rules/0/backendRefs/{index}/weight", "value": weight}
        for index, weight in enumerate((a, b))
    ]
    flags = ("--type=json", f"--field-manager={FIELD_MANAGER}", "-p", json.dumps(patch))
    _kubectl(cluster, "patch", "httproute", raw["metadata"]["name"], *flags)


def _weights(raw: Json) -> list[int]:
    return [one["weight"] for one in raw["spec"]["rules"][0]["backendRefs"]]


def _stored(cluster: Cluster, raw: Json) -> Json:
    name = raw["metadata"]["name"]
    stored: Json = json.loads(_kubectl(cluster, "get", "httproute", name, "--show-managed-fields", "-o", "json"))
    return stored


def test_who_writes_two_weights_owns_all_rules(cluster: Cluster, route: Json) -> None:
    """The list is one value to the API server, so no manager can own less of it; what is beside it stays Git's."""
    stored = _stored(cluster, route)
    assert _weights(stored) == [80, 20]
    owners = _owners(stored)
    assert owners[FIELD_MANAGER] == {"f:rules": {}}
    assert set(owners[FLUX]) == {"f:hostnames", "f:parentRefs"}


def test_an_apply_that_forces_writes_gits_weights_back(cluster: Cluster, route: Json) -> None:
    """What Flux does at every interval when it is told nothing."""
    assert _weights(_apply(cluster, route, "--force-conflicts")) == [100, 0]
    owners = _owners(_stored(cluster, route))
    assert "f:rules" in owners[FLUX]
    assert FIELD_MANAGER not in owners


def test_an_apply_that_does_not_force_is_refused(cluster: Cluster, route: Json) -> None:
    """And nothing of it is done: `kubectl apply --server-side` of the route fails for as long as a weight is ours."""
    with pytest.raises(ClusterError, match=rf'conflict with "{FIELD_MANAGER}".*\.spec\.rules'):
        _apply(cluster, route)
    assert _weights(_stored(cluster, route)) == [80, 20]


def test_leaving_the_weights_out_halves_the_traffic(cluster: Cluster, route: Json) -> None:
    """A weight that is not said is 1, so this is 50/50 at each apply and not what the operator wrote."""
    for one in route["spec"]["rules"][0]["backendRefs"]:
        del one["weight"]
    assert _weights(_apply(cluster, route, "--force-conflicts")) == [1, 1]


def test_leaving_the_rules_out_leaves_them_alone(cluster: Cluster, route: Json) -> None:
    """Then Git says nothing of them, not even where they lead; they were there before."""
    del route["spec"]["rules"]
    assert _weights(_apply(cluster, route, "--force-conflicts")) == [80, 20]


def test_an_apply_with_the_live_weights_changes_nothing(cluster: Cluster, route: Json) -> None:
    """What tools do that put what they ignore into what they apply: the rest of the list may change with it."""
    for one, weight in zip(route["spec"]["rules"][0]["backendRefs"], (80, 20), strict=True):
        one["weight"] = weight
    route["spec"]["rules"][0]["timeouts"] = {"request": "7s"}
    stored = _apply(cluster, route, "--force-conflicts")
    assert _weights(stored) == [80, 20]
    assert stored["spec"]["rules"][0]["timeouts"] == {"request": "7s"}
    _serin_writes(cluster, route, 50, 50)  # and the next weight of ours is not hindered by it
    assert _weights(_stored(cluster, route)) == [50, 50]


def test_a_client_side_apply_writes_gits_weights_back(cluster: Cluster, route: Json) -> None:
    """What Argo CD does by default: lists of a custom resource are replaced as a whole."""
    flags = ("apply", "--server-side=false", "-o", "json", "-f", "-")
    assert _weights(json.loads(_kubectl(cluster, *flags, raw=route))) == [100, 0]
