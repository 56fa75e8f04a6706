"""What users have today, as their documentation and source describe it, on one metric: the candidate's success rate.

All look once a minute at the minute (or five) before. They are modelled at the settings that their own pages use:

Flagger: success rate of 99 % over 1 minute, 10 passing checks to promote, 5 failing ones in all to roll back. The count
    of failures never goes down; the rollback comes at the next check. A minute without requests, and metrics that
    do not answer, count as failures.
Argo Rollouts: successCondition >= 99 % over 1 minute, count 30, failureLimit 3: the fourth failure aborts. A ratio over
    no requests is NaN, and a NaN without a failure condition is a failure. Metrics that do not answer are errors; the
    fifth in a row aborts.
OME: error rate below 1 % over 5 minutes, from the second minute on; three failing samples roll back; the first passing
    one after 10 minutes promotes. A sample without data is neither; 15 minutes of them end the canary undecided.
z-test: candidate against stable over all requests so far, rolled back at the first minute with a one-sided p below
    1 %, promoted after 60 minutes otherwise: a test for one look, looked at sixty times.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tests.bench.decisions.traffic import Floats, Hour

__all__ = ["Decisions", "argo", "flagger", "ome", "z_test"]

_RATE_MOST = 0.01
_Z = 2.3263478740408408  # one-sided 1 %


@dataclass(frozen=True, slots=True)
class Decisions:
    """For each rollout 1 promoted, -1 rolled back, 0 neither; and after how many seconds (the end if neither)."""

    verdict: NDArray[np.int64]
    seconds: Floats


def _first(happens: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The first row (minute, from 0) in which a column is true; the number of rows if none is."""
    return np.where(happens.any(axis=0), happens.argmax(axis=0), len(happens))


def _decided(promoted: NDArray[np.int64], stopped: NDArray[np.int64], minutes: int) -> Decisions:
    """From the first minutes of both; where they are the same one, the rollback is acted on."""
    verdict = np.where(stopped <= promoted, -1, 1)
    first = np.minimum(promoted, stopped)
    verdict = np.where(first >= minutes, 0, verdict)
    return Decisions(verdict.astype(np.int64), 60.0 * (np.minimum(first, minutes - 1) + 1))


def _failing(bad: Floats, total: Floats) -> NDArray[np.bool_]:
    """More than 1 % bad; no requests is NaN, which is no success."""
    failing: NDArray[np.bool_] = (bad > _RATE_MOST * total + 1e-9) | (total == 0)
    return failing


def flagger(hour: Hour) -> Decisions:
    """Flagger's canary analysis."""
    _, _, n1, x1 = hour.minutes()
    failing = _failing(x1, n1) | ~hour.minutes_read()[:, None]
    failures, passes = np.cumsum(failing, axis=0), np.cumsum(~failing, axis=0)
    return _decided(_first(passes >= 10), _first(failures >= 5) + 1, len(n1))


def argo(hour: Hour) -> Decisions:
    """An AnalysisRun of Argo Rollouts."""
    _, _, n1, x1 = hour.minutes()
    read = hour.minutes_read()
    failing = _failing(x1, n1) & read[:, None]
    measured = np.cumsum(read)  # an error is not a measurement; it is tried again
    errors_in_a_row = np.array([all(not read[i - k] for k in range(5)) if i >= 4 else False for i in range(len(read))])
    stop = (np.cumsum(failing, axis=0) > 3) | errors_in_a_row[:, None]
    promoted = _first(np.broadcast_to((measured >= 30)[:, None], failing.shape))
    return _decided(promoted, _first(stop), len(n1))


def ome(hour: Hour) -> Decisions:
    """A canary step of OME with metric analysis."""
    _, _, n1, x1 = hour.minutes()
    read = hour.minutes_read()
    window_n, window_x = (_last(counts, 5) for counts in (n1, x1))
    sampled = np.arange(1, len(n1) + 1) > 2
    judged = sampled[:, None] & read[:, None] & (window_n > 0)
    failing = judged & (window_x >= _RATE_MOST * window_n - 1e-9)
    passing = judged & ~failing
    baked = np.arange(1, len(n1) + 1) >= 10
    stalled = _first(_in_a_row(~judged & sampled[:, None], 15))
    decided = _decided(_first(passing & baked[:, None]), _first(np.cumsum(failing, axis=0) >= 3), len(n1))
    first = decided.seconds / 60 - 1
    verdict = np.where(stalled < first, 0, decided.verdict)
    return Decisions(verdict, np.where(stalled < first, 60.0 * (stalled + 1), decided.seconds))


def z_test(hour: Hour) -> Decisions:
    """Two proportions, pooled."""
    n0, x0, n1, x1 = (np.cumsum(counts, axis=0) for counts in hour.minutes())
    enough = (n0 > 0) & (n1 > 0) & hour.minutes_read()[:, None]
    m0, m1 = np.maximum(n0, 1), np.maximum(n1, 1)
    pooled = (x0 + x1) / (m0 + m1)
    spread = np.sqrt(pooled * (1 - pooled) * (1 / m0 + 1 / m1))
    z = (x1 / m1 - x0 / m0) / np.where(spread > 0, spread, math.inf)
    promoted = np.full(n0.shape[1], len(n0) - 1)
    stop = _first(enough & (z > _Z))
    return _decided(promoted, stop, len(n0))


def _last(counts: Floats, minutes: int) -> Floats:
    """The sum over the last minutes, fewer at the start."""
    total = np.cumsum(counts, axis=0)
    before = np.zeros_like(total)
    before[minutes:] = total[:-minutes]
    return total - before


def _in_a_row(happens: NDArray[np.bool_], minutes: int) -> NDArray[np.bool_]:
    return _last(happens.astype(np.float64), minutes) >= minutes
