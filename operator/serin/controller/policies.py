"""The plan that a ModelDeployment and its policy make together, and whether this operator could carry it out."""

from __future__ import annotations

from functools import lru_cache

from serin.api.model_deployment import ModelDeployment
from serin.api.parse import InvalidSpec, parse_rollout_policy
from serin.api.reasons import Reason
from serin.api.resolve import resolve_policy
from serin.controller.cache import Cache
from serin.controller.config import Config
from serin.controller.memory import Memory
from serin.metrics.presets import PRESETS, Preset, unsupported
from serin.metrics.promql import TemplateError, expand
from serin.metrics.reading import CompareNeed, Need, QueryNeed, SlowNeed
from serin.metrics.source import MetricSource
from serin.rollout.gates import CompareGate, LimitGate, QueryGate, RateGate
from serin.rollout.observation import Refused
from serin.rollout.plan import Plan
from serin.rollout.snapshot import plan_of
from serin.workloads.evaluation import has_image


def remembered_plan(md: ModelDeployment, cache: Cache, memory: Memory, config: Config) -> Plan | Refused:
    """`plan_for`, worked out once for each generation of the deployment and version of its policy."""
    if memory.unread is not None:
        return memory.unread
    reference = md.spec.rollout.policy_ref
    version = cache.version("RolloutPolicy", md.metadata.namespace, reference.name) if reference is not None else 0
    key = (md.metadata.generation, version)
    if memory.plan is None or memory.plan[0] != key:
        memory.plan = (key, _one(plan_for(md, cache, config)))
    return memory.plan[1]


@lru_cache(maxsize=1024)
def _one(plan: Plan | Refused) -> Plan | Refused:
    """The same object for equal plans: a thousand ModelDeployments have a handful of policies."""
    return plan


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
    if (imageless := _imageless(plan, config)) is not None:
        return Refused(Reason.INVALID_SPEC, f"{_field_of('stages', md, own=own.stages is not None)}: {imageless}")
    obstacle = _unfetchable(md, config)
    if obstacle is not None:
        return Refused(Reason.INVALID_SPEC, obstacle)
    trouble = _unmeasurable(plan, PRESETS[name], md)
    if trouble is not None:
        return Refused(Reason.INVALID_SPEC, f"{_field_of('gates', md, own=own.gates is not None)}: {trouble}")
    return plan


def _imageless(plan: Plan, config: Config) -> str | None:
    """Which validation nobody could run, and why."""
    if config.evaluation_image is not None:
        return None
    for asked in plan.validations:
        if not has_image(asked.program, asked.request):
            words = "the operator's configuration has no evaluationImage, and the stage's template gives none"
            return f"stage {asked.name}: no image for the container {asked.program}: {words}"
    return None


def _unfetchable(md: ModelDeployment, config: Config) -> str | None:
    """Why this operator cannot let the model be fetched; what serves already is not asked for."""
    model = md.spec.model
    if model.fetch is None or md.spec.serving.template is None:
        return None
    if config.artifacts is None:
        return (
            "spec.model.fetch: the operator's configuration names no image that fetches models; set artifacts.image "
            "there, or leave spec.model.fetch out and let the container fetch"
        )
    if str(model.uri).startswith("http://") and not config.artifacts.allow_http:
        return (
            "spec.model.uri: http:// can be changed on the way; use https, or set artifacts.allowHttp in the "
            "operator's configuration for a store within the cluster"
        )
    return None


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
        words = unsupported(preset, need_of(gate, md), grpc=md.spec.traffic.grpc_route is not None)
        if words is not None:
            return f"gate {gate.name}: {words}"
    return None


def _field_of(field: str, md: ModelDeployment, *, own: bool) -> str:
    """Where a field of the plan was written: in the ModelDeployment or in its policy."""
    reference = md.spec.rollout.policy_ref
    return f"spec.rollout.{field}" if own or reference is None else f"RolloutPolicy {reference.name}: spec.{field}"


def find_source(config: Config, name: str) -> MetricSource | None:
    """A metric source of the configuration by its name."""
    return next((source for source in config.metric_sources if source.name == name), None)


def need_of(gate: RateGate, md: ModelDeployment) -> Need:
    """What a gate wants to read."""
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
