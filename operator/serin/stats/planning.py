"""How long a verdict takes: said before a rollout starts and while it runs.

The log of each bet grows by g per candidate request on average, g from the guess, the two rates and how many
requests of stable come with each of the candidate's. A verdict is due when the strongest bet has made up for
its weight and reached its level:

    requests = (log 1/alpha + log 2 + log 1/pi_j - log capital so far) / g_j    (log 2: half is staked)
    requests = (log 1/beta + log 1/pi_j - log capital so far) / g_j

This is the time a rollout needs in the middle; every second one needs longer. `test_planning.py` holds it
against simulated ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from serin.stats import process
from serin.stats.counts import checked_number
from serin.stats.evidence import Verdict
from serin.stats.process import Floats
from serin.stats.projection import project
from serin.stats.rate import PASS_WEIGHTS, RateSettings, RateTest, guesses, history_rate

__all__ = ["Plan", "growth", "least_margin", "plan", "remaining"]

_RATE_LEAST, _RATE_MOST = 1e-5, 0.7
_GROWTH_LEAST = 1e-12


@dataclass(frozen=True, slots=True)
class Plan:
    """When a verdict may be expected, and which.

    verdict: "pass" or "fail", whichever is nearer; "undecided" if neither will ever come at these rates.
    requests: further requests of the candidate until then; None if undecided.
    seconds: time until then, the soak included for a pass; None if undecided or the traffic is not known.
    """

    verdict: Verdict
    requests: int | None
    seconds: float | None


def plan(
    settings: RateSettings,
    *,
    rate: float,
    share: float,
    requests_per_second: float,
    candidate_rate: float | None = None,
) -> Plan:
    """Say how long a rollout will take before it starts.

    Args:
        settings: margin, tolerance, alpha, beta, soak and over-dispersion of the gate.
        rate: stable's rate, in [0, 1].
        share: the candidate's share of the requests, in (0, 1): 0.05 at weight 5.
        requests_per_second: of both arms together, above 0.
        candidate_rate: the rate to plan for; None is one equal to stable's.

    >>> plan(RateSettings(margin=0.0032), rate=0.005, share=0.05, requests_per_second=100).verdict
    'pass'

    Raises:
        ValueError: for a value out of its range.
    """
    rate = checked_number("rate", rate, 0.0, 1.0)
    other = rate if candidate_rate is None else checked_number("candidate_rate", candidate_rate, 0.0, 1.0)
    share = checked_number("share", share, 0.0, 1.0, open_ends=True)
    speed = checked_number("requests_per_second", requests_per_second, 0.0) * share
    if speed == 0.0:
        raise ValueError(f"requests_per_second must be above 0, got {requests_per_second!r}")
    row = process.new_rows(1)[0]
    return _nearest(settings, row, _Traffic(rate, other, (1 - share) / share, speed))


def remaining(test: RateTest, *, share: float | None = None, requests_per_second: float | None = None) -> Plan:
    """Say how much longer a running test will take, if the arms go on as they have so far.

    Args:
        test: the running test.
        share: the candidate's share of the requests from now on; None is its share so far.
        requests_per_second: of both arms from now on; None is what was seen so far.

    The candidate's rate is taken from its past, drawn towards stable's by 20 requests' worth. A test that has
    its verdict needs 0 requests; a pass that only waits for the soak needs 0 requests and the rest of the
    soak.

    Raises:
        ValueError: for a value out of its range.
    """
    evidence = test.evidence
    if evidence.verdict != "undecided":
        return Plan(evidence.verdict, 0, 0.0)
    total = evidence.stable.total + evidence.candidate.total
    if share is None:
        seen = evidence.candidate.total / total if total else 0.5
        share = min(max(seen, 0.001), 0.999)
    share = checked_number("share", share, 0.0, 1.0, open_ends=True)
    if requests_per_second is None:
        requests_per_second = total / test.seconds if test.seconds else 0.0
    speed = checked_number("requests_per_second", requests_per_second, 0.0) * share
    q0 = float(history_rate(test.row[None, :])[0])
    candidate = (evidence.candidate.bad + 20 * q0) / (evidence.candidate.total + 20)
    return _nearest(test.settings, test.row, _Traffic(q0, candidate, (1 - share) / share, speed))


def least_margin(
    settings: RateSettings, *, rate: float, share: float, requests_per_second: float, seconds: float
) -> float | None:
    """Return the smallest margin at which an equal candidate passes in time, None if not even 0.5 does.

    For the message of a rollout that would not end before its deadline. Arguments as in `plan`; the tolerance
    keeps its share of the margin.

    Raises:
        ValueError: for a value out of its range.
    """
    seconds = checked_number("seconds", seconds, 0.0)
    part = settings.tolerance / settings.margin

    def in_time(margin: float) -> bool:
        changed = _with_margin(settings, margin, min(part * margin, 0.99))
        found = plan(changed, rate=rate, share=share, requests_per_second=requests_per_second)
        return found.verdict == "pass" and found.seconds is not None and found.seconds <= seconds

    low, high = 1e-5, 0.5
    if not in_time(high):
        return None
    while high / low > 1.01:  # 0.001 to 50 points: 20 halvings of log(50000) / log(1.01) steps at most
        middle = math.sqrt(low * high)
        low, high = (low, middle) if in_time(middle) else (middle, high)
    return high


def _with_margin(settings: RateSettings, margin: float, tolerance: float) -> RateSettings:
    return RateSettings(
        alpha=settings.alpha,
        beta=settings.beta,
        margin=margin,
        tolerance=tolerance,
        soak_seconds=settings.soak_seconds,
        overdispersion=settings.overdispersion,
    )


@dataclass(frozen=True, slots=True)
class _Traffic:
    """What the requests will be like: both rates, stable requests for each candidate request, its speed.

    speed is in requests per second, 0 if not known.
    """

    rate: float
    candidate_rate: float
    stable_each: float
    speed: float


def _nearest(settings: RateSettings, row: Floats, traffic: _Traffic) -> Plan:
    """Return the verdict whose strongest bet needs the fewest requests, from the state `row` on."""
    q0 = min(max(traffic.rate, _RATE_LEAST), _RATE_MOST)
    fail, passing = guesses(np.array([q0]), np.array([settings.margin]), np.array([settings.tolerance]))
    # The mixture over change points never falls far below what is staked anew, so a dead bet is not all lost:
    # before block 1 a half is staked, later a bet starts from 1/(2k) at worst.
    fresh = math.log(0.5 / max(float(row[process.BLOCKS]), 1.0))
    fail_needs = -math.log(settings.alpha) - np.log(process.FAIL_WEIGHTS) - np.maximum(row[process.FAIL], fresh)
    pass_needs = -math.log(settings.beta) - np.log(PASS_WEIGHTS) - row[process.PASS]
    soak_left = max(settings.soak_seconds - float(row[process.SECONDS]), 0.0)
    outlooks: list[tuple[Verdict, Floats, Floats, float]] = [
        ("fail", fail_needs, _growth(q0, fail[0], settings.tolerance, traffic), 0.0),
        ("pass", pass_needs, _growth(q0, passing[0], settings.margin, traffic), soak_left),
    ]
    best = Plan("undecided", None, None)
    for verdict, needs, growth, wait in outlooks:
        useful = growth > _GROWTH_LEAST
        if not useful.any():
            continue
        shortest = float(np.min(needs[useful] * settings.overdispersion / growth[useful]))
        requests = math.ceil(max(shortest, 0.0))
        if best.requests is None or requests < best.requests:
            seconds = max(requests / traffic.speed, wait) if traffic.speed > 0 else None
            best = Plan(verdict, requests, seconds)
    return best


def growth(q0: Floats, q1: Floats, d: Floats, rate: Floats, candidate_rate: Floats, stable_each: Floats) -> Floats:
    """Return the mean growth of the log e-variable per request of the candidate; all arguments broadcast.

    (q0, q1) is the guess, strictly between 0 and 1; d the null's difference, between -1 and 1; rate and candidate_rate
    are the true rates; stable_each is how many requests of stable there are for each one of the candidate.
    """
    q0, q1, d, each = np.broadcast_arrays(q0, q1, d, stable_each)
    a, b = project(q0, q1, each, np.ones_like(each), d)
    candidate = candidate_rate * np.log(q1 / b) + (1 - candidate_rate) * np.log((1 - q1) / (1 - b))
    stable = rate * np.log(q0 / a) + (1 - rate) * np.log((1 - q0) / (1 - a))
    result: Floats = candidate + each * stable
    return result


def _growth(q0: float, q1: Floats, d: float, traffic: _Traffic) -> Floats:
    """Return the growth for each guess q1 of the candidate's rate."""
    values = (np.float64(v) for v in (d, traffic.rate, traffic.candidate_rate, traffic.stable_each))
    return growth(np.float64(q0), q1, *values)  # type: ignore[arg-type]
