"""Windows and freezes against single instants."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serin.api.reasons import Reason
from serin.rollout.windows import Freeze, Window, closed

WORK = Window((0, 1, 2, 3, 4), 9 * 60, 17 * 60, "Europe/Berlin")
NIGHT = Window((4,), 22 * 60, 4 * 60, "UTC")
ALWAYS = Window((0, 1, 2, 3, 4, 5, 6), 0, 24 * 60, "UTC")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("sentence", "window", "instant", "want"),
    [
        ("it opens to the minute", WORK, "2026-11-23T09:00:00+01:00", True),
        ("not before", WORK, "2026-11-23T08:59:59+01:00", False),
        ("the end is outside", WORK, "2026-11-23T17:00:00+01:00", False),
        ("the last second is inside", WORK, "2026-11-23T16:59:59+01:00", True),
        ("by the clock there, in winter", WORK, "2026-11-23T08:30:00Z", True),
        ("and in summer", WORK, "2026-07-20T07:30:00Z", True),
        ("which is another hour", WORK, "2026-11-23T07:30:00Z", False),
        ("not on a Saturday", WORK, "2026-11-21T12:00:00Z", False),
        ("over midnight, the evening", NIGHT, "2026-11-20T23:00:00Z", True),
        ("over midnight, the morning after", NIGHT, "2026-11-21T03:59:00Z", True),
        ("not the morning of the day itself", NIGHT, "2026-11-20T03:00:00Z", False),
        ("nor the evening after", NIGHT, "2026-11-21T22:30:00Z", False),
        ("a whole day has no seam", ALWAYS, "2026-11-21T23:59:59Z", True),
    ],
)
def test_a_window_is_open_or_not(sentence: str, window: Window, instant: str, want: bool) -> None:
    assert window.is_open(at(instant)) is want, sentence


@pytest.mark.parametrize(
    ("window", "instant", "want"),
    [
        (WORK, "2026-11-21T12:00:00Z", "2026-11-23T08:00:00Z"),
        (WORK, "2026-11-23T17:00:00+01:00", "2026-11-24T08:00:00Z"),
        (NIGHT, "2026-11-21T04:00:00Z", "2026-11-27T22:00:00Z"),
        # The clocks go forward on the Sunday between.
        (WORK, "2026-03-27T18:00:00+01:00", "2026-03-30T07:00:00Z"),
    ],
)
def test_it_is_known_when_a_window_opens(window: Window, instant: str, want: str) -> None:
    assert window.opens(at(instant)) == at(want)


@given(
    days=st.sets(st.integers(0, 6), min_size=1),
    start=st.integers(0, 1439),
    length=st.integers(1, 1439),
    instant=st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)),  # noqa: DTZ001 - made aware below
)
def test_it_opens_when_it_says(days: set[int], start: int, length: int, instant: datetime) -> None:
    """A closed window is closed until the instant that is named, and open then."""
    window = Window(tuple(sorted(days)), start, (start + length) % 1440, "UTC")
    now = instant.replace(tzinfo=UTC)
    if window.is_open(now):
        return
    opens = window.opens(now)
    assert window.is_open(opens)
    assert not window.is_open(max(now, opens - timedelta(minutes=1)))


def test_any_open_window_will_do_and_none_means_always() -> None:
    now = at("2026-11-21T03:00:00Z")
    assert closed((), (), now) is None
    assert closed((WORK, NIGHT), (), now) is None
    why = closed((WORK,), (), now)
    assert why == (
        Reason.OUTSIDE_WINDOW,
        "the policy's next window opens at 2026-11-23T08:00:00Z (Mon 09:00 Europe/Berlin)",
    )


def test_a_freeze_goes_before_a_window_and_the_longest_is_named() -> None:
    now = at("2026-11-21T03:00:00Z")
    one = Freeze(now.timestamp() - 1, now.timestamp() + 60)
    two = Freeze(now.timestamp(), now.timestamp() + 120, "year-end")
    assert closed((NIGHT,), (one, two), now) == (
        Reason.FROZEN,
        "the policy's freeze (year-end) ends at 2026-11-21T03:02:00Z",
    )
    assert closed((NIGHT,), (one,), now + timedelta(seconds=60)) is None, "its end is outside"
