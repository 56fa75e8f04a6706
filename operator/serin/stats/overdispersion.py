"""Over-dispersion: how much more stable's bad requests clump than independent ones would.

Independent requests at rate p give n p (1-p) as the variance of the bad ones. Real ones fail together, in
bursts, so the variance is phi times that, and evidence taken at face value would be phi times too strong.
Each block's log e-variable is divided by phi. phi comes from stable itself before the rollout, an A/A
comparison:

- between stable's pods in the same window of time: what differs between two arms that are alike. A shared
  incident cancels, as each window is compared with its own pooled rate.
- else between neighbouring windows of time: also contains what hits both arms together, so it errs on the
  safe side.
- else 1.25, assumed.

Measured values are multiplied by 1.25 for their own uncertainty; the result is at least 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from serin.stats.counts import Counts

__all__ = ["Overdispersion", "overdispersion"]

_SAFETY = 1.25
_ASSUMED = 1.25
_MOST = 1e3  # beyond it the evidence moves a thousand times slower: no test any more, yet still no error
_POD_WINDOWS_LEAST = 5
_PAIRS_LEAST = 10
_GROUPS = 5


@dataclass(frozen=True, slots=True)
class Overdispersion:
    """phi and where it comes from.

    value: at least 1; ready for `RateSettings.overdispersion`.
    source: "pods", "windows" or "assumed".
    """

    value: float
    source: Literal["pods", "windows", "assumed"]


def overdispersion(pods: Sequence[Sequence[Counts]] = (), windows: Sequence[Counts] = ()) -> Overdispersion:
    """Estimate phi from stable's own requests before the rollout.

    Args:
        pods: for each of stable's pods its counts by window, all with the same windows. Counts(0, 0) where a
            pod had no request. Two pods and five windows with both good and bad requests are needed.
        windows: stable's counts by window, in order of time. Ten pairs of neighbours with a bad request are
            needed.

    Pods: sum over windows and pods of (x - n p)^2 / (n p (1-p)), p the window's pooled rate, over the degrees
        of freedom (pods - 1 in each window): Pearson's estimate. Windows: the same for pairs of neighbours,
        in five interleaved groups, of which the median counts, so that one incident does not decide.

    >>> overdispersion()
    Overdispersion(value=1.25, source='assumed')

    Raises:
        ValueError: if pods have different numbers of windows.
    """
    for index, series in enumerate(pods):
        if len(series) != len(pods[0]):
            raise ValueError(f"pods must have the same windows, got {len(series)} for pod {index}, not {len(pods[0])}")
    ratio = _between([[series[w] for series in pods] for w in range(len(pods[0]))]) if len(pods) >= 2 else None
    if ratio is not None:
        return Overdispersion(_bounded(ratio), "pods")
    ratio = _between_windows(windows)
    if ratio is not None:
        return Overdispersion(_bounded(ratio), "windows")
    return Overdispersion(_ASSUMED, "assumed")


def _bounded(ratio: float) -> float:
    return float(min(max(_SAFETY * ratio, 1.0), _MOST))


def _pearson(group: Sequence[Counts]) -> tuple[float, int] | None:
    """Return (chi square, degrees of freedom) of counts that should share one rate, if they say anything."""
    used = [counts for counts in group if counts.total > 0]
    total, bad = sum(c.total for c in used), sum(c.bad for c in used)
    if len(used) < 2 or bad in {0, total}:
        return None
    rate = bad / total
    square = sum((c.bad - c.total * rate) ** 2 / (c.total * rate * (1 - rate)) for c in used)
    # With the rate pooled from the same counts, and the bad ones given, the mean is (k-1) N/(N-1) for k
    # counts.
    return square * (total - 1) / total, len(used) - 1


def _between(groups: Sequence[Sequence[Counts]]) -> float | None:
    """Return the pooled ratio over the groups, None if fewer than five say something."""
    parts = [part for part in map(_pearson, groups) if part is not None]
    if len(parts) < _POD_WINDOWS_LEAST:
        return None
    return sum(square for square, _ in parts) / sum(freedom for _, freedom in parts)


def _between_windows(windows: Sequence[Counts]) -> float | None:
    """Return the median over five groups of pairs of the mean ratio, None if there are too few pairs."""
    pairs = [_pearson(windows[i : i + 2]) for i in range(0, len(windows) - 1, 2)]
    squares = [pair[0] for pair in pairs if pair is not None]
    if len(squares) < _PAIRS_LEAST:
        return None
    means = [float(np.mean(squares[group::_GROUPS])) for group in range(_GROUPS)]
    # The median of a chi square with m degrees of freedom is about m (1 - 2/(9m))^3: m = 2 gives .70 of its
    # mean.
    freedom = len(squares) / _GROUPS
    return float(np.median(means)) / (1 - 2 / (9 * freedom)) ** 3
