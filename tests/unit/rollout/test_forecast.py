"""What is said about time and requests to come. The numbers themselves are serin.stats.planning's."""

from __future__ import annotations

from dataclasses import replace

import pytest

from serin.rollout.evidence import waiting_gates
from serin.rollout.forecast import expect, hours, per_second
from serin.rollout.plan import Bake, Canary
from serin.rollout.state import Attempt, Kind
from serin.stats import Counts
from tests.unit.rollout.looks import look, plan

HISTORY = Counts(36_000, 36)


def waiting(per_second: float, history: Counts = HISTORY, progress: float = 14_400.0) -> Attempt:
    """An attempt before any weight moved, beside a stable with this traffic."""
    by = plan(gates=plan().gates[:1], progress_seconds=progress)
    gates = tuple(replace(gate, history=history) for gate in waiting_gates(by))
    return Attempt(1, Kind.COMPARED, by, "2026-11-21T12:00:00Z", gates=gates, requests_per_second=per_second)


def test_requests_add_up_over_the_stages() -> None:
    """10 % for 60 s, 50 % until the proof is there, 120 s of bake."""
    attempt = waiting(2.0)
    outlook = expect(attempt, attempt.plan)
    needed = outlook.requests["errors"]
    assert needed > 12 + 120, "else the soak would be long enough"
    assert outlook.seconds == pytest.approx(60 + (needed - 12) / 1.0 + 120)


def test_with_much_traffic_the_soaks_are_all_that_it_takes() -> None:
    attempt = waiting(1000.0)
    assert expect(attempt, attempt.plan).seconds == 60 + 120 + 120


def test_requests_that_a_stage_asks_for_take_their_time() -> None:
    attempt = waiting(1000.0)
    stages = (Canary("small", 10, 60.0, requests_min=12_000), *attempt.plan.stages[1:])
    by = replace(attempt.plan, stages=stages)
    assert expect(replace(attempt, plan=by), by).seconds == pytest.approx(120 + 120 + 120)


def test_too_little_traffic_for_the_deadline_comes_with_the_margin_that_would_do() -> None:
    attempt = waiting(0.5, progress=1800.0)
    advice = expect(attempt, attempt.plan).advice
    assert advice is not None
    assert "a margin of" in advice
    assert "timeouts.progress leaves 30 min" in advice


def test_a_rate_is_written_as_people_write_it() -> None:
    assert [per_second(speed) for speed in (0.05, 12.5, 99.96, 1000.0, 52_340.4)] == [
        "0.05",
        "12.5",
        "100",
        "1,000",
        "52,340",
    ]


def test_soaks_longer_than_the_deadline_have_no_margin_that_would_do() -> None:
    attempt = waiting(1000.0, progress=100.0)
    advice = expect(attempt, attempt.plan).advice
    assert advice is not None
    assert advice.endswith("give it more time or more traffic")


@pytest.mark.parametrize(
    ("sentence", "attempt"),
    [
        ("without traffic", waiting(0.0)),
        ("with too short a history for a margin", waiting(0.5, history=Counts(999, 1), progress=1.0)),
    ],
)
def test_nothing_is_held_on_a_guess(sentence: str, attempt: Attempt) -> None:
    assert expect(attempt, attempt.plan).advice is None, sentence


def test_a_gate_that_has_passed_needs_no_more_requests() -> None:
    found = look(stage=1, done=True)
    outlook = expect(found.attempt, found.plan)
    assert outlook.requests == {}
    assert outlook.seconds == 120.0, "what is left is the bake"


def test_in_bake_its_soak_is_left() -> None:
    found = look(stage=2)
    assert isinstance(found.stage, Bake)
    assert expect(found.attempt, found.plan).seconds == 105.0


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-1, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "120 min"), (7200, "2 h"), (12_600, "3.5 h")],
)
def test_durations_are_said_as_people_say_them(seconds: float, words: str) -> None:
    assert hours(seconds) == words
