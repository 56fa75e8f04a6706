"""All reads of one look: from the cache and the metrics snapshot into an Observation.

Nothing is written here and nothing is decided; what a decision may depend on ends up in the Observation, and
what applying it needs beside that (live objects, the parsed resource) in the View around it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from serin.api.model_deployment import ModelDeployment
from serin.api.names import LABEL_REVISION, LABEL_SLOT, SLOTS, slot_service
from serin.api.parse import InvalidSpec, parse_model_deployment
from serin.api.reasons import Reason
from serin.controller.actions import acts_of, unanswered
from serin.controller.cache import Cache
from serin.controller.config import Config
from serin.controller.memory import Memory
from serin.controller.pinning import polling_of, present, unpinned_files
from serin.controller.policies import find_source, remembered_plan
from serin.controller.twins import rejected_twin
from serin.metrics.source import MetricSource
from serin.rollout.decision import Decision
from serin.rollout.observation import Observation, Occupant, Past, Refused, Target, Wanted
from serin.rollout.plan import Plan
from serin.rollout.record import last_promotion
from serin.rollout.starting import adopted
from serin.rollout.state import State
from serin.traffic.gateway import Claim
from serin.traffic.router import Router, router_for
from serin.traffic.state import Absent, Conflict, Routed, RouteState
from serin.traffic.status import ACCEPTED, accepted
from serin.traffic.weights import Weights
from serin.workloads.fetching import Fetching
from serin.workloads.jobs import LABEL_STAGE, JobState, job_state
from serin.workloads.pods import ArmHealth, arm_health
from serin.workloads.resolve import (
    Artifact,
)
from serin.workloads.retention import was_stable_for
from serin.workloads.revision import desired_revision

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class View:
    """One look: the resource, what hangs on it, and the Observation made of them.

    actions: RolloutActions about it that have no answer.
    revision: the ModelRevision that the spec asks for, as it is to be created; None for a mere adoption.
    """

    raw: Json
    md: ModelDeployment
    router: Router
    route: Json | None
    revision: Json | None
    revisions: Mapping[str, Json]
    deployments: Mapping[str, Json]
    jobs: Mapping[str, Json]
    actions: tuple[Json, ...]
    seen: Observation


def observe(raw: Json, md: ModelDeployment, cache: Cache, memory: Memory, state: State, config: Config) -> View:
    """Look at one ModelDeployment. `state` is the memory's or the status's; readings are added by the caller."""
    namespace, name = md.metadata.namespace, md.metadata.name
    router = router_for(md)
    route = cache.get(router.kind, namespace, router.name(md))
    deployments = {obj["metadata"]["name"]: obj for obj in cache.owned("Deployment", namespace, name)}
    revisions = {obj["metadata"]["name"]: obj for obj in cache.owned("ModelRevision", namespace, name)}
    pods = cache.owned("Pod", namespace, name)
    jobs = {obj["metadata"]["name"]: obj for obj in cache.owned("Job", namespace, name)}
    written = desired_revision(md) if md.spec.serving.template is not None else None
    revision = present(md, written, state, revisions)
    actions = unanswered(cache, (namespace, name))
    policy = remembered_plan(md, cache, memory, config)
    source = _source(state, policy, config)
    resolving = unpinned_files(name, state, revision, revisions, deployments, jobs, pods)
    unpinned = {name: one if isinstance(one, Artifact) else None for name, one in resolving.items()}
    found = unpinned.get(revision["metadata"]["name"]) if revision is not None else None
    return View(
        raw=raw,
        md=md,
        router=router,
        route=route,
        revision=revision,
        revisions=revisions,
        deployments=deployments,
        jobs=jobs,
        actions=actions,
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
            past={name: _past(obj, md) for name, obj in revisions.items()},
            attempts={name: int((obj.get("status") or {}).get("attempts") or 0) for name, obj in revisions.items()},
            rejected_as=rejected_twin(revision, revisions, found),
            known_good=known_good(revisions, md) if actions else (),
            acts=acts_of(actions, memory),
            health=_health(deployments, pods, memory.unwritten, resolving),
            occupants=_occupants(state, deployments, pods),
            adoptable=_adoptable(md, memory),
            refusal=memory.refusal,
            jobs=_job_states(jobs, pods, state),
            job_refusal=memory.job_refusal,
            unpinned=unpinned,
            polling=polling_of(md, written, revision, state, revisions, jobs, pods),
            gateway_reload_seconds=config.gateway_reload_seconds,
            interval_seconds=source.grid.interval if source is not None else 15.0,
            settle_seconds=source.grid.settle if source is not None else 30.0,
        ),
    )


def parse(raw: Json) -> ModelDeployment | InvalidSpec:
    """The resource as a model, or why it cannot be one."""
    return parse_model_deployment(raw)


def without_stages(raw: Json, fault: InvalidSpec) -> ModelDeployment | InvalidSpec:
    """What is left to go by where only the spec's own stages cannot be read and something serves or is on trial.

    No attempt can start then, but one that is under way has its plan, and weights and pods have to be looked after.
    """
    status = raw.get("status") or {}
    if not fault.field.startswith("spec.rollout.stages") or not (status.get("stable") or status.get("candidate")):
        return fault
    spec = raw["spec"]
    rollout = {name: value for name, value in spec["rollout"].items() if name != "stages"}
    left = parse_model_deployment({**raw, "spec": {**spec, "rollout": rollout}})
    return fault if isinstance(left, InvalidSpec) else left


def carried(view: View, decision: Decision, route: Json | None) -> Weights | None:
    """The weights that the decision wanted, if `route`, which is what this look left, has them."""
    state = view.router.observe(route, view.md)
    wanted = decision.desired.weights
    return wanted if wanted is not None and isinstance(state, Routed) and state.carries(wanted) else None


def _source(state: State, policy: Plan | Refused, config: Config) -> MetricSource | None:
    plan = state.attempt.plan if state.attempt is not None else policy
    return find_source(config, plan.source) if isinstance(plan, Plan) else None


def _job_states(jobs: Mapping[str, Json], pods: list[Json], state: State) -> dict[str, JobState]:
    """What became of the Jobs. Which container answers says the Job, or the plan that its question comes from."""
    programs: dict[str, str] = {}
    if state.attempt is not None:
        programs = {one.name: one.program for one in state.attempt.plan.validations}
    return {
        name: job_state(obj, pods, programs.get((obj["metadata"].get("labels") or {}).get(LABEL_STAGE, "")))
        for name, obj in jobs.items()
    }


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


def _past(revision: Json, md: ModelDeployment) -> Past:
    status = revision.get("status") or {}
    if status.get("verdict") == "Rejected":
        return Past.REJECTED
    return Past.STABLE if was_stable_for(revision) == md.metadata.uid else Past.UNTRIED


def known_good(revisions: Mapping[str, Json], md: ModelDeployment) -> tuple[Target, ...]:
    """What could take over from a stable revision that a person rolls back; what was promoted last comes first."""
    good = [obj for obj in revisions.values() if _past(obj, md) is Past.STABLE]
    good.sort(
        key=lambda obj: (last_promotion(obj.get("status") or {}), obj["metadata"].get("creationTimestamp", "")),
        reverse=True,
    )
    return tuple(Target(obj["metadata"]["name"], obj["spec"]["model"]["version"]) for obj in good)


def _health(
    deployments: Mapping[str, Json],
    pods: list[Json],
    unwritten: Mapping[str, str],
    resolving: Mapping[str, Artifact | Fetching],
) -> dict[str, ArmHealth]:
    """What is with each revision's pods; one whose Deployment cannot be written waits as for a node.

    One whose files are still to be found out stands as one whose pods are still to fetch them.
    """
    by_revision: dict[str, list[Json]] = defaultdict(list)
    for pod in pods:
        by_revision[(pod["metadata"].get("labels") or {}).get(LABEL_REVISION, "")].append(pod)
    found = {name: arm_health(obj, by_revision.get(name, ())) for name, obj in deployments.items()}
    for name, one in resolving.items():
        if isinstance(one, Fetching):
            found[name] = replace(found.get(name) or arm_health(None, ()), fetching=one)
    for name, words in unwritten.items():
        found[name] = replace(found.get(name) or arm_health(None, ()), pending_message=words)
    return found


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
        theirs = router_for(other)  # of another kind of route they may have none of that name, or no name at all
        if theirs.kind == router.kind and theirs.name(other) == router.name(md):
            claims.append(Claim.of(other))
    return claims
