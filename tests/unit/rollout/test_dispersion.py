"""How far the gates' evidence is trusted: over-dispersion, measured on stable's history."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serin.metrics.reading import Counted, Reading
from serin.rollout.dispersion import ASSUMED, dispersion_of
from serin.rollout.evidence import Around, absorb, open_gates, waiting_gates
from serin.rollout.judge import reports
from serin.rollout.persist import dump_state, load_state
from serin.rollout.state import Attempt, Kind, State
from serin.stats import Counts, overdispersion
from tests.unit.rollout.looks import plan

AROUND = Around(weight=0, in_effect=False, ready=True, held=False, silent_seconds_max=30.0, lag_seconds=0.0)


def minutes(clump: int, *, count: int = 60, seed: int = 1) -> tuple[Counts, ...]:
    """An hour of stable at 50 requests/s of which 1 % fail, in clumps."""
    rng = np.random.default_rng(seed)
    return tuple(Counts(3000, int(rng.binomial(3000 // clump, 0.01)) * clump) for _ in range(count))


def waiting(windows: tuple[Counts, ...]) -> Attempt:
    """An attempt before its first traffic that has read stable's history."""
    attempt = Attempt(1, Kind.COMPARED, plan(), "2026-11-21T12:00:00Z", gates=waiting_gates(plan()))
    whole = Counts(sum(one.total for one in windows), sum(one.bad for one in windows))
    gates = {gate.name: Counted(whole, Counts(), windows) for gate in plan().rate_gates()}
    return absorb(attempt, Reading(3600.0, 3600.0, gates, whole.total, 0, stable_seen=True), AROUND)


def test_what_fails_in_clumps_is_worth_as_much_less() -> None:
    """Eights: 8 times the safety factor of 1.25; three deviations of 60 minutes' estimate are about 70 %."""
    assert dispersion_of(minutes(8)).value == pytest.approx(10, rel=0.7)
    assert dispersion_of(minutes(8)).source == "windows"


@pytest.mark.parametrize(
    ("sentence", "windows"),
    [
        ("nothing was read", ()),
        ("a few minutes are no measurement", minutes(8, count=8)),
        ("nor is an hour in which nothing failed", (Counts(3000, 0),) * 60),
        ("sixty minutes that are more alike than chance has it do not prove independence", (Counts(3000, 30),) * 60),
    ],
)
def test_what_says_too_little_is_assumed(sentence: str, windows: tuple[Counts, ...]) -> None:
    assert dispersion_of(windows) == ASSUMED, sentence


def test_ten_hours_of_minutes_may_say_that_requests_are_more_independent_than_assumed() -> None:
    found = dispersion_of(minutes(1, count=600))
    assert 1.0 <= found.value < ASSUMED.value
    assert found.source == "windows"


@given(st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 5000)), max_size=60))
def test_an_hour_never_lowers_it_and_more_clumps_never_pass_for_fewer(pairs: list[tuple[int, int]]) -> None:
    windows = tuple(Counts(max(pair), min(pair)) for pair in pairs)
    found = dispersion_of(windows)
    assert found.value >= ASSUMED.value
    assert found.value >= overdispersion(windows=windows).value or found == ASSUMED


def test_a_gate_begins_with_what_was_measured_and_says_so() -> None:
    attempt = open_gates(waiting(minutes(8)))
    for gate in attempt.gates:
        assert gate.test is not None
        assert gate.test.settings.overdispersion == dispersion_of(minutes(8)).value
        assert (gate.dispersion, gate.windows) == ("windows", ())
    assert {one["overdispersion"] for one in reports(replace(attempt, stage=0))} == {
        round(dispersion_of(minutes(8)).value, 2)
    }


def test_a_gate_that_assumes_says_nothing_of_it() -> None:
    attempt = open_gates(waiting(()))
    assert [gate.dispersion for gate in attempt.gates] == ["assumed"] * len(attempt.gates)
    assert not any("overdispersion" in one for one in reports(replace(attempt, stage=0)))


def test_windows_wait_in_the_status_until_the_gates_begin() -> None:
    """A kill while the candidate gets ready loses nothing: history is not read again."""
    before = State(attempt=waiting(minutes(3)))
    assert load_state(dump_state(before)) == before
    begun = State(attempt=open_gates(waiting(minutes(8))))
    assert load_state(dump_state(begun)) == begun


def test_later_readings_before_first_traffic_leave_the_windows() -> None:
    attempt = waiting(minutes(3))
    gates = {gate.name: Counted(Counts(750, 7), Counts()) for gate in plan().rate_gates()}
    attempt = absorb(attempt, Reading(3615.0, 15.0, gates, 750, 0, stable_seen=True), AROUND)
    assert [gate.windows for gate in attempt.gates] == [minutes(3)] * len(attempt.gates)
