"""What a rollout reads from the metrics, and from when on."""

from __future__ import annotations

from serin.api.names import SLOTS, slot_service
from serin.api.reasons import Reason
from serin.controller.config import Config
from serin.controller.evidence import Beginning, Forward, GoOn, History, Want
from serin.controller.observe import View
from serin.controller.policies import find_source, need_of
from serin.metrics.reading import ArmRef, Arms, Outage
from serin.rollout.observation import Refused
from serin.rollout.state import Kind, Placed, State


def want_of(view: View, state: State, config: Config) -> Want | None:
    """What to read from the metrics for this state; None while nothing is on trial and nothing drains."""
    namespace, name = view.md.metadata.namespace, view.md.metadata.name

    def arm(placed: Placed) -> ArmRef:
        return ArmRef(namespace, slot_service(name, placed.slot), placed.revision)

    attempt = state.attempt
    if attempt is not None and state.candidate is not None and state.stable is not None:
        if attempt.kind is not Kind.COMPARED:
            return None
        source = find_source(config, attempt.plan.source)
        if source is None:
            return None
        preset = source.preset if attempt.plan.preset == "auto" else attempt.plan.preset
        needs = tuple(need_of(gate, view.md) for gate in attempt.plan.rate_gates())
        return Want(source.name, preset, Arms(arm(state.stable), arm(state.candidate)), needs)
    tenant = next((one for one in view.seen.occupants if one.replicas > 0), None)
    plan = view.seen.policy
    if tenant is None or state.stable is None or isinstance(plan, Refused):
        return None
    source = find_source(config, plan.source)
    if source is None:
        return None
    slot = next(slot for slot in SLOTS if slot == tenant.slot)
    draining = ArmRef(namespace, slot_service(name, slot), tenant.revision)
    preset = source.preset if plan.preset == "auto" else plan.preset
    return Want(source.name, preset, Arms(arm(state.stable), draining), ())


def unreadable(state: State, config: Config) -> tuple[Outage, ...]:
    """What there is instead of readings when the operator came back without the attempt's metric source."""
    attempt = state.attempt
    if attempt is None or attempt.kind is not Kind.COMPARED or find_source(config, attempt.plan.source) is not None:
        return ()
    known = ", ".join(one.name for one in config.metric_sources) or "none"
    words = f"metric source {attempt.plan.source} is no longer in the operator's configuration (there: {known})"
    return (Outage(attempt.instant, Reason.METRICS_UNAVAILABLE, words),)


def beginning(state: State) -> Beginning:
    """From when the metrics are to be read for this state.

    A stored attempt goes on from its instant, each instant for itself, so that the evidence is what it would have
    been without the interruption. A new one takes stable's last hour as history in one go, less what belongs to
    an earlier attempt. A drain only looks forward.
    """
    attempt = state.attempt
    if attempt is None:
        return Forward()
    if attempt.instant:
        return GoOn(attempt.instant)
    return History(attempt.history_since)
