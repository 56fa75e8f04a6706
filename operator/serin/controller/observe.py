"""All reads of one look: from the cache and the metrics snapshot into an Observation.

Nothing is written here and nothing is decided; what a decision may depend on ends up in the Observation, and
what applying it needs beside that (live objects, the parsed resource) in the View around it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from serin.api.model_deployment import ModelDeployment
from serin.api.names import LABEL_REVISION, LABEL_SLOT, SLOTS, slot_service
from serin.api.parse import InvalidSpec, parse_model_deployment, parse_rollout_policy
from serin.api.reasons import Reason
from serin.api.resolve import resolve_policy
from serin.controller.cache import Cache
from serin.controller.config import Config
from serin.controller.evidence import Beginning, Forward, GoOn, History, Want
from serin.controller.memory import Memory
from serin.metrics.presets import PRESETS, Preset, unsupported
from serin.metrics.promql import TemplateError, expand
from serin.metrics.reading import ArmRef, Arms, CompareNeed, Need, Outage, QueryNeed, SlowNeed
from serin.metrics.source import MetricSource
from serin.rollout.decision import Decision
from serin.rollout.observation import Observation, Occupant, Past, Refused, Target, Wanted
from serin.rollout.plan import CompareGate, LimitGate, Plan, QueryGate, RateGate
from serin.rollout.snapshot import plan_of
from serin.rollout.starting import adopted
from serin.rollout.state import Kind, Placed, State
from serin.traffic.gateway import Claim
from serin.traffic.router import ROUTERS, Router, router_for
from serin.traffic.state import Absent, Conflict, Routed, RouteState
from serin.traffic.status import ACCEPTED, accepted
from serin.traffic.weights import Weights
from serin.workloads.pods import ArmHealth, arm_health
from serin.workloads.revision import desired_revision

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class View:
    """One look: the resource, what hangs on it, and the Observation made of them.

    revision: the ModelRevision that the spec asks for, as it is to be created; None for a mere adoption.
    """

    raw: Json
    md: ModelDeployment
    router: Router
    route: Json | None
    revision: Json | None
    revisions: Mapping[str, Json]
    deployments: Mapping[str, Json]
    seen: Observation


def observe(raw: Json, md: ModelDeployment, cache: Cache, memory: Memory, state: State, config: Config) -> View:
    """Look at one ModelDeployment. `state` is the memory's or the status's; readings are added by the caller."""
    namespace, name = md.metadata.namespace, md.metadata.name
    router = router_for(md)
    route = cache.get(router.kind, namespace, router.name(md))
    deployments = {obj["metadata"]["name"]: obj for obj in cache.owned("Deployment", namespace, name)}
    revisions = {obj["metadata"]["name"]: obj for obj in cache.owned("ModelRevision", namespace, name)}
    pods = cache.owned("Pod", namespace, name)
    revision = desired_revision(md) if md.spec.serving.template is not None else None
    policy = _remembered_plan(md, cache, memory, config)
    source = _source(state, policy, config)
    return View(
        raw=raw,
        md=md,
        router=router,
        route=route,
        revision=revision,
        revisions=revisions,
        deployments=deployments,
        seen=Observation(
            name=name,
            namespace=namespace,
            wanted=_wanted(md, revision, memory),
            policy=policy,
            state=state,
            route=_route_state(md, router, route, cache),
            acceptance=accepted(route) if route is not None else ACCEPTED,
            replicas=md.spec.serving.replicas,
            paused=md.spec.rollout.paused,
            past={name: _past(obj) for name, obj in revisions.items()},
            attempts={name: int((obj.get("status") or {}).get("attempts") or 0) for name, obj in revisions.items()},
            health=_health(deployments, pods),
            occupants=_occupants(state, deployments, pods),
            adoptable=_adoptable(md, memory),
            refusal=memory.refusal,
            gateway_reload_seconds=config.gateway_reload_seconds,
            interval_seconds=source.grid.interval if source is not None else 15.0,
            settle_seconds=source.grid.settle if source is not None else 30.0,
        ),
    )


def parse(raw: Json) -> ModelDeployment | InvalidSpec:
    """The resource as a model, or why it cannot be one."""
    return parse_model_deployment(raw)


def _remembered_plan(md: ModelDeployment, cache: Cache, memory: Memory, config: Config) -> Plan | Refused:
    """`plan_for`, worked out once for each generation of the deployment and version of its policy."""
    reference = md.spec.rollout.policy_ref
    version = cache.version("RolloutPolicy", md.metadata.namespace, reference.name) if reference is not None else 0
    key = (md.metadata.generation, version)
    if memory.plan is None or memory.plan[0] != key:
        memory.plan = (key, plan_for(md, cache, config))
    return memory.plan[1]


def plan_for(md: ModelDeployment, cache: Cache, config: Config) -> Plan | Refused:
    """The plan that an attempt which starts now would have."""
    reference = md.spec.rollout.policy_ref
    policy = None
    if reference is not None:
        raw = cache.get("RolloutPolicy", md.metadata.namespace, reference.name)
        if raw is not None:
            parsed = parse_rollout_policy(raw)
            if isinstance(parsed, InvalidSpec):
                return Refused(parsed.reason, f"RolloutPolicy {reference.name}: {parsed}")
            policy = parsed
    resolved = resolve_policy(md.spec.rollout, policy)
    if isinstance(resolved, InvalidSpec):
        return Refused(resolved.reason, str(resolved))
    plan = plan_of(resolved)
    own = md.spec.rollout
    metrics = own.metrics.to_dict() if own.metrics is not None else {}
    source = find_source(config, plan.source)
    if source is None:
        known = ", ".join(one.name for one in config.metric_sources) or "none"
        field = _field_of("metrics.source", md, own="source" in metrics)
        words = f"{field}: {plan.source} is not in the operator's configuration (there: {known})"
        return Refused(Reason.INVALID_SPEC, words)
    name = source.preset if plan.preset == "auto" else plan.preset
    if name not in PRESETS:
        field = _field_of("metrics.preset", md, own="preset" in metrics)
        words = f"{field}: there is no preset {name}; use auto or one of {', '.join(sorted(PRESETS))}"
        return Refused(Reason.INVALID_SPEC, words)
    trouble = _unmeasurable(plan, PRESETS[name], md)
    if trouble is not None:
        return Refused(Reason.INVALID_SPEC, f"{_field_of('gates', md, own=own.gates is not None)}: {trouble}")
    return plan


def _unmeasurable(plan: Plan, preset: Preset, md: ModelDeployment) -> str | None:
    """Which required gate could never be measured, and why: it would hold the rollout for ever and say nothing."""
    for gate in plan.rate_gates():
        if not gate.required:
            continue
        if isinstance(gate, QueryGate):
            try:
                for template in (gate.total, gate.bad):
                    expand(template, ("any",))
            except TemplateError as error:
                return f"gate {gate.name}: {error}"
        words = unsupported(preset, _need(gate, md), grpc=md.spec.traffic.grpc_route is not None)
        if words is not None:
            return f"gate {gate.name}: {words}"
    return None


def _field_of(field: str, md: ModelDeployment, *, own: bool) -> str:
    """Where a field of the plan was written: in the ModelDeployment or in its policy."""
    reference = md.spec.rollout.policy_ref
    return f"spec.rollout.{field}" if own or reference is None else f"RolloutPolicy {reference.name}: spec.{field}"


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
        needs = tuple(_need(gate, view.md) for gate in attempt.plan.rate_gates())
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


def carried(view: View, decision: Decision, route: Json | None) -> Weights | None:
    """The weights that the decision wanted, if `route`, which is what this look left, has them."""
    state = view.router.observe(route, view.md)
    wanted = decision.desired.weights
    return wanted if wanted is not None and isinstance(state, Routed) and state.carries(wanted) else None


def find_source(config: Config, name: str) -> MetricSource | None:
    """A metric source of the configuration by its name."""
    return next((source for source in config.metric_sources if source.name == name), None)


def _source(state: State, policy: Plan | Refused, config: Config) -> MetricSource | None:
    plan = state.attempt.plan if state.attempt is not None else policy
    return find_source(config, plan.source) if isinstance(plan, Plan) else None


def _need(gate: RateGate, md: ModelDeployment) -> Need:
    match gate:
        case QueryGate(name=name, total=total, bad=bad):
            reference = md.spec.rollout.policy_ref
            owner = reference.name if reference is not None and md.spec.rollout.gates is None else md.metadata.name
            return QueryNeed(name, total, bad, f"{md.metadata.namespace}/{owner}")
        case (
            CompareGate(name=name, what=what, objective_seconds=seconds)
            | LimitGate(name=name, what=what, objective_seconds=seconds)
        ):
            if what == "slowerThan":
                assert seconds is not None  # noqa: S101 - the API demands an objective with slowerThan
                return SlowNeed(name, seconds)
            return CompareNeed(name, what)


def _wanted(md: ModelDeployment, revision: Json | None, memory: Memory) -> Wanted:
    if memory.obstacle is not None:
        return memory.obstacle.refused
    if revision is not None:
        return Target(revision["metadata"]["name"], md.spec.model.version)
    existing = md.spec.serving.existing
    assert existing is not None  # noqa: S101 - the API demands a template or an existing Service
    placed = adopted(md.metadata.name, existing.service)
    return Target(placed.revision, placed.version)


def _adoptable(md: ModelDeployment, memory: Memory) -> str | None:
    """The Service to take over as the first stable; not one that was looked for and is not there."""
    existing = md.spec.serving.existing
    return existing.service if existing is not None and memory.obstacle is None else None


def _route_state(md: ModelDeployment, router: Router, route: Json | None, cache: Cache) -> RouteState:
    """What the route says; words about somebody else's name the field that leads to it."""
    state = router.observe(route, md, rivals=_rivals(md, router, cache))
    if router.owned(md):
        return state
    field = f"spec.traffic.{'httpRoute' if md.spec.traffic.http_route is not None else 'grpcRoute'}.ref"
    match state:
        case Absent():
            slots = " and ".join(slot_service(md.metadata.name, slot) for slot in SLOTS)
            words = f"there is no {router.kind} {router.name(md)} here; create it with {slots} among its backendRefs"
            return Conflict(Reason.ROUTE_CONFLICT, f"{field}: {words}")
        case Conflict(reason=reason, message=message):
            return Conflict(reason, f"{field}: {message}")
        case _:
            return state


def _past(revision: Json) -> Past:
    status = revision.get("status") or {}
    if status.get("verdict") == "Rejected":
        return Past.REJECTED
    return Past.STABLE if status.get("wasStable") else Past.UNTRIED


def _health(deployments: Mapping[str, Json], pods: list[Json]) -> dict[str, ArmHealth]:
    by_revision: dict[str, list[Json]] = defaultdict(list)
    for pod in pods:
        by_revision[(pod["metadata"].get("labels") or {}).get(LABEL_REVISION, "")].append(pod)
    return {name: arm_health(obj, by_revision.get(name, ())) for name, obj in deployments.items()}


def _occupants(state: State, deployments: Mapping[str, Json], pods: list[Json]) -> tuple[Occupant, ...]:
    placed = {one.revision for one in (state.stable, state.candidate) if one is not None}
    found = []
    for name, obj in deployments.items():
        if name in placed:
            continue
        replicas = int((obj.get("spec") or {}).get("replicas", 1))
        alive = sum(
            1
            for pod in pods
            if pod["metadata"].get("labels", {}).get(LABEL_REVISION) == name
            and not pod["metadata"].get("deletionTimestamp")
            and (pod.get("status") or {}).get("phase") not in ("Succeeded", "Failed")
        )
        if replicas > 0 or alive > 0:
            slot = obj["metadata"].get("labels", {}).get(LABEL_SLOT, "")
            found.append(Occupant(name, slot, replicas, alive))
    return tuple(found)


def _rivals(md: ModelDeployment, router: Router, cache: Cache) -> list[Claim]:
    """Other ModelDeployments that name the same route; an own route has none."""
    if md.spec.traffic.route.ref is None:
        return []
    claims = []
    for raw in cache.in_namespace("ModelDeployment", md.metadata.namespace):
        other = parse_model_deployment(raw)
        if isinstance(other, InvalidSpec) or other.metadata.name == md.metadata.name:
            continue
        if any(one.kind == router.kind and one.name(other) == router.name(md) for one in ROUTERS):
            claims.append(Claim.of(other))
    return claims
