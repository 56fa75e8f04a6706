"""Numbers and times as people read them. What is not known is a dash, never a zero."""

from __future__ import annotations

from datetime import UTC, datetime

from serin.plugin.objects import Counted

UNKNOWN = "-"

_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86_400.0


def age(since: datetime | None, now: datetime) -> str:
    """How long ago, as kubectl says it: '45s', '12m', '3h20m', '9d'."""
    if since is None:
        return UNKNOWN
    seconds = max((now - since).total_seconds(), 0.0)
    if seconds < 2 * _MINUTE:
        return f"{seconds:.0f}s"
    if seconds < 3 * _HOUR:
        return f"{seconds // _MINUTE:.0f}m"
    if seconds < 2 * _DAY:
        hours, minutes = divmod(int(seconds // _MINUTE), 60)
        return f"{hours}h{minutes}m" if minutes and hours < 8 else f"{hours}h"
    return f"{seconds // _DAY:.0f}d"


def span(seconds: float | None) -> str:
    """A duration in words: '45 s', '12 min', '3.5 h', '2.1 days'."""
    if seconds is None:
        return UNKNOWN
    seconds = max(seconds, 0.0)
    if seconds < 2 * _MINUTE:
        return f"{seconds:.0f} s"
    if seconds < 2 * _HOUR:
        return f"{seconds / _MINUTE:.0f} min"
    return f"{seconds / _HOUR:.2g} h" if seconds < 2 * _DAY else f"{seconds / _DAY:.2g} days"


def instant(at: datetime | None, now: datetime) -> str:
    """An instant and how far it is: '12:40:00Z (in 38 min)', with the date when it is not today's."""
    if at is None:
        return UNKNOWN
    away = (at - now).total_seconds()
    return f"{stamp(at, now)} ({f'in {span(away)}' if away > 0 else f'{span(abs(away))} ago'})"


def stamp(at: datetime | None, now: datetime | None = None) -> str:
    """An instant in UTC; without its date when that is today's."""
    if at is None:
        return UNKNOWN
    at = at.astimezone(UTC)
    same_day = now is not None and at.date() == now.astimezone(UTC).date()
    return at.strftime("%H:%M:%SZ" if same_day else "%Y-%m-%d %H:%M:%SZ")


def share(counted: Counted | None) -> str:
    """Counts of one arm: '7 of 225 (3.11 %)'."""
    if counted is None:
        return UNKNOWN
    rate = counted.rate
    return f"{counted.bad:g} of {counted.total:g}" + (f" ({percent(rate)})" if rate is not None else "")


def percent(fraction: float | None) -> str:
    """A share in percent, with as many digits as say something: '3.11 %', '0.004 %'."""
    if fraction is None:
        return UNKNOWN
    value = 100 * fraction
    return f"{value:.2f} %" if value >= 0.1 or value == 0 else f"{value:.2g} %"


def points(fraction: float | None) -> str:
    """A difference of two shares in percentage points, with its sign: '+3.01'."""
    return UNKNOWN if fraction is None else f"{100 * fraction:+.2f}"


def bounds(interval: tuple[float, float] | None) -> str:
    """An interval in percentage points: '[+0.44, +10.53]'; empty when it says nothing, as (-1, 1) does."""
    if interval is None or (interval[0] <= -1.0 and interval[1] >= 1.0):
        return ""
    return f"[{points(interval[0])}, {points(interval[1])}]"


def count(number: float | None) -> str:
    """A number of requests: '3,210'."""
    return UNKNOWN if number is None else f"{number:,.0f}"
