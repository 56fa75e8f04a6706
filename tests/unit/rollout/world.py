"""A world of one ModelDeployment for tests of the decision core: pods, a route, a metrics grid, and no I/O.

It does with a Decision what serin.controller.apply does, and shows what serin.controller.observe would: weights go
into the route, replicas into Deployments, the end of an attempt into the revision's record. Requests are shared out
by the weights that stood during the interval; bad ones come evenly, so that a run is the same every time.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from serin.api.conditions import Condition
from serin.api.model_deployment import Rollout
from serin.api.names import SLOTS, Slot
from serin.api.parse import InvalidSpec
from serin.api.reasons import Reason
from serin.api.resolve import resolve_policy
from serin.api.rollout_action import UNVERIFIED, ActionKind
from serin.api.rollout_policy import RolloutPolicy
from serin.metrics.reading import Counted, Missing, Outage, Reading
from serin.rollout.acts import Act, Acted
from serin.rollout.decide import decide
from serin.rollout.decision import Decision
from serin.rollout.gates import CompareGate, LimitGate
from serin.rollout.observation import Observation, Occupant, Past, Refused, Target, Wanted
from serin.rollout.persist import dump_state, load_state
from serin.rollout.plan import Plan
from serin.rollout.record import is_recorded, last_promotion, with_outcome
from serin.rollout.report import Subject, status_of
from serin.rollout.snapshot import plan_of
from serin.rollout.state import Kind, State
from serin.stats import Counts
from serin.traffic.state import Absent, Conflict, Routed, RouteState, RuleWeights
from serin.traffic.status import ACCEPTED
from serin.traffic.weights import Units, Weights, shares
from serin.workloads.fetching import Fetching
from serin.workloads.jobs import Ended, JobState, Running
from serin.workloads.pods import ArmHealth, Crash

START = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
INTERVAL = 15.0
NAME = "iris"
SUBJECT = Subject(generation=1, url="http://iris.example.com/", address="http://iris.ml.svc:8080", selector="x=iris")


def plan_from(raw: dict[str, Any]) -> Plan:
    """The plan of a spec.rollout as a user writes it; windows and freezes are its policy's.

    Raises:
        ValueError: the policy is not valid.
    """
    policys = {name: raw[name] for name in ("windows", "freezes") if name in raw}
    policy = RolloutPolicy.model_validate({"metadata": {"name": "fast"}, "spec": policys})
    resolved = resolve_policy(Rollout.model_validate({**raw, "policyRef": {"name": "fast"}}), policy)
    if isinstance(resolved, InvalidSpec):
        raise ValueError(str(resolved))  # noqa: TRY004 - a fault of the text, not of a type
    return plan_of(resolved)


@dataclass
class Pods:
    """One revision's Deployment and pods. ready: None is all that are wanted."""

    slot: Slot
    replicas: int
    ready: int | None = None
    ready_since: float | None = None
    pending: str | None = None
    crash: Crash | None = None
    restarts: int = 0
    evicted: bool = False
    fetching: Fetching | None = None

    @property
    def ready_now(self) -> int:
        """Pods that are ready now."""
        return self.replicas if self.ready is None else min(self.ready, self.replicas)


@dataclass
class Traffic:
    """What users send in one interval, and how each arm answers: shares of bad and of slow requests."""

    requests: float = 750.0
    bad: dict[str, float] = field(default_factory=lambda: {"stable": 0.001, "candidate": 0.001})
    slow: dict[str, float] = field(default_factory=lambda: {"stable": 0.0, "candidate": 0.0})
    hung: bool = False
    history: int = 50_000


class World:
    """One ModelDeployment from its first spec on."""

    def __init__(self, policy: Plan | Refused) -> None:
        self.policy = policy
        self.now = START
        self.state = State()
        self.wanted: Wanted = Refused(Reason.INVALID_SPEC, "spec: nothing is deployed yet")
        self.adoptable: str | None = None
        self.refusal: str | None = None
        self.paused = False
        self.acts: list[Act] = []
        self.acts_made = 0
        self.answers_lost = False
        self.replicas = 1
        self.settle = 0.0
        self.route: RouteState = Absent()
        self.pods: dict[str, Pods] = {}
        self.jobs: dict[str, JobState] = {}
        self.records: dict[str, dict[str, Any]] = {}
        self.same_as: dict[str, str] = {}
        """By version, another one of which it is a mere new label."""
        self.traffic = Traffic()
        self.outage: str | None = None
        self.unseen: set[str] = set()
        self.acceptance = ACCEPTED
        self.missing: dict[str, Missing] = {}
        self.conditions: list[Condition] = []
        self.status: dict[str, Any] = {}
        self._unread: list[tuple[float, dict[str, int]]] = []
        self._due: dict[tuple[str, str], float] = defaultdict(float)

    # --- what happens ------------------------------------------------------------------------------------

    def deploy(self, version: str) -> None:
        """The spec asks for a version from now on."""
        self.wanted = Target(f"{NAME}-{version}", version)

    def tick(self) -> Decision:
        """One interval of the grid passes, and is looked at."""
        self._serve_requests()
        self.now += timedelta(seconds=INTERVAL)
        return self.look(self._readings())

    def answer_jobs(self, verdict: str, **more: Any) -> None:
        """Every Job that runs ends with this verdict of its only gate."""
        gates = [{"name": "good", "verdict": verdict, "message": "as the Job says"}]
        ended = Ended(json.dumps({"verdict": verdict, "gates": gates, **more}))
        for name, job in self.jobs.items():
            self.jobs[name] = ended if isinstance(job, Running) else job

    def look(self, readings: tuple[Reading | Outage, ...] = ()) -> Decision:
        """Observe, decide, apply."""
        seen = self.observe(readings)
        decision = decide(seen, self.now)
        self.apply(seen, decision)
        return decision

    def act(self, action: ActionKind, revision: str, actor: str = "ann", *, verified: bool = True, **more: Any) -> Act:
        """A person makes a RolloutAction."""
        created = self.now.timestamp() // 1
        self.acts_made += 1
        uid = f"act-{self.acts_made}"
        act = Act(uid, action, revision, actor if verified else UNVERIFIED, verified, **{"created_at": created, **more})
        self.acts.append(act)
        return act

    def answer(self, act: Act) -> Acted | None:
        """What became of it."""
        return next((one for one in self.state.acted if one.uid == act.uid), None)

    def restart(self) -> None:
        """The operator is killed and comes back: only what the status holds is left."""
        self.state = load_state(json.loads(json.dumps(dump_state(self.state))))

    def edit_route(self, units: Units) -> None:
        """Somebody writes weights into the route."""
        self.route = _routed(units)

    # --- observe and apply -------------------------------------------------------------------------------

    def observe(self, readings: tuple[Reading | Outage, ...] = ()) -> Observation:
        """What there is to see now."""
        state = self.state
        placed = {one.revision for one in (state.stable, state.candidate) if one is not None}
        return Observation(
            name=NAME,
            namespace="ml",
            wanted=self.wanted,
            policy=self.policy,
            state=state,
            route=self.route,
            replicas=self.replicas,
            paused=self.paused,
            past={name: _past(status) for name, status in self.records.items()},
            attempts={name: int(status.get("attempts", 0)) for name, status in self.records.items()},
            rejected_as=self._rejected_as(),
            known_good=tuple(Target(name, name.removeprefix(f"{NAME}-")) for name in self._known_good()),
            acts=tuple(self.acts),
            health={name: self._health(name) for name in self.pods},
            occupants=tuple(
                Occupant(name, pods.slot, pods.replicas, pods.replicas)
                for name, pods in sorted(self.pods.items())
                if name not in placed and pods.replicas > 0
            ),
            readings=readings,
            adoptable=self.adoptable,
            refusal=self.refusal,
            jobs=dict(self.jobs),
            acceptance=self.acceptance,
            gateway_reload_seconds=5.0,
            interval_seconds=INTERVAL,
            settle_seconds=self.settle,
        )

    def apply(self, seen: Observation, decision: Decision) -> None:
        """Make the world what was decided."""
        self.state, self.refusal = decision.state, None
        self.status = status_of(decision, seen, SUBJECT, self.conditions, self.now)
        self.conditions = [Condition.model_validate(one) for one in self.status["conditions"]]
        for work in decision.desired.workloads:
            if work.surplus and work.revision not in self.pods:
                continue
            pods = self.pods.setdefault(work.revision, Pods(work.slot, 0))
            pods.slot, pods.replicas = work.slot, work.replicas
            if not work.replicas:
                pods.ready, pods.crash, pods.restarts, pods.evicted, pods.pending = None, None, 0, False, None
                pods.fetching = None
        for job in decision.desired.jobs:
            self.jobs.setdefault(job.name, Running())
        for pods in self.pods.values():
            pods.ready_since = (pods.ready_since or self.now.timestamp()) if pods.ready_now else None
        wanted = decision.desired.weights
        match self.route, wanted:
            case Absent(), Weights():
                self.route = _routed(Units(wanted.a, wanted.b))
            case Routed(per_rule=(rule,)), Weights() if rule.too_coarse_for(wanted) is None:
                self.route = _routed(rule.target(wanted))
        if not self.answers_lost:
            answered = {one.uid for one in self.state.acted}
            self.acts = [act for act in self.acts if act.uid not in answered]
        outcome = decision.state.outcome
        if decision.state.candidate is not None:
            self.records.setdefault(decision.state.candidate.revision, {})
        if outcome is not None and outcome.revision in self.records:
            status = self.records[outcome.revision]
            if not is_recorded(outcome, status):
                self.records[outcome.revision] = with_outcome(outcome, status, 1, "u-1")

    def _rejected_as(self) -> Target | None:
        twin = self.same_as.get(self.wanted.version) if isinstance(self.wanted, Target) else None
        if twin is None or self.records.get(f"{NAME}-{twin}", {}).get("verdict") != "Rejected":
            return None
        return Target(f"{NAME}-{twin}", twin)

    def _known_good(self) -> list[str]:
        good = [name for name, status in self.records.items() if _past(status) is Past.STABLE]
        return sorted(good, key=lambda name: last_promotion(self.records[name]), reverse=True)

    def _health(self, name: str) -> ArmHealth:
        pods = self.pods[name]
        return ArmHealth(
            desired=pods.replicas,
            ready=pods.ready_now,
            updated=pods.replicas,
            pending_message=pods.pending,
            crash=pods.crash,
            evicted=pods.evicted,
            restarts=pods.restarts,
            ready_since=pods.ready_since,
            fetching=pods.fetching,
        )

    # --- requests and readings ---------------------------------------------------------------------------

    def _serve_requests(self) -> None:
        """Share out the requests of one interval by what the route says now."""
        counts: dict[str, int] = defaultdict(int)
        if isinstance(self.route, Routed):
            for slot in SLOTS:
                arm = self._arm(slot)
                share = self.route.weights.of(slot) / 100
                if arm is None or not share or (arm == "candidate" and self.traffic.hung) or not self._answers(slot):
                    continue
                total = self._whole((arm, "all"), self.traffic.requests * share)
                counts[arm] += total
                counts[f"{arm}.bad"] += min(total, self._whole((arm, "bad"), total * self.traffic.bad[arm]))
                counts[f"{arm}.slow"] += min(total, self._whole((arm, "slow"), total * self.traffic.slow[arm]))
        self._unread.append((INTERVAL, counts))

    def _arm(self, slot: Slot) -> str | None:
        stable, candidate = self.state.stable, self.state.candidate
        if stable is not None and stable.slot == slot:
            return "stable"
        if candidate is not None and candidate.slot == slot:
            return "candidate"
        tenant = next((pods for pods in self.pods.values() if pods.slot == slot and pods.replicas), None)
        return "candidate" if tenant is not None else None

    def _answers(self, slot: Slot) -> bool:
        if self.state.stable is not None and self.state.stable.adopted is not None and self.state.stable.slot == slot:
            return True
        return any(pods.slot == slot and pods.ready_now for pods in self.pods.values())

    def _whole(self, key: tuple[str, str], amount: float) -> int:
        """Whole numbers that add up: 0.4 a time gives 0, 0, 1, 0, 1."""
        self._due[key] += amount
        whole = int(self._due[key] + 1e-9)
        self._due[key] -= whole
        return whole

    def _readings(self) -> tuple[Reading | Outage, ...]:
        attempt = self.state.attempt
        instant = self.now.timestamp()
        if attempt is not None and attempt.kind is not Kind.COMPARED:
            self._unread = []
            return ()
        if self.outage is not None:
            return (Outage(instant, Reason.METRICS_UNAVAILABLE, self.outage),)
        counts: dict[str, int] = defaultdict(int)
        for _, one in self._unread:
            for key, number in one.items():
                counts[key] += number
        seconds = sum(span for span, _ in self._unread)
        outage_seconds = max(0.0, seconds - INTERVAL)
        self._unread = []
        if attempt is not None and not attempt.instant and self.traffic.history:
            bad = round(self.traffic.history * self.traffic.bad["stable"])
            slow = round(self.traffic.history * self.traffic.slow["stable"])
            for key, number in (("stable", self.traffic.history), ("stable.bad", bad), ("stable.slow", slow)):
                counts[key] += number
            seconds, outage_seconds = 3600.0, 3600.0 - INTERVAL
        return (self._reading(instant, counts, seconds, outage_seconds),)

    def _reading(self, instant: float, counts: dict[str, int], seconds: float, outage_seconds: float) -> Reading:
        plan = self.state.attempt.plan if self.state.attempt is not None else None
        gates: dict[str, Counted | Missing] = {}
        for gate in plan.rate_gates() if plan is not None else ():
            kind = "bad"
            if isinstance(gate, CompareGate | LimitGate) and gate.what == "slowerThan":
                kind = "slow"
            if isinstance(gate, CompareGate | LimitGate) and gate.what == "clientErrors":
                kind = "client"
            arms = {arm: Counts(counts[arm], counts[f"{arm}.{kind}"]) for arm in ("stable", "candidate")}
            for arm in self.unseen:
                arms[arm] = Counts()
            gates[gate.name] = self.missing.get(gate.name) or Counted(arms["stable"], arms["candidate"])
        stable = 0 if "stable" in self.unseen else counts["stable"]
        candidate = 0 if "candidate" in self.unseen else counts["candidate"]
        before = self.state.attempt
        return Reading(
            instant,
            seconds,
            gates,
            stable,
            candidate,
            "stable" not in self.unseen and (stable > 0 or (before is not None and before.stable_seen)),
            "candidate" not in self.unseen and (candidate > 0 or (before is not None and before.candidate_seen)),
            outage_seconds=outage_seconds,
        )


def _routed(units: Units) -> Routed:
    weights, exact = shares(units)
    return Routed(weights, exact, "1", (RuleWeights(0, units),), owned=True)


def _past(status: dict[str, Any]) -> Past:
    if status.get("verdict") == "Rejected":
        return Past.REJECTED
    return Past.STABLE if status.get("wasStable") else Past.UNTRIED


def conflict(reason: Reason, message: str) -> Conflict:
    """A route that its owner has to put right."""
    return Conflict(reason, message)


def at_stage(world: World, version: str, stage: int) -> World:
    """The world with a candidate on trial that has just entered a stage; 0 is the first."""
    world.deploy(version)
    for _ in range(400):
        world.tick()
        if world.state.attempt is not None and world.state.attempt.stage >= stage:
            return world
    raise AssertionError(f"{version} never came to stage {stage}: {world.status.get('rollout')}")


def serving(version: str, policy: Plan, *, replicas: int = 1) -> World:
    """A world in which a version is stable and nothing is on trial."""
    world = World(policy)
    world.replicas = replicas
    world.deploy(version)
    for _ in range(400):
        world.tick()
        world.answer_jobs("pass")
        if world.state.stable is not None and world.state.candidate is None:
            return replace_traffic(world)
    raise AssertionError(f"{version} was never promoted: {world.status}")


def replace_traffic(world: World) -> World:
    """The world with traffic of its own, so that worlds of one table share none."""
    world.traffic = replace(world.traffic, bad=dict(world.traffic.bad), slow=dict(world.traffic.slow))
    return world
