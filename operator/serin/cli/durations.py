"""Durations that are given as options."""

from __future__ import annotations

from serin.cli.failure import Unusable


def seconds(option: str, text: str, such_as: str = "90s, 30m or 4h") -> float:
    """The seconds that a duration says.

    Raises:
        Unusable: it is none.
    """
    from serin.api.quantities import SecondsOrZero

    try:
        return SecondsOrZero(text).seconds
    except ValueError as error:
        raise Unusable(f"{option} {text}: {error}", f"write {such_as}") from error
