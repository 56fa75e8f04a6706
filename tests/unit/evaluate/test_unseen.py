"""A limit is taken when some number of rows can show that it is kept, and refused when none can."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from serin.evaluate.estimates import Estimate, drop
from serin.evaluate.gate_config import Gate
from serin.evaluate.measures import COMPARISONS, FAIRNESS, MEASURES, Measure
from serin.evaluate.unseen import rows_to_see

ROWS = (30, 10**4, 10**7, 10**10)
"""More than anybody has; a bound that 10^10 rows do not reach is 4e-10 away, which floats tell from 0."""


def measured(measure: Measure, value: float, rows: int) -> Estimate:
    """A measure that is the same in each resample."""
    return Estimate(measure, value, rows, np.full(200, value), measure.low, measure.high)


def taken(measure: Measure, **limit: float) -> bool:
    """Whether a gate may have this limit."""
    group: dict[str, Any] = {"group": "sex"} if measure.name in FAIRNESS else {}
    words = ""
    try:
        Gate.model_validate({"name": "g", "metric": measure.name, **limit, **group})
    except ValidationError as error:
        words = str(error)
    assert not words or "no number of rows can show" in words, "it is refused for this and nothing else"
    return not words


@pytest.mark.parametrize(
    "measure", [one for one in MEASURES.values() if np.isfinite(one.high)], ids=lambda one: one.name
)
def test_min_at_the_highest_value_is_taken_when_rows_can_show_it(measure: Measure) -> None:
    """The interval's own definition is the judge: it has to begin at the value for some number of rows."""
    shown = any(measured(measure, measure.high, rows).interval(0.95)[0] >= measure.high for rows in ROWS)
    assert taken(measure, min=measure.high) == shown == (measure.name == "r2")


@pytest.mark.parametrize(
    "measure", [one for one in MEASURES.values() if np.isfinite(one.low)], ids=lambda one: one.name
)
def test_max_at_the_lowest_value_is_taken_when_rows_can_show_it(measure: Measure) -> None:
    """A mean error of 0 can be shown as far as any row tells; a share of 0 cannot."""
    shown = any(measured(measure, measure.low, rows).interval(0.95)[1] <= measure.low for rows in ROWS)
    assert taken(measure, max=measure.low) == shown == np.isinf(measure.high)


@pytest.mark.parametrize(
    "measure",
    [
        one
        for one in MEASURES.values()
        if one.name not in COMPARISONS and (one.better == "none" or np.isfinite(one.high - one.low))
    ],
    ids=lambda one: one.name,
)
def test_the_largest_gain_is_taken_when_rows_can_show_it(measure: Measure) -> None:
    """Where neither way is better the best is to be as stable is; else to be perfect beside one that is never right."""
    if measure.better == "none":
        best = stable = 0.0
    else:
        best, stable = (measure.high, measure.low) if measure.better == "higher" else (measure.low, measure.high)
    limit = -abs(best - stable)
    shown = any(
        drop(measured(measure, best, rows), measured(measure, stable, rows)).interval(0.95)[1] <= limit for rows in ROWS
    )
    assert taken(measure, maxDropVersusStable=limit) == shown == (measure.name == "meanError")


@given(st.floats(1e-6, 0.999), st.floats(0.51, 0.999))
def test_every_other_limit_can_be_shown(share: float, confidence: float) -> None:
    """By as many rows as are said, and by no fewer; one part in 10^9 is left to rounding."""
    measure = MEASURES["accuracy"]
    assert taken(measure, min=1 - share)
    rows = rows_to_see(share, confidence)
    assert measured(measure, 1.0, rows).interval(confidence)[0] >= 1 - share - 1e-9
    assert rows == 1 or measured(measure, 1.0, rows - 1).interval(confidence)[0] < 1 - share + 1e-9


@pytest.mark.parametrize(
    ("gate", "words"),
    [
        (
            {"metric": "accuracy", "min": 1},
            "g: no number of rows can show that min 1 is kept, .* such as min 0.999, which 3,688",
        ),
        ({"metric": "matthewsCorrelation", "min": 1}, r"such as min 0.998, .*: matthewsCorrelation is -1 to 1"),
        (
            {"metric": "negativeFlipRate", "max": 0},
            r"can show that max 0 is kept, .* such as max 0.001,",
        ),
        ({"metric": "selectionRate", "maxDropVersusStable": 0}, "such as maxDropVersusStable 0.001,"),
        ({"metric": "accuracy", "maxDropVersusStable": -1}, "such as maxDropVersusStable -0.998,"),
    ],
)
def test_the_refusal_proposes_a_limit_that_can_be_shown(gate: dict[str, Any], words: str) -> None:
    """In the field's own name, with how many rows it takes."""
    with pytest.raises(ValidationError, match=words):
        Gate.model_validate({"name": "g", **gate})
