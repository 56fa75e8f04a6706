"""What to do with a running comparison: one ordered list of rules, and the first that speaks decides.

The order IS the precedence of verdicts. What ends the trial stands before what only holds it, so that no hold ever
hides a failure; and the facts that leave no choice stand before the reasons to go on waiting:

    1  the candidate's pods fail by themselves        roll back, whatever the counts say
    2  its requests hang                              roll back: hung requests are never counted
    3  the gates' evidence says fail                  roll back
    4  stable has no ready endpoint                   the policy's onStableDown
    5  the deadline is over                           the policy's onTimeout
    6  both arms' pods fail alike                     hold
    7  the candidate cannot answer                    hold
    8  the route cannot carry the weight              hold; its owner has to act
    9  something cannot be measured                   hold; missing data is never a verdict
   10  paused                                         hold; only advances stop, never what stands above
   11  the traffic is too low to end before the deadline, and no weight has moved yet    hold
   12  pods for the next step are not there           hold
   13  the soak, the counts or a proof are not there  wait
   14  what the next stage judges fails already       roll back, rather than show it to more users first
   15  nothing is in the way                          advance

Beside the list and whatever it says, a candidate that cannot answer gets weight 0 in the same pass
(`Look.shielded`). It gets its stage's weight back when it can, but not while rules 4 to 10 hold: nobody gets more
traffic on a look that does not know enough, or that somebody has paused.

A rule that has nothing to say returns None. Rules are pure; each gets the same Look.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from serin.api.reasons import Reason
from serin.rollout.arms import (
    answers_in,
    first_fault,
    is_down,
    pending,
    pods_needed,
    readiness,
    ready_within,
    shared_fault,
)
from serin.rollout.evidence import SILENT_SECONDS_MIN, margin_of, unanswered
from serin.rollout.forecast import Forecast, expect, hours
from serin.rollout.judge import Judgement, describe, judge, reports
from serin.rollout.observation import Observation
from serin.rollout.plan import Bake, CompareGate, Plan, QueryGate, Stage
from serin.rollout.state import Attempt, End, Placed
from serin.stats.margin import STABLE_REQUESTS_LEAST
from serin.traffic.state import Absent, Conflict, Routed
from serin.traffic.weights import Weights
from serin.workloads.pods import ArmHealth

# Below this many counted requests of the candidate an inner stage is not left, even when its soak is over: the
# design's "after the first ~20 expected requests both arms are found".
REQUESTS_MIN = 20


@dataclass(frozen=True, slots=True)
class RollBack:
    """The candidate failed: all weight to stable in one write."""

    end: End
    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Hold:
    """Stay at the weight; something stands in the way that waiting or a person can change.

    stalled: only a person can. again_seconds: when to look again though nothing happens.
    """

    reason: Reason
    message: str
    stalled: bool = False
    again_seconds: float | None = None


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


# Holds of a rollout that is well and only waits for more: they keep nothing from a candidate that can answer again.
WAITING = frozenset(
    {
        Reason.TOO_FEW_SAMPLES,
        Reason.MARGIN_UNRESOLVED,
        Reason.TRAFFIC_TOO_LOW_FOR_MARGIN,
        Reason.INSUFFICIENT_CAPACITY,
    }
)

Ruling: TypeAlias = RollBack | Hold | Wait | Advance | TakeAll


@dataclass(frozen=True, slots=True)
class Look:
    """What a rule may look at: the observation, the attempt with the newest evidence in it, both arms.

    plan: the attempt's, with what stays live of the policy.
    now: seconds since the epoch by the cluster's clock, for pods only; soaks and deadlines run on the readings.
    """

    seen: Observation
    attempt: Attempt
    plan: Plan
    judgement: Judgement
    stable: Placed
    candidate: Placed
    now: float

    @classmethod
    def at(cls, seen: Observation, attempt: Attempt, stable: Placed, candidate: Placed, now: float) -> Look:
        """Look at a running attempt. Without a stable, comparative gates give way to absolute ones."""
        plan = attempt.plan.with_live(seen.policy) if isinstance(seen.policy, Plan) else attempt.plan
        names = plan.judged(attempt.stage)
        if is_down(stable, seen):
            names &= plan.absolute()
        return cls(seen, attempt, plan, judge(attempt, names), stable, candidate, now)

    @property
    def stage(self) -> Stage | None:
        """The stage that runs; None while the candidate gets ready."""
        return self.plan.stages[self.attempt.stage] if self.attempt.stage >= 0 else None

    @property
    def next_stage(self) -> Stage | None:
        """The stage after this one; None before promotion."""
        following = self.attempt.stage + 1
        return self.plan.stages[following] if following < len(self.plan.stages) else None

    @property
    def candidate_health(self) -> ArmHealth | None:
        """The candidate's pods; None before its Deployment exists."""
        return self.seen.health.get(self.candidate.revision)

    @property
    def stable_health(self) -> ArmHealth | None:
        """Stable's pods; None when nothing is known of them (an adopted Service without pods of its own)."""
        return self.seen.health.get(self.stable.revision)

    @property
    def stable_down(self) -> bool:
        """Whether stable has no ready endpoint."""
        return is_down(self.stable, self.seen)

    @property
    def answers_in(self) -> float | None:
        """In how many seconds the candidate can answer; None when that is not known."""
        return answers_in(self.candidate_health, self.now, self.seen.gateway_reload_seconds)

    @property
    def too_coarse(self) -> Conflict | None:
        """Why the route's integers cannot carry the stage's share."""
        if self.stage is None or not isinstance(self.seen.route, Routed):
            return None
        return self.seen.route.too_coarse_for(Weights.toward(self.candidate.slot, self.stage.weight))

    @property
    def shielded(self) -> bool:
        """Whether the candidate gets no traffic whatever its stage says: nobody would answer, or too much came."""
        return self.stage is not None and (self.answers_in != 0.0 or self.too_coarse is not None)


def failing_pods(look: Look) -> Ruling | None:
    """Crashes and memory kills of the candidate by itself fail it, and so does not becoming ready in time."""
    health = look.candidate_health
    found = first_fault(look.plan, health)
    if found is not None and shared_fault(look.attempt, health, look.stable_health) is None:
        gate, fault = found
        return RollBack(End.ROLLED_BACK, Reason.CRASH_LOOP, f"gate {gate.name}: {fault}")
    limit = ready_within(look.plan)
    if found is None and limit is not None and look.attempt.unready_seconds > limit:
        return RollBack(End.ROLLED_BACK, Reason.NOT_READY, f"not ready within {limit:g} s ({readiness(health)})")
    return None


def hanging_candidate(look: Look) -> Ruling | None:
    """Requests that hang never reach a counter; their absence against stable's count does."""
    attempt, stage = look.attempt, look.stage
    if stage is None or not unanswered(attempt, stage.weight):
        return None
    message = (
        f"about {attempt.expected:.0f} requests were expected at the candidate by stable's count and the weights,"
        f" {attempt.seen:.0f} were answered"
    )
    if not attempt.candidate_seen:
        message += "; no series of it was ever found, so if it did answer, the preset does not fit the gateway"
    return RollBack(End.ROLLED_BACK, Reason.CANDIDATE_UNRESPONSIVE, message)


def failing_gates(look: Look) -> Ruling | None:
    """The evidence of the required gates together reached 1/alpha."""
    return _failed(look, look.judgement)


def failing_ahead(look: Look) -> Ruling | None:
    """A gate that only the next stage judges has failed: more traffic would only confirm it."""
    if look.next_stage is None or look.stage is None:
        return None
    return _failed(look, judge(look.attempt, look.plan.judged(look.attempt.stage + 1)))


def _failed(look: Look, judgement: Judgement) -> Ruling | None:
    if judgement.verdict != "fail":
        return None
    numbers = {report["name"]: report for report in reports(look.attempt)}
    culprits = judgement.culprits or tuple(numbers)
    return RollBack(
        End.ROLLED_BACK,
        Reason.GATE_FAILED,
        "; ".join(describe(numbers[name]) for name in culprits if name in numbers),
    )


def stable_down(look: Look) -> Ruling | None:
    """Without a ready stable there is nothing to compare with, and nothing to go back to."""
    if not look.stable_down:
        return None
    message = f"{look.stable.revision} has no ready pod ({readiness(look.stable_health)})"
    health = look.candidate_health
    takes = look.plan.on_stable_down == "Promote" and health is not None and health.full and look.answers_in == 0.0
    if takes and not look.seen.paused:
        return TakeAll(f"{message} and onStableDown is Promote; {look.candidate.revision} is ready")
    return Hold(Reason.STABLE_UNAVAILABLE, f"{message}; only limits and hard gates are judged")


def deadline(look: Look) -> Ruling | None:
    """Measured time only: neither an outage nor a pause brings a deadline nearer."""
    plan = look.plan
    if look.attempt.active_seconds <= plan.progress_seconds:
        return None
    message = f"no verdict within {hours(plan.progress_seconds)} of measured time; {_still_open(look)}"
    if plan.on_timeout == "Hold":
        return Hold(Reason.DEADLINE_EXCEEDED, f"{message}; onTimeout is Hold", stalled=True)
    return RollBack(End.EXPIRED, Reason.DEADLINE_EXCEEDED, message)


def shared_incident(look: Look) -> Ruling | None:
    """The same symptom on stable is not the candidate's fault."""
    fault = shared_fault(look.attempt, look.candidate_health, look.stable_health)
    return Hold(Reason.SHARED_INCIDENT, f"stable's pods fail like the candidate's: {fault}") if fault else None


def unready_candidate(look: Look) -> Ruling | None:
    """A weighted backend without endpoints answers 503 that no series of its own counts, so: weight 0 at once."""
    soon = look.answers_in
    if look.stage is None or soon == 0.0:
        return None
    health = look.candidate_health
    if soon is not None:
        message = f"the candidate is ready again and gets its traffic when the gateway knows it, in {soon:.0f} s"
        return Hold(Reason.NOT_READY, message, again_seconds=soon)
    words = pending(health)
    reason = Reason.INSUFFICIENT_CAPACITY if words else Reason.NOT_READY
    return Hold(reason, f"the candidate has no ready pod ({readiness(health)}); its traffic is on stable")


def unfit_route(look: Look) -> Ruling | None:
    """A route that cannot carry the weights is its owner's to put right."""
    match look.seen.route:
        case Conflict(reason=reason, message=message):
            return Hold(reason, message, stalled=True)
        case Absent():
            return Hold(Reason.NOT_READY, "the route is not there yet")
        case Routed():
            coarse = look.too_coarse
            if coarse is None:
                return None
            return Hold(coarse.reason, f"{coarse.message}; meanwhile stable has all of it", stalled=True)


def missing_data(look: Look) -> Ruling | None:
    """Whatever cannot be measured holds, with its own reason."""
    attempt = look.attempt
    if attempt.outage is not None:
        reason, message = attempt.outage
        return Hold(reason, f"{message}; the rollout goes on with what it has when the metrics are back")
    if not attempt.instant:
        return Hold(Reason.METRICS_UNAVAILABLE, "waiting for the metrics source's first answer")
    missing = look.judgement.missing
    if missing is not None:
        gate, reason, message = missing
        return Hold(reason, f"gate {gate}: {message}")
    compared = look.stage is None or look.stage.weight < 100
    if compared and not attempt.stable_seen:
        if look.stage is not None and attempt.candidate_seen:
            return Hold(
                Reason.NOT_ATTRIBUTABLE, "no series of stable is found any more, while the candidate's is counted"
            )
        # Before any weight moves, stable's series must have been found.
        words = "no request to stable has been counted yet; the rollout waits for traffic"
        taken = look.seen.acceptance
        return Hold(Reason.NO_TRAFFIC, words if taken.accepted else f"{words}; the route: {taken.message}")
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


def too_little_traffic(look: Look) -> Ruling | None:
    """A rollout that cannot come to a verdict before its deadline is not begun."""
    if look.stage is not None:
        return None
    outlook = expect(look.attempt, look.plan)
    return Hold(Reason.TRAFFIC_TOO_LOW_FOR_MARGIN, outlook.advice) if outlook.advice is not None else None


def capacity(look: Look) -> Ruling | None:
    """The next step is taken only onto pods that are there: 1.2 x replicas x weight, in full before 100 %."""
    if not _finished(look):
        return None  # the stage is not over; whether the next one fits is not yet the question
    following = look.next_stage
    weight = following.weight if following is not None else 100
    needed = pods_needed(look.seen.replicas, weight)
    health = look.candidate_health
    ready = health.ready if health is not None else 0
    if ready >= needed:
        soon = look.answers_in
        if soon == 0.0:
            return None
        return Hold(Reason.NOT_READY, "ready; the gateway gets a moment to learn of the pods", again_seconds=soon)
    if look.seen.replicas <= 0:
        return Hold(Reason.NOT_READY, "spec.serving.replicas is 0: there are no pods to try")
    words = pending(health)
    if words is not None:
        return Hold(Reason.INSUFFICIENT_CAPACITY, f"{ready} of {needed} pods ready: {words}")
    return Hold(Reason.NOT_READY, f"{ready} of {needed} pods ready for {weight} % ({readiness(health)})")


def unfinished(look: Look) -> Ruling | None:
    """What the stage still waits for, in words."""
    stage = look.stage
    if stage is None or _finished(look):
        return None
    attempt = look.attempt
    if attempt.shielded:
        return Wait(f"the candidate can have {stage.weight} % of the traffic again, before anything else")
    if attempt.soaked_seconds < stage.soak_seconds:
        words = f"soaking, {attempt.soaked_seconds:.0f} of {stage.soak_seconds:.0f} s"
        if not attempt.effect_since:
            words += ", which go on when the route carries the weight"
        return Wait(f"{words}; {_still_open(look)}")
    if (lack := _lacking_requests(look, stage)) is not None:
        return Hold(Reason.TOO_FEW_SAMPLES, lack)
    unresolved = _unresolved(look)
    if unresolved is not None:
        return Hold(Reason.MARGIN_UNRESOLVED, unresolved)
    outlook = expect(look.attempt, look.plan)
    if outlook.advice is not None:
        return Hold(Reason.TRAFFIC_TOO_LOW_FOR_MARGIN, outlook.advice)
    return Hold(Reason.TOO_FEW_SAMPLES, _still_open(look, outlook))


def advance(look: Look) -> Ruling:
    """Nothing stands in the way."""
    following = look.next_stage
    return Advance("promote" if following is None else f"stage {following.name} at {following.weight} %")


RULES: tuple[Callable[[Look], Ruling | None], ...] = (
    failing_pods,
    hanging_candidate,
    failing_gates,
    stable_down,
    deadline,
    shared_incident,
    unready_candidate,
    unfit_route,
    missing_data,
    paused,
    too_little_traffic,
    capacity,
    unfinished,
    failing_ahead,
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
    stage, attempt = look.stage, look.attempt
    if stage is None:
        return True
    if attempt.shielded:
        return False
    if attempt.soaked_seconds < stage.soak_seconds or _lacking_requests(look, stage) is not None:
        return False
    return not look.plan.needs_proof(attempt.stage) or look.judgement.verdict == "pass"


def _lacking_requests(look: Look, stage: Stage) -> str | None:
    """How many requests of the candidate a canary stage still wants."""
    if isinstance(stage, Bake):
        return None  # what is baked was proven before
    attempt = look.attempt
    deciding = look.plan.required() & look.plan.judged(attempt.stage)
    for gate in attempt.gates:
        if gate.name in deciding and gate.candidate.total < REQUESTS_MIN:
            return f"gate {gate.name}: {gate.candidate.total} of {REQUESTS_MIN} requests of the candidate counted"
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


def _still_open(look: Look, outlook: Forecast | None = None) -> str:
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
