"""When a warm-up is over: the median of the last window no longer falls below that of the window before. Pure.

Medians, because a single request that met a garbage collection says nothing; and only answered requests have a latency,
so a model that answers nothing never settles.

    latencies  2.1 1.9 0.8 0.4 0.3 | 0.21 0.20 0.22 0.20 0.21 | 0.20 0.21 0.20 0.20 0.22
               median 0.8            median 0.21                median 0.20: within a fifth, settled
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

CHANGE_MAX: Final = 0.2
"""The share by which the last two windows' medians may differ: that of 20 requests wobbles by some percent."""
SECONDS_LEAST: Final = 0.001
"""Below a millisecond the clock and the network are what differs."""


@dataclass(frozen=True, slots=True)
class Settled:
    """It is warm. median_seconds: of the last window; first_seconds: of the very first request."""

    median_seconds: float
    first_seconds: float


@dataclass(frozen=True, slots=True)
class Unsettled:
    """It is not, and why, in words."""

    words: str


def settled(latencies: Sequence[float], window: int, objective_seconds: float | None = None) -> Settled | Unsettled:
    """Say whether these latencies, oldest first and in seconds, have settled.

    Args:
        latencies: Of answered requests only.
        window: Requests in a window; two are compared. At least 1.
        objective_seconds: What the last window's median has to keep besides, None for nothing.

    >>> settled([2.0, 1.0, 0.25, 0.25, 0.26, 0.24], window=2)
    Settled(median_seconds=0.25, first_seconds=2.0)
    >>> settled([2.0, 1.0, 0.5, 0.2], window=2)
    Unsettled(words='the median fell from 1500 ms to 350 ms, and may go on')

    Raises:
        ValueError: window is not positive.
    """
    if window < 1:
        raise ValueError(f"a window holds at least 1 request, got {window}")
    if len(latencies) < 2 * window:
        return Unsettled(f"{len(latencies)} of {2 * window} answers that two windows need")
    before = statistics.median(latencies[-2 * window : -window])
    last = statistics.median(latencies[-window:])
    if abs(last - before) > max(CHANGE_MAX * before, SECONDS_LEAST):
        verb = "fell" if last < before else "rose"
        return Unsettled(f"the median {verb} from {_ms(before)} to {_ms(last)}, and may go on")
    if objective_seconds is not None and last > objective_seconds:
        return Unsettled(f"the median is steady at {_ms(last)}, above the objective of {_ms(objective_seconds)}")
    return Settled(last, latencies[0])


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.3g} ms" if seconds < 1 else f"{1000 * seconds:.0f} ms"
