"""The leaves of a raw object: a value of the right type, or None.

The API server has checked what it stores, and a newer operator may store more than this plugin knows, so nothing here
refuses an object. What is absent, of another type, NaN or a word that is not known becomes None: a reader may miss a
detail, and must never be told of a success that nobody wrote.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

Raw = Mapping[str, Any]


def part(raw: Raw, name: str) -> Raw:
    """A part that is an object; an empty one when it is anything else."""
    found = raw.get(name)
    return found if isinstance(found, dict) else {}


def parts(raw: Raw, name: str) -> tuple[Raw, ...]:
    """The entries of a list that are objects."""
    found = raw.get(name)
    return tuple(one for one in found if isinstance(one, dict)) if isinstance(found, list) else ()


def text(value: Any) -> str | None:
    """A text that says something."""
    return value if isinstance(value, str) and value else None


def number(value: Any) -> float | None:
    """A number that is one: not NaN, not infinite, not True."""
    if type(value) not in _NUMBERS:
        return None
    try:
        found = float(value)
    except OverflowError:  # a whole number of four hundred digits
        return None
    return found if math.isfinite(found) else None


_NUMBERS = frozenset({int, float})  # and not bool, which is an int to isinstance


def whole(value: Any) -> int | None:
    """A whole number."""
    found = number(value)
    return int(found) if found is not None and found == int(found) else None


def time(value: Any) -> datetime | None:
    """An aware instant."""
    if not isinstance(value, str):
        return None
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        return None
    return at.astimezone(UTC) if at.tzinfo is not None else None
