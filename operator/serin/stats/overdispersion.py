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

A measured value is multiplied by 1 + 0.25 sqrt(80 / f), 1.25 at most, for its own uncertainty: f are the degrees of
freedom that say something, and the factor is the upper end, at one-sided 94 %, of an estimate with f of them (standard
deviation sqrt(2/f)). Three pods for an hour of minutes are about f = 110 and 1.21, for a day f = 2,700 and 1.04. The
result is at least 1.

Counts that hold a single bad request say nothing about clumps, whichever pod it fell on: they are left out, and x bad
ones are worth 1 - 1/x of a degree of freedom, which is the variance of their chi square over that of many.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from serin.stats.counts import Counts

__all__ = ["Overdispersion", "Source", "overdispersion"]

_SAFETY = 0.25  # 1.58 sqrt(2/80): one-sided 94 % at 80 degrees of freedom
_FREEDOM = 80.0
_EFFICIENCY_OF_MEDIAN = 0.64
_ASSUMED = 1.25
_MOST = 1e3  # beyond it the evidence moves a thousand times slower: no test any more, yet still no error
_POD_WINDOWS_LEAST = 5
_PAIRS_LEAST = 10
_GROUPS = 5

Source = Literal["pods", "windows", "assumed"]


@dataclass(frozen=True, slots=True)
class Overdispersion:
    """phi and where it comes from.

    value: at least 1; ready for `RateSettings.overdispersion`.
    source: "pods", "windows" or "assumed".
    freedom: degrees of freedom that the measurement rests on; 0 if assumed.
    """

    value: float
    source: Source
    freedom: float = 0.0


def overdispersion(pods: Sequence[Sequence[Counts]] = (), windows: Sequence[Counts] = ()) -> Overdispersion:
    """Estimate phi from stable's own requests before the rollout.

    Args:
        pods: for each of stable's pods its counts by window, all with the same windows. Counts(0, 0) where a
            pod had no request. Two pods and five windows with two bad requests and two good ones are
            needed.
        windows: stable's counts by window, in order of time. Ten pairs of neighbours with two bad requests and
            two good ones are needed.

    Pods: sum over windows and pods of (x - n p)^2 / (n p (1-p)), p the window's pooled rate, over the degrees
        of freedom (pods - 1 in each window): Pearson's estimate. Windows: the same for pairs of neighbours,
        in five interleaved groups, of which the median counts, so that one incident does not decide.

    What cannot be seen: pods of stable that all wobble together while the candidate does not, and a candidate whose
    pods get many more requests each than stable's, if a pod's rate wobbles (phi then grows with its requests).

    >>> overdispersion()
    Overdispersion(value=1.25, source='assumed', freedom=0.0)

    Raises:
        ValueError: if pods have different numbers of windows.
    """
    for index, series in enumerate(pods):
        if len(series) != len(pods[0]):
            raise ValueError(f"pods must have the same windows, got {len(series)} for pod {index}, not {len(pods[0])}")
    found = _between([[series[w] for series in pods] for w in range(len(pods[0]))]) if len(pods) >= 2 else None
    if found is not None:
        return Overdispersion(_bounded(*found), "pods", round(found[1], 1))
    found = _between_windows(windows)
    if found is not None:
        return Overdispersion(_bounded(*found), "windows", round(found[1], 1))
    return Overdispersion(_ASSUMED, "assumed")


def _bounded(ratio: float, freedom: float) -> float:
    safety = 1.0 + _SAFETY * math.sqrt(_FREEDOM / max(freedom, _FREEDOM))
    return float(min(max(safety * ratio, 1.0), _MOST))


def _pearson(group: Sequence[Counts]) -> tuple[float, int, float] | None:
    """Return (chi square, degrees of freedom, those that say something) of counts that should share one rate."""
    used = [counts for counts in group if counts.total > 0]
    total, bad = sum(c.total for c in used), sum(c.bad for c in used)
    few = min(bad, total - bad)
    if len(used) < 2 or few < 2:
        return None
    rate = bad / total
    square = sum((c.bad - c.total * rate) ** 2 / (c.total * rate * (1 - rate)) for c in used)
    # With the rate pooled from the same counts, and the bad ones given, the mean is (k-1) N/(N-1) for k
    # counts.
    freedom = len(used) - 1
    return square * (total - 1) / total, freedom, freedom * (1 - 1 / few)


def _between(groups: Sequence[Sequence[Counts]]) -> tuple[float, float] | None:
    """Return the pooled ratio over the groups and its weight, None if fewer than five say something."""
    parts = [part for part in map(_pearson, groups) if part is not None]
    if len(parts) < _POD_WINDOWS_LEAST:
        return None
    return sum(part[0] for part in parts) / sum(part[1] for part in parts), sum(part[2] for part in parts)


def _between_windows(windows: Sequence[Counts]) -> tuple[float, float] | None:
    """Return the median over five groups of pairs of the mean ratio and its weight, None if there are too few."""
    pairs = [pair for pair in (_pearson(windows[i : i + 2]) for i in range(0, len(windows) - 1, 2)) if pair is not None]
    squares = [pair[0] for pair in pairs]
    if len(squares) < _PAIRS_LEAST:
        return None
    means = [float(np.mean(squares[group::_GROUPS])) for group in range(_GROUPS)]
    # The median of a chi square with m degrees of freedom is about m (1 - 2/(9m))^3: m = 2 gives .70 of its
    # mean.
    freedom = len(squares) / _GROUPS
    weight = _EFFICIENCY_OF_MEDIAN * sum(pair[2] for pair in pairs)
    return float(np.median(means)) / (1 - 2 / (9 * freedom)) ** 3, weight
