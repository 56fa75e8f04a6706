"""The measures that there are: name, direction and range.

What computes them is in `metrics`; a test holds the two together.
A name says what scikit-learn or fairlearn call it where they have it; docs/validation.md has the table.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass, replace
from typing import Literal

Task = Literal["classification", "regression", "ranking"]
"""What the model does: names a class, says a number, or orders the rows of a query."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure.

    Attributes:
        name: As in gates and reports.
        better: Which way is better; "none" where nearer to 0 is.
        low: The least that it can be, -inf when there is no least.
        high: The most that it can be.
        spread: Whether it is a distance that noise can only make larger (a maximum less a minimum, a sum of absolute
            values), so that the bootstrap's percentiles alone would say that it is never 0.
    """

    name: str
    better: Literal["higher", "lower", "none"]
    low: float = 0.0
    high: float = 1.0
    spread: bool = False

    @property
    def range(self) -> str:
        """The range in words.

        >>> MEASURES["accuracy"].range, MEASURES["meanAbsoluteError"].range
        ('0 to 1, a fraction and no percentage', 'from 0 on')
        """
        if math.isinf(self.high):
            return f"from {self.low:.3g} on" if math.isfinite(self.low) else "any number"
        if math.isinf(self.low):
            return f"{self.high:g} at most"
        fraction = ", a fraction and no percentage" if (self.low, self.high) == (0, 1) else ""
        return f"{self.low:g} to {self.high:g}{fraction}"


_CLASSIFICATION = (
    Measure("accuracy", "higher"),
    Measure("balancedAccuracy", "higher"),
    Measure("precision", "higher"),
    Measure("recall", "higher"),
    Measure("f1", "higher"),
    Measure("falsePositiveRate", "lower"),
    Measure("selectionRate", "none"),
    Measure("precisionMacro", "higher"),
    Measure("recallMacro", "higher"),
    Measure("f1Macro", "higher"),
    Measure("f1Weighted", "higher"),
    Measure("matthewsCorrelation", "higher", low=-1.0),
    Measure("cohenKappa", "higher", low=-1.0),
    # Probabilities are cut off at epsilon, so not even one of 1 for each right answer has a loss of 0.
    Measure("logLoss", "lower", low=sys.float_info.epsilon, high=math.inf),
    Measure("brierScore", "lower", high=2.0),
    Measure("rocAuc", "higher"),
    Measure("averagePrecision", "higher"),
    Measure("calibrationError", "lower", spread=True),
)
_REGRESSION = (
    Measure("meanAbsoluteError", "lower", high=math.inf),
    Measure("meanSquaredError", "lower", high=math.inf),
    Measure("rootMeanSquaredError", "lower", high=math.inf),
    Measure("meanAbsolutePercentageError", "lower", high=math.inf),
    Measure("meanError", "none", low=-math.inf, high=math.inf),
    Measure("r2", "higher", low=-math.inf),
)
_RANKING = (
    Measure("ndcg", "higher"),
    Measure("meanReciprocalRank", "higher"),
    Measure("meanAveragePrecision", "higher"),
    Measure("precisionAtCutoff", "higher"),
    Measure("recallAtCutoff", "higher"),
)
_COMPARISONS = (
    Measure("negativeFlipRate", "lower"),
    Measure("positiveFlipRate", "higher"),
    Measure("agreement", "higher"),
)
_FAIRNESS = (
    Measure("demographicParityDifference", "lower", spread=True),
    Measure("demographicParityRatio", "higher", spread=True),
    Measure("equalizedOddsDifference", "lower", spread=True),
    Measure("equalizedOddsRatio", "higher", spread=True),
)
_DRIFT = Measure("populationStability", "lower", high=math.inf, spread=True)

DRIFT = _DRIFT.name
"""Of the data against the training snapshot; a gate on it looks at each feature, and the worst decides."""
FAIRNESS = tuple(one.name for one in _FAIRNESS)
"""Of the groups of a protected attribute together; a gate on one needs `group`."""
COMPARISONS = tuple(one.name for one in _COMPARISONS)
"""Of both arms' answers to the same rows."""
NEED_POSITIVE = frozenset({"precision", "recall", "f1", "falsePositiveRate", "selectionRate", *FAIRNESS})
"""About one class against the rest."""

MEASURES = {one.name: one for one in (*_CLASSIFICATION, *_REGRESSION, *_RANKING, *_COMPARISONS, *_FAIRNESS, _DRIFT)}
"""All by name."""

_OF_TWO_CLASSES = {"brierScore": replace(MEASURES["brierScore"], high=1.0)}


def measure_of(name: str, classes: int | None) -> Measure:
    """A measure as it is with so many classes; None where there are none.

    The Brier score of two classes is half the sum of squares, as scikit-learn halves it (`scale_by_half="auto"`).

    >>> measure_of("brierScore", 2).high, measure_of("brierScore", 3).high
    (1.0, 2.0)
    """
    return _OF_TWO_CLASSES.get(name, MEASURES[name]) if classes == 2 else MEASURES[name]


def measures_of(task: Task) -> frozenset[str]:
    """Names of what a gate of a task may be on."""
    match task:
        case "classification":
            own: tuple[Measure, ...] = (*_CLASSIFICATION, *_COMPARISONS, *_FAIRNESS)
        case "regression":
            own = _REGRESSION
        case "ranking":
            own = _RANKING
    return frozenset(one.name for one in (*own, _DRIFT))
