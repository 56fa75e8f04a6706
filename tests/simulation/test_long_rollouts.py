"""A rollout of days: the state stays small and finite, and a replay of it ends in the same bytes."""

from __future__ import annotations

import math

import numpy as np

from serin.stats import Block, Counts, RateSettings, RateTest, update_many
from serin.stats.counts import COUNT_MAX


def test_ten_thousand_updates() -> None:
    """After 10,000 updates of ten gates, some of ten million requests, each state is under 2 KB and reads back."""
    rng = np.random.default_rng(3)
    settings = RateSettings(margin=0.0123456789012, tolerance=1 / 300)
    tests = [RateTest(settings, Counts(1234, 5)) for _ in range(10)]
    for _ in range(10_000):
        n = (10 ** rng.uniform(-1, 7, (10, 2))).astype(int)
        x = rng.binomial(n, rng.uniform(0, 1, (10, 2)) * rng.choice([0.01, 1], (10, 1)))
        blocks = [
            Block(Counts(int(a), int(b)), Counts(int(c), int(d)), float(rng.choice([0, 0.1, 14.987, 3600])))
            for (a, c), (b, d) in zip(n, x, strict=True)
        ]
        tests = update_many(tests, blocks)
    for test in tests:
        text = test.to_json()
        assert len(text.encode()) < 2000
        assert RateTest.from_json(text) == test
        assert math.isfinite(test.evidence.log_e_fail)
        assert 10_000_000 < test.evidence.stable.total < COUNT_MAX
