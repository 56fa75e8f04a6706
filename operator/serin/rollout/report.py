"""Status and conditions: what a decision looks like to people and tools."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from serin.api.conditions import PROMOTED, READY, RECONCILING, STALLED, Condition, remove_condition, set_condition
from serin.api.reasons import Reason
from serin.rollout.arms import hard_fault, readiness
from serin.rollout.decision import Decision
from serin.rollout.ending import stage_name
from serin.rollout.forecast import expect
from serin.rollout.judge import hard_reports, judge, reports
from serin.rollout.observation import Observation, Target
from serin.rollout.persist import dump_state
from serin.rollout.plan import Plan
from serin.rollout.state import Attempt, Kind
from serin.rollout.validation import shut

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Subject:
    """What of the resource's metadata a status repeats."""

    generation: int
    url: str | None
    address: str | None
    selector: str


def status_of(
    decision: Decision, seen: Observation, subject: Subject, before: Sequence[Condition], now: datetime
) -> Json:
    """The whole status, ready to be written.

    before: the conditions that stand, for their transition times.
    """
    state, standing = decision.state, decision.standing
    status: Json = dump_state(state)
    if state.attempt is not None:
        status["rollout"] |= _rollout(state.attempt, decision, seen, now)
    status |= {
        "observedGeneration": subject.generation,
        "phase": standing.phase,
        "selector": subject.selector,
        "replicas": _replicas(decision, seen),
        "conditions": [
            condition.to_dict() for condition in conditions(decision, seen, subject.generation, before, now)
        ],
    }
    if subject.url is not None:
        status["url"] = subject.url
    if subject.address is not None:
        status["address"] = subject.address
    return status


def conditions(
    decision: Decision, seen: Observation, generation: int, before: Sequence[Condition], now: datetime
) -> list[Condition]:
    """Ready and Promoted always; Reconciling or Stalled only while true, never both."""
    state, standing = decision.state, decision.standing
    found = list(before)
    ready, reason, message = _ready(decision, seen)
    found = set_condition(found, READY, ready, reason, message, now=now, generation=generation)
    promoted = (
        isinstance(seen.wanted, Target)
        and state.stable is not None
        and state.stable.proven
        and state.candidate is None
        and state.instead is None
        and state.stable.revision == seen.wanted.revision
    )
    if promoted:
        reason, message = _promotion(decision)
        found = set_condition(found, PROMOTED, "True", reason, message, now=now, generation=generation)
        if not standing.stalled:
            return remove_condition(remove_condition(found, RECONCILING), STALLED)
    else:
        reason, message = standing.reason, standing.message
        found = set_condition(found, PROMOTED, "False", reason, message, now=now, generation=generation)
    kind = STALLED if standing.stalled else RECONCILING
    return set_condition(found, kind, "True", standing.reason, standing.message, now=now, generation=generation)


def _ready(decision: Decision, seen: Observation) -> tuple[Literal["True", "False"], Reason, str]:
    """Whether what serves by default can answer, and why."""
    state, standing = decision.state, decision.standing
    waits = state.attempt is not None and shut(state.attempt)
    serving = state.stable or (state.candidate if not waits else None)
    health = seen.health.get(serving.revision) if serving is not None else None
    if serving is not None and (serving.adopted is not None or (health is not None and health.ready > 0)):
        rate = _stable_rate(state.attempt)
        if rate is not None and rate > DEGRADED_RATE:
            words = f"{100 * rate:.1f} % of stable's requests are bad; the comparison goes on with a capped margin"
            return "True", Reason.STABLE_DEGRADED, words
        words = f"{serving.revision} serves"
        # That no gateway has answered yet is news for a moment at every change of a weight; a refusal stays.
        refused = seen.acceptance.accepted is False or not seen.acceptance.heard
        return "True", Reason.SERVING, f"{words}; the route: {seen.acceptance.message}" if refused else words
    if state.stable is not None:
        words = f"{state.stable.revision} has no ready pod: {readiness(health)}"
        if seen.replicas == 0:
            words = f"{state.stable.revision} has no pods, as spec.serving.replicas is 0; scale it up to serve"
        return "False", Reason.STABLE_UNAVAILABLE, words
    fits = f"{READY}=False" in standing.reason.about.conditions
    return "False", standing.reason if fits else Reason.NOT_READY, standing.message


def _promotion(decision: Decision) -> tuple[Reason, str]:
    outcome, stable = decision.state.outcome, decision.state.stable
    assert stable is not None  # noqa: S101 - the caller has looked
    if outcome is not None and outcome.revision == stable.revision:
        reason = outcome.reason if outcome.reason in _PROMOTIONS else Reason.PROMOTED
        return reason, f"{stable.revision} is stable: {outcome.message}"
    if outcome is not None and outcome.reason is Reason.REVERTED_BY_SPEC:
        return Reason.REVERTED_BY_SPEC, f"{stable.revision} is stable; {outcome.revision} was taken back"
    return Reason.PROMOTED, f"{stable.revision} is stable"


_PROMOTIONS = frozenset({Reason.PROMOTED, Reason.FIRST_DEPLOYMENT, Reason.WENT_BACK})


def _rollout(attempt: Attempt, decision: Decision, seen: Observation, now: datetime) -> Json:
    policy = seen.policy
    plan = attempt.plan.with_live(policy) if isinstance(policy, Plan) else attempt.plan
    compared = attempt.kind is Kind.COMPARED
    candidate, shares = decision.state.candidate, decision.desired.weights
    health = seen.health.get(candidate.revision) if candidate is not None else None
    hard = hard_reports(attempt, lambda gate: hard_fault(gate, health))
    shown: Json = {
        "stage": stage_name(attempt),
        "weight": shares.of(candidate.slot) if candidate is not None and shares is not None else 0,
        "verdict": judge(attempt, plan.judged(attempt.stage)).verdict if compared else "undecided",
        "reason": decision.standing.reason.value,
        "waitingFor": decision.standing.message,
        "gates": [*reports(attempt), *hard],
    }
    if attempt.first_traffic:
        shown["firstTrafficAt"] = _time(datetime.fromtimestamp(attempt.first_traffic, UTC))
        left = plan.progress_seconds - attempt.active_seconds
        shown["deadline"] = _time(now + timedelta(seconds=max(left, 0.0)))
    waits = decision.standing.reason in _MOVING
    if compared and waits and (seconds := expect(attempt, plan).seconds) is not None:
        shown["expectedFinish"] = _time(now + timedelta(seconds=min(seconds, FORECAST_SECONDS_MAX)))
    if attempt.stage_since:
        shown["since"] = _time(datetime.fromtimestamp(attempt.stage_since, UTC))
    return shown


# Reasons of a rollout that only time and traffic keep; with any other nobody knows when it ends.
_MOVING = frozenset(
    {
        Reason.ROLLING_OUT,
        Reason.TOO_FEW_SAMPLES,
        Reason.MARGIN_UNRESOLVED,
        Reason.TRAFFIC_TOO_LOW_FOR_MARGIN,
    }
)

# A rollout that takes a year will not end; a date beyond what a calendar holds would be an error.
FORECAST_SECONDS_MAX = 365 * 86_400.0


def _time(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ")


def _replicas(decision: Decision, seen: Observation) -> int:
    """Pods of both arms, as the selector of the scale subresource finds them."""
    placed = (decision.state.stable, decision.state.candidate)
    healths = [seen.health.get(one.revision) for one in placed if one is not None]
    return sum(health.desired for health in healths if health is not None)


# Stable is sick above this share of bad requests: the margin is capped, and status says so.
DEGRADED_RATE = 0.05
REQUESTS_MIN = 100


def _stable_rate(attempt: Attempt | None) -> float | None:
    """The share of stable's requests that fail, from its history and the attempt; None while there are too few."""
    if attempt is None:
        return None
    rates = [
        (gate.history + gate.stable).rate
        for plan_gate in attempt.plan.rate_gates()
        for gate in attempt.gates
        if gate.name == plan_gate.name
        and getattr(plan_gate, "what", None) == "serverErrors"
        and gate.history.total + gate.stable.total >= REQUESTS_MIN
    ]
    return max((rate for rate in rates if rate is not None), default=None)
