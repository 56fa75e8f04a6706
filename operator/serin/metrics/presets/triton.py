"""Triton Inference Server, by its own metrics.

nv_inference_request_success and _failure count inferences of each model: in an ensemble every member counts
    again, so that one request is several. Latency needs the server option --metrics-config
    histogram_latencies=true and is the time to the first response, in milliseconds; the default counters of
    microseconds cannot tell slow requests from fast ones.
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

__all__ = ["TRITON"]


def _classify(labels: Labels) -> Outcome:
    if labels.get("__name__") == "nv_inference_request_success":
        return "ok"
    # REJECTED: its queue was full or the request waited too long; BACKEND and OTHER: it failed.
    return "cancelled" if labels.get("reason") == "CANCELED" else "server-error"


TRITON = Preset(
    name="triton",
    plane="model-server",
    counts="responses",
    can=frozenset({"serverErrors", "slowerThan"}),
    cannot={
        "clientErrors": "Triton refuses a malformed request before it counts; measure it at the data plane",
    },
    requests=("nv_inference_request_success", "nv_inference_request_failure"),
    latency="nv_inference_first_response_histogram_ms",
    latency_unit=0.001,
    heartbeats={"up": "up"},
    keys_of=revision_keys_of,
    keys=revision_key,
    classify=_classify,
    matchers=revision_matchers,
)
