"""One rate against a maximum, by simulation: errors at the edge of each null, and the interval."""

from __future__ import annotations

import numpy as np
import pytest

from serin.stats import ConstantSettings, ConstantTest, process
from serin.stats.constant import ONE_ARM, parameters_of


@pytest.mark.parametrize(
    ("p", "tolerance", "kind", "limit"),
    [
        # 500 runs: 5 + 4 sqrt(500 .01 .99) = 13 false fails, 25 + 4 sqrt(500 .05 .95) = 44 false passes
        (0.01, 0.0, process.SEEN_FAILED, 13),
        (0.0125, 0.0025, process.SEEN_PASSED, 44),
        (0.01, 0.0, process.SEEN_PASSED, 44),
    ],
)
def test_guarantees(p: float, tolerance: float, kind: int, limit: int) -> None:
    """At the edge of each null, errors at any of 200 looks stay within alpha and beta."""
    rng, runs = np.random.default_rng(1), 500
    test = ConstantTest(ConstantSettings(maximum=0.01, tolerance=tolerance, soak_seconds=0, overdispersion=1))
    rows, parameters = np.repeat(test.row[None, :], runs, axis=0), parameters_of([test] * runs)
    for _ in range(200):
        n = rng.poisson(60, runs)
        blocks = np.stack([0 * n, 0 * n, n, rng.binomial(n, p)], axis=1).astype(float)
        rows = process.advance(rows, parameters, blocks, np.full(runs, 15.0), ONE_ARM)
    assert rows[:, kind].sum() <= limit


def test_coverage() -> None:
    """The true rate is within the interval at all of 200 looks in 95 % of 400 runs: at most 37 misses."""
    rng, runs, p = np.random.default_rng(2), 400, 0.013
    test = ConstantTest(ConstantSettings(maximum=0.01, overdispersion=1))
    rows, parameters = np.repeat(test.row[None, :], runs, axis=0), parameters_of([test] * runs)
    missed = np.zeros(runs, bool)
    for _ in range(200):
        n = rng.poisson(60, runs)
        blocks = np.stack([0 * n, 0 * n, n, rng.binomial(n, p)], axis=1).astype(float)
        rows = process.advance(rows, parameters, blocks, np.full(runs, 15.0), ONE_ARM)
        lower, upper = rows[:, process.INTERVAL].T
        missed |= (p - 0.01 < lower) | (p - 0.01 > upper)
    assert missed.sum() <= 37
    assert float(np.median(upper - lower)) < 0.01
