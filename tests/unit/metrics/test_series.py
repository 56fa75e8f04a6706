"""Exact increases: the table of serin.metrics.series, and any cut of a stream gives the same total."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serin.metrics.series import Beats, Cursor, Series, advance, baseline

EVERY_15 = tuple(float(t) for t in range(0, 301, 15))
BEATS = Beats((EVERY_15,))


def increase(
    *samples: tuple[float, float], cursor: Cursor | None, since: float, beats: Beats = BEATS, upto: float = 400
) -> float:
    series = Series.of({"__name__": "x_total"}, samples)
    step = advance(cursor, series, since=since, upto=upto, floor=-math.inf, beats=beats, memory_seconds=300)
    return step.increase


@pytest.mark.parametrize(
    ("want", "samples", "cursor", "since", "beats"),
    [
        pytest.param(3, [(15, 8)], Cursor(0, 5), 0, BEATS, id="5 then 8"),
        pytest.param(2, [(15, 2)], Cursor(0, 8), 0, BEATS, id="8 then 2: the process restarted"),
        pytest.param(5, [(15, 2), (30, 5)], Cursor(0, 8), 0, BEATS, id="a reset and then more"),
        pytest.param(1, [(45, 9)], Cursor(0, 8), 0, BEATS, id="two scrapes without it are a hiccup"),
        pytest.param(9, [(60, 9)], Cursor(0, 8), 0, BEATS, id="three scrapes without it: it is a new series"),
        pytest.param(9, [(60, 9)], Cursor(0, 8, missed=3), 45, BEATS, id="also when they were before this reading"),
        pytest.param(1, [(60, 9)], Cursor(0, 8), 0, Beats(((0, 60),)), id="no scrape at all for a while"),
        pytest.param(4, [(30, 4)], None, 15, BEATS, id="new; its target was scraped without it just before"),
        pytest.param(4, [(30, 4)], None, 0, Beats(((0, 15, 30),)), id="new in the second scrape of the span"),
        pytest.param(0, [(30, 4)], None, 15, Beats(((30,),)), id="new, and its target is new to us"),
        pytest.param(4, [(30, 4)], None, 15, Beats(((30,),), (-269.0,)), id="new, its process has just started"),
        pytest.param(0, [(30, 4)], None, 15, Beats(((30,),), (-270.0,)), id="new to us, its process is older"),
        pytest.param(4, [(120, 4)], None, 15, Beats(((15, 120),)), id="new after an outage; it was up before that"),
        pytest.param(4, [(120, 4)], None, 105, Beats(((60, 120),)), id="the same, whenever the last reading was"),
        pytest.param(0, [(360, 4)], None, 345, Beats(((60, 360),)), id="a scrape long before proves nothing"),
        pytest.param(0, [(120, 900)], None, 15, Beats(((15,), (120,))), id="labels changed during an outage"),
        pytest.param(0, [(30, 900)], None, 15, Beats(((0, 15), (30,))), id="the target's labels changed"),
        pytest.param(3, [(15, math.nan), (30, 8)], Cursor(0, 5), 0, BEATS, id="NaN is skipped"),
        pytest.param(3, [(15, math.inf), (30, -1), (45, 8)], Cursor(0, 5), 0, BEATS, id="so are inf and -1"),
        pytest.param(0, [(15, math.nan)], Cursor(0, 5), 0, BEATS, id="NaN alone is nothing"),
        pytest.param(2, [(30, math.nan), (45, 900), (60, 902)], Cursor(0, math.nan), 0, BEATS, id="born as NaN"),
        pytest.param(
            2, [(60, math.nan), (75, 900), (90, 902)], Cursor(0, 5), 0, BEATS, id="forgotten, then back as NaN"
        ),
        pytest.param(0, [(30, math.nan), (45, 900)], None, 15, BEATS, id="new as NaN: its number then is unknown"),
        pytest.param(
            3,
            [(15, math.nan), (30, math.nan), (45, math.nan), (60, 8)],
            Cursor(0, 5),
            0,
            BEATS,
            id="a series that says NaN is there: not forgotten",
        ),
        pytest.param(3, [(10, 8)], Cursor(0, 5), 15, BEATS, id="a sample that came late counts now"),
        pytest.param(
            6, [(15, 7), (30, 9), (45, 10), (60, 11)], Cursor(0, 5, missed=3), 45, BEATS, id="late for many scrapes"
        ),
        pytest.param(0, [], Cursor(0, 5), 0, BEATS, id="nothing new"),
    ],
)
def test_table(
    want: float, samples: list[tuple[float, float]], cursor: Cursor | None, since: float, beats: Beats
) -> None:
    """Each row is a sentence about one stream."""
    assert increase(*samples, cursor=cursor, since=since, beats=beats) == want


def test_samples_after_the_end_are_left_for_the_next() -> None:
    """A reading ends at its own instant, whatever the store has since."""
    assert increase((15, 6), (30, 9), cursor=Cursor(0, 5), since=0, upto=29.9) == 1


def test_a_series_that_is_unknown_is_not_read_from_before_the_floor() -> None:
    """Else a series that was forgotten would be counted again."""
    series = Series.of({}, [(0, 5), (15, 7)])
    step = advance(None, series, since=30, upto=60, floor=20, beats=BEATS, memory_seconds=300)
    assert step.cursor is None
    assert step.increase == 0


def test_baseline_is_the_last_sample_and_what_was_missed_since() -> None:
    """What `resume` puts a cursor on."""
    series = Series.of({}, [(0, 5), (15, 7), (30, math.nan), (75, 9)])
    assert baseline(series, upto=60, floor=-1, beats=BEATS) == Cursor(30, 7, missed=2)
    assert baseline(series, upto=60, floor=30, beats=BEATS) is None


values = st.one_of(st.integers(0, 50).map(float), st.just(math.nan), st.just(math.inf), st.just(-1.0))


@st.composite
def streams(draw: st.DrawFn) -> tuple[tuple[float, ...], list[tuple[float, float]]]:
    """Scrapes with gaps, and a series that some of them have."""
    times = draw(st.lists(st.integers(0, 60), unique=True, min_size=1).map(sorted))
    beats = tuple(t * 15.0 for t in times)
    kept = draw(st.lists(st.booleans(), min_size=len(beats), max_size=len(beats)))
    return beats, [(t, draw(values)) for t, keep in zip(beats, kept, strict=True) if keep]


def dumb(beats: tuple[float, ...], samples: list[tuple[float, float]], start: Cursor) -> float:
    """The same by looking at each scrape in turn: the value before is forgotten after three scrapes without it."""
    total, value, absent = 0.0, start.value, 0
    at = dict(samples)
    for beat in beats:
        if beat <= start.timestamp:
            continue
        if beat not in at:
            absent += 1
            continue
        now, back, absent = at[beat], absent >= 3, 0
        if not 0 <= now < math.inf:
            value = math.nan if back else value
            continue
        if back:
            value = 0.0
        if not math.isnan(value):
            total += now - value if now >= value else now
        value = now
    return total


@given(streams(), st.lists(st.floats(0, 900), max_size=6).map(sorted))
def test_any_cut_of_a_stream_gives_the_same_total(
    stream: tuple[tuple[float, ...], list[tuple[float, float]]], cuts: list[float]
) -> None:
    """Reading at every instant or once at the end makes no difference, and both agree with the slow way."""
    beats, samples = stream
    series = Series.of({}, samples)
    start = Cursor(-15.0, 3.0)

    def total(ends: list[float]) -> float:
        cursor: Cursor | None = start
        since, found = -15.0, 0.0
        for end in ends:
            step = advance(
                cursor, series, since=since, upto=end, floor=-math.inf, beats=Beats((beats,)), memory_seconds=300
            )
            cursor, found, since = step.cursor, found + step.increase, end
        return found

    assert total([900.0]) == dumb(beats, samples, start) == total([*cuts, 900.0])
