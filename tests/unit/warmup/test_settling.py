"""When a warm-up is over."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serin.warmup.settling import Settled, Unsettled, settled

COLD = [2.0, 1.5, 1.0, 0.8, 0.6]
WARM = [0.10, 0.11, 0.10, 0.09, 0.10]


@pytest.mark.parametrize(
    ("sentence", "latencies", "objective", "want"),
    [
        ("nothing was answered", [], None, "0 of 10 answers that two windows need"),
        ("one answer too few", [*WARM, *WARM[1:]], None, "9 of 10 answers that two windows need"),
        ("it still gets faster", [*COLD, *WARM], None, "the median fell from 1000 ms to 100 ms, and may go on"),
        ("it gets slower", [*WARM, *COLD], None, "the median rose from 100 ms to 1000 ms, and may go on"),
        ("steady", [*COLD, *WARM, *WARM], None, None),
        ("a fifth less is steady", [0.100] * 5 + [0.080] * 5, None, None),
        ("more than a fifth less is not", [0.100] * 5 + [0.079] * 5, None, "the median fell from 100 ms to 79 ms"),
        ("below a millisecond nothing is a change", [0.0015] * 5 + [0.0006] * 5, None, None),
        ("at the objective", [*WARM, *WARM], 0.1, None),
        ("steady above the objective", [*WARM, *WARM], 0.099, "the median is steady at 100 ms, above the objective"),
        ("one slow answer says nothing", [*WARM, 0.1, 0.1, 9.0, 0.1, 0.1], None, None),
    ],
)
def test_it_is_warm_when_two_windows_agree(
    sentence: str, latencies: list[float], objective: float | None, want: str | None
) -> None:
    found = settled(latencies, 5, objective)
    if want is None:
        assert isinstance(found, Settled), sentence
    else:
        assert isinstance(found, Unsettled), sentence
        assert found.words.startswith(want), found.words


@given(st.lists(st.floats(0.001, 10), min_size=20, max_size=20), st.floats(0.001, 1))
def test_what_came_before_the_two_windows_does_not_matter(latencies: list[float], objective: float) -> None:
    """But for the first answer, which is only told."""
    short, long = settled(latencies[-10:], 5, objective), settled(latencies, 5, objective)
    if isinstance(short, Settled):
        assert isinstance(long, Settled)
        assert (long.median_seconds, long.first_seconds) == (short.median_seconds, latencies[0])
    else:
        assert short == long


def test_a_window_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        settled([0.1], 0)
