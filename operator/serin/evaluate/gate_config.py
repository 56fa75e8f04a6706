"""The configuration's gates: one measure, one limit, and of what."""

from __future__ import annotations

from pydantic import model_validator

from serin.evaluate.measures import COMPARISONS, DRIFT, FAIRNESS, MEASURES, Measure
from serin.evaluate.sections import Name, Section


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
        if sum(one is not None for one in (self.min, self.max, self.max_drop_versus_stable)) != 1:
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
        if measure is not None and (fault := self._telling(measure)) is not None:
            raise ValueError(f"{self.name}: {fault}: {self.metric} is {measure.range}")
        return self

    def _telling(self, measure: Measure) -> str | None:
        """Why no measure in its range would keep the limit, or each would; None when it tells one from the other."""
        if self.min is not None:
            if self.min > measure.high:
                return f"nothing can reach min {self.min:g}"
            return f"everything reaches min {self.min:g}" if self.min <= measure.low else None
        if self.max is not None:
            if self.max < measure.low:
                return f"nothing can stay at max {self.max:g}"
            return f"everything stays at max {self.max:g}" if self.max >= measure.high else None
        drop = self.max_drop_versus_stable
        if drop is None:
            return None
        width = measure.high - measure.low
        if drop >= width:
            return f"no drop is larger than maxDropVersusStable {drop:g}"
        # Where neither way is better, a drop is a distance, which is never below 0.
        least = 0.0 if measure.better == "none" else -width
        return f"nothing can be better by maxDropVersusStable {drop:g}" if drop < least else None

    @property
    def needs_stable(self) -> bool:
        """Whether it cannot decide without stable."""
        return self.max_drop_versus_stable is not None or self.metric in COMPARISONS
