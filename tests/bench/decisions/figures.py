"""Rates with their uncertainty: what a finite number of simulated rollouts can say."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tests.bench.decisions.traffic import Floats

__all__ = ["Interval", "mean_interval", "median_interval", "rate_interval"]


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate and the ends of its confidence interval."""

    value: float
    low: float
    high: float


def rate_interval(hits: int, runs: int, level: float = 0.95) -> Interval:
    """Clopper and Pearson's interval, which is never too short. 3 of 1000: .0030 (.0006 to .0087).

    For a mean over scenarios with as many runs each it is conservative: runs with different probabilities scatter less
    than runs with one.
    """
    tail = (1 - level) / 2
    low = 0.0 if hits == 0 else _solve(lambda p: 1 - _at_most(hits - 1, runs, p), tail)
    high = 1.0 if hits == runs else _solve(lambda p: -_at_most(hits, runs, p), -tail)
    return Interval(hits / runs, low, high)


def mean_interval(means: Sequence[float], variances: Sequence[float], runs: int) -> Interval:
    """The mean over scenarios, each with its own mean and variance over `runs` rollouts; 95 % by the normal law."""
    value = float(np.mean(means))
    half = 1.96 * math.sqrt(float(np.sum(variances)) / runs) / len(means)
    return Interval(value, value - half, value + half)


def median_interval(values: Floats) -> Interval:
    """The median, and the order statistics around it that enclose the true one in 95 % of cases."""
    ordered = np.sort(values)
    n = len(ordered)
    if n == 0:
        return Interval(math.nan, math.nan, math.nan)
    half = 0.98 * math.sqrt(n)
    low, high = max(int(n / 2 - half), 0), min(int(n / 2 + half) + 1, n - 1)
    return Interval(float(np.median(ordered)), float(ordered[low]), float(ordered[high]))


def _at_most(hits: int, runs: int, p: float) -> float:
    """The probability of at most `hits` of `runs` at rate p in (0, 1)."""
    k = np.arange(hits + 1, dtype=np.float64)
    steps = np.log(runs - k[:-1]) - np.log(k[:-1] + 1) + math.log(p) - math.log1p(-p)
    logs = runs * math.log1p(-p) + np.concatenate([[0.0], np.cumsum(steps)])
    return min(float(np.exp(logs).sum()), 1.0)


def _solve(rising: Callable[[float], float], target: float) -> float:
    """The p in (0, 1) at which a rising function has its target."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < target else (low, middle)
    return (low + high) / 2
