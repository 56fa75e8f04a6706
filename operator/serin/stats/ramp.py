"""How much traffic a candidate may have: the weight by the harm that it could still do.

A small weight is slow to prove anything; a large one lets a broken model hurt many before it is found out. What a
candidate costs until it is rolled back, if it is worse by a given difference, can be told beforehand:

    expected excess failures = difference x (requests until the fail + requests of one look)

with the requests until the fail as `planning` has them for a new test. Both parts grow with the weight: the second
because a look cannot be interrupted, the first because stable's requests, of which there are fewer then, are what it is
compared with (about as 1/(1 - share)). What the least weight would cost cannot be avoided; the budget is what may come
on top of it.

The differences in question are those from the margin to the upper end of the interval. The first part falls with the
difference and the second rises, about as a/x + b x, so the worst is at one of the two ends. As the interval narrows the
share rises; when bad news widen it, the share falls.

Any rule that looks at the past only may choose the weight: the guarantees of `RateTest` hold at whatever weights.
"""

from __future__ import annotations

import math

import numpy as np

from serin.stats import process
from serin.stats.counts import checked_number
from serin.stats.planning import growth
from serin.stats.process import Floats, Parameters, Rows
from serin.stats.rate import RateTest, guesses, history_rate, parameters_of

__all__ = ["largest_share", "shares_within"]

_STEPS = 13
_SHARE_MOST = 0.99


def largest_share(
    test: RateTest,
    *,
    least: float,
    most: float,
    requests_per_second: float,
    look_seconds: float,
    budget: float,
) -> float:
    """Return the largest share of the traffic at which the expected excess failures stay within the budget.

    Args:
        test: the running test; one that has seen nothing starts at about the least share.
        least: the smallest share, in (0, 0.99).
        most: the largest share, in [least, 0.99]; the result is one of 13 from least to most, evenly in proportion.
        requests_per_second: of both arms together, above 0.
        look_seconds: between two looks, 0 or more: what comes in the meantime cannot be called back.
        budget: failures that stable would not have had, beyond those that the least share would cost; 0 or more.

    With an interval that excludes the margin the harm left is none that matters, and the result is `most`.

    >>> from serin.stats import Counts, RateSettings
    >>> unknown = RateTest(RateSettings(margin=0.005), Counts(36_000, 180))
    >>> largest_share(unknown, least=0.01, most=0.5, requests_per_second=100, look_seconds=15, budget=20)
    0.01
    >>> fine = unknown.update(Counts(14_850, 74), Counts(150, 0), 150)
    >>> round(largest_share(fine, least=0.01, most=0.5, requests_per_second=100, look_seconds=15, budget=20), 2)
    0.26

    Raises:
        ValueError: for a value out of its range.
    """
    least = checked_number("least", least, 0.0, _SHARE_MOST, open_ends=True)
    most = checked_number("most", most, least, _SHARE_MOST)
    speed = checked_number("requests_per_second", requests_per_second, 0.0)
    if speed == 0.0:
        raise ValueError(f"requests_per_second must be above 0, got {requests_per_second!r}")
    look_seconds = checked_number("look_seconds", look_seconds, 0.0)
    budget = checked_number("budget", budget, 0.0)
    found = shares_within(test.row[None, :], parameters_of([test]), least, most, speed * look_seconds, budget)
    return float(found[0])


def shares_within(
    rows: Rows, parameters: Parameters, least: float, most: float, requests_each_look: float, budget: float
) -> Floats:
    """Return the same for many gates, shape (gates,); requests_each_look are those of both arms together."""
    shares: Floats = least * (most / least) ** (np.arange(_STEPS) / (_STEPS - 1))
    q0 = history_rate(rows)
    upper = np.minimum(rows[:, process.INTERVAL.stop - 1], 1.0 - q0)
    within = np.ones((len(rows), _STEPS), bool)
    for difference in (np.minimum(parameters.margin, upper), upper):
        requests = _requests_until_fail(parameters, q0, difference, shares)
        cost = difference[:, None] * (requests + requests_each_look * shares)
        within &= cost <= budget + (difference * requests[:, 0])[:, None]
    within |= (upper <= parameters.margin)[:, None]
    # The largest share below which no other one is too much; the least one is always allowed.
    within[:, 0] = True
    steps = np.argmin(np.concatenate([within, np.zeros((len(rows), 1), bool)], axis=1), axis=1) - 1
    result: Floats = shares[steps]
    return result


def _requests_until_fail(parameters: Parameters, q0: Floats, difference: Floats, shares: Floats) -> Floats:
    """Return the candidate's requests until the strongest bet of a new test has won; shape (gates, shares).

    1e12 where no bet grows at this difference.
    """
    guess, _ = guesses(q0, parameters.margin, parameters.tolerance)
    stable_each = (1.0 - shares) / shares
    grows = growth(
        q0[:, None, None],
        guess[:, None, :],
        parameters.tolerance[:, None, None],
        q0[:, None, None],
        (q0 + difference)[:, None, None],
        stable_each[None, :, None],
    )
    staked = 1.0 - float(process.unstaked(np.ones(1))[0])
    needs = parameters.log_fail[:, None] - np.log(process.FAIL_WEIGHTS) - math.log(staked)
    needs = needs * parameters.overdispersion[:, None]
    most = np.full(grows.shape, 1e12)
    np.divide(np.broadcast_to(needs[:, None, :], grows.shape), grows, out=most, where=grows > math.ulp(1.0))
    result: Floats = np.minimum(most, 1e12).min(axis=2)
    return result
