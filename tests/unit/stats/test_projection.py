"""The e-variable of one block: its mean under the null, and the point of the null it is measured at."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serin.stats import projection
from serin.stats.process import Floats
from serin.stats.projection import log_e_one, log_e_two, project
from tests.unit.stats import oracle

RATES = [0.001, 0.01, 0.1, 0.5, 0.9, 0.999]


def binomial(n: int, x: Floats, p: float) -> Floats:
    """Return the probabilities of x bad ones of n at rate p."""
    ways = np.array([math.comb(n, int(k)) for k in x])
    result: Floats = ways * p**x * (1 - p) ** (n - x)
    return result


@pytest.mark.parametrize(("n0", "n1"), [(1, 1), (1, 7), (9, 1), (12, 4), (15, 15)])
@pytest.mark.parametrize("side", [1, -1])
def test_mean_under_the_null_is_at_most_one(n0: int, n1: int, side: int) -> None:
    """Summed over every outcome of a small block, the mean of e is at most 1 at every point of the null."""
    x0, x1 = (grid.ravel().astype(float) for grid in np.meshgrid(np.arange(n0 + 1), np.arange(n1 + 1)))
    block = tuple(np.broadcast_to(np.float64(v), x0.shape) for v in (n0, x0, n1, x1))
    nulls = np.linspace(0, 1, 31)
    bets = 0
    for q0, q1, d in itertools.product(RATES[:-1], RATES, [-0.3, -0.01, 0.0, 0.0025, 0.05, 0.5]):
        log_e = log_e_two(block, *(np.float64(v) for v in (q0, q1, d, side)))  # type: ignore[arg-type]
        bets += bool(log_e.any())
        on_line = [(p, p + d) for p in nulls if 0 <= p + d <= 1]
        inside = [(p, r) for p in nulls[::5] for r in nulls[::5] if side * (r - p - d) < 0]
        for p0, p1 in on_line + inside:
            mean = float(np.sum(binomial(n0, x0, p0) * binomial(n1, x1, p1) * np.exp(log_e)))
            # 1e-9: the projection is exact to 1e-12 and a block of 30 multiplies that by less than 1e3
            assert mean <= 1 + 1e-9, (q0, q1, d, p0, p1)
    assert bets > 50


@pytest.mark.parametrize("n", [1, 5, 40])
def test_mean_of_one_arm_is_at_most_one(n: int) -> None:
    """Summed over every outcome, the mean of the one-sample e-variable is at most 1 on its null."""
    x = np.arange(n + 1).astype(float)
    for c, q in itertools.product(RATES, RATES):
        side = 1.0 if q > c else -1.0
        log_e = log_e_one(np.float64(n), x, np.float64(q), np.float64(c), np.float64(side))  # type: ignore[arg-type]
        for p in np.linspace(0, 1, 101):
            if side * (p - c) <= 0:
                mean = float(np.sum(binomial(n, x, float(p)) * np.exp(log_e)))
                assert mean <= 1 + 1e-9, (c, q, p)


def test_values_of_safestats() -> None:
    """The R package safestats gets the same: e-values 1 and 16/9 after one success of A only, twice.

    Its test "uniform Beta priors update after one A-only success" (AlexanderLyNL/safestats, 235e631,
    tests/testthat/test-savi2x2Helpers.R); its group A is our candidate.
    """
    block = tuple(np.float64(v) for v in (1, 0, 1, 1))
    first = log_e_two(block, *(np.float64(v) for v in (1 / 2, 1 / 2, 0, 1)))  # type: ignore[arg-type]
    second = log_e_two(block, *(np.float64(v) for v in (1 / 3, 2 / 3, 0, 1)))  # type: ignore[arg-type]
    assert math.exp(first) == 1
    assert math.exp(first + second) == pytest.approx(16 / 9, rel=1e-12)


@given(st.floats(1e-5, 0.99), st.floats(1e-5, 0.99), st.integers(1, 10**6), st.integers(1, 10**6))
@settings(deadline=None)
def test_equal_rates_are_projected_on_the_pooled_mean(q0: float, q1: float, n0: int, n1: int) -> None:
    """For d = 0 the nearest point is (n0 q0 + n1 q1) / (n0 + n1), as Turner, Ly and Gruenwald have it."""
    p0, p1 = project(*(np.float64(v) for v in (q0, q1, n0, n1, 0)))  # type: ignore[arg-type]
    assert p0 == p1
    assert float(p0) == pytest.approx((n0 * q0 + n1 * q1) / (n0 + n1), rel=1e-10)


@given(
    st.floats(1e-5, 0.7),
    st.floats(1e-5, 0.95),
    st.integers(1, 10**6),
    st.integers(1, 10**6),
    st.one_of(st.floats(-0.95, 0.95), st.floats(-0.001, 0.001), st.just(0.0)),
)
@settings(deadline=None)
def test_projection_equals_bisection(q0: float, q1: float, n0: int, n1: int, d: float) -> None:
    """The cubic's root is the point that plain halving finds, to ten digits of the smaller rate."""
    want = oracle.nearest_point(q0, q1, n0, n1, d)
    got = project(*(np.float64(v) for v in (q0, q1, n0, n1, d)))  # type: ignore[arg-type]
    assert float(min(got)) == pytest.approx(min(want), rel=1e-10)


def test_hard_cases_converge(monkeypatch: pytest.MonkeyPatch) -> None:
    """With rates from 1e-5 on and blocks of 1 against a million, 25 steps give what 100 give."""
    rng = np.random.default_rng(1)
    n = 100_000
    q0, q1 = (np.minimum(10 ** rng.uniform(-5, 0, n), most) for most in (0.7, 0.95))
    n0, n1 = (np.floor(10 ** rng.uniform(0, 6, n)) for _ in range(2))
    d = rng.choice([-1, 1], n) * 10 ** rng.uniform(-5, -0.03, n)
    want = project(q0, q1, n0, n1, d)
    monkeypatch.setattr(projection, "_STEPS_MAX", 25)
    np.testing.assert_array_equal(project(q0, q1, n0, n1, d), want)


def test_the_numbers_of_the_docstrings() -> None:
    """The examples that the docstrings give in figures are these."""
    f = [np.asarray(v, np.float64) for v in (900, 0, 100, 10, 0.001, 0.1, 0, 1)]
    assert float(log_e_two((f[0], f[1], f[2], f[3]), f[4], f[5], f[6], f[7])) == pytest.approx(22.63, abs=0.005)
    g = [np.asarray(v, np.float64) for v in (0.01, 0.05, 90, 10, 0.01)]
    assert [float(p) for p in project(*g)] == pytest.approx([0.01171, 0.02171], abs=5e-6)
    h = [np.asarray(v, np.float64) for v in (100, 5, 0.05, 0.01, 1)]
    assert float(log_e_one(*h)) == pytest.approx(4.13, abs=0.005)


def test_each_element_by_itself() -> None:
    """A gate's numbers do not depend on which other gates are in the batch."""
    rng = np.random.default_rng(2)
    q0, q1, d = rng.uniform(1e-5, 0.7, 999), rng.uniform(1e-5, 0.95, 999), rng.uniform(-0.9, 0.9, 999)
    n0, n1 = rng.integers(1, 1000, 999).astype(float), rng.integers(1, 100, 999).astype(float)
    together = project(q0, q1, n0, n1, d)[0]
    alone = [float(project(*args)[0]) for args in zip(q0, q1, n0, n1, d, strict=True)]
    np.testing.assert_array_equal(together, alone)
