"""From a resolved policy to the plan of an attempt: texts with units become numbers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from serin.api.gates import Gate as ApiGate
from serin.api.gates import Margin
from serin.api.resolve import ResolvedPolicy
from serin.api.stages import Stage as ApiStage
from serin.api.stages import Validate, absolute_gates
from serin.api.times import DAYS
from serin.api.windows import Freeze as ApiFreeze
from serin.api.windows import Window as ApiWindow
from serin.rollout.gates import CompareGate, Gate, HardGate, LimitGate, MarginRule, QueryGate
from serin.rollout.plan import Approval, Bake, Canary, Plan, Stage, Validation
from serin.rollout.ramp import steps_of
from serin.rollout.windows import Freeze, Window

# The API lets 100 % pass as a limit and as a margin; the tests take fractions below 1.
RATE_MAX = 0.99


def plan_of(policy: ResolvedPolicy) -> Plan:
    """The plan that a policy makes for an attempt that starts now."""
    return Plan(
        stages=_stages([stage for stage in policy.stages if not stage.before_traffic]),
        gates=tuple(_gate(gate) for gate in policy.gates),
        alpha=policy.risk.false_rollback.fraction,
        beta=policy.risk.false_promotion.fraction,
        progress_seconds=policy.timeouts.progress.seconds,
        on_timeout=policy.timeouts.on_timeout,
        on_stable_down=policy.on_stable_down,
        warm_in_seconds=policy.warm_in.seconds,
        source=policy.metrics.source,
        preset=policy.metrics.preset,
        windows=tuple(_window(window) for window in policy.windows),
        freezes=tuple(_freeze(freeze) for freeze in policy.freezes),
        validations=tuple(_validation(stage) for stage in policy.stages if stage.before_traffic),
    )


def _validation(stage: ApiStage) -> Validation:
    asked = stage.validation or stage.warmup
    assert asked is not None  # noqa: S101 - the caller has looked
    request = json.dumps(asked.to_dict(), sort_keys=True)
    digest = hashlib.sha256(request.encode()).hexdigest()[:10]
    if isinstance(asked, Validate):
        # Without gates it is a program of the user's own, which knows by itself what to judge by.
        absolute = not asked.evaluation.get("gates") or bool(absolute_gates(asked.evaluation))
        return Validation(stage.name, digest, asked.retry.seconds, "evaluate", absolute, request)
    # A warm-up has no fault that passes by itself: it asks for as long as it may.
    return Validation(stage.name, digest, asked.within.seconds, "warmup", request=request)


def _stages(stages: Sequence[ApiStage]) -> tuple[Stage, ...]:
    made: list[Stage] = []
    for stage in stages:
        before = made[-1].weight if made else 0
        one = _stage(stage, weight=before)
        made += steps_of(one, before) if isinstance(one, Canary) else (one,)
    return tuple(made)


def _window(window: ApiWindow) -> Window:
    days = tuple(sorted(DAYS.index(day) for day in window.days))
    return Window(days, _minutes(window.from_), _minutes(window.to), window.timezone)


def _minutes(text: str) -> int:
    """Minutes since midnight: 570 for "09:30"."""
    hours, _, minutes = text.partition(":")
    return 60 * int(hours) + int(minutes)


def _freeze(freeze: ApiFreeze) -> Freeze:
    return Freeze(freeze.from_.timestamp(), freeze.to.timestamp(), freeze.reason or "")


def _stage(stage: ApiStage, weight: int) -> Stage:
    """The stage; `weight` is that of the one before."""
    if stage.approval is not None:
        return Approval(stage.name, weight, stage.approval.expires.seconds, stage.approval.approvers)
    gates = tuple(stage.gates) if stage.gates is not None else None
    if stage.canary is not None:
        canary = stage.canary
        return Canary(
            stage.name,
            canary.weight,
            canary.soak.seconds,
            gates,
            canary.advance,
            canary.min_requests,
            canary.excess_failures,
            canary.early,
        )
    assert stage.bake is not None  # noqa: S101 - exactly one of them, by the API's rule
    return Bake(stage.name, stage.bake.for_.seconds, stage.bake.holdback, gates)


def _gate(gate: ApiGate) -> Gate:
    if gate.compare is not None:
        compare = gate.compare
        return CompareGate(
            name=gate.name,
            required=gate.required,
            what=compare.what,
            objective_seconds=compare.objective.seconds if compare.objective is not None else None,
            margin=_margin(compare.margin),
            tolerance=compare.tolerance.fraction if compare.tolerance is not None else None,
        )
    if gate.query is not None:
        query = gate.query
        return QueryGate(
            name=gate.name,
            required=gate.required,
            total=query.total,
            bad=query.bad,
            margin=_margin(query.margin),
            tolerance=query.tolerance.fraction if query.tolerance is not None else None,
        )
    if gate.limit is not None:
        limit = gate.limit
        return LimitGate(
            name=gate.name,
            required=gate.required,
            what=limit.what,
            objective_seconds=limit.objective.seconds if limit.objective is not None else None,
            maximum=min(limit.max.fraction, RATE_MAX),
        )
    assert gate.hard is not None  # noqa: S101 - exactly one of them, by the API's rule
    hard = gate.hard
    return HardGate(
        name=gate.name,
        required=gate.required,
        restarts=hard.restarts,
        out_of_memory=hard.out_of_memory,
        ready_within_seconds=hard.ready_within.seconds if hard.ready_within is not None else None,
    )


def _margin(margin: Margin) -> MarginRule:
    maximum = min(margin.max.fraction, RATE_MAX)
    return MarginRule(min(margin.plus.fraction, maximum), margin.of_stable.fraction, maximum)
