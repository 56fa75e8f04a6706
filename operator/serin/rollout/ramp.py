"""A canary stage that finds its weight by itself: it rises in steps, each when little harm can come of it.

    canary: {weight: 50, soak: 5m, excessFailures: 20}        1, 5, 20, 50 %

What a broken candidate costs until it is found out grows with its weight, for stable's requests, which it is compared
with, get fewer, and what comes between two looks cannot be called back. A step is taken when the evidence so far leaves
at most `excessFailures` expected failures beyond what the plan's first weight would cost: at once where traffic is
low and little can happen, after some minutes where a look is thousands of requests. `serin.stats.ramp` has the maths.

Each step is a stage of the plan, so a kill, a rollback or a missing pod in the middle of a ramp is what it is anywhere.
The weight never falls but to 0. Which weight is tried when depends on the past only, so the gates' guarantees hold.
"""

from __future__ import annotations

from dataclasses import replace

from serin.rollout.forecast import requests_per_second
from serin.rollout.look import Look
from serin.rollout.plan import Canary
from serin.rollout.progress import still_open
from serin.rollout.rulings import Ruling, Wait
from serin.stats.ramp import largest_share
from serin.stats.rate import RateTest

WEIGHTS = (1, 5, 20, 50)
"""Each a few times the one before. Simulated beside finer ladders (1, 2, 5, 10, 20, 35, 50 and 1, 3, 10, 30, 50): none
hurts fewer, and each further step costs a reading and two writes."""


def steps_of(stage: Canary, before: int) -> tuple[Canary, ...]:
    """The stage as the steps that lead to it from the weight `before`; a stage without a budget is one step."""
    if stage.excess_failures is None:
        return (stage,)
    inner = replace(stage, soak_seconds=0.0, requests_min=0, advance="notFailing", early=False)
    rising = (replace(inner, weight=weight) for weight in WEIGHTS if before < weight < stage.weight)
    return (*rising, stage)


def harm_budget(look: Look) -> Ruling | None:
    """A step of a ramp is not taken while a bad candidate could do more harm there than the policy lets it."""
    step = look.next_stage
    if look.stage is None or not isinstance(step, Canary) or step.excess_failures is None:
        return None
    required = look.plan.required()
    for state in look.attempt.gates:
        if state.name not in required or not isinstance(state.test, RateTest):
            continue  # a limit knows no stable, so there is no excess
        if not _within(look, state.test, step.weight / 100, step.excess_failures):
            words = f"at {step.weight} % a bad candidate could cost more than {step.excess_failures} failures"
            return Wait(f"{words} before gate {state.name} finds it out; {still_open(look)}")
    return None


def _within(look: Look, test: RateTest, share: float, budget: int) -> bool:
    speed = requests_per_second(look.attempt)
    if speed <= 0.0:
        return False
    seen = look.seen
    most = largest_share(
        test,
        least=look.plan.stages[0].weight / 100,
        most=share,
        requests_per_second=speed,
        # A weight that is taken back goes on for the reload; and what happened shows when the samples have settled.
        look_seconds=seen.interval_seconds + seen.settle_seconds + seen.gateway_reload_seconds,
        budget=budget,
    )
    return most >= share * (1.0 - 1e-9)  # the last of its steps is the share itself, but for rounding
