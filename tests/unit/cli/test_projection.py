"""`plan`: the forecast agrees with the operator's own, and its parts with each other."""

from __future__ import annotations

import re

import pytest
import yaml

from serin.plugin.projection import HISTORY_REQUESTS, Projection, Traffic, project
from serin.rollout.forecast import expect
from serin.rollout.plan import Plan
from serin.rollout.state import Attempt, GateState, Kind
from serin.stats import Counts
from tests.unit.rollout.world import plan_from

BUILT_IN = "{}"
SLOW_PROOF = """
gates:
- {name: errors, compare: {what: serverErrors}}
- {name: slo, limit: {what: slowerThan, objective: 1s, max: 1%}}
- {name: pods, hard: {restarts: 2}}
stages:
- {name: one, canary: {weight: 1, soak: 10m, minRequests: 500}}
- {name: half, canary: {weight: 50, soak: 5m}}
- {name: bake, bake: {for: 30m, holdback: 5}}
timeouts: {progress: 8h}
"""


def projected(text: str, speed: float, rate: float = 0.001, **rates: float) -> tuple[Plan, Projection]:
    """A policy's plan and its forecast."""
    plan = plan_from(yaml.safe_load(text))
    return plan, project("policy", plan, Traffic(speed, rate, rates))


@pytest.mark.parametrize("speed", [0.1, 1.0, 5.0, 50.0, 5000.0])
@pytest.mark.parametrize("text", [BUILT_IN, SLOW_PROOF])
def test_the_stages_add_up_to_what_the_operator_would_forecast(text: str, speed: float) -> None:
    plan, found = projected(text, speed)
    history = Counts(HISTORY_REQUESTS, HISTORY_REQUESTS // 1000)
    gates = tuple(GateState(gate.name, history=history) for gate in plan.rate_gates())
    attempt = Attempt(1, Kind.COMPARED, plan, "", requests_per_second=speed, gates=gates)
    assert found.seconds == expect(attempt, plan).seconds
    assert found.seconds == pytest.approx(sum(stage.seconds for stage in found.stages))


def test_each_stage_says_what_it_lasts_for() -> None:
    _, found = projected(SLOW_PROOF, 1.0)
    assert [stage.until for stage in found.stages] == ["500 requests", "the proof of errors", "the soak"]
    assert found.stages[0].seconds == pytest.approx(500 / 0.01)


def test_a_step_of_a_ramp_says_what_the_next_one_waits_for() -> None:
    """How long that takes is not forecast, so the steps take no time in it."""
    _, found = projected("{stages: [{name: ramp, canary: {weight: 20, soak: 5m, excessFailures: 30}}]}", 50.0)
    words = [f"a bad version can cost 30 failures at most at {weight} %" for weight in (5, 20)]
    assert [stage.until for stage in found.stages] == [*words, "the proof of errors"]
    assert [stage.seconds for stage in found.stages[:2]] == [0.0, 0.0]


def test_more_traffic_is_never_slower() -> None:
    times = [projected(BUILT_IN, speed)[1].seconds for speed in (0.5, 1.0, 2.0, 20.0, 200.0)]
    assert None not in times
    assert times == sorted(times, key=lambda one: -(one or 0.0))
    assert times[0] != times[-1]


def test_too_little_traffic_comes_with_the_margin_that_would_do() -> None:
    _, found = projected(BUILT_IN, 0.1)
    assert not found.fits
    assert found.advice is not None
    assert re.search(r"a margin of 0\.\d+ points would do", found.advice)


def test_soaks_that_may_end_early_do_not_fit_when_they_are_longer_than_the_deadline() -> None:
    """Without `early` such a policy is refused: it could never end in time."""
    stages = "stages: [{name: all, canary: {weight: 50, soak: 5h, early: true}}]"
    _, found = projected(stages, 5000.0)
    assert not found.fits
    assert found.advice is not None


def test_a_worse_version_is_found_sooner() -> None:
    _, found = projected(BUILT_IN, 50.0)
    by_errors = [bad for bad in found.bad if bad.gate == "errors"]
    slight, gross = by_errors
    assert slight.worse_by < gross.worse_by == 0.1
    assert gross.seconds < slight.seconds
    assert gross.stage == "small"
    assert gross.hurt == pytest.approx(gross.requests * 0.1)


def test_without_a_verdict_in_time_the_deadline_ends_it_before_full_traffic() -> None:
    plan, found = projected(BUILT_IN, 0.1)
    slight = found.bad[0]
    assert slight.by_deadline
    assert slight.stage == "half"
    assert slight.seconds == pytest.approx(plan.progress_seconds)


def test_a_limit_below_stables_own_rate_is_said() -> None:
    _, found = projected(SLOW_PROOF, 50.0, slo=0.02)
    (slo,) = [gate for gate in found.gates if gate.name == "slo"]
    assert slo.note == "stable itself is above the limit: a candidate will fail"


def test_a_higher_rate_of_stable_needs_more_requests() -> None:
    few, many = (projected(BUILT_IN, 50.0, errors=rate)[1].gates[0].requests for rate in (0.001, 0.01))
    assert few is not None
    assert many is not None
    assert many > few


@pytest.mark.parametrize(("speed", "rate"), [(0.0, 0.001), (-1.0, 0.001), (1.0, 1.5), (1.0, float("nan"))])
def test_traffic_that_cannot_be_is_refused(speed: float, rate: float) -> None:
    with pytest.raises(ValueError, match=r"requests per second|rate"):
        projected(BUILT_IN, speed, rate)
