"""A measure with what is known of it: the value, its interval at any level, and how likely a limit is by chance."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from statistics import NormalDist

import numpy as np

from serin.evaluate.measures import Measure, measure_of
from serin.evaluate.resampling import Floats, Resamples, Summed
from serin.evaluate.unseen import unseen_share

_NORMAL = NormalDist()
_TAIL_RESAMPLES = 10
"""A percentile with fewer resamples beyond it is mostly noise; further out the tail is extended as a normal one's."""
_P_STEPS = 60


@dataclass(frozen=True, slots=True)
class Estimate:
    """A measure of some rows.

    Attributes:
        measure: Which.
        value: On the data as they are; NaN when it is not defined on them.
        rows: How many units it rests on.
        drawn: Its value in each resample, shape [resamples], in the resamples' order.
        low: The least it can be.
        high: The most it can be.
    """

    measure: Measure
    value: float
    rows: int
    drawn: Floats
    low: float
    high: float
    _ordered: tuple[Floats, Floats] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        # A resample in which it is not defined could have been anything: it counts against either side.
        ordered = (
            np.sort(np.where(np.isnan(self.drawn), -np.inf, self.drawn)),
            np.sort(np.where(np.isnan(self.drawn), np.inf, self.drawn)),
        )
        object.__setattr__(self, "_ordered", ordered)

    @property
    def known(self) -> bool:
        """Whether there is a value at all."""
        return math.isfinite(self.value) and self.rows > 0

    def interval(self, confidence: float) -> tuple[float, float]:
        """A two-sided interval; (low, high) of all there is when nothing is known.

        The bootstrap's percentiles, widened by what no resample can show: a share of rows that were not seen (see
        `serin.evaluate.unseen`) may be as bad as can be, or as good. For 150 of 150 right answers and 95 % it begins
        at 0.9757.
        """
        if not self.known:
            return self.low, self.high
        low, high = self.resampled(confidence)
        unseen = unseen_share(self.rows, confidence)
        if math.isfinite(self.low):
            low = min(low, self.value - unseen * (self.value - self.low))
        if math.isfinite(self.high):
            high = max(high, self.value + unseen * (self.high - self.value))
        return low, high

    def resampled(self, confidence: float) -> tuple[float, float]:
        """The part of the interval that the resamples show, which shrinks with the square root of the rows."""
        tail = (1 - confidence) / 2
        low, high = self._percentile(tail, upper=False), self._percentile(tail, upper=True)
        if self.measure.spread:
            # A distance is pushed up by noise: what the resamples are too high by, the value may be too.
            low, high = min(low, 2 * self.value - high), max(high, 2 * self.value - low)
        return max(min(low, self.value), self.low), min(max(high, self.value), self.high)

    def p_value(self, limit: float, *, above: bool) -> float:
        """How likely a value this far above (below) a limit is by chance, were it at the limit: in (0, 1].

        The least alpha/2 for which the interval still lies beyond the limit. 1 when the value is not beyond.
        """
        if not self.known or (self.value <= limit if above else self.value >= limit):
            return 1.0
        inside, beyond = 1e-12, 0.5 - 1e-12

        def excluded(tail: float) -> bool:
            low, high = self.interval(1 - 2 * tail)
            return low > limit if above else high < limit

        if not excluded(beyond):
            return 1.0
        if excluded(inside):
            return inside
        for _ in range(_P_STEPS):
            middle = math.sqrt(inside * beyond)
            inside, beyond = (inside, middle) if excluded(middle) else (middle, beyond)
        return beyond

    def _percentile(self, tail: float, *, upper: bool) -> float:
        ordered = self._ordered[1] if upper else self._ordered[0]
        resolved = _TAIL_RESAMPLES / len(ordered)
        at = max(tail, resolved)
        place = (1 - at if upper else at) * (len(ordered) - 1)
        below, above = ordered[math.floor(place)], ordered[math.ceil(place)]
        # Between -inf and -inf there is no line.
        found = float(below if below == above else below + (above - below) * (place - math.floor(place)))
        if math.isnan(found):
            found = math.inf if upper else -math.inf
        if tail < resolved and math.isfinite(found):
            found = self.value + (found - self.value) * _NORMAL.inv_cdf(tail) / _NORMAL.inv_cdf(resolved)
        return found


def estimates(summed: Summed, resamples: Resamples) -> dict[str, Estimate]:
    """Each measure of `summed`, by name."""
    points = summed.values(summed.sums.sum(axis=0))
    drawn = summed.values(resamples.weights @ summed.sums)
    return {
        name: Estimate(
            measure := measure_of(name, summed.classes),
            float(points[name]),
            summed.support[name],
            np.asarray(drawn[name], dtype=np.float64),
            measure.low,
            measure.high,
        )
        for name in points
    }


def drop(candidate: Estimate, stable: Estimate) -> Estimate:
    """How much worse the candidate is than stable on the same rows, above 0 when it is worse.

    Both have to come from the same resamples: what is hard for one is mostly hard for the other, and that cancels.
    Where neither direction is better (a rate, a bias), it is the distance.
    """
    sign = 1.0 if candidate.measure.better == "lower" else -1.0
    value, drawn = sign * (candidate.value - stable.value), sign * (candidate.drawn - stable.drawn)
    width = candidate.high - candidate.low
    measure = candidate.measure
    if measure.better == "none":
        value, drawn = abs(value), np.abs(drawn)
        measure = Measure(measure.name, "lower", 0.0, measure.high, spread=True)
        return Estimate(measure, value, min(candidate.rows, stable.rows), drawn, 0.0, width)
    measure = Measure(measure.name, "lower", -math.inf, math.inf)
    return Estimate(measure, value, min(candidate.rows, stable.rows), drawn, -width, width)
