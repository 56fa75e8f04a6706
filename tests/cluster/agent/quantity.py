"""Kubernetes quantities: "512Mi", "250m", "1e3"."""

from __future__ import annotations

import re
from decimal import Decimal

_FACTORS = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "": Decimal(1),
    **{suffix: Decimal(1000) ** power for power, suffix in enumerate(("k", "M", "G", "T", "P", "E"), start=1)},
    **{suffix: Decimal(1024) ** power for power, suffix in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), start=1)},
}


def parse(text: str | float) -> Decimal:
    """The number a quantity stands for.

    >>> parse("512Mi")
    Decimal('536870912')
    >>> parse("250m")
    Decimal('0.250')
    """
    found = re.fullmatch(r"([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)([numkKMGTPE]?i?)", str(text))
    if not found or found.group(2) not in _FACTORS:
        raise ValueError(f"{text!r} is not a Kubernetes quantity")
    return Decimal(found.group(1)) * _FACTORS[found.group(2)]
