"""vLLM, by its own metrics.

Errors come from http_requests_total (status by class): vllm:request_success_total counts aborted and failed
requests too and never sees one that was refused. A stream that breaks after its 200 has begun counts as good.
Only handlers that infer are counted, not /health, /metrics or /v1/models. Latency is end to end, seconds; the
edges differ between versions (from 0.3 or from 0.1), so that an objective must exist in both revisions.
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
from serin.metrics.presets.codes import http_outcome

__all__ = ["VLLM"]

_HANDLERS = frozenset(
    {
        "/v1/chat/completions",
        "/v1/completions",
        "/v1/responses",
        "/v1/messages",
        "/v1/embeddings",
        "/v1/audio/transcriptions",
        "/v1/audio/translations",
        "/v1/score",
        "/v1/rerank",
        "/v2/rerank",
        "/score",
        "/rerank",
        "/pooling",
        "/classify",
        "/invocations",
        "/inference/v1/generate",
    }
)


def _classify(labels: Labels) -> Outcome | None:
    return http_outcome(labels.get("status", "")) if labels.get("handler") in _HANDLERS else None


VLLM = Preset(
    name="vllm",
    plane="model-server",
    counts="responses",
    can=frozenset({"serverErrors", "clientErrors", "slowerThan"}),
    requests=("http_requests_total",),
    latency="vllm:e2e_request_latency_seconds",
    heartbeats={"up": "up", "process_start_time_seconds": "start"},
    keys_of=revision_keys_of,
    keys=revision_key,
    classify=_classify,
    matchers=revision_matchers,
)
