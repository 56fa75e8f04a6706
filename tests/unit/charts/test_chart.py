"""The chart: current, consistent with the code, and the same as the plain manifests."""

from __future__ import annotations

import json
import shutil
import subprocess
import tomllib
from typing import Any

import pytest
import yaml

from serin.api import crd
from serin.controller.config import Config, LeaderElection, Listen
from serin.metrics.presets import PRESETS
from serin.metrics.source import DIALECTS, MetricSource
from tests.unit.charts.objects import CHART, ROOT, Id, Json, installed, load, objects

VALUES = load(CHART / "values.yaml")
SCHEMA = json.loads((CHART / "values.schema.json").read_text())
HELM = shutil.which("helm")


def _aliases(model: Any) -> set[str]:
    return {field.alias or name for name, field in model.model_fields.items()}


def test_the_chart_has_the_crds_that_the_models_make() -> None:
    """Byte for byte those of crds/; copy them after `make crds`."""
    assert crd.stale(CHART / "files" / "crds") == []


def test_the_version_is_that_of_the_package() -> None:
    """The chart installs the operator of its own commit."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    chart = load(CHART / "Chart.yaml")
    assert (chart["version"], chart["appVersion"]) == (version, version)
    assert (
        installed()["Deployment", "serin"]["spec"]["template"]["spec"]["containers"][0]["image"] == f"serin:{version}"
    )


def test_the_default_configuration_is_one() -> None:
    """The operator can read what the chart and the plain manifests give it."""
    assert Config.model_validate(VALUES["config"]).metric_sources[0].name == "default"
    raw = yaml.safe_load(installed()["ConfigMap", "serin"]["data"]["config.yaml"])
    config = Config.model_validate(raw)
    assert config.leader_election.namespace == "serin-system"
    assert config.metric_sources == Config.model_validate(VALUES["config"]).metric_sources


def test_the_schema_knows_every_field_of_the_configuration() -> None:
    """But for those that the chart sets by itself."""
    properties = SCHEMA["properties"]["config"]["properties"]
    assert set(properties) == _aliases(Config) - {"namespaces"}
    assert set(properties["leaderElection"]["properties"]) == _aliases(LeaderElection) - {"namespace", "name"}
    assert set(properties["listen"]["properties"]) == _aliases(Listen) - {"port"}
    source = properties["metricSources"]["items"]["properties"]
    assert set(source) == _aliases(MetricSource)
    assert source["preset"]["enum"] == list(PRESETS)
    assert source["kind"]["enum"] == list(DIALECTS)


def test_the_schema_knows_every_value() -> None:
    """A value without a schema would be refused at the first `helm install`."""
    assert _unknown(VALUES, SCHEMA) == []


def _unknown(value: Any, schema: Json, path: str = "") -> list[str]:
    properties = schema.get("properties")
    if not isinstance(value, dict) or properties is None:
        return []
    unknown = [f"{path}.{key}" for key in value if key not in properties]
    known = [key for key in value if key in properties]
    return unknown + [name for key in known for name in _unknown(value[key], properties[key], f"{path}.{key}")]


def test_the_pods_are_restricted() -> None:
    """What the strictest of the Pod Security Standards asks for, and a root file system that is read only."""
    spec = installed()["Deployment", "serin"]["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    assert spec["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"


@pytest.mark.skipif(HELM is None, reason="helm is not installed; templates are compared where it is")
def test_the_chart_makes_what_the_plain_manifests_make() -> None:
    """With its default values, labels of Helm's own aside."""
    rendered = _rendered()
    crds = {key: one for key, one in rendered.items() if key[0] == "CustomResourceDefinition"}
    plain = installed()
    del plain["Namespace", "serin-system"]  # `helm install --create-namespace` makes it
    assert {key: _bare(one) for key, one in rendered.items() if key not in crds} == {
        key: _bare(one) for key, one in plain.items()
    }
    for kind in crd.KINDS:
        made = crds["CustomResourceDefinition", f"{kind.plural}.serin.dev"]
        assert made["spec"] == crd.definition(kind)["spec"]
        assert made["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}


@pytest.mark.skipif(HELM is None, reason="helm is not installed")
def test_namespaces_get_roles_of_their_own() -> None:
    """No right outside of them, but for the Lease in the operator's own."""
    rendered = _rendered("--set", "namespaces={ml,shop}", "--set", "rbac.userRoles=false")
    kinds = {kind for kind, _ in rendered}
    assert "Role" in kinds
    assert not kinds & {"ClusterRole", "ClusterRoleBinding"}
    config = Config.model_validate(yaml.safe_load(rendered["ConfigMap", "serin"]["data"]["config.yaml"]))
    assert config.namespaces == ["ml", "shop"]


@pytest.mark.skipif(HELM is None, reason="helm is not installed")
def test_a_misspelt_value_is_refused() -> None:
    """By the schema, with its path."""
    done = _helm("--set", "config.metricSource=x")
    assert done.returncode != 0
    assert "metricSource" in done.stderr


def _helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    assert HELM is not None
    command = [
        HELM,
        "template",
        "serin",
        str(CHART),
        "--namespace",
        "serin-system",
        "--kube-version",
        "1.35.0",
        *arguments,
    ]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _rendered(*arguments: str) -> dict[Id, Json]:
    done = _helm(*arguments)
    assert done.returncode == 0, done.stderr
    return objects(done.stdout)


def _bare(obj: Json) -> Json:
    """Without the labels that only Helm gives, and with the configuration as what it says."""
    bare: Json = json.loads(json.dumps(obj))
    template = bare["spec"].get("template", {}) if bare["kind"] == "Deployment" else {}
    for metadata in (bare["metadata"], template.get("metadata", {})):
        labels = metadata.get("labels", {})
        for label in [label for label in labels if label.startswith(("app.kubernetes.io/", "helm.sh/"))]:
            del labels[label]
        metadata.get("annotations", {}).pop("serin.dev/config-hash", None)
        for field in ("labels", "annotations"):
            if not metadata.get(field):
                metadata.pop(field, None)
    if bare["kind"] == "ConfigMap":
        bare["data"] = {name: yaml.safe_load(text) for name, text in bare["data"].items()}
    return bare
