"""What is counted: requests and the bad ones among them.

Everything that `serin.stats` compares is brought to this one shape first: errors of requests, requests slower
than a bucket edge, wrong answers of labelled ones, conversions missed. Counts add, so windows merge without
raw data. The checks of every number that enters the package are here too: a number that cannot be right is an
error with its name and value, never an input to a verdict.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Integral, Real

__all__ = ["COUNT_MAX", "Counts", "checked_count", "checked_number"]

# Above 2^53 a float no longer tells n from n + 1, and the arithmetic of this package is done in floats.
COUNT_MAX = 2**53


def checked_number(
    name: str, value: object, least: float = -math.inf, most: float = math.inf, *, open_ends: bool = False
) -> float:
    """Return `value` as a float if it is a finite number within [least, most].

    With `open_ends` the two ends themselves are refused.

    Raises:
        ValueError: with the field's name and the value, for anything else: NaN, infinity, text, True.
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise ValueError(f"{name} must be a number, got {value!r}")  # noqa: TRY004 - one kind of error
    try:
        number = float(value)
    except OverflowError as error:
        raise ValueError(f"{name} must be a finite number, got {value!r}") from error
    if not math.isfinite(number):
        raise ValueError(f"{name} must be a finite number, got {value!r}")
    inside = least < number < most if open_ends else least <= number <= most
    if not inside:
        between = "between" if open_ends else "in"
        raise ValueError(f"{name} must be {between} [{least:g}, {most:g}], got {value!r}")
    return number


def checked_count(name: str, value: object) -> int:
    """Return `value` as an int if it is a whole number in [0, 2^53]; 3.0 is whole, 3.5 is not.

    Raises:
        ValueError: with the field's name and the value, for anything else.
    """
    number = checked_number(name, value)
    whole = int(value) if isinstance(value, Integral) else int(number)  # float(2**53 + 1) is 2**53
    if number < 0:
        raise ValueError(f"{name} must not be negative, got {value!r}")
    if whole > COUNT_MAX:
        raise ValueError(f"{name} must be at most 2^53, got {value!r}")
    if whole != number and not isinstance(value, Integral):
        raise ValueError(f"{name} must be a whole number, got {value!r}")
    return whole


@dataclass(frozen=True, slots=True)
class Counts:
    """How many requests an arm had, and how many of them were bad.

    total: requests, a whole number in [0, 2^53].
    bad: those that were bad, a whole number in [0, total].

    Whole floats are accepted (Prometheus knows nothing else) and stored as int.

    >>> Counts(900, 4) + Counts(100, 1)
    Counts(total=1000, bad=5)

    Raises:
        ValueError: NaN, infinite, negative, fractional or too large counts, or more bad requests than
            requests.
    """

    total: int = 0
    bad: int = 0

    def __post_init__(self) -> None:
        """Check and normalise both fields."""
        if type(self.total) is int and type(self.bad) is int and 0 <= self.bad <= self.total <= COUNT_MAX:
            return  # the common case, ten times as fast
        total = checked_count("total", self.total)
        bad = checked_count("bad", self.bad)
        if bad > total:
            raise ValueError(f"bad must not exceed total, got bad={bad} of total={total}")
        object.__setattr__(self, "total", total)
        object.__setattr__(self, "bad", bad)

    def __add__(self, other: Counts) -> Counts:
        """Return the counts of both windows taken together."""
        if not isinstance(other, Counts):
            return NotImplemented
        return Counts(self.total + other.total, self.bad + other.bad)

    @property
    def rate(self) -> float | None:
        """The share of bad requests in [0, 1]; None without requests: no traffic is not a rate of zero."""
        return self.bad / self.total if self.total else None
