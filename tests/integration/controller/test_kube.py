"""The client's errors are the API server's, and say what to do next."""

from __future__ import annotations

from typing import Any

import pytest

from serin.controller.kube import (
    DEPLOYMENT,
    LIST_CHUNK,
    MODEL_DEPLOYMENT,
    SERVICE,
    Conflict,
    Forbidden,
    Invalid,
    Kind,
    Kube,
    NotFound,
    Unavailable,
    Unreachable,
)
from tests.cluster import Cluster
from tests.unit.api.builders import deployment

Json = dict[str, Any]


def service(namespace: str, name: str = "iris-a", **spec: Any) -> Json:
    """A Service."""
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"ports": [{"port": 80}], **spec}}


def pods_of(namespace: str, **container: Any) -> Json:
    """A Deployment."""
    labels = {"app": "iris"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "model", "image": "i", **container}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "iris", "namespace": namespace},
        "spec": {"selector": {"matchLabels": labels}, "template": template},
    }


async def test_a_write_at_an_old_version_is_a_conflict(kube: Kube, namespace: str) -> None:
    """Replace and apply both, when they carry a resourceVersion."""
    old = await kube.create(SERVICE, service(namespace))
    await kube.apply(SERVICE, service(namespace, sessionAffinity="ClientIP"))
    with pytest.raises(Conflict, match="has been modified"):
        await kube.replace(SERVICE, old)
    stale = service(namespace)
    stale["metadata"]["resourceVersion"] = old["metadata"]["resourceVersion"]
    with pytest.raises(Conflict, match="has been modified"):
        await kube.apply(SERVICE, stale)


async def test_what_is_there_already_is_a_conflict(kube: Kube, namespace: str) -> None:
    """Create never overwrites."""
    await kube.create(SERVICE, service(namespace))
    with pytest.raises(Conflict, match="already exists"):
        await kube.create(SERVICE, service(namespace))


@pytest.mark.parametrize("kind", [SERVICE, MODEL_DEPLOYMENT], ids=lambda kind: kind.name)
async def test_a_patch_whose_test_does_not_hold_is_a_conflict(kube: Kube, namespace: str, kind: Kind) -> None:
    """For built-in and for custom kinds; the API server's words do not say what failed."""
    obj = service(namespace) if kind is SERVICE else deployment()
    obj["metadata"]["namespace"] = namespace
    live = await kube.create(kind, obj)
    name, change = live["metadata"]["name"], {"op": "add", "path": "/metadata/labels", "value": {"a": "b"}}
    stale = {"op": "test", "path": "/metadata/resourceVersion", "value": "1"}
    with pytest.raises(Conflict):
        await kube.patch(kind, namespace, name, [stale, change])
    test = {"op": "test", "path": "/metadata/resourceVersion", "value": live["metadata"]["resourceVersion"]}
    assert (await kube.patch(kind, namespace, name, [test, change]))["metadata"]["labels"] == {"a": "b"}


async def test_a_patch_to_something_invalid_is_invalid_and_no_conflict(kube: Kube, namespace: str) -> None:
    """Looking again would not help."""
    await kube.create(SERVICE, service(namespace))
    with pytest.raises(Invalid, match=r"spec.ports\[0\].port: Invalid value: -4"):
        await kube.patch(SERVICE, namespace, "iris-a", [{"op": "replace", "path": "/spec/ports/0/port", "value": -4}])


async def test_invalid_has_the_api_servers_own_words(kube: Kube, namespace: str) -> None:
    """They become the message of InvalidTemplate; an image called patch:latest makes no conflict of it."""
    bad = pods_of(namespace, image="patch:latest", volumeMounts=[{"name": "test", "mountPath": "/x"}])
    with pytest.raises(Invalid) as refusal:
        await kube.apply(DEPLOYMENT, bad)
    assert str(refusal.value) == (
        'Deployment.apps "iris" is invalid: spec.template.spec.containers[0].volumeMounts[0].name: Not found: "test"'
    )


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("imagee", "i", "imagee"),
        ("command", "a text and no list", "command"),
        ("ports", "8080", "ports"),
        ("ports", [{"containerPrt": 8080}], "containerPrt"),
        ("resources", {"requests": {"cpu": "lots"}}, "quantities"),
        ("resources", {"limits": {"memory": "-1Gi"}}, "memory"),
    ],
)
async def test_a_template_that_no_schema_knows_is_invalid(
    kube: Kube, namespace: str, field: str, value: object, words: str
) -> None:
    """The API server answers 500 to some of them; trying again would not help, and a candidate would be blamed."""
    with pytest.raises(Invalid, match=words):
        await kube.apply(DEPLOYMENT, pods_of(namespace, **{field: value}))


async def test_what_is_not_there_is_not_found(kube: Kube, namespace: str) -> None:
    """An object, and a kind that is not installed; deleting it again is no error."""
    with pytest.raises(NotFound):
        await kube.get(SERVICE, namespace, "nobody")
    with pytest.raises(NotFound):
        await kube.list(Kind("Unknown", "nowhere.example", "v1", "unknowns"), namespace)
    await kube.delete(SERVICE, namespace, "nobody")


async def test_a_missing_permission_is_forbidden(cluster: Cluster, kube: Kube, namespace: str) -> None:
    """With the words that name the verb and the resource."""
    kube._api.set_default_header("Impersonate-User", "nobody")
    original = kube._api.update_params_for_auth

    async def as_nobody(headers: dict[str, str], *rest: Any) -> None:
        await original(headers, *rest)
        headers["Impersonate-User"] = "nobody"

    kube._api.update_params_for_auth = as_nobody
    with pytest.raises(Forbidden, match='cannot list resource "services"'):
        await kube.list(SERVICE, namespace)


async def test_an_api_server_that_is_away_is_unavailable(cluster: Cluster, namespace: str) -> None:
    """No connection; nothing else is known."""
    kube = await Kube.connect(str(cluster.kubeconfig))
    kube._api.configuration.host = "https://127.0.0.1:1"
    with pytest.raises(Unavailable):
        await kube.get(SERVICE, namespace, "iris-a")
    await kube.close()


async def test_without_a_way_to_the_cluster_there_is_no_client() -> None:
    """Said at the start, not at the first request."""
    with pytest.raises(Unreachable, match=r"nowhere\.yaml"):
        await Kube.connect("nowhere.yaml")


async def test_a_list_longer_than_a_chunk_is_whole(cluster: Cluster, kube: Kube, namespace: str) -> None:
    """All items of all chunks, each with its kind, and the version of the list."""
    count = LIST_CHUNK + 3
    names = [f"s-{number}" for number in range(count)]
    config = Kind("ConfigMap", "", "v1", "configmaps")
    objects = [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": namespace}} for name in names
    ]
    for obj in objects:
        await kube.create(config, obj)
    items, version = await kube.list(config, namespace)
    assert {one["metadata"]["name"] for one in items} == set(names)
    assert all(one["kind"] == "ConfigMap" and one["apiVersion"] == "v1" for one in items)
    assert version >= max(int(one["metadata"]["resourceVersion"]) for one in items)
