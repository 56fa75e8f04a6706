"""The Deployment of a revision."""

from __future__ import annotations

from typing import Any

import pytest

from serin.workloads import desired_deployment
from serin.workloads.deployment import label_value
from tests.unit.workloads.builders import deployment, revision

Json = dict[str, Any]

READY = {"httpGet": {"path": "/v2/health/ready", "port": 8080}, "periodSeconds": 2, "timeoutSeconds": 2}


def build(template: Json | None = None, **model: Any) -> Json:
    md = deployment(template=template, **model)
    return desired_deployment(md, revision(md), "b", 3)


def containers(template: Json, **model: Any) -> list[Json]:
    found: list[Json] = build(template, **model)["spec"]["template"]["spec"]["containers"]
    return found


def test_it_is_the_revision_in_a_slot() -> None:
    """Name, owner, labels and selector say whose it is; the selector is immutable and leaves the slot out."""
    built = build()
    name = revision().metadata.name
    assert built["metadata"]["name"] == name
    assert built["metadata"]["ownerReferences"][0]["uid"] == "uid-iris"
    assert built["spec"]["selector"] == {
        "matchLabels": {"serin.dev/deployment": "iris", "serin.dev/revision": name},
    }
    assert built["spec"]["template"]["metadata"]["labels"] == {
        "serin.dev/deployment": "iris",
        "serin.dev/revision": name,
        "serin.dev/slot": "b",
        "serin.dev/version": "2",
    }


def test_it_never_lets_go_of_a_pod_before_its_successor_is_ready() -> None:
    """An update of the pods (a new slot) takes no capacity away and keeps no history."""
    spec = build()["spec"]
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0}}
    assert (spec["replicas"], spec["revisionHistoryLimit"], spec["progressDeadlineSeconds"]) == (3, 0, 600)


def test_the_users_template_is_kept() -> None:
    """Labels, annotations and every field of the pod come through; ours are added."""
    template = {
        "metadata": {"labels": {"team": "ml"}, "annotations": {"prometheus.io/scrape": "true"}},
        "spec": {
            "containers": [{"name": "model", "image": "iris:2", "resources": {"limits": {"nvidia.com/gpu": 1}}}],
            "nodeSelector": {"gpu": "yes"},
        },
    }
    built = build(template)["spec"]["template"]
    assert built["metadata"]["labels"]["team"] == "ml"
    assert built["metadata"]["annotations"] == {"prometheus.io/scrape": "true"}
    assert built["spec"]["nodeSelector"] == {"gpu": "yes"}
    assert built["spec"]["containers"][0]["resources"] == {"limits": {"nvidia.com/gpu": 1}}


def test_the_template_of_the_revision_is_not_written_into() -> None:
    """Building twice from one revision gives the same object twice."""
    md = deployment()
    made = revision(md)
    assert desired_deployment(md, made, "a", 1) == desired_deployment(md, made, "a", 1)
    assert made.spec.serving.template == {"spec": {"containers": [{"name": "model", "image": "iris:2"}]}}


def test_every_container_learns_which_model_it_serves() -> None:
    """Init containers as well: they may be the ones that fetch the model."""
    template = {
        "spec": {
            "initContainers": [{"name": "fetch", "image": "fetch"}],
            "containers": [{"name": "model", "image": "iris"}, {"name": "proxy", "image": "proxy"}],
        }
    }
    pod = build(template, uri="s3://models/iris/2", digest=f"sha256:{'0' * 64}")["spec"]["template"]["spec"]
    want = [
        {"name": "SERIN_MODEL_NAME", "value": "iris"},
        {"name": "SERIN_MODEL_VERSION", "value": "2"},
        {"name": "SERIN_MODEL_URI", "value": "s3://models/iris/2"},
        {"name": "SERIN_MODEL_DIGEST", "value": f"sha256:{'0' * 64}"},
    ]
    assert [entry["env"] for entry in [*pod["initContainers"], *pod["containers"]]] == [want, want, want]


def test_a_variable_that_the_user_set_wins() -> None:
    """Ours come after the user's and never replace one."""
    (container,) = containers(
        {
            "spec": {
                "containers": [
                    {"name": "model", "image": "iris", "env": [{"name": "SERIN_MODEL_NAME", "value": "mine"}]}
                ]
            }
        }
    )
    assert container["env"] == [
        {"name": "SERIN_MODEL_NAME", "value": "mine"},
        {"name": "SERIN_MODEL_VERSION", "value": "2"},
    ]


@pytest.mark.parametrize(
    ("protocol", "path"),
    [
        ("open-inference", "/v2/health/ready"),
        ("kserve-v1", "/v1/models/iris"),
        ("mlflow", "/ping"),
        ("http", None),
        ("grpc", None),
    ],
)
def test_readiness_is_what_the_protocol_says(protocol: str, path: str | None) -> None:
    """A protocol with a readiness endpoint is asked there; for the others nothing is invented."""
    md = deployment(protocol=protocol)
    (container,) = desired_deployment(md, revision(md), "a", 1)["spec"]["template"]["spec"]["containers"]
    probe = container.get("readinessProbe")
    assert (probe and probe["httpGet"]) == (path and {"path": path, "port": 8080})


def test_a_readiness_probe_of_the_users_stays() -> None:
    """Whoever writes a probe knows better."""
    probe = {"exec": {"command": ["true"]}}
    (container,) = containers({"spec": {"containers": [{"name": "model", "image": "iris", "readinessProbe": probe}]}})
    assert container["readinessProbe"] == probe


@pytest.mark.parametrize(
    ("first_port", "second_port", "probed"),
    [
        pytest.param(None, None, [True, False], id="no ports: the first"),
        pytest.param(9000, 8080, [False, True], id="the one that lists the serving port"),
        pytest.param(9000, 9001, [True, False], id="nobody lists it: the first"),
    ],
)
def test_the_container_that_serves_is_the_one_probed(
    first_port: int | None, second_port: int | None, probed: list[bool]
) -> None:
    """A sidecar must not be asked whether the model is loaded."""
    pair = [
        {"name": name, "image": name, **({"ports": [{"containerPort": port}]} if port else {})}
        for name, port in (("one", first_port), ("two", second_port))
    ]
    assert ["readinessProbe" in container for container in containers({"spec": {"containers": pair}})] == probed


@pytest.mark.parametrize("field", [{"ports": "8080"}, {"ports": ["8080"]}, {"env": "A=b"}, {"env": ["A=b"]}])
def test_what_only_the_api_server_can_refuse_reaches_it(field: dict[str, Any]) -> None:
    """Its words are better than a fault of ours at every look."""
    (container,) = containers({"spec": {"containers": [{"name": "model", "image": "iris", **field}]}})
    assert container[next(iter(field))]


def test_nulls_are_dropped() -> None:
    """A null in a template means nothing was written; server-side apply would take it for a removal."""
    (container,) = containers({"spec": {"containers": [{"name": "model", "image": "iris", "args": None}]}})
    assert "args" not in container


@pytest.mark.parametrize(
    ("version", "want"),
    [("2", "2"), ("2.1.0+cu121", "2.1.0-cu121"), ("v" * 70, "v" * 63), ("-x-", "x"), ("a/b@c", "a-b-c")],
)
def test_a_version_becomes_a_label(version: str, want: str) -> None:
    """Whatever a version looks like, the label is valid."""
    assert label_value(version) == want
