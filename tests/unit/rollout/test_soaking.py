"""A soak that may end early: on overwhelming evidence for every required gate, and on nothing less."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from serin.rollout.look import Look
from serin.rollout.plan import Bake, Canary
from serin.rollout.progress import finished, unfinished
from serin.rollout.rulings import Wait
from serin.rollout.soaking import ended_early, soaked
from serin.stats import Counts
from tests.unit.rollout.looks import attempt, by_plan, counted, look, plan

ERRORS = tuple(gate for gate in plan().gates if gate.name == "errors")
PASSING, OVERWHELMING = (Counts(900, 1), Counts(900, 1)), (Counts(9_000, 9), Counts(9_000, 9))


def early(number: int = 1, *, yes: bool = True, weight: int = 10) -> Look:
    """A look at a stage of ten minutes, 15 s into it, after so many large readings besides."""
    stages = (Canary("small", weight, 600.0, early=yes), Bake("bake", 60.0, 5))
    readings = [counted("errors", *OVERWHELMING)] * number
    return look(by_plan(stages=stages, gates=ERRORS), *readings)


def log_e_pass(one: Look) -> float:
    """Of the only gate."""
    test = one.attempt.gates[0].test
    assert test is not None
    return test.evidence.log_e_pass


def test_overwhelming_evidence_ends_a_soak_that_may_end_early() -> None:
    assert log_e_pass(early()) >= 2 * math.log(20)
    assert soaked(early().attempt, early().plan)


def test_evidence_that_would_do_for_a_pass_does_not() -> None:
    """Twenty to one is a pass after the soak; four hundred to one are asked for before it."""
    one = look(by_plan(stages=(Canary("small", 10, 600.0, early=True),), gates=ERRORS), counted("errors", *PASSING))
    assert math.log(20) <= log_e_pass(one) < 2 * math.log(20)
    assert not soaked(one.attempt, one.plan)


STAGES = by_plan(stages=(Canary("small", 10, 600.0, early=True), Bake("bake", 60.0, 5)))
MUCH = counted("errors", *OVERWHELMING)


@pytest.mark.parametrize(
    ("sentence", "one"),
    [
        ("a stage that does not say so keeps its soak", early(yes=False)),
        (
            "nothing is ended before the weight is in effect",
            look(STAGES, by_plan(gates=ERRORS), MUCH, attempt(effect_since=0.0)),
        ),
        ("one gate without the evidence is enough to go on", look(STAGES, MUCH)),
        (
            "without a required gate there is nothing that could be overwhelming",
            look(STAGES, by_plan(gates=tuple(replace(gate, required=False) for gate in ERRORS)), MUCH),
        ),
    ],
)
def test_a_soak_goes_on(sentence: str, one: Look) -> None:
    assert not soaked(one.attempt, one.plan), sentence
    assert ended_early(one.attempt) == one.attempt, sentence


def test_the_last_stage_before_full_traffic_still_needs_its_pass_which_the_next_reading_latches() -> None:
    one = early()
    assert not finished(one)
    assert isinstance(unfinished(one), Wait)
    after = counted("errors", Counts(900, 0), Counts(100, 0))(replace(one, attempt=ended_early(one.attempt)))
    test = after.attempt.gates[0].test
    assert test is not None
    assert test.evidence.verdict == "pass"


def test_the_soak_itself_is_enough_without_any_evidence() -> None:
    one = look(by_plan(stages=early().plan.stages, gates=ERRORS), attempt(soaked_seconds=600.0))
    assert soaked(one.attempt, one.plan)
