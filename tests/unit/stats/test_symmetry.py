"""What must not matter: which arm is called which, what is called bad, and in what unit rates are thought of."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serin.stats import Counts, Evidence, combine
from serin.stats.projection import log_e_one, log_e_two

rates = st.floats(1e-4, 1 - 1e-4)
arms = st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n)))


def log_e(block: tuple[int, int, int, int], q0: float, q1: float, d: float, side: int) -> float:
    """The log e-variable of one block."""
    n0, x0, n1, x1 = (np.float64(v) for v in block)
    found = log_e_two((n0, x0, n1, x1), *(np.float64(v) for v in (q0, q1, d, side)))  # type: ignore[arg-type]
    return float(found)


@given(arms, arms, rates, rates, st.floats(-0.9, 0.9), st.sampled_from([1, -1]))
@settings(deadline=None)
def test_swapped_arms(a: tuple[int, int], b: tuple[int, int], q0: float, q1: float, d: float, side: int) -> None:
    """With the arms exchanged, the difference and the side change their signs and the evidence stays."""
    size = sum(a) + sum(b)
    straight, swapped = log_e((*a, *b), q0, q1, d, side), log_e((*b, *a), q1, q0, -d, -side)
    assert straight == pytest.approx(swapped, rel=1e-9, abs=1e-9 * size)


@given(arms, arms, rates, rates, st.floats(-0.9, 0.9), st.sampled_from([1, -1]))
@settings(deadline=None)
def test_good_called_bad(a: tuple[int, int], b: tuple[int, int], q0: float, q1: float, d: float, side: int) -> None:
    """With good and bad exchanged, rates become their complements and the evidence stays."""
    size = sum(a) + sum(b)
    turned = (a[0], a[0] - a[1], b[0], b[0] - b[1])
    straight, other = log_e((*a, *b), q0, q1, d, side), log_e(turned, 1 - q0, 1 - q1, -d, -side)
    assert straight == pytest.approx(other, rel=1e-6, abs=1e-8 * size)


@given(arms, rates, rates, st.sampled_from([1, -1]))
@settings(deadline=None)
def test_good_called_bad_in_one_arm(a: tuple[int, int], q: float, c: float, side: int) -> None:
    """The same for one arm against a constant."""
    n, x = (np.float64(v) for v in a)
    straight, other = (
        float(log_e_one(n, bad, *(np.float64(v) for v in guess)))  # type: ignore[arg-type]
        for bad, guess in ((x, (q, c, side)), (n - x, (1 - q, 1 - c, -side)))
    )
    assert straight == pytest.approx(other, rel=1e-6, abs=1e-8 * a[0])


@given(arms, rates, st.floats(0.001, 0.5), st.integers(2, 50))
@settings(deadline=None)
def test_a_block_many_times_over(a: tuple[int, int], q0: float, d: float, times: int) -> None:
    """For the same guess a block of ten times the counts is worth ten times the evidence."""
    q1 = min(q0 + 2 * d, 0.9999)
    block, many = (a[0], a[1], a[0], a[0] - a[1]), (a[0] * times, a[1] * times, a[0] * times, (a[0] - a[1]) * times)
    assert log_e(many, q0, q1, d, 1) == pytest.approx(times * log_e(block, q0, q1, d, 1), rel=1e-6, abs=1e-6 * times)


def evidence(log_e_fail: float) -> Evidence:
    """Evidence with this much against the candidate."""
    return Evidence("undecided", log_e_fail, 0.0, None, (-1, 1), Counts(), Counts(), False)


def culprits(parts: Mapping[str, float], alpha: float) -> set[str]:
    """E-BH once more, from its definition: the largest set of k gates each with K w E >= K/(alpha k)."""
    count = len(parts)
    for k in range(count, 0, -1):
        chosen = {name for name, part in parts.items() if count * part >= count / (alpha * k)}
        if len(chosen) >= k:
            return chosen
    return set()


@given(st.dictionaries(st.sampled_from("abcdefgh"), st.tuples(st.floats(-5, 12), st.floats(0.1, 5)), min_size=1))
@settings(max_examples=200, deadline=None)
def test_the_mean_and_the_culprits_once_more(gates: dict[str, tuple[float, float]]) -> None:
    """Equal to the plain sum of w E and to e-BH as defined; a gate on its very line may go either way."""
    found = combine({n: evidence(e) for n, (e, _) in gates.items()}, list(gates), {n: w for n, (_, w) in gates.items()})
    total = math.fsum(w for _, w in gates.values())
    parts = {n: w / total * math.exp(e) for n, (e, w) in gates.items()}
    mean = math.fsum(parts.values())
    assert math.exp(found.log_e) == pytest.approx(mean, rel=1e-9)
    if found.verdict == "fail" and not found.jointly:
        assert culprits(parts, 0.01 / (1 + 1e-9)) <= set(found.culprits) <= culprits(parts, 0.01 * (1 + 1e-9))
    else:
        assert mean < 100 * (1 + 1e-9) or not culprits(parts, 0.01 / (1 + 1e-9))


def test_blaming_the_innocent_is_rare() -> None:
    """Of five gates two are broken: the share of innocent culprits is at most alpha on average.

    E-values exp(2 Z - 2) have mean 1 whatever the dependence of the Z; here they share half of their variance.
    With 4,000 rollouts the standard error is at most .5/sqrt(4000) = .008.
    """
    rng = np.random.default_rng(4)
    shares = []
    for _ in range(4000):
        z = np.sqrt(0.5) * rng.standard_normal() + np.sqrt(0.5) * rng.standard_normal(5)
        logs = 2 * z - 2 + np.array([6, 6, 0, 0, 0])
        found = combine({n: evidence(float(e)) for n, e in zip("abcde", logs, strict=True)}, "abcde", alpha=0.2)
        if found.verdict == "fail" and not found.jointly:
            shares.append(len(set(found.culprits) & set("cde")) / len(found.culprits))
        else:
            shares.append(0.0)
    assert np.mean(shares) <= 0.2
    assert np.mean(np.array(shares) > 0) > 0.001  # it happens
