"""Service names in /etc/hosts."""

from __future__ import annotations

from typing import Any

from tests.cluster.agent.names import lines


def endpoints(*addresses: str, ready: bool | None = None, service: str | None = "iris-a") -> dict[str, Any]:
    """An EndpointSlice."""
    conditions = {} if ready is None else {"conditions": {"ready": ready}}
    labels = {"kubernetes.io/service-name": service} if service else {}
    return {
        "metadata": {"name": "iris-a-x", "namespace": "ml", "labels": labels},
        "endpoints": [{"addresses": [address], **conditions} for address in addresses],
    }


def test_a_service_is_the_addresses_of_its_ready_pods() -> None:
    """As DNS says of a headless Service; endpoints that say nothing of themselves are ready."""
    assert lines([endpoints("10.244.0.9", "10.244.0.7", ready=True), endpoints("10.244.0.8", ready=False)]) == [
        "10.244.0.7 iris-a.ml.svc iris-a.ml.svc.cluster.local",
        "10.244.0.9 iris-a.ml.svc iris-a.ml.svc.cluster.local",
    ]
    assert len(lines([endpoints("10.244.0.9")])) == 1


def test_a_slice_of_no_service_has_no_name() -> None:
    assert lines([endpoints("10.244.0.9", service=None), {"metadata": {"namespace": "ml"}, "endpoints": None}]) == []
