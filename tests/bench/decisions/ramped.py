"""Serin's test with the weight in its own hands: each time the largest share whose expected harm is within a budget.

The candidate starts at 1 % and rises to 50 % by the steps of a stage with `excessFailures`, one a reading at most and
never down. The rest is as in `serin_rule`, the interval included, which the weight is made of.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from serin.rollout.ramp import WEIGHTS
from serin.stats import process
from serin.stats.process import Parameters, Rows
from serin.stats.ramp import shares_within
from serin.stats.rate import TWO_ARMS
from tests.bench.decisions.rules import Result
from tests.bench.decisions.scenarios import SHARES, Scenario, grid
from tests.bench.decisions.serin_rule import Rule, advance, start
from tests.bench.decisions.traffic import DAY, HOUR, LATE_TICK, TICK, Stream

__all__ = ["BUDGET_LEAST", "BUDGET_PER_MILLION", "NAME", "run", "scenarios"]

Steps = NDArray[np.int64]
NAME = "Serin, weights by harm"
BUDGET_LEAST = 5.0  # failures beyond what the least weight would cost,
BUDGET_PER_MILLION = 20.0  # or so many per 1M requests of a day
_SHARES = np.array([weight / 100 for weight in WEIGHTS])
_LEAST = float(_SHARES[0])
_RULE = Rule(kind=TWO_ARMS)


def scenarios() -> tuple[Scenario, ...]:
    """The grid without its shares: 120."""
    return tuple(s for s in grid() if s.share == SHARES[0])


def run(scenario: Scenario, seed: tuple[int, ...], runs: int) -> dict[str, Result]:
    """Simulate one scenario; its share does not matter."""
    stream = Stream(scenario.speed, _LEAST, scenario.base, scenario.rate, runs, np.random.default_rng(seed))
    rows, parameters = start(_RULE, *stream.history())
    worse = scenario.rate - scenario.base
    budget = max(BUDGET_LEAST, BUDGET_PER_MILLION * 1e-6 * scenario.speed * DAY)
    verdict, seconds = np.zeros(runs, np.int64), np.full(runs, DAY)
    step, harm = np.zeros(runs, np.int64), np.zeros(runs)
    open_ = np.arange(runs)
    now = 0.0
    while now < DAY and len(open_):
        length = TICK if now < HOUR else LATE_TICK
        share = _SHARES[step]
        blocks = np.stack(stream.draw(now, length, share), axis=1)[open_]
        harm[open_] += 1e6 * worse * share[open_] * length / DAY
        rows = advance(rows, parameters, blocks, length, _RULE.kind)
        now += length
        failed, passed = rows[:, process.SEEN_FAILED] > 0, rows[:, process.SEEN_PASSED] > 0
        done = failed | passed
        if done.any():
            verdict[open_[done]], seconds[open_[done]] = np.where(failed[done], -1, 1), now
            open_, rows, parameters = open_[~done], rows[~done], parameters.take(~done)
        if len(open_):
            step[open_] = _risen(step[open_], rows, parameters, scenario.speed * TICK, budget)
    harm += np.where(verdict == 1, 1e6 * worse * (1 - seconds / DAY), 0.0)
    excess = (float(harm.mean()), float(harm.var()))
    return {NAME: Result(verdict.astype(np.int8), seconds.astype(np.float32), excess)}


def _risen(step: Steps, rows: Rows, parameters: Parameters, requests_each_look: float, budget: float) -> Steps:
    """The steps after a reading: one further where the next share is within the budget and a request has come."""
    risen = step.copy()
    for index in range(len(_SHARES) - 1):
        here = (step == index) & (rows[:, process.TOTAL][:, 2] > 0)
        if here.any():
            following = float(_SHARES[index + 1])
            most = shares_within(rows[here], parameters.take(here), _LEAST, following, requests_each_look, budget)
            risen[here] += most >= following * (1 - 1e-9)
    return risen
