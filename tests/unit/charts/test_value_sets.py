"""The chart with its default values and with five other sets, each as somebody installs it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from serin.cli.main import _parser
from serin.controller.config import Config
from tests.unit.charts.helm import NAMESPACE, SETS, helm, rendered
from tests.unit.charts.objects import CHART, Json, documents

VALUES = [None, *SETS]
CLUSTER_WIDE = {
    "ClusterRole",
    "ClusterRoleBinding",
    "CustomResourceDefinition",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
}


def _flags(values: Path | None) -> list[str | Path]:
    return ["--values", values] if values else []


@pytest.fixture(params=VALUES, ids=lambda path: path.stem if path else "default")
def values(request: pytest.FixtureRequest) -> Path | None:
    """One set after another."""
    found: Path | None = request.param
    return found


@pytest.fixture
def made(values: Path | None) -> list[Json]:
    """What it makes."""
    return [one for one in documents(rendered(*_flags(values))) if one]


def _one(made: list[Json], kind: str) -> Json:
    (found,) = [one for one in made if one["kind"] == kind]
    return found


def test_there_are_five_besides_the_defaults() -> None:
    """A set that is lost is not tested."""
    assert len(SETS) == 5


def test_lint_has_nothing_to_say(values: Path | None) -> None:
    """Warnings are errors."""
    done = helm("lint", CHART, "--strict", "--namespace", NAMESPACE, *_flags(values))
    assert done.returncode == 0, done.stdout + done.stderr
    assert not re.findall(r"\[(?:WARNING|ERROR)\]", done.stdout)


def test_no_object_is_made_twice(made: list[Json]) -> None:
    """By kind, namespace and name."""
    ids = [(one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"]) for one in made]
    assert len(set(ids)) == len(ids)


def test_every_object_has_a_namespace_and_the_labels(made: list[Json]) -> None:
    """Whoever renders without Helm gets the same as with it."""
    for one in made:
        metadata = one["metadata"]
        assert ("namespace" in metadata) == (one["kind"] not in CLUSTER_WIDE), metadata
        assert metadata["labels"]["app.kubernetes.io/name"] == "serin"
        assert metadata["labels"]["app.kubernetes.io/managed-by"] == "Helm"


def test_names_that_are_mentioned_are_there(made: list[Json]) -> None:
    """The account, the configuration, mounted volumes, the port that is probed, exposed and let in."""
    pod = _one(made, "Deployment")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    accounts = {one["metadata"]["name"] for one in made if one["kind"] == "ServiceAccount"} | {"serin-operator"}
    assert pod["serviceAccountName"] in accounts
    for binding in (one for one in made if one["kind"].endswith("RoleBinding")):
        assert [subject["name"] for subject in binding["subjects"]] == [pod["serviceAccountName"]]
        kind = binding["roleRef"]["kind"]
        assert binding["roleRef"]["name"] in {one["metadata"]["name"] for one in made if one["kind"] == kind}
    policy, bound = _one(made, "ValidatingAdmissionPolicy"), _one(made, "ValidatingAdmissionPolicyBinding")
    assert bound["spec"]["policyName"] == policy["metadata"]["name"]
    volumes = {one["name"]: one for one in pod["volumes"]}
    assert {mount["name"] for mount in container["volumeMounts"]} == volumes.keys()
    configurations = {one["metadata"]["name"] for one in made if one["kind"] == "ConfigMap"}
    assert volumes["config"]["configMap"]["name"] in configurations
    ports = {port["name"] for port in container["ports"]}
    asked = {container[probe]["httpGet"]["port"] for probe in ("livenessProbe", "readinessProbe")}
    asked |= {port["targetPort"] for one in made if one["kind"] == "Service" for port in one["spec"]["ports"]}
    for policy in (one for one in made if one["kind"] == "NetworkPolicy"):
        asked |= {port["port"] for rule in policy["spec"]["ingress"] for port in rule["ports"]}
    assert asked == ports


def test_every_selector_selects_the_pods(made: list[Json]) -> None:
    """Of the Deployment, its Service, its budget and its policy."""
    deployment = _one(made, "Deployment")["spec"]
    labels = deployment["template"]["metadata"]["labels"].items()
    (spread,) = deployment["template"]["spec"]["topologySpreadConstraints"]
    selectors = [deployment["selector"]["matchLabels"], spread["labelSelector"]["matchLabels"]]
    for one in made:
        match one["kind"]:
            case "Service":
                selectors.append(one["spec"]["selector"])
            case "PodDisruptionBudget":
                selectors.append(one["spec"]["selector"]["matchLabels"])
            case "NetworkPolicy":
                selectors.append(one["spec"]["podSelector"]["matchLabels"])
            case _:
                pass
    for selector in selectors:
        assert selector
        assert selector.items() <= labels


def test_the_operator_starts_with_it(made: list[Json]) -> None:
    """Its arguments parse, and its configuration file has nothing unknown."""
    (container,) = _one(made, "Deployment")["spec"]["template"]["spec"]["containers"]
    options = _parser().parse_args(["run", *container["args"]])
    (text,) = [
        one["data"][options.config.name] for one in made if one["kind"] == "ConfigMap" and "config.yaml" in one["data"]
    ]
    config = Config.model_validate(yaml.safe_load(text))
    (mount,) = [one for one in container["volumeMounts"] if one["name"] == "config"]
    assert str(options.config.parent) == mount["mountPath"]
    assert [config.listen.port] == [port["containerPort"] for port in container["ports"]]


def test_nobody_leads_beside_another(made: list[Json]) -> None:
    """More than one replica only with leader election, in the namespace where the Lease's rights are."""
    (text,) = [
        one["data"]["config.yaml"] for one in made if one["kind"] == "ConfigMap" and "config.yaml" in one["data"]
    ]
    election = Config.model_validate(yaml.safe_load(text)).leader_election
    assert election.enabled or _one(made, "Deployment")["spec"]["replicas"] == 1
    assert election.namespace == NAMESPACE
    for role in (one for one in made if one["kind"] == "Role" and one["metadata"]["name"].endswith("-lease")):
        assert role["rules"][1]["resourceNames"] == [election.name]
        assert role["metadata"]["namespace"] == election.namespace
