"""Istio: the standard metrics, as the caller's side reports them.

`istio` reads reporter="source", which is what an ingress gateway or a calling sidecar says; `istio-waypoint`
reads the single report of an ambient waypoint. Never both, they count the same request. The callee's side is
not used: it counts mirrored requests among live ones and sees no request that did not reach a pod. Arms are
told apart by destination_service_name, which follows the backendRef that was chosen. A ztunnel alone has no
HTTP metrics.

One request that the gateway retries is one response. Latency is in milliseconds.
"""

from __future__ import annotations

from collections.abc import Sequence

from serin.metrics.presets.base import Key, Labels, Outcome, Preset
from serin.metrics.presets.codes import grpc_outcome, http_outcome
from serin.metrics.promql import any_of
from serin.metrics.reading import ArmRef

__all__ = ["ISTIO", "ISTIO_WAYPOINT"]


def _keys_of(arm: ArmRef) -> tuple[Key, ...]:
    return ((arm.namespace, arm.service),)


def _keys(labels: Labels) -> tuple[Key, ...]:
    service = labels.get("destination_service_name", "")
    return ((labels.get("destination_service_namespace", ""), service),) if service else ()


def _classify(labels: Labels) -> Outcome:
    grpc = labels.get("grpc_response_status", "")
    if labels.get("request_protocol") == "grpc" and grpc:
        return grpc_outcome(grpc)
    return http_outcome(labels.get("response_code", ""))


def _preset(name: str, reporter: str) -> Preset:
    def matchers(arms: Sequence[ArmRef]) -> Sequence[str]:
        # The empty alternative lets heartbeats through, which have none of these labels.
        return (
            any_of("reporter", [reporter, ""]),
            any_of("destination_service_name", [*sorted({arm.service for arm in arms}), ""]),
            any_of("destination_service_namespace", [*sorted({arm.namespace for arm in arms}), ""]),
        )

    return Preset(
        name=name,
        plane="data-plane",
        counts="responses",
        can=frozenset({"serverErrors", "clientErrors", "slowerThan"}),
        requests=("istio_requests_total",),
        latency="istio_request_duration_milliseconds",
        latency_unit=0.001,
        heartbeats={"istio_build": "presence", "istio_agent_process_start_time_seconds": "start"},
        keys_of=_keys_of,
        keys=_keys,
        classify=_classify,
        matchers=matchers,
    )


ISTIO = _preset("istio", "source")
ISTIO_WAYPOINT = _preset("istio-waypoint", "waypoint")
