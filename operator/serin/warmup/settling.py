"""When a warm-up is over: the last window's median has stopped falling, and is not clearly slower than before. Pure.

Medians, because a single request that met a garbage collection says nothing; and only answered requests have a latency,
so a model that answers nothing never settles.

    latencies  2.1 1.9 0.8 0.4 0.3 | 0.21 0.20 0.22 0.20 0.21 | 0.20 0.21 0.20 0.20 0.22
               median 0.8            median 0.21                median 0.20: within a fifth, settled

A cold model gets faster, and the rest of a fall is of no account. One that gets slower and slower fills up or leaks
and must not pass, though from one window to the next it be less than a fifth. So the last window is held against the
fastest of those before it as well, request by request.
"""

from __future__ import annotations

import math
import statistics
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

CHANGE_MAX: Final = 0.2
"""The share by which the last two windows' medians may differ: that of 20 requests wobbles by some percent."""
SECONDS_LEAST: Final = 0.001
"""Below a millisecond the clock and the network are what differs between two medians."""
RISE_LEAST: Final = 0.02
"""A median that is higher by less is not slower in a way that anybody would notice."""
CLEAR: Final = 2.33
"""Standard deviations: of windows of one latency one in a hundred looks so much slower than another."""
REMEMBERED: Final = 4
"""Windows before the last: one that got slower once and stays so is steady again when they have gone by."""


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

    They have when the last window's median is within a fifth of that of the window before, and the last window is not
    clearly slower than the fastest of the four before it.

    Args:
        latencies: Of answered requests only.
        window: Requests in a window; two at least are compared. At least 1; fewer than 5 cannot be clearly slower.
        objective_seconds: What the last window's median has to keep besides, None for nothing.

    >>> settled([2.0, 1.0, 0.25, 0.25, 0.26, 0.24], window=2)
    Settled(median_seconds=0.25, first_seconds=2.0)
    >>> settled([2.0, 1.0, 0.5, 0.2], window=2)
    Unsettled(words='the median fell from 1500 ms to 350 ms, and may go on')
    >>> settled([0.100, 0.102, 0.104, 0.106, 0.108, 0.110, 0.112, 0.114, 0.116, 0.118], window=5)
    Unsettled(words='the median rose from 104 ms to 114 ms, and may go on')

    Raises:
        ValueError: window is not positive.
    """
    if window < 1:
        raise ValueError(f"a window holds at least 1 request, got {window}")
    if len(latencies) < 2 * window:
        return Unsettled(f"{len(latencies)} of {2 * window} answers that two windows need")
    last, *before = _windows(latencies, window)
    now, then = statistics.median(last), statistics.median(before[0])
    if abs(now - then) > max(CHANGE_MAX * then, SECONDS_LEAST):
        return Unsettled(f"the median {'fell' if now < then else 'rose'} from {_ms(then)} to {_ms(now)}, and may go on")
    fastest = min(before, key=statistics.median)
    least = statistics.median(fastest)
    if now > (1 + RISE_LEAST) * least and _clearly_slower(last, fastest):
        return Unsettled(f"the median rose from {_ms(least)} to {_ms(now)}, and may go on")
    if objective_seconds is not None and now > objective_seconds:
        return Unsettled(f"the median is steady at {_ms(now)}, above the objective of {_ms(objective_seconds)}")
    return Settled(now, latencies[0])


def _windows(latencies: Sequence[float], window: int) -> list[Sequence[float]]:
    """The last window, and up to REMEMBERED whole ones before it, newest first."""
    count = min(len(latencies) // window, 1 + REMEMBERED)
    ends = [len(latencies) - place * window for place in range(count)]
    return [latencies[end - window : end] for end in ends]


def _clearly_slower(last: Sequence[float], before: Sequence[float]) -> bool:
    """Whether more pairs than chance explains have the slower one in the last window.

    The share of pairs has the mean 1/2 and the variance (2n + 1) / (12 n^2) when both windows of n are alike, and is
    roughly normal (H. Mann, D. Whitney, Annals of Mathematical Statistics 18, 1947). Ranks, because a rise of some
    percent is less than one request's wobble; a rise that all of a window shows is clear from n = 5 on.
    """
    ordered, n = sorted(before), len(last)
    slower = sum(bisect_left(ordered, one) + bisect_right(ordered, one) for one in last) / 2
    return slower / n**2 - 0.5 > CLEAR * math.sqrt((2 * n + 1) / (12 * n**2))


def _ms(seconds: float) -> str:
    return f"{1000 * seconds:.3g} ms" if seconds < 1 else f"{1000 * seconds:.0f} ms"
