"""When a rollout may advance: the policy's windows and freezes against one instant.

A window belongs to the day on which it begins: {days: [Fri], from: "22:00", to: "04:00"} is open on Saturday at 03:00.
Times are those of the clock on the wall there, so a window over a change to summer time is an hour shorter.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from serin.api.reasons import Reason
from serin.api.times import DAYS, time_zone
from serin.rollout.instants import stamp


@dataclass(frozen=True, slots=True)
class Window:
    """days: 0 is Monday. start, end: minutes since midnight; end at or before start is on the next day."""

    days: tuple[int, ...]
    start: int
    end: int
    timezone: str

    @property
    def zone(self) -> tzinfo:
        """The time zone. One that this machine does not know (a plan from elsewhere) is read as UTC."""
        return time_zone(self.timezone) or UTC

    def is_open(self, now: datetime) -> bool:
        """Whether an aware instant lies in it."""
        local = now.astimezone(self.zone)
        minute = 60 * local.hour + local.minute
        if self.start < self.end:
            return local.weekday() in self.days and self.start <= minute < self.end
        yesterday = (local.weekday() - 1) % 7
        return (local.weekday() in self.days and minute >= self.start) or (yesterday in self.days and minute < self.end)

    def opens(self, now: datetime) -> datetime:
        """When it opens next, after an instant at which it is closed."""
        local = now.astimezone(self.zone)
        midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
        # Eight days, for on the day of today it may be over.
        for ahead in range(8):
            day = midnight + timedelta(days=ahead)
            begin = day.replace(hour=self.start // 60, minute=self.start % 60)
            if begin.weekday() in self.days and begin > local:
                return begin
        raise AssertionError("a window has a day")


@dataclass(frozen=True, slots=True)
class Freeze:
    """start, end: seconds since the epoch."""

    start: float
    end: float
    reason: str = ""


def closed(windows: Iterable[Window], freezes: Iterable[Freeze], now: datetime) -> tuple[Reason, str] | None:
    """Why a rollout may not advance now, and until when; None when it may. A freeze is said first."""
    frozen = [freeze for freeze in freezes if freeze.start <= now.timestamp() < freeze.end]
    if frozen:
        last = max(frozen, key=lambda freeze: freeze.end)
        why = f" ({last.reason})" if last.reason else ""
        return Reason.FROZEN, f"the policy's freeze{why} ends at {stamp(datetime.fromtimestamp(last.end, UTC))}"
    windows = tuple(windows)
    if not windows or any(window.is_open(now) for window in windows):
        return None
    following = min((window.opens(now) for window in windows), key=lambda begin: begin.astimezone(UTC))
    local = f"{DAYS[following.weekday()]} {following:%H:%M} {following.tzinfo}"
    return (
        Reason.OUTSIDE_WINDOW,
        f"the policy's next window opens at {stamp(following.astimezone(UTC))} ({local})",
    )
