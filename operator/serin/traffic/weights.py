"""Shares of traffic and the integers that carry them: pure arithmetic, no Kubernetes.

A stage speaks in percent of what reaches the two slots. A route speaks in integer weights whose sum is
anybody's choice: 100 in a route of our own, 1000 or 7 in a route that others wrote. The sum of the two is
never changed, because next to a third backend of the same rule it is the share of all traffic that the owner
gave to this model.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from serin.api.names import Slot

TOLERANCE_POINTS: Final = Fraction(1, 2)
"""How far the share that integers can carry may be off the share that was asked for, in points of percent."""


@dataclass(frozen=True, slots=True)
class Weights:
    """How the traffic of one model is shared between its slots, in percent.

    The two add up to 100. `Weights(0, 0)` is what a route can say but nobody may ask for: neither slot
    receives anything.
    """

    a: int
    b: int

    def __post_init__(self) -> None:
        if not (0 <= self.a <= 100 and 0 <= self.b <= 100) or self.a + self.b not in (0, 100):
            raise ValueError(f"weights {self.a} and {self.b} are not two shares of 100 percent")

    @classmethod
    def toward(cls, slot: Slot, percent: int) -> Weights:
        """Give `percent` to one slot and the rest to the other.

        >>> Weights.toward("b", 10)
        Weights(a=90, b=10)
        """
        return cls(percent, 100 - percent) if slot == "a" else cls(100 - percent, percent)

    def of(self, slot: Slot) -> int:
        """Return the share of one slot in percent."""
        return self.a if slot == "a" else self.b


@dataclass(frozen=True, slots=True)
class Units:
    """The two weights of one rule as they are written in the route."""

    a: int
    b: int

    @property
    def total(self) -> int:
        """Return the sum that stays what it is."""
        return self.a + self.b

    def of(self, slot: Slot) -> int:
        """Return what is written for one slot."""
        return self.a if slot == "a" else self.b


def split(total: int, weights: Weights) -> Units:
    """Write shares as integers that add up to `total`.

    The nearest integers win, and half a unit goes to slot `a`. A slot that is to have traffic has at least
    one unit of it, as long as there are two units to share: a candidate rounded down to nothing would wait
    for traffic for ever.

    >>> split(1000, Weights(90, 10))
    Units(a=900, b=100)
    >>> split(30, Weights(99, 1))
    Units(a=29, b=1)
    """
    if total < 0:
        raise ValueError(f"a sum of weights cannot be {total}")
    if weights == Weights(0, 0):
        raise ValueError("shares of no traffic cannot be written")
    a = (2 * total * weights.a + 100) // 200
    if total >= 2:
        if weights.a > 0:
            a = max(a, 1)
        if weights.b > 0:
            a = min(a, total - 1)
    return Units(a, total - a)


def shares(units: Units) -> tuple[Weights, bool]:
    """Read integers as percent; the second value says whether the percent are exact.

    A slot that has a unit of traffic never reads as 0 percent: "weight 0" has to mean that nobody is sent
    there.

    >>> shares(Units(900, 100))
    (Weights(a=90, b=10), True)
    >>> shares(Units(2, 1))
    (Weights(a=67, b=33), False)
    >>> shares(Units(9999, 1))
    (Weights(a=99, b=1), False)
    """
    if units.total == 0:
        return Weights(0, 0), True
    a = (200 * units.a + units.total) // (2 * units.total)
    if units.a > 0:
        a = max(a, 1)
    if units.b > 0:
        a = min(a, 99)
    return Weights(a, 100 - a), a * units.total == 100 * units.a


def error_points(units: Units, weights: Weights) -> Fraction:
    """Return how many points of percent the written weights are off the shares that were asked for.

    >>> error_points(Units(1, 1), Weights(90, 10))
    Fraction(40, 1)
    """
    if units.total == 0:
        return Fraction(0)
    return abs(Fraction(100 * units.a, units.total) - weights.a)
