"""Raw objects as records, without pydantic, which would take most of a second for a thousand of them."""

from __future__ import annotations

from typing import Any, Literal, assert_never

from serin.plugin.objects import (
    Check,
    Condition,
    Counted,
    Deployment,
    Gate,
    KeptReport,
    Measured,
    Outcome,
    Placed,
    Polled,
    Revision,
    Rollout,
    Stage,
    Step,
    Verdict,
)
from serin.plugin.raw import Raw, number, part, parts, text, time, whole
from serin.rollout.plan import Approval, Bake, Canary, Plan


def deployment_of(raw: Raw, *, details: bool = True) -> Deployment:
    """Read a ModelDeployment.

    details: with gates, stages and the decisions so far, which are most of a status; a list of many shows none.
    """
    metadata, spec, status = part(raw, "metadata"), part(raw, "spec"), part(raw, "status")
    rollout = part(status, "rollout")
    outcome = part(status, "outcome")
    return Deployment(
        namespace=text(metadata.get("namespace")) or "",
        name=text(metadata.get("name")) or "",
        created=time(metadata.get("creationTimestamp")),
        version=text(part(spec, "model").get("version")),
        paused=part(spec, "rollout").get("paused") is True,
        deleting=bool(metadata.get("deletionTimestamp")),
        observed=_observed(metadata, status),
        phase=text(status.get("phase")),
        url=text(status.get("url")),
        address=text(status.get("address")),
        replicas=whole(status.get("replicas")),
        stable=_placed(part(status, "stable")),
        candidate=_placed(part(status, "candidate")),
        rollout=_rollout(rollout, details=details) if rollout else None,
        outcome=_outcome(outcome, details=details) if outcome else None,
        conditions=tuple(_condition(one) for one in parts(status, "conditions")),
        instead_of=text(part(status, "instead").get("of")),
        polled=_polled(part(status, "poll")),
    )


def _polled(raw: Raw) -> Polled | None:
    if not raw:
        return None
    found = part(raw, "artifact")
    digest = text(found.get("digest")) or text(raw.get("pinned"))
    return Polled(time(raw.get("at")), digest, text(found.get("uri")), text(raw.get("message")))


def departed(namespace: str, name: str) -> Deployment:
    """What stands for a ModelDeployment that is no longer there, beside the revisions that it left."""
    return deployment_of({"metadata": {"namespace": namespace, "name": name}})


def revision_of(raw: Raw) -> Revision:
    """Read a ModelRevision."""
    metadata, spec, status = part(raw, "metadata"), part(raw, "spec"), part(raw, "status")
    record = tuple(_step(one) for one in parts(status, "record"))
    totals = sum(whole(one) or 0 for one in part(status, "recordTotals").values())
    return Revision(
        namespace=text(metadata.get("namespace")) or "",
        name=text(metadata.get("name")) or "",
        deployment=text(spec.get("deployment")),
        version=text(part(spec, "model").get("version")),
        created=time(metadata.get("creationTimestamp")),
        verdict=text(status.get("verdict")) or "Pending",
        was_stable=status.get("wasStable") is True,
        attempts=whole(status.get("attempts")),
        reason=text(status.get("verdictReason")),
        message=text(status.get("verdictMessage")) or "",
        record=record,
        forgotten=max(totals - len(record), 0),
    )


def _observed(metadata: Raw, status: Raw) -> bool:
    generation, seen = whole(metadata.get("generation")), whole(status.get("observedGeneration"))
    return generation is not None and seen is not None and seen >= generation


def _verdict(value: Any) -> Verdict:
    match value:
        case "pass" | "fail" | "undecided":
            found: Verdict = value
            return found
        case _:
            return "unknown"


def _counted(raw: Raw) -> Counted | None:
    total, bad = number(raw.get("total")), number(raw.get("bad"))
    return Counted(total, bad) if total is not None and bad is not None else None


def _interval(value: Any) -> tuple[float, float] | None:
    if not isinstance(value, list) or len(value) != 2:
        return None
    low, high = number(value[0]), number(value[1])
    return (low, high) if low is not None and high is not None else None


def _gate(raw: Raw) -> Gate:
    return Gate(
        name=text(raw.get("name")) or "?",
        kind=text(raw.get("kind")) or "?",
        required=raw.get("required") is not False,
        verdict=_verdict(raw.get("verdict")),
        reason=text(raw.get("reason")),
        message=text(raw.get("message")) or "",
        stable=_counted(part(raw, "stable")),
        candidate=_counted(part(raw, "candidate")),
        difference=number(raw.get("difference")),
        interval=_interval(raw.get("interval")),
        margin=number(raw.get("margin")),
        overdispersion=number(raw.get("overdispersion")),
        overdispersion_source=text(raw.get("overdispersionSource")),
    )


def _gates(raw: Raw) -> tuple[Gate, ...]:
    return tuple(_gate(one) for one in parts(raw, "gates"))


def _step(raw: Raw) -> Step:
    """A step of a running rollout (`decision`, `gates`) or of a record (`event`, `numbers.gates`)."""
    return Step(
        at=time(raw.get("at")),
        attempt=whole(raw.get("attempt")),
        decision=text(raw.get("decision")) or text(raw.get("event")) or "?",
        stage=text(raw.get("stage")),
        weight=whole(raw.get("weight")),
        reason=text(raw.get("reason")),
        message=text(raw.get("message")) or "",
        gates=_gates(raw) or _gates(part(raw, "numbers")),
        actor=text(raw.get("actor")),
        report=_report(part(raw, "report")),
        measured=tuple(_measured(one) for one in parts(raw, "measured")),
    )


def _measured(raw: Raw) -> Measured:
    return Measured(
        name=text(raw.get("name")) or "?",
        verdict=_verdict(raw.get("verdict")),
        metric=text(raw.get("metric")),
        limit=text(raw.get("limit")),
        scope=text(raw.get("scope")),
        value=number(raw.get("value")),
        interval=(number(raw.get("low")), number(raw.get("high"))),
    )


def _report(raw: Raw) -> KeptReport | None:
    found = KeptReport(text(raw.get("place")), text(raw.get("digest")), text(raw.get("trouble")))
    return found if found.words else None


def _placed(raw: Raw) -> Placed | None:
    revision = text(raw.get("revision"))
    if revision is None:
        return None
    proven = raw.get("proven")
    return Placed(
        revision,
        text(raw.get("version")),
        text(raw.get("slot")),
        proven if isinstance(proven, bool) else None,
        text(raw.get("adopted")),
    )


def _stages(raw: Raw) -> tuple[Stage, ...]:
    """The stages of the stored plan; none when an operator of another version stored it in another way."""
    try:
        plan = Plan.from_json(raw)
        return tuple(Stage(one.name, _kind(one), one.weight, one.soak_seconds) for one in plan.stages)
    except (ValueError, TypeError, AttributeError):
        return ()


def _checks(plan: Raw, evidence: Raw, kind: str | None) -> tuple[Check, ...]:
    """The stages before the first request; an answer to another question than the plan's is none.

    A first revision is judged by what needs no stable, and what was stable before is not judged again.
    """
    if kind == "GoBack":
        return ()
    known = {(text(one.get("name")), text(one.get("digest"))): one for one in parts(evidence, "validated")}
    found = []
    for one in parts(plan, "validations"):
        name = text(one.get("name")) or "?"
        if kind == "First" and one.get("absolute") is False:
            continue
        said = known.get((name, text(one.get("digest"))))
        verdict = None if said is None else _CHECKED.get(text(said.get("verdict")))
        report = _report(part(said or {}, "report"))
        found.append(Check(name, text(one.get("program")) or "evaluate", verdict, report))
    return tuple(found)


_CHECKED: dict[str | None, Literal["asked", "pass", "fail", "undecided"]] = {
    None: "asked",
    "pass": "pass",
    "fail": "fail",
    "undecided": "undecided",
}


def _kind(stage: Canary | Approval | Bake) -> Literal["canary", "approval", "bake"]:
    match stage:
        case Canary():
            return "canary"
        case Approval():
            return "approval"
        case Bake():
            return "bake"
        case _:
            assert_never(stage)


def _rollout(raw: Raw, *, details: bool) -> Rollout:
    return Rollout(
        attempt=whole(raw.get("attempt")),
        kind=text(raw.get("kind")),
        stage=text(raw.get("stage")),
        stage_index=whole(raw.get("stageIndex")),
        checks=_checks(part(raw, "plan"), part(raw, "evidence"), text(raw.get("kind"))) if details else (),
        stages=_stages(part(raw, "plan")) if details else (),
        weight=whole(raw.get("weight")),
        verdict=_verdict(raw.get("verdict")),
        reason=text(raw.get("reason")),
        waiting_for=text(raw.get("waitingFor")),
        started_at=time(raw.get("startedAt")),
        first_traffic_at=time(raw.get("firstTrafficAt")),
        since=time(raw.get("since")),
        soaked_seconds=number(raw.get("soakedSeconds")),
        deadline=time(raw.get("deadline")),
        expected_finish=time(raw.get("expectedFinish")),
        gates=_gates(raw) if details else (),
        steps=tuple(_step(one) for one in parts(raw, "steps")) if details else (),
    )


def _outcome(raw: Raw, *, details: bool) -> Outcome:
    return Outcome(
        revision=text(raw.get("revision")) or "?",
        version=text(raw.get("version")),
        attempt=whole(raw.get("attempt")),
        kind=text(raw.get("kind")),
        reason=text(raw.get("reason")),
        message=text(raw.get("message")) or "",
        at=time(raw.get("at")),
        stage=text(raw.get("stage")),
        gates=_gates(raw) if details else (),
        steps=tuple(_step(one) for one in parts(raw, "steps")) if details else (),
    )


def _condition(raw: Raw) -> Condition:
    return Condition(
        type=text(raw.get("type")) or "?",
        status=text(raw.get("status")) or "Unknown",
        reason=text(raw.get("reason")),
        message=text(raw.get("message")) or "",
        since=time(raw.get("lastTransitionTime")),
    )
