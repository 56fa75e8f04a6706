"""What the gates say together: one judgement for the rollout, one report per gate for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from serin.api.reasons import Reason
from serin.rollout.gates import CompareGate, HardGate, LimitGate, QueryGate, RateGate
from serin.rollout.state import Attempt, GateState
from serin.stats.evidence import Evidence, Verdict
from serin.stats.merge import combine
from serin.stats.rate import RateTest


@dataclass(frozen=True, slots=True)
class Judgement:
    """The required gates that a stage judges, taken together.

    verdict: 'fail' when the mean of their evidence reaches 1/alpha (valid under any dependence), 'pass' when
        each of them has passed, else 'undecided'.
    culprits: the gates that a failure is due to.
    open: names of the required gates without a latched pass.
    missing: why the newest reading had nothing for one of them: gate, reason, message. None when all were read.
    """

    verdict: Verdict
    culprits: tuple[str, ...]
    open: tuple[str, ...]
    missing: tuple[str, Reason, str] | None


def judge(attempt: Attempt, names: frozenset[str]) -> Judgement:
    """Judge the attempt's required gates among `names`.

    The weights in the mean are those of all required gates, whatever a stage judges. A gate that a stage leaves out
    counts as 1 there, so the mean over a part never reaches 1/alpha more often than the mean over all reaches
    1/alpha - 1: changing what is judged from stage to stage costs at most alpha^2.
    """
    every = attempt.plan.required()
    required = every & names
    states = [gate for gate in attempt.gates if gate.name in required]
    evidences = {gate.name: gate.test.evidence for gate in states if gate.test is not None}
    missing = next(((gate.name, *gate.missing) for gate in states if gate.missing is not None), None)
    unproven = tuple(gate.name for gate in states if gate.name not in evidences or not evidences[gate.name].passed)
    if not evidences:
        # No rate gate is required here: nothing can fail on counts, and nothing is left to prove.
        return Judgement("pass" if not unproven else "undecided", (), unproven, missing)
    combined = combine(evidences, required, dict.fromkeys(every, 1.0), attempt.plan.alpha)
    culprits = tuple(name for name in combined.culprits if name in evidences)
    return Judgement(combined.verdict, culprits, unproven, missing)


def reports(attempt: Attempt) -> tuple[dict[str, Any], ...]:
    """Every rate gate with both arms' numbers, in the shape of status.rollout.gates."""
    gates = {gate.name: gate for gate in attempt.plan.rate_gates()}
    judged = attempt.plan.judged(attempt.stage)
    return tuple(_report(gates[state.name], state, judged=state.name in judged) for state in attempt.gates)


def describe(report: Mapping[str, Any]) -> str:
    """One gate's numbers in a line: 'errors: candidate 9 of 151 (5.96 %), stable 1 of 1350 (0.07 %), ...'."""
    candidate, stable = report["candidate"], report["stable"]
    words = f"{report['name']}: candidate {_share(candidate)}"
    if report["kind"] != "limit":
        words += f", stable {_share(stable)}"
    if report.get("interval") is not None:
        low, high = report["interval"]
        words += f", difference {_points(report.get('difference'))} [{_points(low)}, {_points(high)}] points"
    return words


def hard_reports(attempt: Attempt, fault_of: Callable[[HardGate], str | None]) -> tuple[dict[str, Any], ...]:
    """Every hard gate in the same shape; it has no numbers, only a fault or none."""
    found = ((gate, fault_of(gate)) for gate in attempt.plan.hard_gates())
    return tuple(
        {
            "name": gate.name,
            "kind": "hard",
            "required": gate.required,
            "verdict": "fail" if fault is not None else "undecided",
            "message": fault if fault is not None else "no fault",
        }
        for gate, fault in found
    )


def _report(gate: RateGate, state: GateState, *, judged: bool) -> dict[str, Any]:
    evidence = state.test.evidence if state.test is not None else None
    report: dict[str, Any] = {
        "name": gate.name,
        "kind": _KINDS[type(gate)],
        "required": gate.required,
        "verdict": evidence.verdict if evidence is not None else "undecided",
        "candidate": {"total": state.candidate.total, "bad": state.candidate.bad},
        "stable": {"total": state.stable.total, "bad": state.stable.bad},
    }
    if evidence is not None:
        report["difference"] = None if evidence.difference is None else round(evidence.difference, 6)
        report["interval"] = [round(bound, 6) for bound in evidence.interval]
        report["margin"] = round(_margin(state, gate), 6)
        report["overdispersion"] = round(state.overdispersion.value, 3)
        report["overdispersionSource"] = state.overdispersion.source
    words = _message(evidence) if evidence is not None else "no request of the candidate yet"
    if state.missing is not None:
        reason, words = state.missing
        report["reason"] = reason.value
    report["message"] = words if judged else f"{words}; not judged at this stage"
    return report


_KINDS = {CompareGate: "compare", QueryGate: "query", LimitGate: "limit"}


def _margin(state: GateState, gate: RateGate) -> float:
    match state.test:
        case RateTest(settings=settings):
            return settings.margin
        case _:
            return gate.maximum if isinstance(gate, LimitGate) else 0.0


def _message(evidence: Evidence) -> str:
    match evidence.verdict:
        case "fail":
            return "worse than the tolerance allows"
        case "pass":
            return "proven not worse by the margin"
        case "undecided":
            return (
                f"evidence against {_odds(evidence.log_e_fail)}, evidence for {_odds(evidence.log_e_pass)}"
                if evidence.candidate.total
                else "no request of the candidate counted yet"
            )


def _odds(log_e: float) -> str:
    """An e-value as odds: e^2.3 is '10 to 1'; beyond a million nobody reads the digits."""
    if log_e <= 0.0:
        return "none"
    return "more than 1000000 to 1" if log_e > 13.8 else f"{2.718281828459045**log_e:.3g} to 1"


def _share(counts: Mapping[str, int]) -> str:
    total, bad = counts["total"], counts["bad"]
    return f"{bad} of {total}" + (f" ({100 * bad / total:.2f} %)" if total else "")


def _points(value: float | None) -> str:
    return "?" if value is None else f"{100 * value:+.2f}"
