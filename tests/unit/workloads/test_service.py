"""The Services in front of a model."""

from __future__ import annotations

from serin.workloads import owned_by, slot_service, stable_service
from tests.unit.workloads.builders import deployment


def test_a_slot_selects_by_the_label_of_the_pods() -> None:
    """Revisions take turns in a slot without the Service ever being rewritten."""
    built = slot_service(deployment(), "b")
    assert built["metadata"]["name"] == "iris-b"
    assert built["metadata"]["labels"]["serin.dev/slot"] == "b"
    assert built["spec"] == {
        "selector": {"serin.dev/deployment": "iris", "serin.dev/slot": "b"},
        "ports": [{"name": "http", "port": 8080, "targetPort": 8080, "protocol": "TCP"}],
    }
    assert slot_service(deployment(version="3"), "b") == built


def test_the_stable_service_points_to_stables_slot() -> None:
    """The in-cluster address has the deployment's own name."""
    built = stable_service(deployment(), "b")
    assert built["metadata"]["name"] == "iris"
    assert built["spec"]["selector"] == {"serin.dev/deployment": "iris", "serin.dev/slot": "b"}


def test_grpc_is_said_to_the_gateway() -> None:
    """Without appProtocol a gateway would speak HTTP/1.1 to the pods."""
    (port,) = slot_service(deployment(protocol="grpc"), "a")["spec"]["ports"]
    assert (port["name"], port["appProtocol"]) == ("grpc", "kubernetes.io/h2c")


def test_a_change_of_port_leaves_no_number_unanswered() -> None:
    """Stable listens on 8080, the new spec says 9090: on both slots both numbers work, each to its pods."""
    md = deployment(port=9090)
    stable = slot_service(md, "a", target_port=8080)
    candidate = slot_service(md, "b", ports=[8080])
    ports = [
        [(port["name"], port["port"], port["targetPort"]) for port in built["spec"]["ports"]]
        for built in (stable, candidate)
    ]
    assert ports == [
        [("http", 9090, 8080), ("http-8080", 8080, 8080)],
        [("http", 9090, 9090), ("http-8080", 8080, 9090)],
    ]


def test_ownership() -> None:
    """An object of the same name that somebody else made is told apart."""
    md = deployment()
    assert owned_by(slot_service(md, "a"), md)
    assert not owned_by({"metadata": {"name": "iris"}}, md)
    assert not owned_by({"metadata": {"ownerReferences": [{"uid": "uid-iris"}]}}, md)
