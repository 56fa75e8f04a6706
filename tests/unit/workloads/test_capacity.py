"""How many replicas a share of the traffic needs."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serin.workloads import replicas_needed


@pytest.mark.parametrize(
    ("replicas", "weight", "want"),
    [
        pytest.param(10, 10, 2, id="1.2 of 10 are 1.2, so 2"),
        pytest.param(10, 25, 3, id="exactly 3"),
        pytest.param(10, 26, 4, id="one above"),
        pytest.param(10, 50, 6, id="half and a fifth of it"),
        pytest.param(3, 95, 3, id="never more than all"),
        pytest.param(1, 1, 1, id="never less than one"),
        pytest.param(5, 0, 1, id="one waits at weight 0"),
        pytest.param(5, 100, 5, id="in full"),
        pytest.param(0, 50, 0, id="a deployment scaled to 0 needs none"),
    ],
)
def test_replicas(replicas: int, weight: int, want: int) -> None:
    """ceil(1.2 x replicas x weight / 100), between one and all."""
    assert replicas_needed(replicas, weight) == want


@given(st.integers(1, 10_000), st.integers(0, 99))
def test_more_traffic_never_needs_fewer(replicas: int, weight: int) -> None:
    """Going up the stages never takes a replica away."""
    assert 1 <= replicas_needed(replicas, weight) <= replicas_needed(replicas, weight + 1) <= replicas


@given(st.integers(1, 1_000), st.integers(0, 100))
def test_against_the_formula_in_fractions(replicas: int, weight: int) -> None:
    """The integers do what the formula says, also where a float would round the other way."""
    exact = math.ceil(round(12 * replicas * weight / 1000, 9))
    assert replicas_needed(replicas, weight) == max(1, min(replicas, exact))


def test_other_weights_are_refused() -> None:
    """A weight outside 0 to 100 is a mistake of ours."""
    with pytest.raises(ValueError, match="0 to 100"):
        replicas_needed(1, 101)
