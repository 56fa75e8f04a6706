"""How the answers to a policy's own query templates are read: as of a model server without metrics."""

from __future__ import annotations

from serin.metrics.presets.base import Labels, Preset, revision_key, revision_keys_of, revision_matchers

__all__ = ["QUERY"]


def _unclassified(_labels: Labels) -> None:
    """A template says by itself what is bad."""


QUERY = Preset(
    name="query",
    plane="model-server",
    counts="responses",
    can=frozenset(),
    requests=(),
    heartbeats={"up": "up"},
    keys_of=revision_keys_of,
    keys=revision_key,
    classify=_unclassified,
    matchers=revision_matchers,
)
