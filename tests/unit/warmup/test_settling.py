"""When a warm-up is over."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serin.warmup.settling import RISE_LEAST, Settled, Unsettled, settled

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
        ("a little slower, each of them", [0.100] * 5 + [0.103] * 5, None, "the median rose from 100 ms to 103 ms"),
        ("slower by what nobody notices", [0.100] * 5 + [0.101] * 5, None, None),
        ("slower than two windows before", [*[0.1] * 5, *[0.13] * 5, *[0.13] * 5], None, "the median rose from 100 ms"),
        ("slower once, and steady since", [*[0.1] * 5, *[0.13] * 25], None, None),
        ("slower by a wobble", [*WARM, 0.09, 0.11, 0.11, 0.10, 0.12], None, None),
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


@given(
    window=st.integers(5, 30),
    start=st.floats(1e-4, 10),
    rises=st.lists(st.floats(1.03, 3), min_size=1, max_size=12),
    wobble=st.randoms(use_true_random=False),
)
def test_a_model_that_gets_slower_and_slower_never_settles(
    window: int, start: float, rises: list[float], wobble: random.Random
) -> None:
    """From window to window it may be less than a fifth, and two windows after the start are enough to see it."""
    latencies, level = [], start
    for rise in [1.0, *rises]:
        level *= rise
        latencies += [level * wobble.uniform(0.996, 1.004) for _ in range(window)]
    for end in range(2 * window, len(latencies) + 1, window):
        assert isinstance(settled(latencies[:end], window), Unsettled)


@given(st.lists(st.floats(1, 1.09), min_size=10, max_size=100), st.floats(0.001, 1))
def test_what_has_settled_is_not_all_of_it_slower_than_one_of_the_four_windows_before(
    factors: list[float], start: float
) -> None:
    """However slowly it got there: what each request shows is no wobble."""
    latencies = [start]
    for one in factors:
        latencies.append(latencies[-1] * one)
    latencies = latencies[: len(latencies) // 5 * 5]
    if isinstance(settled(latencies, 5), Settled):
        *before, last = [latencies[at : at + 5] for at in range(0, len(latencies), 5)][-5:]
        assert not any(max(one) < min(last) and (1 + RISE_LEAST) * one[2] < last[2] for one in before)


def test_an_ordinary_model_is_asked_hardly_more_than_two_windows() -> None:
    """One in a hundred pairs of windows looks like a rise by chance, and one more window then tells."""
    chance, looks = random.Random(5), 0
    for _ in range(500):
        latencies = [0.05 * chance.lognormvariate(0, 0.1) for _ in range(400)]
        looks += next(end for end in range(40, 401, 20) if isinstance(settled(latencies[:end], 20), Settled))
    assert 40 <= looks / 500 < 41


@given(st.lists(st.floats(0.001, 10), min_size=40, max_size=40), st.floats(0.001, 1))
def test_what_came_before_the_last_five_windows_does_not_matter(latencies: list[float], objective: float) -> None:
    """But for the first answer, which is only told."""
    short, long = settled(latencies[-25:], 5, objective), settled(latencies, 5, objective)
    if isinstance(short, Settled):
        assert isinstance(long, Settled)
        assert (long.median_seconds, long.first_seconds) == (short.median_seconds, latencies[0])
    else:
        assert short == long


@given(st.lists(st.floats(0.001, 10), min_size=10, max_size=40))
def test_whole_windows_are_counted_from_the_end(latencies: list[float]) -> None:
    """What is left over at the beginning is no window."""
    left = len(latencies) % 5
    assert type(settled(latencies, 5)) is type(settled(latencies[left:], 5))


def test_a_window_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        settled([0.1], 0)
