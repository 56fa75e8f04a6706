"""What to do with a running comparison: one ordered list of rules, and the first that speaks decides.

The order IS the precedence of verdicts, from the facts that leave no choice to the reasons to go on waiting:

    1  the candidate's pods fail by themselves        roll back, whatever the counts say
    2  the candidate has no ready endpoint            weight 0 in the same pass, then wait
    3  its requests hang                              roll back: hung requests are never counted
    4  the gates' evidence says fail                  roll back
    5  stable has no ready endpoint                   the policy's onStableDown
    6  something cannot be measured                   hold; missing data is never a verdict
    7  paused                                         hold; only advances stop, never what stands above
    8  the deadline is over                           the policy's onTimeout
    9  pods for the next step are not there           hold
   10  the soak, the counts or a proof are not there  wait
   11  nothing is in the way                          advance

A rule that has nothing to say returns None. Rules are pure; each gets the same Look.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from serin.api.reasons import Reason
from serin.rollout.evidence import EXPECTED_REQUESTS_MIN, SEEN_SHARE_MIN, SILENT_SECONDS_MIN
from serin.rollout.judge import Judgement, describe, reports
from serin.rollout.observation import Observation
from serin.rollout.plan import Bake, Stage
from serin.rollout.state import Attempt, End, GateState, Placed
from serin.stats.rate import RateTest
from serin.workloads.capacity import replicas_needed
from serin.workloads.pods import ArmHealth

# Below this many counted requests of the candidate an inner stage is not left, even when its soak is over: the
# design's "after the first ~20 expected requests both arms are found".
REQUESTS_MIN = 20

# Stable is sick above this share of bad requests: the margin is capped, and status says so.
DEGRADED_RATE = 0.05


@dataclass(frozen=True, slots=True)
class RollBack:
    """The candidate failed: all weight to stable in one write."""

    end: End
    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Shield:
    """Weight 0 for as long as the candidate cannot answer; the attempt goes on."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Hold:
    """Stay at the weight; something stands in the way that waiting or a person can change."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Stay at the weight; all is well and time or traffic is still to come."""

    message: str


@dataclass(frozen=True, slots=True)
class Advance:
    """The next stage, or after the last one the promotion."""

    message: str


@dataclass(frozen=True, slots=True)
class TakeAll:
    """Stable is down and the policy lets a ready candidate take over."""

    message: str


Ruling: TypeAlias = RollBack | Shield | Hold | Wait | Advance | TakeAll


@dataclass(frozen=True, slots=True)
class Look:
    """What a rule may look at: the observation, the attempt with the newest evidence in it, the judgement."""

    seen: Observation
    attempt: Attempt
    judgement: Judgement
    stable: Placed
    candidate: Placed

    @property
    def stage(self) -> Stage | None:
        """The stage that runs; None while the candidate gets ready."""
        return self.attempt.plan.stages[self.attempt.stage] if self.attempt.stage >= 0 else None

    @property
    def next_stage(self) -> Stage | None:
        """The stage after this one; None before promotion."""
        following = self.attempt.stage + 1
        return self.attempt.plan.stages[following] if following < len(self.attempt.plan.stages) else None

    @property
    def candidate_health(self) -> ArmHealth | None:
        """The candidate's pods; None before its Deployment exists."""
        return self.seen.health.get(self.candidate.revision)

    @property
    def stable_health(self) -> ArmHealth | None:
        """Stable's pods; None when nothing is known of them (an adopted Service without pods of its own)."""
        return self.seen.health.get(self.stable.revision)


def failing_pods(look: Look) -> Ruling | None:
    """Crashes and memory kills of the candidate by itself fail it; the same on stable is a shared incident."""
    health = look.candidate_health
    for gate in look.attempt.plan.hard_gates():
        fault = hard_fault(gate.restarts, gate.out_of_memory, health)
        if fault is not None:
            if hard_fault(gate.restarts, gate.out_of_memory, look.stable_health) is not None:
                return Hold(Reason.SHARED_INCIDENT, f"stable's pods fail like the candidate's: {fault}")
            return RollBack(End.ROLLED_BACK, Reason.CRASH_LOOP, f"gate {gate.name}: {fault}")
        limit = gate.ready_within_seconds
        if limit is not None and look.attempt.unready_seconds > limit:
            pending = health.pending_message if health is not None else None
            if pending is not None:
                # Pods that cannot be scheduled say nothing about the model.
                return Hold(Reason.INSUFFICIENT_CAPACITY, pending)
            message = f"gate {gate.name}: not ready within {limit:g} s ({_readiness(health)})"
            return RollBack(End.ROLLED_BACK, Reason.NOT_READY, message)
    return None


def hard_fault(restarts: int | None, out_of_memory: bool, health: ArmHealth | None) -> str | None:
    """What a hard gate finds wrong with an arm's pods, in words; None when nothing."""
    crash = health.crash if health is not None else None
    if crash is None:
        return None
    if crash.kind == "OutOfMemory":
        return crash.message if out_of_memory else None
    return crash.message if restarts is not None and crash.restarts >= restarts else None


def unready_candidate(look: Look) -> Ruling | None:
    """A weighted backend without endpoints answers 503 that no series of its own counts, so: weight 0 at once."""
    health = look.candidate_health
    if look.stage is None or (health is not None and health.ready > 0):
        return None
    return Shield(Reason.NOT_READY, f"the candidate has no ready pod ({_readiness(health)}); its traffic is on stable")


def hanging_candidate(look: Look) -> Ruling | None:
    """Requests that hang never reach a counter; their absence against stable's count does."""
    attempt = look.attempt
    if attempt.expected < EXPECTED_REQUESTS_MIN or attempt.seen >= SEEN_SHARE_MIN * attempt.expected:
        return None
    return RollBack(
        End.ROLLED_BACK,
        Reason.CANDIDATE_UNRESPONSIVE,
        f"about {attempt.expected:.0f} requests were expected at the candidate by stable's count and the weights,"
        f" {attempt.seen:.0f} were answered",
    )


def failing_gates(look: Look) -> Ruling | None:
    """The evidence of the required gates together reached 1/alpha."""
    if look.judgement.verdict != "fail":
        return None
    numbers = {report["name"]: report for report in reports(look.attempt)}
    culprits = look.judgement.culprits or tuple(numbers)
    return RollBack(
        End.ROLLED_BACK,
        Reason.GATE_FAILED,
        "; ".join(describe(numbers[name]) for name in culprits if name in numbers),
    )


def stable_down(look: Look) -> Ruling | None:
    """Without a ready stable there is nothing to compare with, and nothing to go back to."""
    health = look.stable_health
    if health is None or health.ready > 0 or health.desired == 0:
        return None
    candidate = look.candidate_health
    full = candidate is not None and candidate.ready >= max(1, look.seen.replicas)
    if look.attempt.plan.on_stable_down == "Promote" and full:
        return TakeAll("stable has no ready pod and onStableDown is Promote; the candidate is ready")
    return Hold(Reason.STABLE_UNAVAILABLE, f"stable has no ready pod ({_readiness(health)})")


def missing_data(look: Look) -> Ruling | None:
    """Whatever cannot be measured holds, with its own reason."""
    attempt = look.attempt
    if not attempt.instant:
        return Hold(Reason.METRICS_UNAVAILABLE, "waiting for the metrics source's first answer")
    if look.judgement.missing is not None:
        gate, reason, message = look.judgement.missing
        return Hold(reason, f"gate {gate}: {message}")
    if not attempt.stable_seen:
        # Before any weight moves, stable's series must have been found; later this is a series that went away.
        return Hold(Reason.NO_TRAFFIC, "no request to stable has been counted yet; the rollout waits for traffic")
    if look.stage is not None and attempt.silent_seconds >= max(SILENT_SECONDS_MIN, 2 * look.seen.interval_seconds):
        return Hold(Reason.NO_TRAFFIC, f"neither arm got a request for {attempt.silent_seconds:.0f} s")
    if attempt.expected >= REQUESTS_MIN and not attempt.candidate_seen:
        return Hold(
            Reason.NOT_ATTRIBUTABLE,
            f"about {attempt.expected:.0f} requests were expected at the candidate and no series of it is found;"
            " check that the preset fits the gateway",
        )
    return None


def paused(look: Look) -> Ruling | None:
    """spec.rollout.paused stops advances, never rollbacks."""
    return Hold(Reason.PAUSED, "spec.rollout.paused is true") if look.seen.paused else None


def deadline(look: Look) -> Ruling | None:
    """Measured time only: an outage cannot bring a deadline nearer."""
    plan = look.attempt.plan
    if look.attempt.active_seconds <= plan.progress_seconds:
        return None
    message = f"no verdict within {plan.progress_seconds:.0f} s of measured time; {_still_open(look)}"
    if plan.on_timeout == "Hold":
        return Hold(Reason.DEADLINE_EXCEEDED, message)
    return RollBack(End.EXPIRED, Reason.DEADLINE_EXCEEDED, message)


def capacity(look: Look) -> Ruling | None:
    """The next step is taken only onto pods that are there: 1.2 x replicas x weight, in full before 100 %."""
    if not _finished(look):
        return None  # the stage is not over; whether the next one fits is not yet the question
    following = look.next_stage
    weight = following.weight if following is not None else 100
    needed = replicas_needed(look.seen.replicas, weight)
    health = look.candidate_health
    ready = health.ready if health is not None else 0
    if ready >= needed:
        return None
    pending = health.pending_message if health is not None else None
    if pending is not None:
        return Hold(Reason.INSUFFICIENT_CAPACITY, f"{ready} of {needed} pods ready: {pending}")
    return Hold(Reason.NOT_READY, f"{ready} of {needed} pods ready for {weight} % ({_readiness(health)})")


def unfinished(look: Look) -> Ruling | None:
    """What the stage still waits for, in words."""
    if _finished(look):
        return None
    stage = look.stage
    assert stage is not None  # noqa: S101 - getting ready is always finished here
    if look.attempt.soaked_seconds < stage.soak_seconds:
        return Wait(f"soaking, {look.attempt.soaked_seconds:.0f} of {stage.soak_seconds:.0f} s; {_still_open(look)}")
    counted = _candidate_requests(look.attempt)
    if counted < _requests_min(stage):
        message = f"{counted} of {_requests_min(stage)} requests of the candidate counted"
        return Hold(Reason.TOO_FEW_SAMPLES, message)
    return Wait(_still_open(look))


def advance(look: Look) -> Ruling:
    """Nothing stands in the way."""
    following = look.next_stage
    return Advance("promote" if following is None else f"stage {following.name} at {following.weight} %")


RULES: tuple[Callable[[Look], Ruling | None], ...] = (
    failing_pods,
    unready_candidate,
    hanging_candidate,
    failing_gates,
    stable_down,
    missing_data,
    paused,
    deadline,
    capacity,
    unfinished,
    advance,
)


def rule(look: Look) -> Ruling:
    """The first ruling in the order of precedence."""
    for one in RULES:
        ruling = one(look)
        if ruling is not None:
            return ruling
    raise AssertionError("the last rule always speaks")


def _finished(look: Look) -> bool:
    """Whether the running stage asks for nothing more; getting ready is finished by pods alone."""
    stage = look.stage
    if stage is None:
        return True
    if look.attempt.soaked_seconds < stage.soak_seconds or _candidate_requests(look.attempt) < _requests_min(stage):
        return False
    return not look.attempt.plan.needs_proof(look.attempt.stage) or look.judgement.verdict == "pass"


def _requests_min(stage: Stage) -> int:
    # What is baked was proven before; a service that is silent at night may still be promoted by its soak.
    return 0 if isinstance(stage, Bake) else max(REQUESTS_MIN, stage.requests_min)


def _candidate_requests(attempt: Attempt) -> int:
    return max((gate.candidate.total for gate in attempt.gates), default=REQUESTS_MIN)


def _still_open(look: Look) -> str:
    waiting = [gate for gate in look.attempt.gates if gate.name in look.judgement.open]
    if not waiting:
        return "every gate has passed"
    return "waiting for " + ", ".join(_waiting_for(gate) for gate in waiting)


def _waiting_for(gate: GateState) -> str:
    if isinstance(gate.test, RateTest) and gate.test.evidence.candidate.total:
        return f"{gate.name} ({gate.candidate.bad} bad of {gate.candidate.total}, not yet proven)"
    return gate.name


def _readiness(health: ArmHealth | None) -> str:
    if health is None:
        return "no pods yet"
    words = f"{health.ready} of {health.desired} ready"
    if health.pending_message:
        words += f", {health.pending_message}"
    elif health.cannot_start:
        words += f", {health.cannot_start}"
    elif health.crash is not None:
        words += f", {health.crash.message}"
    return words
