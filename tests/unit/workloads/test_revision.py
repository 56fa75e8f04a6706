"""The ModelRevision that a spec asks for."""

from __future__ import annotations

from serin.api.model_revision import ModelRevision
from serin.workloads import desired_revision
from tests.unit.workloads.builders import deployment, revision


def test_it_belongs_to_its_deployment() -> None:
    """The revision goes when its ModelDeployment goes."""
    built = desired_revision(deployment())
    assert (built["apiVersion"], built["kind"]) == ("serin.dev/v1alpha1", "ModelRevision")
    assert built["metadata"]["namespace"] == "ml"
    assert built["metadata"]["labels"] == {
        "app.kubernetes.io/managed-by": "serin",
        "serin.dev/deployment": "iris",
    }
    (owner,) = built["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"], owner["controller"]) == ("ModelDeployment", "uid-iris", True)


def test_it_keeps_what_makes_it() -> None:
    """Model and serving are in it, replicas are not: they may change without a new revision."""
    spec = desired_revision(deployment(uri="s3://models/iris/2", card={"owners": ["ml"]}))["spec"]
    assert spec["deployment"] == "iris"
    assert spec["model"] == {
        "name": "iris",
        "version": "2",
        "uri": "s3://models/iris/2",
        "card": {"owners": ["ml"]},
    }
    assert set(spec["serving"]) == {"port", "protocol", "template"}
    assert spec["scheme"] == 1


def test_its_name_comes_from_its_content() -> None:
    """Equal content has one name, whenever it is built; other content has another."""
    assert revision().metadata.name == revision().metadata.name
    assert revision().metadata.name.startswith("iris-2-")
    assert revision(deployment(port=9090)).metadata.name != revision().metadata.name
    assert revision(deployment(card={"owners": ["ml"]})).metadata.name == revision().metadata.name


def test_a_version_with_dots_makes_a_name_without() -> None:
    """Dots in names cut Envoy's statistics short."""
    assert "." not in revision(deployment(version="2.1.0")).metadata.name


def test_it_reads_back() -> None:
    """What is built is a valid ModelRevision."""
    built = ModelRevision.model_validate(desired_revision(deployment()))
    assert built.spec.serving.template == {"spec": {"containers": [{"name": "model", "image": "iris:2"}]}}
