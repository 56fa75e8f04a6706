"""Freezing the margin: how much worse is too much, settled before it can be argued with.

A margin relative to stable's rate needs stable's rate. It is frozen from stable's requests before the
rollout; when there are too few, from these and the attempt's own, as soon as there are 1,000. That moment
depends on counts only, never on outcomes, so nobody can wait for a convenient margin.

Until then a test can run against the least margin and the largest tolerance that can come out: see
`RateTest.with_margin` for why its evidence stays valid.
"""

from __future__ import annotations

from dataclasses import dataclass

from serin.stats.counts import Counts, checked_number

__all__ = ["STABLE_REQUESTS_LEAST", "Margin", "freeze_margin"]

STABLE_REQUESTS_LEAST = 1000

# 0.001 points. Smaller differences need 10^8 requests and more; a margin of 0 could never be passed.
_MARGIN_LEAST = 1e-5


@dataclass(frozen=True, slots=True)
class Margin:
    """A margin, or what is known of it.

    value: the frozen margin, a fraction; None while stable has too few requests.
    least, most: bounds that hold for whatever value the margin is frozen at.
    stable_missing: how many more requests of stable freeze it; 0 when frozen.
    """

    value: float | None
    least: float
    most: float
    stable_missing: int


def freeze_margin(plus: float, of_stable: float, maximum: float, history: Counts) -> Margin:
    """Return min(plus + of_stable x stable's rate, maximum), if stable has had 1,000 requests.

    Args:
        plus: absolute part, a fraction in [0, 1): 0.002 is 0.2 points.
        of_stable: relative part in [0, 100]: 0.25 is a quarter of stable's rate.
        maximum: upper bound, a fraction in (0, 1). Without one, a stable at 40 % would let 50 % pass.
        history: stable's requests so far: the last hour or more before the attempt, plus the attempt's own
            (`Evidence.stable`) while there are too few.

    The result does not fall below 0.001 points.

    >>> freeze_margin(plus=0.002, of_stable=0.25, maximum=0.02, history=Counts(10_000, 160)).value
    0.006
    >>> freeze_margin(plus=0.002, of_stable=0.25, maximum=0.02, history=Counts(400, 4))
    Margin(value=None, least=0.002, most=0.02, stable_missing=600)

    Raises:
        ValueError: for a value out of its range, or if plus and of_stable are both 0.
    """
    plus = checked_number("plus", plus, 0.0, 1.0)
    of_stable = checked_number("of_stable", of_stable, 0.0, 100.0)
    maximum = checked_number("maximum", maximum, 0.0, 1.0, open_ends=True)
    if plus == 0.0 and of_stable == 0.0:
        raise ValueError("plus and of_stable must not both be 0: a margin of nothing can never be passed")
    maximum = max(maximum, _MARGIN_LEAST)
    least = min(max(plus, _MARGIN_LEAST), maximum)
    most = min(max(plus + of_stable, _MARGIN_LEAST), maximum)
    missing = max(STABLE_REQUESTS_LEAST - history.total, 0)
    rate = history.rate
    if missing or rate is None:
        return Margin(None, least, most, missing)
    value = min(max(plus + of_stable * rate, least), most)
    return Margin(value, value, value, 0)
