"""Serin's test where its own verdict changes the traffic: after a pass most of it goes to the candidate.

For half an hour of bake the candidate has 95 % of the requests, stable keeps 5 %, and the same process goes on: a
fail then takes the promotion back. So a candidate that breaks soon after its promotion is caught.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from serin.stats import Counts, overdispersion, process
from tests.bench.decisions.peers import Decisions
from tests.bench.decisions.serin_rule import Rule, advance, start
from tests.bench.decisions.traffic import DAY, HOUR, LATE_TICK, TICK, Floats, Hour, Stream

__all__ = ["decide_and_bake", "ever", "measured"]

_BAKE_SECONDS, _BAKE_SHARE = 1800.0, 0.95
_LATENCY_WARM_SECONDS = 30.0


def measured(stream: Stream) -> Floats:
    """Over-dispersion between stable's pods in the hour before, for each rollout."""
    n, x = (counts.astype(int).transpose(2, 1, 0).tolist() for counts in stream.pods())
    pods = [
        [[Counts(*pair) for pair in zip(*series, strict=True)] for series in zip(*run, strict=True)]
        for run in zip(n, x, strict=True)
    ]
    return np.array([overdispersion(run).value for run in pods])


def decide_and_bake(rule: Rule, stream: Stream, hour: Hour, phi: Floats | None, *, warm: bool) -> Decisions:
    """Run the tests to their verdict and through the bake.

    hour is what the other rules saw; Serin sees the same until its first pass, and traffic split as it decided after.
    warm: as for a latency gate, the first 30 s of the new arm are left out.
    """
    runs = stream.runs
    rows, parameters = start(rule, *stream.history(), phi)
    verdict, seconds = np.zeros(runs, np.int64), np.full(runs, DAY)
    share = np.full(runs, stream.share)
    open_ = np.ones(runs, bool)
    held: Floats = np.zeros((runs, 4))
    now, tick = 0.0, 0
    while open_.any() and now < DAY:
        length = TICK if now < HOUR else LATE_TICK
        blocks = np.stack(stream.draw(now, length, share), axis=1)
        if tick < len(hour.read):
            seen = np.stack([counts[tick] for counts in hour.arms], axis=1)
            blocks = np.where((verdict == 0)[:, None], seen, blocks)
        read = tick >= len(hour.read) or bool(hour.read[tick])
        now, tick = now + length, tick + 1
        held = held + (0.0 if warm and now <= _LATENCY_WARM_SECONDS else blocks)
        if not read:
            continue
        some = np.flatnonzero(open_)
        rows[some] = advance(rows[some], parameters.take(open_), held[some], length, rule.kind)
        held = np.zeros((runs, 4))
        failed = open_ & (rows[:, process.SEEN_FAILED] > 0)
        passed = open_ & ~failed & (rows[:, process.SEEN_PASSED] > 0) & (verdict == 0)
        verdict[passed], seconds[passed], share[passed] = 1, now, _BAKE_SHARE
        verdict[failed], seconds[failed] = -1, now
        open_ &= ~failed & ~((verdict == 1) & (now >= seconds + _BAKE_SECONDS))
    return Decisions(verdict, seconds)


def ever(rule: Rule, stream: Stream, phi: Floats | None, margin: float) -> tuple[int, int]:
    """How many rollouts ever failed and ever passed if nothing stops them for a day. The margin is given."""
    rows, parameters = start(rule, *stream.history(), phi)
    every = np.full(stream.runs, margin)
    parameters = replace(parameters, margin=every, tolerance=rule.tolerance_share * every)
    now = 0.0
    while now < DAY:
        length = TICK if now < HOUR else LATE_TICK
        blocks = np.stack(stream.draw(now, length), axis=1)
        rows = advance(rows, parameters, blocks, length, rule.kind)
        now += length
    return int((rows[:, process.SEEN_FAILED] > 0).sum()), int((rows[:, process.SEEN_PASSED] > 0).sum())
