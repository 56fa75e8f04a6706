"""Status and conditions: what a decision looks like to people and tools."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from serin.api.conditions import PROMOTED, READY, RECONCILING, STALLED, Condition, remove_condition, set_condition
from serin.api.reasons import Reason
from serin.rollout.decision import Decision
from serin.rollout.desired import candidate_share
from serin.rollout.judge import judge, reports
from serin.rollout.observation import Observation, Target
from serin.rollout.persist import dump_state
from serin.rollout.rules import DEGRADED_RATE
from serin.rollout.state import Attempt, Kind

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
        status["rollout"] |= _rollout(state.attempt, decision, now)
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
    serving = state.stable or state.candidate
    health = seen.health.get(serving.revision) if serving is not None else None
    adopted = serving is not None and serving.adopted is not None
    if serving is not None and (adopted or (health is not None and health.ready > 0)):
        degraded = _stable_rate(state.attempt)
        if degraded is not None and degraded > DEGRADED_RATE:
            reason, message = Reason.STABLE_DEGRADED, f"{100 * degraded:.1f} % of stable's requests are bad"
        else:
            reason, message = Reason.SERVING, f"{serving.revision} serves"
        found = set_condition(found, READY, "True", reason, message, now=now, generation=generation)
    else:
        reason = standing.reason if standing.stalled or serving is None else Reason.NOT_READY
        if state.stable is not None and not standing.stalled:
            reason = Reason.STABLE_UNAVAILABLE
        found = set_condition(found, READY, "False", reason, standing.message, now=now, generation=generation)
    promoted = (
        isinstance(seen.wanted, Target)
        and state.stable is not None
        and state.stable.proven
        and state.candidate is None
        and state.stable.revision == seen.wanted.revision
    )
    if promoted:
        reason, message = _promotion(decision)
        found = set_condition(found, PROMOTED, "True", reason, message, now=now, generation=generation)
        found = remove_condition(found, RECONCILING)
        return remove_condition(found, STALLED)
    found = set_condition(found, PROMOTED, "False", standing.reason, standing.message, now=now, generation=generation)
    kind = STALLED if standing.stalled else RECONCILING
    return set_condition(found, kind, "True", standing.reason, standing.message, now=now, generation=generation)


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


def _rollout(attempt: Attempt, decision: Decision, now: datetime) -> Json:
    plan = attempt.plan
    stage = plan.stages[attempt.stage] if attempt.stage >= 0 else None
    verdict = (
        judge(attempt, plan.judged(max(attempt.stage, 0))).verdict if attempt.kind is Kind.COMPARED else "undecided"
    )
    left = plan.progress_seconds - attempt.active_seconds
    shown: Json = {
        "stage": stage.name if stage is not None else "start",
        "weight": candidate_share(attempt) if decision.desired.weights is not None else 0,
        "verdict": verdict,
        "reason": decision.standing.reason.value,
        "waitingFor": decision.standing.message,
        "deadline": _time(now + timedelta(seconds=max(left, 0.0))),
        "gates": list(reports(attempt)),
    }
    if attempt.first_traffic:
        shown["firstTrafficAt"] = _time(datetime.fromtimestamp(attempt.first_traffic, UTC))
    if attempt.stage_since:
        shown["since"] = _time(datetime.fromtimestamp(attempt.stage_since, UTC))
    return shown


def _time(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ")


def _replicas(decision: Decision, seen: Observation) -> int:
    stable = decision.state.stable or decision.state.candidate
    health = seen.health.get(stable.revision) if stable is not None else None
    return health.desired if health is not None else 0


def _stable_rate(attempt: Attempt | None) -> float | None:
    if attempt is None:
        return None
    rates = [
        gate.stable.rate
        for plan_gate in attempt.plan.rate_gates()
        for gate in attempt.gates
        if gate.name == plan_gate.name
        and getattr(plan_gate, "what", None) == "serverErrors"
        and gate.stable.total >= 100
    ]
    return max((rate for rate in rates if rate is not None), default=None)
