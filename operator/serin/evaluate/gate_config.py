"""The configuration's gates: one measure, one limit, and of what.

A limit that no data can decide is refused with the rest: a verdict that would be undecided for ever holds a rollout
until somebody finds out why.
"""

from __future__ import annotations

import math

from pydantic import model_validator

from serin.evaluate.measures import COMPARISONS, DRIFT, FAIRNESS, MEASURES, Measure
from serin.evaluate.sections import CONFIDENCE, Name, Section
from serin.evaluate.unseen import rows_to_see

_NEAR = 0.001
"""How far from the best value the limit is that is proposed in its place, as a share of the range."""


class Gate(Section):
    """A limit that a measure has to keep, its whole interval: exactly one of min, max and maxDropVersusStable."""

    name: Name
    """What it is called."""
    metric: str
    """What is measured; docs/validation.md lists them."""
    dataset: str | None = None
    """Of which data set; default: of each, and all have to pass."""
    min: float | None = None
    """At least this."""
    max: float | None = None
    """At most this."""
    max_drop_versus_stable: float | None = None
    """At most this much worse than stable on the same rows, in the measure's own unit; below 0: better by so much."""
    per_slice: bool = False
    """Every slice has to keep the limit."""
    per_group: bool = False
    """Every group of every protected attribute, or of `group`, has to keep the limit."""
    group: str | None = None
    """The protected attribute that a measure of fairness, or perGroup, is about."""

    @model_validator(mode="after")
    def _one_limit(self) -> Gate:
        if len(self._limits) != 1:
            raise ValueError("needs exactly one of min, max and maxDropVersusStable")
        if self.per_slice and self.per_group:
            raise ValueError("perSlice or perGroup: two gates")
        if self.metric in FAIRNESS and (self.group is None or self.per_slice or self.per_group):
            raise ValueError(f"{self.metric} is of all groups together: needs group, and neither perSlice nor perGroup")
        if self.metric not in FAIRNESS and self.group is not None and not self.per_group:
            raise ValueError("group is for measures of fairness and for perGroup")
        if self.metric in COMPARISONS and self.max_drop_versus_stable is not None:
            raise ValueError(f"{self.metric} compares with stable already: min or max")
        if self.metric == DRIFT and (self.max is None or self.per_slice or self.per_group):
            raise ValueError(f"{DRIFT} takes max, and is of each feature")
        return self

    @model_validator(mode="after")
    def _limit_tells(self) -> Gate:
        measure = MEASURES.get(self.metric)
        if measure is not None and (fault := self.untelling(measure)) is not None:
            raise ValueError(f"{self.name}: {fault}")
        return self

    def untelling(self, measure: Measure) -> str | None:
        """Why the limit cannot tell one model from another by a measure of this range; None when it can."""
        fault = self._telling(measure)
        return f"{fault}: {self.metric} is {measure.range}" if fault is not None else None

    def _telling(self, measure: Measure) -> str | None:
        """Why no measure in its range would keep the limit, or each would, or no rows would show it; None else."""
        if self.min is not None:
            if self.min > measure.high:
                return f"nothing can reach min {self.min:g}"
            if self.min <= measure.low:
                return f"everything reaches min {self.min:g}"
            return _unshown("min", measure.high, measure.low) if self.min == measure.high else None
        if self.max is not None:
            if self.max < measure.low:
                return f"nothing can stay at max {self.max:g}{_instead(self.max, measure)}"
            if self.max >= measure.high:
                return f"everything stays at max {self.max:g}"
            return _unshown("max", measure.low, measure.high) if self.max == measure.low else None
        drop = self.max_drop_versus_stable
        if drop is None:
            return None
        width = measure.high - measure.low
        if drop >= width:
            return f"no drop is larger than maxDropVersusStable {drop:g}"
        # Where neither way is better, a drop is a distance, which is never below 0.
        least = 0.0 if measure.better == "none" else -width
        if drop < least:
            return f"nothing can be better by maxDropVersusStable {drop:g}"
        return _unshown("maxDropVersusStable", least, width) if drop == least else None

    @property
    def _limits(self) -> list[float]:
        return [one for one in (self.min, self.max, self.max_drop_versus_stable) if one is not None]

    @property
    def limit(self) -> float:
        """The one limit, whichever it is."""
        (limit,) = self._limits
        return limit

    @property
    def needs_stable(self) -> bool:
        """Whether it cannot decide without stable."""
        return self.max_drop_versus_stable is not None or self.metric in COMPARISONS


def _instead(limit: float, measure: Measure) -> str:
    """What somebody may have meant who wrote 0 for a measure that comes near it and never there."""
    return f"; give a limit such as max {_NEAR:g}" if 0 <= limit < measure.low else ""


def _unshown(field: str, best: float, worst: float) -> str | None:
    """Why no number of rows shows that a measure has its best value; None where it has no worst one.

    An interval reaches from the value towards the worst by the share of rows that nobody saw (`Estimate.interval`), so
    with a worst value it never ends at the best.
    """
    if not math.isfinite(worst - best):
        return None
    near, rows = best + _NEAR * (worst - best), rows_to_see(_NEAR, CONFIDENCE)
    return (
        f"no number of rows can show that {field} {best:g} is kept, for those that nobody has seen may be as bad as "
        f"can be; give a limit such as {field} {near:g}, which {rows:,} rows as good as can be show at "
        f"{100 * CONFIDENCE:g} %"
    )
