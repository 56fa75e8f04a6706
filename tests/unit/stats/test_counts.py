"""Counts: what may be counted, and that what may not is named."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serin.stats import Counts


def test_windows_merge() -> None:
    """Counts of two windows add up field by field."""
    assert Counts(900, 4) + Counts(100, 1) == Counts(1000, 5)


def test_nothing_is_the_default() -> None:
    """Counts() is no request at all, and has no rate."""
    assert Counts() == Counts(0, 0)
    assert Counts().rate is None
    assert Counts(8, 2).rate == 0.25


@pytest.mark.parametrize("value", [3.0, np.float64(3), np.int64(3), Fraction(3)])
def test_whole_numbers_of_any_kind(value: float) -> None:
    """Whole numbers of other types are accepted and become ints."""
    counts = Counts(value, value)  # type: ignore[arg-type]
    assert counts == Counts(3, 3)
    assert type(counts.total) is int


@pytest.mark.parametrize(
    ("total", "bad", "want"),
    [
        (math.nan, 0, "total .*nan"),
        (math.inf, 0, "total .*inf"),
        (10, math.nan, "bad .*nan"),
        (-1, 0, "total .*-1"),
        (10, -1, "bad .*-1"),
        (10, 11, "bad=11 of total=10"),
        (10.5, 0, "total .*10.5"),
        (2**53 + 2, 0, "total .*2\\^53"),
        (10**400, 0, "total .*finite"),
        ("10", 0, "total .*'10'"),
        (None, 0, "total .*None"),
        (True, False, "total .*True"),
    ],
)
def test_impossible_counts(total: object, bad: object, want: str) -> None:
    """A count that cannot be is a ValueError that names the field and the value."""
    with pytest.raises(ValueError, match=want):
        Counts(total, bad)  # type: ignore[arg-type]


def test_sum_overflow() -> None:
    """A sum beyond 2^53 is an error instead of a rounded number."""
    with pytest.raises(ValueError, match="total"):
        _ = Counts(2**53, 0) + Counts(1, 0)


@given(st.integers(0, 2**53), st.integers(0, 2**53))
@settings(deadline=None)
def test_valid_exactly_when_bad_is_at_most_total(total: int, bad: int) -> None:
    """Any two counts in range are accepted exactly when bad <= total."""
    if bad <= total:
        assert Counts(total, bad).bad == bad
    else:
        with pytest.raises(ValueError, match="bad"):
            Counts(total, bad)
