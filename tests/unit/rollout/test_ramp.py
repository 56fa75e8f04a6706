"""A canary stage that finds its weight: its steps, and when each is taken."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serin.rollout.gates import LimitGate
from serin.rollout.plan import Bake, Canary
from serin.rollout.ramp import harm_budget, steps_of
from serin.rollout.rules import rule
from serin.rollout.rulings import Advance, Wait
from serin.stats.rate import RateTest
from tests.unit.rollout.looks import by_plan, look, plan

RAMP = Canary("ramp", 50, 300.0, ("errors",), "passed", 500, 20)


@pytest.mark.parametrize(
    ("sentence", "before", "weight", "weights"),
    [
        ("from nothing to half", 0, 50, [1, 5, 20, 50]),
        ("to a weight that is no step of its own", 0, 35, [1, 5, 20, 35]),
        ("behind a stage of 10 %", 10, 50, [20, 50]),
        ("no step fits in between", 20, 25, [25]),
    ],
)
def test_a_ramp_rises(sentence: str, before: int, weight: int, weights: list[int]) -> None:
    steps = steps_of(replace(RAMP, weight=weight), before)
    assert [step.weight for step in steps] == weights, sentence


def test_soak_proof_and_least_requests_are_about_the_last_step() -> None:
    *inner, last = steps_of(RAMP, 0)
    assert last == RAMP
    assert {(step.soak_seconds, step.requests_min, step.advance) for step in inner} == {(0.0, 0, "notFailing")}
    assert {(step.name, step.gates, step.excess_failures) for step in inner} == {("ramp", ("errors",), 20)}


def test_a_stage_without_a_budget_is_one_step() -> None:
    assert steps_of(replace(RAMP, excess_failures=None), 0) == (replace(RAMP, excess_failures=None),)


@given(st.integers(0, 98), st.integers(1, 99))
def test_whatever_it_rises_from_and_to_weights_rise(before: int, weight: int) -> None:
    if before < weight:
        weights = [before, *(step.weight for step in steps_of(replace(RAMP, weight=weight), before))]
        assert weights == sorted(set(weights))
        assert weights[-1] == weight


def ramp(budget: int) -> tuple[Canary | Bake, ...]:
    """A stage of 1 % and a step to 50 %."""
    inner = Canary("ramp", 1, 0.0, excess_failures=budget)
    return (inner, replace(inner, weight=50, soak_seconds=60.0), Bake("bake", 60.0, 5))


ERRORS = tuple(gate for gate in plan().gates if gate.name == "errors")


def test_a_step_waits_while_a_bad_candidate_could_cost_more_than_the_budget_and_says_so() -> None:
    ruling = rule(look(by_plan(stages=ramp(0), gates=ERRORS)))
    assert isinstance(ruling, Wait)
    assert "at 50 % a bad candidate could cost more than 0 failures before gate errors finds it out" in ruling.message


def test_a_step_is_taken_as_soon_as_it_could_not() -> None:
    assert rule(look(by_plan(stages=ramp(1_000_000), gates=ERRORS))) == Advance("stage ramp at 50 %")


def test_gates_that_only_inform_do_not_hold_a_ramp() -> None:
    gates = tuple(replace(gate, required=False) for gate in plan().gates)
    assert harm_budget(look(by_plan(stages=ramp(0), gates=gates))) is None


def test_a_limit_knows_no_stable_and_holds_no_ramp() -> None:
    assert (
        harm_budget(look(by_plan(stages=ramp(0), gates=(LimitGate("slo", True, "serverErrors", None, 0.01),)))) is None
    )


def test_without_traffic_nothing_is_known_of_the_harm() -> None:
    found = look(by_plan(stages=ramp(1_000_000)))
    gates = tuple(
        replace(state, test=RateTest(state.test.settings)) if isinstance(state.test, RateTest) else state
        for state in found.attempt.gates
    )
    silent = replace(found.attempt, requests_per_second=0.0, gates=gates)
    assert isinstance(harm_budget(replace(found, attempt=silent)), Wait)
