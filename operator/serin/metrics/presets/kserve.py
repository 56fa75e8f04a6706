"""KServe's own Python model server.

It exports how long the steps of a request take and nothing about failures: the timer counts a request that
raised like any other. Only the predict step is timed here.
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

__all__ = ["KSERVE"]

_WHY = "KServe's model server exports no status and no failures; measure {} at the data plane"


def _classify(_labels: Labels) -> Outcome:
    return "unknown"


KSERVE = Preset(
    name="kserve",
    plane="model-server",
    counts="responses",
    can=frozenset({"slowerThan"}),
    cannot={"serverErrors": _WHY.format("serverErrors"), "clientErrors": _WHY.format("clientErrors")},
    requests=("request_predict_seconds_count",),
    latency="request_predict_seconds",
    heartbeats={"up": "up", "process_start_time_seconds": "start"},
    keys_of=revision_keys_of,
    keys=revision_key,
    classify=_classify,
    matchers=revision_matchers,
)
