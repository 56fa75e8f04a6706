"""Which ModelDeployments an event wakes."""

from __future__ import annotations

from typing import Any

import kopf
import pytest

from serin.api.names import FINALIZER, LABEL_DEPLOYMENT
from serin.controller.cache import Cache
from serin.controller.handlers import OWNED, WHOLE, configure, keys_of

Json = dict[str, Any]


def deployment(name: str, *, policy: str = "", route: str = "", grpc: bool = False, namespace: str = "ml") -> Json:
    """A ModelDeployment, as far as it matters here."""
    own: Json = {"ref": {"name": route}} if route else {"parentRefs": [{"name": "gw"}]}
    rollout = {"policyRef": {"name": policy}} if policy else {}
    return {
        "metadata": {"name": name, "namespace": namespace, "uid": name, "resourceVersion": "1"},
        "spec": {"rollout": rollout, "traffic": {"grpcRoute" if grpc else "httpRoute": own}},
    }


def other(name: str, owner: str = "") -> Json:
    """Something else in the namespace."""
    labels = {LABEL_DEPLOYMENT: owner} if owner else {}
    return {"metadata": {"name": name, "namespace": "ml", "labels": labels}}


@pytest.fixture
def cache() -> Cache:
    """Four deployments and one in another namespace."""
    cache = Cache()
    for md in (
        deployment("iris"),
        deployment("shop", policy="careful", route="front"),
        deployment("cart", policy="careful", route="front"),
        deployment("voice", route="front", grpc=True),
        deployment("shop", policy="careful", route="front", namespace="dev"),
    ):
        cache.put("ModelDeployment", md)
    return cache


def woken(cache: Cache, kind: str, obj: Json) -> set[str]:
    """The names of the deployments that are woken; all of them are in this namespace."""
    keys = list(keys_of(kind, obj, cache))
    assert all(namespace == "ml" for namespace, _ in keys)
    return {name for _, name in keys}


@pytest.mark.parametrize(
    ("sentence", "kind", "obj", "want"),
    [
        ("what is ours wakes its deployment", "Pod", other("p", owner="iris"), {"iris"}),
        ("what is nobody's wakes nobody", "Pod", other("p"), set()),
        ("a deployment wakes itself", "ModelDeployment", deployment("iris"), {"iris"}),
        (
            "and those that share its route, for which it may be in the way",
            "ModelDeployment",
            deployment("shop", route="front"),
            {"shop", "cart", "voice"},
        ),
        ("a policy wakes all that go by it", "RolloutPolicy", other("careful"), {"shop", "cart"}),
        ("a policy that nobody names wakes nobody", "RolloutPolicy", other("rash"), set()),
        ("our own route wakes its deployment alone", "HTTPRoute", other("iris", owner="iris"), {"iris"}),
        ("a route of others wakes all that name it", "HTTPRoute", other("front"), {"shop", "cart", "voice"}),
        ("a stranger's route of our name is in our way", "HTTPRoute", other("iris"), {"iris"}),
        (
            "a route that an orphaning left still has our label",
            "HTTPRoute",
            other("front", owner="gone"),
            {"gone", "shop", "cart", "voice"},
        ),
    ],
)
def test_an_event_wakes_whom_it_concerns(cache: Cache, sentence: str, kind: str, obj: Json, want: set[str]) -> None:
    """Nobody more, for a look costs, and nobody less, for there is no other look."""
    assert woken(cache, kind, obj) == want, sentence


def test_kopf_does_not_know_our_finalizer() -> None:
    """The framework takes its finalizer off whatever none of its own handlers needs: ours must have another name."""
    settings = kopf.OperatorSettings()
    configure(settings, namespaced=False)
    assert settings.persistence.finalizer != FINALIZER


def test_kinds_of_ours_are_watched_by_label() -> None:
    """The API server sends no pod of anybody else's."""
    settings = kopf.OperatorSettings()
    configure(settings, namespaced=True)
    assert set(settings.watching.label_selectors.values()) == {LABEL_DEPLOYMENT}
    assert len(settings.watching.label_selectors) == len(OWNED)
    assert not {kind.plural for kind in OWNED} & {kind.plural for kind in WHOLE}
