"""Traefik as a Gateway API data plane.

How a backend is called in the label `service` (iris-b in namespace ml, route iris):

    3.7.6 and later  httproute-ml-iris-gw-ml-gw-ep-web-0-<hash>-svc-ml-iris-b-1@kubernetesgateway
    before           ml-iris-b-http-8080@kubernetesgateway, ml-iris-b-8080@... for a GRPCRoute

Every part of such a name may hold dashes, so it is not parsed: all readings of it as (namespace, service) are
taken and those that an arm in use answers to win. In the new form the route must be in the same namespace as
the Service. What remains ambiguous: `iris-a` in `ml` and `a` in `ml-iris`, each routed from its own
namespace, give names of the same reading; where both are rolled out at once neither is attributed. In the old
form any `ml-iris`, `b` reads like `ml`, `iris-b` too. Traefik also writes runs of other characters as one
dash, so names are compared that way.

Series are born with a backend's first request and dropped when the backend leaves the configuration. A route
edit renames all of them. One request through a retry middleware counts once for each attempt.

gRPC: Traefik takes the status from the response's headers, where a failure without any message has it. Every
    other answer has it in the trailers and is counted as code 2, UNKNOWN: seen with 3.7.15 and a Python
    server, two good calls and one INTERNAL gave code="2" twice and code="13" once. A connection that fails is
    a 2 as well. So code 2 says nothing and errors of gRPC are not measured with it; latency is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from serin.metrics.presets.base import Key, Labels, Outcome, Preset, both_forms
from serin.metrics.presets.codes import grpc_outcome, http_outcome
from serin.metrics.promql import quote, regex_escape
from serin.metrics.reading import ArmRef

__all__ = ["TRAEFIK"]

_PROVIDER = "@kubernetesgateway"
_PLAIN = re.compile(r"(?P<rest>.+)-[0-9]+")


@lru_cache(maxsize=8192)
def _normal(name: str) -> str:
    """As Traefik writes it: runs of anything but letters and digits are one dash."""
    return "-".join(part for part in re.split(r"[^a-zA-Z0-9]+", name) if part)


@lru_cache(maxsize=8192)
def _readings(service: str) -> tuple[Key, ...]:
    if not service.endswith(_PROVIDER):
        return ()
    name = service.removesuffix(_PROVIDER)
    found: dict[Key, None] = {}
    if name.startswith(("httproute-", "grpcroute-")):
        route, index = name.partition("-")[2], name.rpartition("-")[0]
        start = index.find("-svc-")
        while start >= 0:
            for namespace, backend in _splits(index[start + len("-svc-") :]):
                if route.startswith(f"{namespace}-"):
                    found[namespace, backend] = None
            start = index.find("-svc-", start + 1)
        return tuple(found)
    plain = _PLAIN.fullmatch(name)
    if plain:
        rest = plain["rest"]
        found.update(dict.fromkeys(_splits(rest.removesuffix("-http"))))
        found.update(dict.fromkeys(_splits(rest)))  # a GRPCRoute's, or a Service whose name ends in -http
    return tuple(found)


def _splits(name: str) -> list[tuple[str, str]]:
    parts = name.split("-")
    return [("-".join(parts[:n]), "-".join(parts[n:])) for n in range(1, len(parts))]


def _keys(labels: Labels) -> tuple[Key, ...]:
    return _readings(_backend(labels))


def _backend(labels: Labels) -> str:
    return both_forms(labels, "service")


def _keys_of(arm: ArmRef) -> tuple[Key, ...]:
    return ((_normal(arm.namespace), _normal(arm.service)),)


def _classify(labels: Labels) -> Outcome:
    code = labels.get("code", "")
    if labels.get("protocol") in {"grpc", "grpc-web"}:
        return "unknown" if code == "2" else grpc_outcome(code)
    return http_outcome(code)


def _timed(labels: Labels) -> bool:
    # A websocket's duration is how long somebody stayed, not how long somebody waited.
    return labels.get("protocol") != "websocket"


def _matchers(arms: Sequence[ArmRef]) -> Sequence[str]:
    backends = "|".join(sorted({regex_escape(f"{_normal(arm.namespace)}-{_normal(arm.service)}") for arm in arms}))
    # Traefik's own service names hold an @ and a Service's name never does. So one pattern for both labels
    # lets pass: our backends under either label, the scrape's own `service`, and heartbeats, which have
    # neither.
    pattern = quote(f"(?:(?:http|grpc)route-.+-svc-)?(?:{backends})(?:-http)?-[0-9]+{_PROVIDER}|[^@]*")
    return (f"service=~{pattern}", f"exported_service=~{pattern}")


_WHY_GRPC = (
    "Traefik counts every gRPC answer whose status is in the trailers as code 2, good and bad alike; "
    "measure errors of gRPC at the model server"
)

TRAEFIK = Preset(
    name="traefik",
    plane="data-plane",
    counts="attempts",
    can=frozenset({"serverErrors", "clientErrors", "slowerThan"}),
    requests=("traefik_service_requests_total",),
    latency="traefik_service_request_duration_seconds",
    # Counted up at the first configuration, before which there is no traffic.
    heartbeats={"traefik_config_reloads_total": "presence"},
    start_metric="process_start_time_seconds",
    cannot_grpc=_WHY_GRPC,
    why_unknown=_WHY_GRPC,
    keys_of=_keys_of,
    keys=_keys,
    classify=_classify,
    timed=_timed,
    matchers=_matchers,
)
