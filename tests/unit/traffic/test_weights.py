"""Shares and the integers that carry them."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serin.api.names import SLOTS
from serin.traffic.weights import Units, Weights, error_points, shares, split

PERCENT = st.integers(0, 100)
TOTAL = st.integers(0, 2_000_000)


@given(PERCENT)
def test_shares_are_of_a_hundred(percent: int) -> None:
    """What one slot does not get goes to the other."""
    for slot in SLOTS:
        weights = Weights.toward(slot, percent)
        assert weights.of(slot) == percent
        assert weights.a + weights.b == 100


@pytest.mark.parametrize(("a", "b"), [(50, 49), (101, -1), (60, 60), (0, 1)])
def test_other_pairs_are_refused(a: int, b: int) -> None:
    """Two numbers that are not shares of 100 are a mistake of ours and never get into a route."""
    with pytest.raises(ValueError, match="not two shares"):
        Weights(a, b)


@given(TOTAL, PERCENT)
def test_the_sum_is_kept(total: int, percent: int) -> None:
    """Whatever the shares, the two integers add up to what they added up to before."""
    units = split(total, Weights.toward("b", percent))
    assert units.a >= 0
    assert units.b >= 0
    assert units.total == total


@given(st.integers(1, 2_000_000))
def test_all_for_one_slot_is_always_exact(total: int) -> None:
    """The way back to stable can be written into any route."""
    assert split(total, Weights(100, 0)) == Units(total, 0)
    assert split(total, Weights(0, 100)) == Units(0, total)


@given(st.integers(2, 2_000_000), st.integers(1, 99))
def test_a_share_is_never_rounded_to_nothing(total: int, percent: int) -> None:
    """A slot that is to have traffic has a unit of it."""
    units = split(total, Weights.toward("b", percent))
    assert units.a >= 1
    assert units.b >= 1


@given(st.integers(100, 2_000_000), PERCENT)
def test_a_sum_of_a_hundred_is_enough(total: int, percent: int) -> None:
    """From a sum of 100 on, every whole percent is carried to within half a point."""
    weights = Weights.toward("b", percent)
    assert error_points(split(total, weights), weights) <= Fraction(1, 2)


@given(st.integers(2, 300), st.integers(1, 99))
def test_no_other_integer_is_nearer(total: int, percent: int) -> None:
    """The split is the best of all splits that leave nobody without a unit; looked up by trying them all."""
    weights = Weights.toward("b", percent)
    best = min(error_points(Units(a, total - a), weights) for a in range(1, total))
    assert error_points(split(total, weights), weights) == best


@given(st.integers(1, 20_000), PERCENT)
def test_multiples_of_a_hundred_read_back_as_written(hundreds: int, percent: int) -> None:
    """Written and read again, a share is the same and exact."""
    weights = Weights.toward("a", percent)
    assert shares(split(100 * hundreds, weights)) == (weights, True)


@given(st.integers(0, 1_000_000), st.integers(0, 1_000_000))
def test_zero_percent_means_nobody(a: int, b: int) -> None:
    """A slot reads as 0 percent exactly when its weight is 0, however small: a drain relies on it."""
    weights, _ = shares(Units(a, b))
    assert (weights.a == 0) == (a == 0)
    assert (weights.b == 0) == (b == 0)


def test_no_traffic_at_all_has_a_reading_but_cannot_be_written() -> None:
    """0 and 0 reads as no traffic; nobody may ask for it."""
    assert shares(Units(0, 0)) == (Weights(0, 0), True)
    with pytest.raises(ValueError, match="cannot be written"):
        split(100, Weights(0, 0))


@pytest.mark.parametrize(
    ("units", "want", "exact"),
    [
        pytest.param(Units(1, 1), Weights(50, 50), True, id="what absent weights mean"),
        pytest.param(Units(2, 1), Weights(67, 33), False, id="a third"),
        pytest.param(Units(995, 5), Weights(99, 1), False, id="half a percent reads as one"),
        pytest.param(Units(0, 7), Weights(0, 100), True, id="any sum can say all"),
    ],
)
def test_reading(units: Units, want: Weights, exact: bool) -> None:
    """Integers are read as the nearest percent, with a word whether that is the whole truth."""
    assert shares(units) == (want, exact)
