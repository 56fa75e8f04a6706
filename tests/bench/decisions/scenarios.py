"""The rollouts that are simulated: the grid of 480, and what is true of each.

Speeds 1, 10, 100, 1,000 requests/s; the candidate's share 1, 5, 20, 50 %; stable's rate 0.1, 0.5, 1, 5, 10, 20 %; and a
candidate that is equal, slightly worse (by half of the margin), fails twice or five times as often, or half of all
requests. 4 x 4 x 6 x 5 = 480.

The margin is the default, 0.2 points + 25 % of stable's rate and at most 2 points. What is true follows from it:

equal: a rollback is false.
inside: worse, but by less than the margin. Either verdict is right; told apart in the tables. Twice 0.1 % is here.
regression: worse by the margin or more. A promotion is a regression missed.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Literal

__all__ = ["BASES", "SHARES", "SPEEDS", "Scenario", "Truth", "grid", "margin_of"]

Truth = Literal["equal", "inside", "regression"]

SPEEDS = (1.0, 10.0, 100.0, 1000.0)
SHARES = (0.01, 0.05, 0.2, 0.5)
BASES = (0.001, 0.005, 0.01, 0.05, 0.1, 0.2)
CANDIDATES = ("equal", "slightly worse", "twice", "five times", "half broken")

MARGIN_PLUS, MARGIN_OF_STABLE, MARGIN_MOST = 0.002, 0.25, 0.02


def margin_of(base: float) -> float:
    """The default margin at this rate, as a fraction: 0.45 points at 1 %."""
    return min(MARGIN_PLUS + MARGIN_OF_STABLE * base, MARGIN_MOST)


@dataclass(frozen=True, slots=True)
class Scenario:
    """One rollout with traffic that does not change.

    speed: requests per second of both arms together. share: the candidate's part of them, in (0, 1).
    base, rate: the probabilities that a request to stable and to the candidate is bad.
    """

    speed: float
    share: float
    base: float
    rate: float
    candidate: str

    @property
    def truth(self) -> Truth:
        """What the candidate is, by its rates alone."""
        worse = self.rate - self.base
        if worse <= 0.0:
            return "equal"
        return "regression" if worse >= margin_of(self.base) - 1e-12 else "inside"

    @property
    def gentle(self) -> bool:
        """Thresholds of 99 % are at their best: 0.1 to 0.5 % bad requests, 5 requests/s or more."""
        return self.base <= 0.005 and self.speed >= 5.0

    @property
    def name(self) -> str:
        """As it stands in the tables."""
        return f"{self.speed:g}/s, {self.share:.0%}, {self.base:.1%} against {self.rate:.3g}".replace("%", " %")


def _rate(candidate: str, base: float) -> float:
    match candidate:
        case "equal":
            return base
        case "slightly worse":
            return base + margin_of(base) / 2
        case "twice":
            return 2 * base
        case "five times":
            return min(5 * base, 1.0)
        case "half broken":
            return base + 0.5 * (1 - base)
        case _:
            raise ValueError(f"candidate must be one of {CANDIDATES}, got {candidate!r}")


def grid() -> tuple[Scenario, ...]:
    """The 480 scenarios."""
    return tuple(
        Scenario(speed, share, base, _rate(candidate, base), candidate)
        for speed, share, base, candidate in itertools.product(SPEEDS, SHARES, BASES, CANDIDATES)
    )
