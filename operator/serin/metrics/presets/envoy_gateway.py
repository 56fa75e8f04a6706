"""Envoy Gateway with `mergeBackends`: one Envoy cluster for each Service.

    service/ml/iris-b/8080 or service/ml/iris-b/8080/http

By default all backendRefs of a rule share one cluster (httproute/ml/iris/rule/0) and the arms cannot be told
apart: set `mergeBackends: {}` in the GatewayClass's EnvoyProxy (v1.9). Clusters by index (.../backend/1, made
by a filter on each backendRef) are not read: the index says nothing about the slot. Mirrors have clusters of
their own.

A Service's cluster is shared by every route that uses it. Clusters of weight 0 are dropped and start at 0
again. A backend without endpoints answers 503 that no cluster counts. The status is HTTP's: a gRPC failure is
a 200 here, so errors of gRPC are measured at the model server. Retries are counted apart. Latency is in
milliseconds, and histograms lag counters by some seconds.
"""

from __future__ import annotations

from collections.abc import Sequence

from serin.metrics.presets.base import Key, Labels, Outcome, Preset
from serin.metrics.presets.codes import http_outcome
from serin.metrics.promql import quote, regex_escape
from serin.metrics.reading import ArmRef

__all__ = ["ENVOY_GATEWAY"]


def _keys_of(arm: ArmRef) -> tuple[Key, ...]:
    return ((arm.namespace, arm.service),)


def _keys(labels: Labels) -> tuple[Key, ...]:
    match labels.get("envoy_cluster_name", "").split("/"):
        case ["service", namespace, service, _port] | ["service", namespace, service, _port, _]:
            return ((namespace, service),)
        case _:
            return ()


def _classify(labels: Labels) -> Outcome:
    return http_outcome(labels.get("envoy_response_code", ""))


def _matchers(arms: Sequence[ArmRef]) -> Sequence[str]:
    backends = "|".join(sorted({regex_escape(f"{arm.namespace}/{arm.service}") for arm in arms}))
    return ("envoy_cluster_name=~" + quote(f"service/(?:{backends})/.*|"),)


ENVOY_GATEWAY = Preset(
    name="envoy-gateway",
    plane="data-plane",
    counts="responses",
    can=frozenset({"serverErrors", "clientErrors", "slowerThan"}),
    cannot_grpc="a gRPC failure is an HTTP 200 to Envoy's clusters; measure errors at the model server",
    requests=("envoy_cluster_upstream_rq",),
    latency="envoy_cluster_upstream_rq_time",
    latency_unit=0.001,
    heartbeats={"envoy_server_uptime": "uptime"},
    keys_of=_keys_of,
    keys=_keys,
    classify=_classify,
    matchers=_matchers,
)
