"""MLServer, by its own metrics.

rest_server_requests_total has the status, and only paths that infer are counted; gRPC requests have a counter
of their own. model_infer_request_failure_total is not used: it does not tell a client's mistake from the
server's, and its latency is a summary. REST latency in seconds; gRPC requests are not timed. A request
without a JSON content type is a 422.
"""

from __future__ import annotations

from serin.metrics.presets.base import (
    Labels,
    Outcome,
    Preset,
    revision_key,
    revision_keys_of,
    revision_matchers,
)
from serin.metrics.presets.codes import grpc_outcome, http_outcome

__all__ = ["MLSERVER"]

_ENDINGS = ("/infer", "/infer_stream", "/generate", "/generate_stream")
_METHODS = frozenset({"ModelInfer", "ModelStreamInfer"})


def _classify(labels: Labels) -> Outcome | None:
    if labels.get("__name__") == "grpc_server_handled_total":
        code = labels.get("grpc_code") or labels.get("code", "")
        return grpc_outcome(code) if labels.get("grpc_method") in _METHODS else None
    return http_outcome(labels.get("status_code", "")) if _timed(labels) else None


def _timed(labels: Labels) -> bool:
    return labels.get("path", "").endswith(_ENDINGS)


MLSERVER = Preset(
    name="mlserver",
    plane="model-server",
    counts="responses",
    can=frozenset({"serverErrors", "clientErrors", "slowerThan"}),
    requests=("rest_server_requests_total", "grpc_server_handled_total"),
    latency="rest_server_request_duration_seconds",
    heartbeats={"up": "up", "process_start_time_seconds": "start"},
    keys_of=revision_keys_of,
    keys=revision_key,
    classify=_classify,
    timed=_timed,
    matchers=revision_matchers,
)
