"""The plan of an attempt: which gates a stage judges, what stays live, how it is stored."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import yaml

from serin.rollout.gates import LimitGate, tolerance_of
from serin.rollout.plan import Bake, Canary, Plan
from tests.unit.rollout.looks import plan
from tests.unit.rollout.world import plan_from

ALL = frozenset({"errors", "slow", "ceiling"})


def staged(*stages: Canary | Bake) -> Plan:
    """A plan with these stages, and with a limit."""
    return plan(stages=stages, gates=(*plan().gates, LimitGate("ceiling", True, "serverErrors", None, 0.02)))


STAGES = staged(
    Canary("small", 10, 60.0, ("errors", "pods")),
    Canary("proof", 20, 60.0, ("errors",), "passed"),
    Canary("half", 50, 60.0, ("errors",)),
    Bake("bake", 60.0, 5, ("slow",)),
)


@pytest.mark.parametrize(
    ("sentence", "index", "judged", "proof"),
    [
        ("an inner stage judges what it lists", 0, {"errors"}, False),
        ("and wants their proof where it says so", 1, {"errors"}, True),
        ("the last one before full traffic judges all of them and wants their proof", 2, ALL, True),
        ("bake judges what it lists, which was proven before", 3, {"slow"}, False),
    ],
)
def test_stages_judge(sentence: str, index: int, judged: set[str], proof: bool) -> None:
    assert STAGES.judged(index) == judged, sentence
    assert STAGES.needs_proof(index) is proof, sentence


def test_before_any_weight_moves_each_gate_must_be_measurable() -> None:
    assert STAGES.judged(-1) == ALL


def test_without_a_holdback_only_limits_are_judged() -> None:
    without = staged(Canary("half", 50, 60.0), Bake("bake", 60.0, 0))
    assert without.judged(1) == {"ceiling"}


def test_later_deadlines_and_what_happens_then_are_live_and_nothing_else_is() -> None:
    before = plan(progress_seconds=100.0, on_timeout="Rollback")
    other = plan(
        progress_seconds=200.0, on_timeout="Hold", stages=before.stages[:1], alpha=0.5, on_stable_down="Promote"
    )
    assert before.with_live(other) == replace(before, progress_seconds=200.0, on_timeout="Hold")
    assert before.with_live(replace(other, progress_seconds=50.0)).progress_seconds == 100.0


EVERY_KIND = """
gates:
- {name: errors, compare: {what: serverErrors, margin: {plus: 0.2pp}, tolerance: 0.05pp}}
- {name: unsold, query: {total: 'a{${arm}}', bad: 'b{${arm}}', margin: {plus: 1pp}}}
- {name: slo, limit: {what: slowerThan, objective: 1.2s, max: 100%}}
- {name: pods, hard: {restarts: 0}}
stages:
- {name: small, canary: {weight: 10, soak: 2m, gates: [errors], minRequests: 5}}
- {name: half, canary: {weight: 50, soak: 5m, advance: passed}}
- {name: bake, bake: {for: 30m, holdback: 0}}
"""


def test_a_stored_plan_is_the_plan() -> None:
    """Also by the numbers that the API server gives back, which knows no 120.0."""
    before = plan_from(yaml.safe_load(EVERY_KIND))
    stored = json.loads(json.dumps(before.to_json()).replace(".0,", ",").replace(".0}", "}"))
    assert Plan.from_json(stored) == before


@pytest.mark.parametrize("raw", [{}, {"stages": [], "gates": [{"is": "no"}]}, {"stages": [{}], "gates": []}])
def test_what_is_no_stored_plan_is_an_error(raw: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="not a stored plan"):
        Plan.from_json(raw)


@pytest.mark.parametrize(
    ("name", "tolerance", "want"),
    [("errors", None, 0.0025), ("slow", None, 0.005), ("errors", 0.001, 0.001), ("errors", 0.02, 0.009)],
)
def test_the_tolerance_is_a_part_of_the_margin_unless_it_is_given(
    name: str, tolerance: float | None, want: float
) -> None:
    gate = next(gate for gate in plan().rate_gates() if gate.name == name)
    assert not isinstance(gate, LimitGate)
    assert tolerance_of(replace(gate, tolerance=tolerance), 0.01) == pytest.approx(want)


def test_plans_that_read_the_same_may_share_what_was_read() -> None:
    before = plan()
    assert replace(before, stages=before.stages[:1], alpha=0.5).reads() == before.reads()
    assert replace(before, preset="traefik").reads() != before.reads()
    assert replace(before, gates=before.gates[:1]).reads() != before.reads()
