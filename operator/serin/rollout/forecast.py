"""How long a rollout will probably take: said before it starts and while it runs.

Nothing is decided on it but one thing: a rollout that cannot come to a verdict before its deadline is not begun. A
candidate as good as stable is planned for. The candidate's requests add up over the stages; the stage that needs
the proof lasts until they are enough:

    10 % for 2 min, 50 % for 5 min and until 3,000 requests of the candidate, bake 30 min, at 10 requests/s
    120 s bring 120, then 2,880 at 5 a second are 576 s, then 1,800 s of bake: 2,496 s in all
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from serin.rollout.evidence import margin_of
from serin.rollout.gates import CompareGate, QueryGate, tolerance_of
from serin.rollout.plan import Bake, Plan
from serin.rollout.state import Attempt, GateState
from serin.stats import planning
from serin.stats.rate import RateSettings, RateTest


@dataclass(frozen=True, slots=True)
class Forecast:
    """What is probably still to come.

    requests: by gate without a pass, about how many more requests of the candidate its verdict needs.
    seconds: until the promotion; None when it cannot be told.
    advice: in words, what would do, when the promotion cannot come before the deadline; None when it can.
    """

    requests: Mapping[str, int] = field(default_factory=dict)
    seconds: float | None = None
    advice: str | None = None


def expect(attempt: Attempt, plan: Plan) -> Forecast:
    """Forecast an attempt from where it is. Gates whose margin or traffic is not known yet are left out."""
    proof = _proof_stage(attempt, plan)
    share = plan.stages[proof].weight / 100 if proof is not None else 0.5
    speed = requests_per_second(attempt)
    gates = {gate.name: gate for gate in plan.rate_gates() if gate.required}
    outlooks: dict[str, planning.Plan] = {}
    for state in attempt.gates:
        gate = gates.get(state.name)
        if isinstance(gate, CompareGate | QueryGate):
            outlook = _outlook(gate, state, plan, share, speed)
            if outlook is not None:
                outlooks[state.name] = outlook
    requests = {name: one.requests for name, one in outlooks.items() if one.requests is not None}
    if len(requests) < len(outlooks) or (outlooks and speed <= 0.0):
        return Forecast(requests)
    most = max(requests, key=lambda name: requests[name], default=None)
    seconds = sum(_durations(attempt, plan, requests[most] if most is not None else 0, speed))
    left = plan.progress_seconds - attempt.active_seconds
    if most is None or proof is None or seconds <= left or outlooks[most].verdict != "pass":
        return Forecast(requests, seconds)
    gate = gates[most]
    assert isinstance(gate, CompareGate | QueryGate)  # noqa: S101 - only these have an outlook
    state = next(one for one in attempt.gates if one.name == most)
    words = (
        f"at {per_second(speed)} requests/s gate {most} needs about {requests[most]:,} more requests of the candidate,"
        f" so the rollout would take {hours(seconds)}; timeouts.progress leaves {hours(left)}"
    )
    return Forecast(requests, seconds, f"{words}; {_advice(gate, state, attempt, plan, proof, speed)}")


def hours(seconds: float) -> str:
    """A duration for people: '45 s', '12 min', '4 h', '3.5 h'."""
    if seconds < 120:
        return f"{max(seconds, 0.0):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.3g} h"


def per_second(speed: float) -> str:
    """A number of requests for people: '0.05', '12.5', '1,250'."""
    return f"{speed:.3g}" if speed < 100 else f"{speed:,.0f}"


def _outlook(
    gate: CompareGate | QueryGate, state: GateState, plan: Plan, share: float, speed: float
) -> planning.Plan | None:
    """What the gate still needs; None when it has passed, or when too little is known to say."""
    match state.test:
        case RateTest() as test:
            return None if test.evidence.passed else _remaining(test, share)
        case _:
            settings = _settings(gate, state, plan)
            if settings is None or speed <= 0.0:
                return None
            rate = (state.history + state.stable).rate or 0.0
            return planning.plan(settings, rate=rate, share=share, requests_per_second=speed)


@lru_cache(maxsize=1024)
def _remaining(test: RateTest, share: float) -> planning.Plan:
    """Rules and status ask the same within one look."""
    return planning.remaining(test, share=share)


def _settings(gate: CompareGate | QueryGate, state: GateState, plan: Plan) -> RateSettings | None:
    margin = margin_of(gate, state.history + state.stable).value
    if margin is None:
        return None
    return RateSettings(
        alpha=plan.alpha,
        beta=plan.beta,
        margin=margin,
        tolerance=tolerance_of(gate, margin),
        soak_seconds=0.0,
        overdispersion=state.overdispersion.value,
    )


def _advice(
    gate: CompareGate | QueryGate, state: GateState, attempt: Attempt, plan: Plan, proof: int, speed: float
) -> str:
    """The margin that would do, as if all requests had to come at the weight of the stage that needs the proof."""
    last = plan.stages[proof]
    others = [stage for stage in plan.stages[max(attempt.stage, 0) :] if stage is not last]
    before = sum(stage.soak_seconds * stage.weight / last.weight for stage in others if not isinstance(stage, Bake))
    free = plan.progress_seconds - attempt.active_seconds - sum(stage.soak_seconds for stage in others)
    settings = _settings(gate, state, plan)
    enough = None
    if settings is not None and free > 0:
        rate = (state.history + state.stable).rate or 0.0
        enough = planning.least_margin(
            settings, rate=rate, share=last.weight / 100, requests_per_second=speed, seconds=free + before
        )
    if enough is None:
        return "give it more time or more traffic"
    return f"a margin of {100 * enough:.2g} points would do, or more time, or a higher weight"


def _proof_stage(attempt: Attempt, plan: Plan) -> int | None:
    """The stage from here on that is left only with every gate's pass; None in bake."""
    indexes = range(max(attempt.stage, 0), len(plan.stages))
    return next((index for index in reversed(indexes) if plan.needs_proof(index)), None)


def requests_per_second(attempt: Attempt) -> float:
    """Of both arms: what the tests have seen so far, before them what stable gets."""
    tests = [state.test for state in attempt.gates if isinstance(state.test, RateTest)]
    seconds = max((test.seconds for test in tests), default=0.0)
    if seconds <= 0.0:
        return attempt.requests_per_second
    return max(test.evidence.stable.total + test.evidence.candidate.total for test in tests) / seconds


def _durations(attempt: Attempt, plan: Plan, needed: float, speed: float) -> Iterator[float]:
    """How long each stage from here on will last."""
    for index in range(max(attempt.stage, 0), len(plan.stages)):
        stage = plan.stages[index]
        seconds = stage.soak_seconds - (attempt.soaked_seconds if index == attempt.stage else 0.0)
        rate = speed * stage.weight / 100
        if rate > 0.0 and not isinstance(stage, Bake):
            done = attempt.stage_requests if index == attempt.stage else 0
            seconds = max(seconds, (stage.requests_min - done) / rate)
            if plan.needs_proof(index):
                seconds = max(seconds, needed / rate)
        yield max(seconds, 0.0)
        needed -= max(seconds, 0.0) * rate
