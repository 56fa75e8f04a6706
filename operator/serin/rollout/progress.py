"""How far the running stage is, and what it still waits for."""

from __future__ import annotations

from serin.api.reasons import Reason
from serin.rollout.evidence import margin_of
from serin.rollout.forecast import Forecast, expect
from serin.rollout.gates import CompareGate, QueryGate
from serin.rollout.look import Look
from serin.rollout.plan import Approval, Bake, Stage
from serin.rollout.rulings import Hold, Ruling, Wait
from serin.rollout.soaking import soaked
from serin.stats.margin import STABLE_REQUESTS_LEAST

# Below this many counted requests of the candidate an inner stage is not left, even when its soak is over: the
# design's "after the first ~20 expected requests both arms are found".
REQUESTS_MIN = 20


def unfinished(look: Look) -> Ruling | None:
    """What the stage still waits for, in words."""
    stage = look.stage
    if stage is None or finished(look):
        return None
    attempt = look.attempt
    if attempt.shielded:
        return Wait(f"the candidate can have {stage.weight} % of the traffic again, before anything else")
    if not soaked(attempt, look.plan):
        words = f"soaking, {attempt.soaked_seconds:.0f} of {stage.soak_seconds:.0f} s"
        if not attempt.effect_since:
            words += ", which go on when the route carries the weight"
        return Wait(f"{words}; {still_open(look)}")
    if (lack := _lacking_requests(look, stage)) is not None:
        return Hold(Reason.TOO_FEW_SAMPLES, lack)
    if attempt.soaked_seconds < stage.soak_seconds:
        return Wait("the soak ends early on overwhelming evidence; the passes are taken with the next reading")
    unresolved = _unresolved(look)
    if unresolved is not None:
        return Hold(Reason.MARGIN_UNRESOLVED, unresolved)
    outlook = expect(look.attempt, look.plan)
    if outlook.advice is not None:
        return Hold(Reason.TRAFFIC_TOO_LOW_FOR_MARGIN, outlook.advice)
    return Hold(Reason.TOO_FEW_SAMPLES, still_open(look, outlook))


def finished(look: Look) -> bool:
    """Whether the running stage asks for nothing more; getting ready is finished by pods alone."""
    stage, attempt = look.stage, look.attempt
    if stage is None:
        return True
    if attempt.shielded or not attempt.approved:
        return False
    if not soaked(attempt, look.plan) or _lacking_requests(look, stage) is not None:
        return False
    return not look.plan.needs_proof(attempt.stage) or look.judgement.verdict == "pass"


def _lacking_requests(look: Look, stage: Stage) -> str | None:
    """How many requests of the candidate a canary stage still wants."""
    if isinstance(stage, Bake | Approval):
        return None  # what is baked or approved was counted before
    attempt = look.attempt
    deciding = look.plan.required() & look.plan.judged(attempt.stage)
    # Within a ramp the harm is what is looked at; at 1 % of 1 request/s twenty requests would take half an hour.
    least = 1 if look.plan.rises(attempt.stage + 1) else REQUESTS_MIN
    for gate in attempt.gates:
        if gate.name in deciding and gate.candidate.total < least:
            return f"gate {gate.name}: {gate.candidate.total} of {least} requests of the candidate counted"
    if attempt.stage_requests < stage.requests_min:
        return f"{attempt.stage_requests} of {stage.requests_min} requests of the candidate in this stage counted"
    return None


def _unresolved(look: Look) -> str | None:
    """Which open gate's margin is not yet frozen, for stable has had too few requests."""
    gates = {gate.name: gate for gate in look.plan.rate_gates()}
    for state in look.attempt.gates:
        gate = gates[state.name]
        if state.name in look.judgement.open and isinstance(gate, CompareGate | QueryGate):
            missing = margin_of(gate, state.history + state.stable).stable_missing
            if missing:
                least = STABLE_REQUESTS_LEAST
                return f"gate {state.name}: its margin is fixed when stable has had {least} requests, {missing} more"
    return None


def still_open(look: Look, outlook: Forecast | None = None) -> str:
    """What no gate has proven yet, and about how much more that takes."""
    if look.stage is not None and isinstance(look.stage, Bake) and not look.stage.holdback:
        return "not compared (holdback 0): hard gates and limits only"
    waiting = [gate for gate in look.attempt.gates if gate.name in look.judgement.open]
    if not waiting:
        return "every gate has passed"
    outlook = outlook or expect(look.attempt, look.plan)
    return "waiting for " + ", ".join(
        f"{gate.name} ({_progress(gate.candidate.bad, gate.candidate.total, outlook.requests.get(gate.name))})"
        if gate.test is not None and gate.candidate.total
        else gate.name
        for gate in waiting
    )


def _progress(bad: int, total: int, more: int | None) -> str:
    words = f"{bad} bad of {total}"
    if more is None:
        return words + ", not yet proven"
    return words + (f", about {_rounded(more)} more requests of the candidate" if more else ", enough after the soak")


def _rounded(number: int) -> str:
    """Two digits say what an estimate knows: 3217 is 3200."""
    size = max(len(str(number)) - 2, 0)
    return str(round(number, -size))
