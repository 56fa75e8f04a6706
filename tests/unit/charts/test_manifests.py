"""The plain manifests are what the chart makes, for kubectl and for kustomize."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import yaml

from tests.cluster import tools
from tests.unit.charts import render
from tests.unit.charts.helm import rendered
from tests.unit.charts.objects import INSTALL, Json, installed, objects

HELMS = {"helm.sh/chart", "app.kubernetes.io/managed-by", "helm.sh/resource-policy", "serin.dev/config-hash"}


def _kustomized(folder: Path) -> str:
    kubectl = tools.ensure(["kubectl"])["kubectl"]
    done = subprocess.run([kubectl, "kustomize", folder], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_they_are_current() -> None:
    """Run `make manifests` after a change of the chart."""
    assert render.stale() == []


def test_they_are_the_charts_objects_without_what_only_helm_reads() -> None:
    """The texts are cut by patterns; what they say is compared here."""
    made = objects(rendered())
    plain = installed() | objects(render.CRDS.read_text())
    del plain["Namespace", "serin-system"]  # `helm install --create-namespace` makes it
    assert plain.keys() == made.keys()
    for key, one in made.items():
        assert plain[key] == _without(one), key


def _without(obj: Json) -> Json:
    """Less Helm's labels and annotations, here and in the pods."""
    bare: Json = yaml.safe_load(yaml.safe_dump(obj))
    template = bare["spec"].get("template", {}) if bare["kind"] == "Deployment" else {}
    for metadata in (bare["metadata"], template.get("metadata", {})):
        for field in ("labels", "annotations"):
            kept = {key: value for key, value in metadata.pop(field, {}).items() if key not in HELMS}
            if kept:
                metadata[field] = kept
    return bare


def test_the_comments_are_kept() -> None:
    """They say what each right is for."""
    assert "# Pods are only looked at: ready, crashed, evicted, pending.\n" in INSTALL.read_text()
    assert "helm" not in re.sub(r"(?m)^#.*$", "", INSTALL.read_text()).lower()


def test_the_namespace_lets_only_restricted_pods_in() -> None:
    """It comes first, so that the rest has a place."""
    (name, first), *_ = installed().items()
    assert name == ("Namespace", "serin-system")
    assert first["metadata"]["labels"] == {"pod-security.kubernetes.io/enforce": "restricted"}


def test_kustomize_makes_everything() -> None:
    """The operator and the CRDs."""
    assert objects(_kustomized(INSTALL.parent)) == installed() | objects(render.CRDS.read_text())


def test_a_deletion_by_file_keeps_the_crds() -> None:
    """`kubectl delete -f manifests/install` reads these files and no folder below."""
    files = [path for path in INSTALL.parent.iterdir() if path.suffix in {".yaml", ".yml", ".json"}]
    assert files == [INSTALL]
    assert "CustomResourceDefinition" not in {kind for kind, _ in installed()}


def test_the_overlay_of_the_page_does_what_it_says(tmp_path: Path) -> None:
    """docs/install.md: image, address of Prometheus and replicas are changed beside the manifests, not in them."""
    page = (INSTALL.parents[2] / "docs" / "install.md").read_text()
    (overlay,) = re.findall(r"```yaml\n(# kustomization\.yaml\n.*?)```", page, re.DOTALL)
    (configuration,) = re.findall(r"```yaml\n(# config\.yaml\n.*?)```", page, re.DOTALL)
    folder = tmp_path / "mine"
    folder.mkdir()
    (tmp_path / "serin").symlink_to(INSTALL.parents[2])
    (folder / "kustomization.yaml").write_text(overlay)
    (folder / "config.yaml").write_text(configuration)
    made = objects(_kustomized(folder))
    (deployment,) = [one for (kind, _), one in made.items() if kind == "Deployment"]
    spec = deployment["spec"]["template"]["spec"]
    assert spec["containers"][0]["image"].startswith("registry.example/serin:")
    (name,) = [one["configMap"]["name"] for one in spec["volumes"] if one["name"] == "config"]
    assert name.startswith("serin-config-")
    assert yaml.safe_load(made["ConfigMap", name]["data"]["config.yaml"]) == yaml.safe_load(configuration)
