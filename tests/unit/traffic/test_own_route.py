"""A route of our own: complete, ours, and put right when others write into it."""

from __future__ import annotations

import copy

import pytest

from serin.api.reasons import Reason
from serin.traffic import GRPC, HTTP, Absent, Conflict, Routed, Slots, Weights, router_for
from tests.unit.traffic.builders import deployment, guest, ref, route

GRPC_TRAFFIC = {"grpcRoute": {"parentRefs": [{"name": "gw", "namespace": "infra", "sectionName": "grpc"}]}}


def test_an_http_route_has_one_rule_with_both_slots() -> None:
    """The object is complete, so that a server-side apply alone makes it."""
    assert HTTP.desired(deployment(), Weights(90, 10)) == {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {
            "name": "iris",
            "namespace": "ml",
            "labels": {"app.kubernetes.io/managed-by": "serin", "serin.dev/deployment": "iris"},
            "ownerReferences": [
                {
                    "apiVersion": "serin.dev/v1alpha1",
                    "kind": "ModelDeployment",
                    "name": "iris",
                    "uid": "uid-iris",
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
        },
        "spec": {
            "parentRefs": [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "gw"}],
            "hostnames": ["iris.example.com"],
            "rules": [
                {
                    "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
                    "backendRefs": [ref("iris-a", 90), ref("iris-b", 10)],
                }
            ],
        },
    }


def test_a_grpc_route_takes_every_method_of_its_hosts() -> None:
    """A GRPCRoute has no path and, without hostnames, answers to those of its listener."""
    spec = GRPC.desired(deployment(traffic=GRPC_TRAFFIC, protocol="grpc"), Weights(100, 0))["spec"]
    assert spec == {
        "parentRefs": [
            {
                "group": "gateway.networking.k8s.io",
                "kind": "Gateway",
                "name": "gw",
                "namespace": "infra",
                "sectionName": "grpc",
            }
        ],
        "rules": [{"backendRefs": [ref("iris-a", 100), ref("iris-b", 0)]}],
    }


def test_the_spec_chooses_the_router() -> None:
    """HttpRoute and grpcRoute each have a router that knows its resource."""
    assert router_for(deployment()) is HTTP
    assert router_for(deployment(traffic=GRPC_TRAFFIC, protocol="grpc")) is GRPC
    assert [(router.kind, router.plural) for router in (HTTP, GRPC)] == [
        ("HTTPRoute", "httproutes"),
        ("GRPCRoute", "grpcroutes"),
    ]


def test_what_was_written_reads_back() -> None:
    """The desired object, observed, carries the weights that it was made with."""
    md = deployment()
    live = HTTP.desired(md, Weights(70, 30))
    live["metadata"]["resourceVersion"] = "5"
    state = HTTP.observe(live, md)
    assert isinstance(state, Routed)
    assert (state.weights, state.exact, state.owned, state.rules) == (Weights(70, 30), True, True, (0,))
    assert state.resource_version == "5"


def test_no_route_is_absent() -> None:
    """A route that is not there is a state of its own, not weight 0."""
    assert HTTP.observe(None, deployment()) == Absent()


def test_a_route_of_the_same_name_that_is_not_ours_is_a_conflict() -> None:
    """Someone's route is never taken over, because the whole of it would be replaced."""
    state = HTTP.observe(route([ref("web", 100)], name="iris"), deployment())
    assert isinstance(state, Conflict)
    assert state.reason is Reason.ROUTE_CONFLICT
    assert "does not belong to this ModelDeployment" in state.message


def test_a_gutted_route_of_ours_says_that_nothing_reaches_the_slots() -> None:
    """Others may write into our route; it reads as what it does, and the next apply puts it right."""
    md = deployment()
    live = HTTP.desired(md, Weights(100, 0))
    live["spec"]["rules"] = [{"backendRefs": [ref("web", 100)]}]
    state = HTTP.observe(live, md)
    assert isinstance(state, Routed)
    assert state.weights == Weights(0, 0)
    assert not state.carries(Weights(100, 0))


def test_an_adopted_service_stands_in_for_a_slot() -> None:
    """Until its first promotion an adopted Service is stable's backend, under its own name."""
    md = deployment()
    slots = Slots("ml", "iris-v1", "iris-b")
    live = HTTP.desired(md, Weights(90, 10), slots=slots)
    assert [entry["name"] for entry in live["spec"]["rules"][0]["backendRefs"]] == ["iris-v1", "iris-b"]
    state = HTTP.observe(live, md, slots=slots)
    assert isinstance(state, Routed)
    assert state.weights == Weights(90, 10)


def test_a_route_of_others_is_never_desired() -> None:
    """Asking for the whole of a route that others keep is a mistake of ours."""
    with pytest.raises(ValueError, match="belongs to others"):
        HTTP.desired(guest(), Weights(100, 0))


def test_building_is_repeatable() -> None:
    """The same deployment and weights give the same object, so a restart writes nothing."""
    md = deployment()
    first = HTTP.desired(md, Weights(50, 50))
    assert HTTP.desired(md, Weights(50, 50)) == copy.deepcopy(first)
