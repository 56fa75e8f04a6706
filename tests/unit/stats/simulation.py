"""Many rollouts at once, on the package's own core: one row of state for each simulated rollout."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from serin.stats import Counts, RateSettings, RateTest, process
from serin.stats.process import Betting, BlockBets, Parameters, Rows
from serin.stats.rate import PASS_WEIGHTS, TWO_ARMS, parameters_of, verdict_bets

CHUNK = 128  # rows at a time stay in the processor's cache


def _without_interval(rows: Rows, parameters: Parameters) -> BlockBets:
    """Return the bets that verdicts need: a quarter of the work."""
    return BlockBets(*verdict_bets(rows, parameters), None, None)


VERDICT_ONLY = Betting(needs_stable=True, pass_weights=PASS_WEIGHTS, bets=_without_interval, with_interval=False)


@dataclass(frozen=True)
class Traffic:
    """What arrives: the rates of both arms, the candidate's share, speed in requests per second, interval."""

    p0: float
    p1: float
    share: float = 0.1
    requests_per_second: float = 50.0
    interval: float = 15.0
    steps: tuple[tuple[float, float], ...] = ()  # (from second, share)
    breaks_at: float = 0.0  # until then the candidate is at p0
    clump: int = 1  # bad requests come in clumps of this size

    def share_at(self, second: float) -> float:
        """Return the candidate's share in the interval that ends at `second`."""
        return [self.share, *(share for start, share in self.steps if start < second)][-1]


@dataclass(frozen=True)
class Outcomes:
    """For each rollout: 1 pass, -1 fail, 0 undecided; when; and the candidate's requests by then."""

    verdict: NDArray[np.int64]
    seconds: NDArray[np.float64]
    bad: NDArray[np.float64]
    requests: NDArray[np.float64]
    ever_passed: NDArray[np.bool_]
    ever_failed: NDArray[np.bool_]


def simulate(
    settings: RateSettings,
    history: Counts,
    traffic: Traffic,
    *,
    runs: int,
    looks: int,
    seed: int,
    on_interval: Callable[[NDArray[np.float64], NDArray[np.float64]], None] | None = None,
) -> Outcomes:
    """Run rollouts side by side. The history's bad requests are drawn anew for each, at rate p0."""
    rng = np.random.default_rng(seed)
    test = RateTest(settings, history)
    kind = VERDICT_ONLY if on_interval is None else TWO_ARMS
    rows = np.repeat(test.row[None, :], runs, axis=0)
    rows[:, process.HISTORY.start + 1] = rng.binomial(history.total, traffic.p0, runs)
    verdict, seconds = np.zeros(runs, np.int64), np.full(runs, np.nan)
    bad, requests = np.full(runs, np.nan), np.full(runs, np.nan)
    for look in range(1, looks + 1):
        now = look * traffic.interval
        p1 = traffic.p1 if now > traffic.breaks_at else traffic.p0
        total = rng.poisson(traffic.requests_per_second * traffic.interval, runs)
        n1 = rng.binomial(total, traffic.share_at(now))
        n0 = total - n1
        arms = ((n0, traffic.p0), (n1, p1))
        x0, x1 = (rng.binomial(-(-n // traffic.clump), p) * traffic.clump for n, p in arms)
        blocks = np.stack([n0, np.minimum(x0, n0), n1, np.minimum(x1, n1)], axis=1).astype(float)
        for part in (slice(start, start + CHUNK) for start in range(0, runs, CHUNK)):
            size = len(rows[part])
            parameters, waited = parameters_of([test] * size), np.full(size, traffic.interval)
            rows[part] = process.advance(rows[part], parameters, blocks[part], waited, kind)
        if on_interval is not None:
            on_interval(rows[:, process.INTERVAL.start], rows[:, process.INTERVAL.start + 1])
        failed = (verdict == 0) & (rows[:, process.SEEN_FAILED] > 0)
        passed = (verdict == 0) & ~failed & (rows[:, process.SEEN_PASSED] > 0)
        verdict[failed], verdict[passed] = -1, 1
        new = failed | passed
        seconds[new], bad[new], requests[new] = now, rows[new, 4], rows[new, 3]
    return Outcomes(verdict, seconds, bad, requests, rows[:, process.SEEN_PASSED] > 0, rows[:, process.SEEN_FAILED] > 0)
