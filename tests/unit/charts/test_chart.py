"""The chart is current, and what it makes is what was asked for."""

from __future__ import annotations

import tomllib
from pathlib import Path

import yaml

from serin.api import crd
from serin.controller.config import Config
from tests.unit.charts.helm import NAMESPACE, helm, refused, rendered, values
from tests.unit.charts.objects import CHART, ROOT, Id, Json, documents, installed, load, objects, rights

KEPT = {
    "helm.sh/resource-policy": "keep",
    "argocd.argoproj.io/sync-options": "Prune=false,Delete=false",
    "kustomize.toolkit.fluxcd.io/prune": "disabled",
}


def _made(*arguments: str | Path) -> dict[Id, Json]:
    return objects(rendered(*arguments))


def _kinds(made: dict[Id, Json]) -> set[str]:
    return {kind for kind, _ in made}


def test_the_chart_has_the_crds_that_the_models_make() -> None:
    """Byte for byte those of crds/; `make crds` writes both."""
    assert crd.stale(CHART / "files" / "crds") == []


def test_the_version_is_that_of_the_package() -> None:
    """The chart installs the operator of its own commit."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    chart = load(CHART / "Chart.yaml")
    assert (chart["version"], chart["appVersion"]) == (version, version)
    (container,) = installed()["Deployment", "serin"]["spec"]["template"]["spec"]["containers"]
    assert container["image"] == f"serin:{version}"


def test_an_older_kubernetes_is_refused() -> None:
    """The CRDs have rules that it would not check."""
    assert "1.28.0" in refused("--kube-version", "1.28.0")


def test_the_operator_can_read_its_configuration() -> None:
    """With the Lease beside its pods and the port that the probes ask."""
    config = Config.model_validate(yaml.safe_load(_made()["ConfigMap", "serin"]["data"]["config.yaml"]))
    assert config.leader_election.namespace == NAMESPACE
    assert config.leader_election.name == "serin"
    assert config.listen.port == 8080
    assert [source.name for source in config.metric_sources] == ["default"]


def test_crds_are_installed_and_stay() -> None:
    """Neither Helm nor a GitOps tool takes them along: with a CRD go all its objects."""
    made = _made()
    for kind in crd.KINDS:
        one = made["CustomResourceDefinition", f"{kind.plural}.serin.dev"]
        assert one["spec"] == crd.definition(kind)["spec"]
        assert one["metadata"]["annotations"] == KEPT
    assert "CustomResourceDefinition" not in _kinds(_made("--set", "crds.enabled=false"))


def test_the_chart_has_no_object_of_serins_own_kinds() -> None:
    """They would be applied before their CRD is established; defaults are configuration instead."""
    assert not _kinds(_made()) & {kind.name for kind in crd.KINDS}


def test_the_pods_are_restricted() -> None:
    """What the strictest of the Pod Security Standards asks for, and a root file system that is read only."""
    spec = _made()["Deployment", "serin"]["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    assert spec["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"


def test_one_of_two_is_always_there() -> None:
    """Two replicas on two nodes if possible, one at most taken away at a time."""
    made = _made()
    spec = made["Deployment", "serin"]["spec"]
    assert spec["replicas"] == 2
    (spread,) = spec["template"]["spec"]["topologySpreadConstraints"]
    assert spread["topologyKey"] == "kubernetes.io/hostname"
    assert made["PodDisruptionBudget", "serin"]["spec"]["maxUnavailable"] == 1


def test_a_single_replica_has_no_disruption_budget() -> None:
    """It would keep a node from being drained for ever."""
    assert "PodDisruptionBudget" not in _kinds(_made("--set", "replicas=1"))


def test_a_changed_configuration_makes_new_pods() -> None:
    """It is read at start."""

    def annotations(*arguments: str) -> Json:
        found: Json = _made(*arguments)["Deployment", "serin"]["spec"]["template"]["metadata"]["annotations"]
        return found

    assert annotations() == annotations()
    assert annotations() != annotations("--set", "config.statusSeconds=7")


def test_namespaces_get_roles_of_their_own() -> None:
    """The same rights in each, and none outside of them but for the Lease in the operator's own namespace."""
    made = [one for one in documents(rendered("--values", values("namespaced"))) if one]
    assert not {one["kind"] for one in made} & {"ClusterRole", "ClusterRoleBinding"}
    roles = {one["metadata"]["namespace"]: rights(one["rules"]) for one in made if one["kind"] == "Role"}
    assert set(roles) == {"ml", "shop", NAMESPACE}
    assert roles["ml"] == roles["shop"] == rights(load(CHART / "files" / "rules.yaml"))
    assert {group for group, _, _ in roles[NAMESPACE]} == {"coordination.k8s.io"}
    (text,) = [one["data"]["config.yaml"] for one in made if one["kind"] == "ConfigMap"]
    assert Config.model_validate(yaml.safe_load(text)).namespaces == ["ml", "shop"]


def test_nothing_comes_in_but_to_the_port_that_answers() -> None:
    """By name, so that the policy follows the container; nothing is said about what goes out."""
    spec = _made()["NetworkPolicy", "serin"]["spec"]
    assert spec["policyTypes"] == ["Ingress"]
    assert spec["ingress"] == [{"ports": [{"protocol": "TCP", "port": "http"}]}]


def test_what_goes_out_is_known_by_port() -> None:
    """Names, the API server, and the ports in the addresses of metric sources, each once."""
    spec = _made("--values", values("shared-metrics"))["NetworkPolicy", "serin"]["spec"]
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    names, servers = ([(one["protocol"], one["port"]) for one in rule["ports"]] for rule in spec["egress"])
    assert names == [("UDP", 53), ("TCP", 53)]
    assert servers == [("TCP", port) for port in (443, 6443, 8443, 8428)]


def test_an_address_without_a_port_has_that_of_its_scheme() -> None:
    """80 for http."""
    made = _made(
        "--set", "networkPolicy.egress.enabled=true", "--set", "config.metricSources[0].url=http://prometheus/x"
    )
    assert made["NetworkPolicy", "serin"]["spec"]["egress"][1]["ports"][-1] == {"protocol": "TCP", "port": 80}


def test_monitoring_is_installed_where_its_kinds_are() -> None:
    """`auto` asks the cluster; true and false do not."""
    kinds = {"ServiceMonitor", "PodMonitor", "PrometheusRule"}
    there = [word for kind in kinds for word in ("--api-versions", f"monitoring.coreos.com/v1/{kind}")]
    off = [
        word for one in ("serviceMonitor", "podMonitor", "rules") for word in ("--set", f"metrics.{one}.enabled=false")
    ]
    assert not _kinds(_made()) & kinds
    assert kinds <= _kinds(_made(*there))
    assert not _kinds(_made(*there, *off)) & kinds
    assert kinds <= _kinds(_made("--values", values("monitored")))


def test_a_digest_goes_before_the_tag() -> None:
    """A tag can move."""
    made = _made("--values", values("locked-down"))
    (container,) = made["Deployment", "serin"]["spec"]["template"]["spec"]["containers"]
    assert container["image"].startswith("registry.example/serin@sha256:")


def test_the_notes_say_the_next_command() -> None:
    """Whether it is up, and how to see the first model; under the names of this installation."""
    done = helm("install", "trial", CHART, "--namespace", "elsewhere", "--dry-run=client")
    assert done.returncode == 0, done.stderr
    notes = done.stdout.partition("NOTES:")[2]
    assert "kubectl --namespace elsewhere rollout status deployment/trial-serin\n" in notes
    assert "kubectl explain modeldeployment.spec" in notes


def test_the_admission_policy_is_bound_to_what_is_watched() -> None:
    """In the namespaces that are watched, under a name that another release elsewhere does not have; or not at all."""
    made = _made("--values", values("namespaced"))
    name = f"serin-actions-{NAMESPACE}"
    (expression,) = made["ValidatingAdmissionPolicyBinding", name]["spec"]["matchResources"]["namespaceSelector"][
        "matchExpressions"
    ]
    assert expression == {"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["ml", "shop"]}
    assert ("ValidatingAdmissionPolicy", name) in made
    off = {"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"}
    assert not _kinds(_made("--set", "admissionPolicy.enabled=false")) & off
    assert not _kinds(_made("--kube-version", "1.29.5")) & off
