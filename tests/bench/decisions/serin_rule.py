"""Serin's own test on the simulated traffic: the very code of `serin.stats`, many rollouts as the rows of a matrix.

The margin is frozen from stable's hour before the rollout, the tolerance is a quarter of it, and over-dispersion is
assumed as 1.25, as the operator does where it could measure nothing. The soak is five minutes. The interval, which
takes no part in a verdict, is left out: it is three quarters of the work.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from serin.stats import Counts, RateSettings, RateTest, freeze_margin, process
from serin.stats.process import Betting, Parameters
from serin.stats.rate import parameters_of
from tests.bench.decisions.peers import Decisions
from tests.bench.decisions.scenarios import MARGIN_MOST, MARGIN_OF_STABLE, MARGIN_PLUS
from tests.bench.decisions.traffic import DAY, HOUR, LATE_TICK, TICK, Arms, Floats, Hour, Stream
from tests.unit.stats.simulation import VERDICT_ONLY

__all__ = ["Rows", "Rule", "decide"]

Rows = NDArray[np.float64]
_CHUNK = 500  # rows at a time stay in the processor's cache
_SETTINGS = RateSettings()


@dataclass(frozen=True, slots=True)
class Rule:
    """What of the test may be varied: tolerance as a share of the margin, soak, over-dispersion, and the bets."""

    tolerance_share: float = 0.25
    soak_seconds: float = 300.0
    overdispersion: float = 1.25
    kind: Betting = VERDICT_ONLY


def start(rule: Rule, history_n: Floats, history_x: Floats, phi: Floats | None = None) -> tuple[Rows, Parameters]:
    """The rows of tests that have seen nothing, and what they are held to."""
    runs = len(history_n)
    frozen = [
        freeze_margin(MARGIN_PLUS, MARGIN_OF_STABLE, MARGIN_MOST, Counts(int(n), int(x)))
        for n, x in zip(history_n, history_x, strict=True)
    ]
    # Not frozen (fewer than 1,000 requests): the least margin and the largest tolerance, as the operator starts.
    margin = np.array([m.least for m in frozen])
    tolerance = rule.tolerance_share * np.array([m.most for m in frozen])
    rows = process.new_rows(runs)
    rows[:, process.HISTORY] = np.stack([history_n, history_x], axis=1)
    test = RateTest(replace(_SETTINGS, soak_seconds=rule.soak_seconds, overdispersion=rule.overdispersion))
    parameters = parameters_of([test] * runs)
    parameters = replace(parameters, margin=margin, tolerance=tolerance)
    return rows, parameters if phi is None else replace(parameters, overdispersion=phi)


def decide(rule: Rule, stream: Stream, history: tuple[Floats, Floats], hour: Hour, horizon: float = DAY) -> Decisions:
    """Run the tests until each has its verdict, or the day is over."""
    runs = len(history[0])
    rows, parameters = start(rule, *history)
    verdict, seconds = np.zeros(runs, np.int64), np.full(runs, horizon)
    open_ = np.arange(runs)
    for now, waited, arms in _ticks(stream, hour, horizon):
        blocks = np.stack(arms, axis=1)[open_]
        rows = advance(rows, parameters, blocks, waited, rule.kind)
        failed, passed = rows[:, process.SEEN_FAILED] > 0, rows[:, process.SEEN_PASSED] > 0
        done = failed | passed
        if done.any():
            verdict[open_[done]] = np.where(failed[done], -1, 1)
            seconds[open_[done]] = now
            open_, rows, parameters = open_[~done], rows[~done], parameters.take(~done)
            if not len(open_):
                break
    return Decisions(verdict, seconds)


def advance(rows: Rows, parameters: Parameters, blocks: Floats, seconds: float, kind: Betting) -> Rows:
    """All rows one update further."""
    result = np.empty_like(rows)
    for begin in range(0, len(rows), _CHUNK):
        part = slice(begin, begin + _CHUNK)
        some = Parameters(*(getattr(parameters, name)[part] for name in Parameters.__slots__))
        waited = np.full(len(rows[part]), seconds)
        result[part] = process.advance(rows[part], some, blocks[part], waited, kind)
    return result


def _ticks(stream: Stream, hour: Hour, horizon: float) -> Iterator[tuple[float, float, Arms]]:
    """Yield (now, seconds measured, counts): what could not be read comes with the next reading, without its time."""
    held = nothing = (np.zeros(stream.runs),) * 4
    for tick, read in enumerate(hour.read):
        n0, x0, n1, x1 = (counts[tick] + before for counts, before in zip(hour.arms, held, strict=True))
        held = (n0, x0, n1, x1)
        if read:
            yield TICK * (tick + 1), TICK, held
            held = nothing
    now = HOUR
    while now < horizon:
        arms = stream.draw(now, LATE_TICK)
        now += LATE_TICK
        yield now, LATE_TICK, arms
