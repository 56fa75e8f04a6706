"""How many replicas have to be Ready before a share of the traffic may come."""

from __future__ import annotations

HEADROOM_PERCENT = 120
"""A candidate gets a fifth more than its share of the traffic.

It may need more than stable for one request, and that should show as latency, not as 503.
"""


def replicas_needed(replicas: int, weight: int) -> int:
    """Return how many of `replicas` a slot needs for `weight` percent of the traffic.

    At least one, never more than all: ceil(1.2 x replicas x weight / 100), in full from 84 percent on. A
    deployment that is scaled to 0 needs none.

    >>> [replicas_needed(10, weight) for weight in (0, 1, 10, 50, 83, 84, 100)]
    [1, 1, 2, 6, 10, 10, 10]
    """
    if not 0 <= weight <= 100:
        raise ValueError(f"a weight is 0 to 100 percent, not {weight}")
    if replicas <= 0:
        return 0
    share = -(-HEADROOM_PERCENT * replicas * weight // 10_000)
    return max(1, min(replicas, share))
