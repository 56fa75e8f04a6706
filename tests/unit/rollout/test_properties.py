"""What holds at every look of every rollout, whatever users, clusters and metrics do."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any

import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from serin.api.conditions import Condition
from serin.api.reasons import Reason
from serin.api.rollout_action import ActionKind
from serin.api.schema import structural_schema, unknown_fields
from serin.api.status import Status
from serin.metrics.reading import Counted, Missing, Outage, Reading
from serin.rollout.decide import decide
from serin.rollout.decision import Decision
from serin.rollout.desired import weights
from serin.rollout.intake import take_in
from serin.rollout.observation import Observation, Refused, Target
from serin.rollout.persist import dump_state, load_state
from serin.rollout.plan import Approval
from serin.rollout.record import with_outcome
from serin.rollout.rulings import WAITING
from serin.rollout.state import Attempt, End, Kind, State
from serin.rollout.windows import Freeze
from serin.stats import Counts
from serin.traffic.state import Absent
from serin.traffic.weights import Units
from serin.workloads.fetching import Fetching
from serin.workloads.pods import Crash
from tests.unit.rollout.world import World, at_stage, conflict, plan_from, serving

SCHEMA = structural_schema(Status)
PLAN = plan_from(
    yaml.safe_load("""
gates:
- {name: errors, compare: {what: serverErrors, margin: {plus: 2pp, max: 4pp}}}
- {name: ceiling, limit: {what: serverErrors, max: 20%}}
- {name: slow, required: false, compare: {what: slowerThan, objective: 300ms}}
- {name: pods, hard: {restarts: 2, readyWithin: 2m}}
stages:
- {name: small, canary: {weight: 10, soak: 15s, gates: [errors]}}
- {name: half, canary: {weight: 50, soak: 30s}}
- {name: bake, bake: {for: 30s, holdback: 5}}
timeouts: {progress: 20m}
onStableDown: Promote
warmIn: 0s
""")
)
SIGNED_PLAN = replace(PLAN, stages=(*PLAN.stages[:2], Approval("sign-off", 50, 60.0, 2), PLAN.stages[2]))
FROZEN_PLAN = replace(PLAN, freezes=(Freeze(0.0, 4e9),))
OTHER_PLAN = replace(PLAN, stages=PLAN.stages[1:], gates=PLAN.gates[:1], on_timeout="Hold", on_stable_down="Hold")

Act = Callable[[World], None]


# --- what may happen ------------------------------------------------------------------------------------------


def _pods_of(world: World, which: str) -> Any:
    placed = world.state.candidate if which == "candidate" else world.state.stable
    return world.pods.get(placed.revision) if placed is not None else None


def _pods(which: str, **change: Any) -> Act:
    def act(world: World) -> None:
        pods = _pods_of(world, which)
        if pods is not None:
            for name, value in change.items():
                setattr(pods, name, value)
            pods.ready_since = (pods.ready_since or world.now.timestamp()) if pods.ready_now else None

    return act


def _traffic(**change: Any) -> Act:
    def act(world: World) -> None:
        for name, value in change.items():
            setattr(world.traffic, name, dict(value) if isinstance(value, dict) else value)

    return act


def _set(**change: Any) -> Act:
    def act(world: World) -> None:
        for name, value in change.items():
            setattr(world, name, value)

    return act


def _deploy(version: str) -> Act:
    return lambda world: world.deploy(version)


def _by_hand(action: ActionKind, which: str = "candidate", actor: str = "ann", *, verified: bool = True) -> Act:
    def act(world: World) -> None:
        wanted = world.wanted.revision if isinstance(world.wanted, Target) else "iris-v1"
        placed = {"candidate": world.state.candidate, "stable": world.state.stable}.get(which)
        world.act(action, placed.revision if placed is not None else wanted, actor, verified=verified)

    return act


WELL = {"ready": None, "pending": None, "crash": None, "restarts": 0, "evicted": False, "fetching": None}
BROKEN = {"ready": 0, "crash": Crash("CrashLoop", 3, "container model exited with 1"), "restarts": 3}
GOOD = {"stable": 0.001, "candidate": 0.001}
BAD = {"stable": 0.001, "candidate": 0.3}
EVENTS: dict[str, Act] = {
    **{f"deploy v{number}": _deploy(f"v{number}") for number in (1, 2, 3)},
    "nothing usable": _set(wanted=Refused(Reason.INVALID_SPEC, "spec.serving.port: must be at most 65535")),
    "candidate well": _pods("candidate", **WELL),
    "candidate unready": _pods("candidate", ready=0),
    "candidate evicted": _pods("candidate", ready=0, evicted=True),
    "candidate pending": _pods("candidate", ready=0, pending="0/3 nodes are available"),
    "candidate fetches": _pods("candidate", ready=0, fetching=Fetching("running", "pod p fetches the model")),
    "candidate's store is away": _pods("candidate", ready=0, fetching=Fetching("unavailable", "does not answer")),
    "candidate's files are refused": _pods("candidate", ready=0, fetching=Fetching("refused", "other bytes")),
    "candidate crashes": _pods("candidate", **BROKEN),
    "stable well": _pods("stable", **WELL),
    "stable unready": _pods("stable", ready=0),
    "stable crashes": _pods("stable", **BROKEN),
    "good": _traffic(bad=GOOD, requests=750.0, hung=False),
    "bad": _traffic(bad=BAD, requests=750.0, hung=False),
    "stable bad": _traffic(bad={"stable": 0.2, "candidate": 0.2}),
    "few requests": _traffic(requests=3.0),
    "no requests": _traffic(requests=0.0),
    "hung": _traffic(hung=True),
    "metrics away": _set(outage="connection refused"),
    "metrics back": _set(outage=None),
    "candidate unseen": _set(unseen={"candidate"}),
    "errors missing": _set(missing={"errors": Missing(Reason.NOT_ATTRIBUTABLE, "arms look alike")}),
    "all seen": _set(unseen=set(), missing={}),
    "paused": _set(paused=True),
    "resumed": _set(paused=False),
    "policy gone": _set(policy=Refused(Reason.POLICY_NOT_FOUND, "spec.rollout.policyRef.name: no such policy")),
    "policy": _set(policy=PLAN),
    "policy with an approval": _set(policy=SIGNED_PLAN),
    "policy with a freeze": _set(policy=FROZEN_PLAN),
    "ann approves": _by_hand("Approve"),
    "bob approves": _by_hand("Approve", actor="bob"),
    "somebody approves": _by_hand("Approve", verified=False),
    "abort": _by_hand("Abort"),
    "promote": _by_hand("Promote"),
    "roll the candidate back": _by_hand("Rollback"),
    "roll stable back": _by_hand("Rollback", "stable"),
    "retry": _by_hand("Retry", "wanted"),
    "answers lost": _set(answers_lost=True),
    "answers written": _set(answers_lost=False),
    "another policy": _set(policy=OTHER_PLAN),
    "refused": _set(refusal="spec.template: Invalid value"),
    "route edited": lambda world: world.edit_route(Units(30, 70)),
    "route coarse": lambda world: world.edit_route(Units(1, 1)),
    "route taken": _set(route=conflict(Reason.ROUTE_CONFLICT, "an older one has its slots in rule 0")),
    "route gone": _set(route=Absent()),
    "route back": lambda world: world.edit_route(Units(100, 0)),
    "three replicas": _set(replicas=3),
    "no replicas": _set(replicas=0),
    "restart": World.restart,
}
STEPS = st.lists(
    st.tuples(st.sampled_from([None, *EVENTS]), st.integers(min_value=0, max_value=4)), min_size=1, max_size=10
)


@cache
def _began() -> World:
    return at_stage(serving("v1", PLAN), "v2", 0)


class Watched(World):
    """A world in which each look is held against what must always hold."""

    def apply(self, seen: Observation, decision: Decision) -> None:
        """Check, then do as always."""
        before = list(self.conditions)
        super().apply(seen, decision)
        check_decision(seen, decision, self.now)
        check_state(decision.state)
        check_status(self.status, before)


def _watched(start: World) -> Watched:
    world = copy.copy(start)
    world.__class__ = Watched
    for name in ("acts", "pods", "records", "traffic", "conditions", "_due", "_unread"):
        setattr(world, name, copy.deepcopy(getattr(start, name)))
    assert isinstance(world, Watched)
    return world


# --- what must always hold --------------------------------------------------------------------------------------

# A candidate gets more traffic only with one of these to say why.
RISES_WITH = WAITING | {
    Reason.ROLLING_OUT,
    Reason.PROMOTED,
    Reason.FIRST_DEPLOYMENT,
    Reason.WENT_BACK,
    Reason.STABLE_UNAVAILABLE,
}


def check_decision(seen: Observation, decision: Decision, now: datetime) -> None:
    assert decide(seen, now) == decision, "the same observation gives the same decision"
    shares = decision.desired.weights
    assert shares is None or shares.a + shares.b == 100
    before = seen.state
    if before.candidate is not None and before.attempt is not None and before.attempt.kind is Kind.COMPARED:
        wanted = weights(before)
        assert wanted is not None
        assert shares is not None
        slot = before.candidate.slot
        if shares.of(slot) > wanted.of(slot):
            assert decision.standing.reason in RISES_WITH
            assert not decision.standing.stalled
            assert not seen.paused
            promoted = decision.state.stable is not None and decision.state.stable.revision == before.candidate.revision
            assert promoted or decision.standing.reason in WAITING | {Reason.ROLLING_OUT}
        health = seen.health.get(before.candidate.revision)
        if shares.of(slot):
            assert health is not None
            assert health.ready > 0, "nobody is sent to a candidate without endpoints"
    assert decision.standing.message
    for note in decision.notes:
        assert note.message
    check_acts(seen, decision)
    if before.stable is not None and before.stable.proven:
        assert decision.state.stable is not None, "what was proven is replaced, never lost"


def check_acts(seen: Observation, decision: Decision) -> None:
    """An act is answered once, the answer stays until it is written, and without a right to it nothing rises."""
    before, after = seen.state.acted, decision.state.acted
    new = [one for one in after if one not in before]
    assert len(new) <= 1
    assert len({one.uid for one in after}) == len(after)
    acts = {act.uid: act for act in seen.acts}
    assert all(one in after for one in before if one.uid in acts), "forgotten before its answer was written"
    for one in new:
        act = acts[one.uid]
        assert one.message
        if act.action in ("Approve", "Promote"):
            assert act.verified or one.phase != "Done"
    attempt = decision.state.attempt
    assert attempt is None or len({one.actor for one in attempt.approvals}) == len(attempt.approvals)


def check_state(state: State) -> None:
    stored = json.loads(json.dumps(dump_state(state)))
    loaded = load_state(stored)
    assert loaded == state
    assert json.loads(json.dumps(dump_state(loaded))) == stored


def check_status(status: dict[str, Any], before: list[Condition]) -> None:
    assert unknown_fields(SCHEMA, status) == []
    Status.model_validate(status)
    now = {one["type"]: one for one in status["conditions"]}
    assert {"Ready", "Promoted"} <= set(now)
    assert ("Reconciling" in now) + ("Stalled" in now) <= 1
    if now["Promoted"]["status"] == "False":
        assert ("Reconciling" in now) != ("Stalled" in now), "not promoted: work is under way, or somebody must act"
    else:
        assert "Reconciling" not in now
    for kind, one in now.items():
        reason: Any = one["reason"]
        assert one["message"]
        assert f"{kind}={one['status']}" in Reason(reason).about.conditions, f"{reason} with {kind}={one['status']}"
        old = next((old for old in before if old.type == kind), None)
        if old is not None and old.status == one["status"]:
            assert Condition.model_validate(one).last_transition_time == old.last_transition_time
    for gate in status.get("rollout", {}).get("gates", []):
        assert gate["message"]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=STEPS, midway=st.booleans())
@example(steps=[("no replicas", 1), ("deploy v3", 2), ("three replicas", 4), ("bad", 4)], midway=True)
@example(
    steps=[("candidate crashes", 0), ("stable crashes", 2), ("candidate well", 2), ("stable well", 2)], midway=True
)
def test_every_look_keeps_the_promises(steps: list[tuple[str | None, int]], *, midway: bool) -> None:
    """Weights, exposure, determinism, persistence, fields, conditions and reasons, checked at each look."""
    world = _watched(_began() if midway else World(PLAN))
    for event, ticks in steps:
        if event is not None:
            EVENTS[event](world)
            world.look()
        for _ in range(ticks):
            world.tick()


@settings(max_examples=12, deadline=None)
@given(steps=st.lists(st.tuples(st.sampled_from([*EVENTS]), st.integers(0, 3)), max_size=6))
def test_whatever_happened_a_good_version_is_stable_in_the_end(steps: list[tuple[str, int]]) -> None:
    """No state is a dead end: when all is well again, a new good version gets through by itself."""
    world = _watched(_began())
    for event, ticks in steps:
        EVENTS[event](world)
        world.look()
        for _ in range(ticks):
            world.tick()
    for event in ("stable well", "candidate well", "good", "metrics back", "all seen", "resumed", "policy"):
        EVENTS[event](world)
    world.replicas = 1
    if isinstance(world.route, type(conflict(Reason.ROUTE_CONFLICT, ""))) or world.route == Absent():
        world.edit_route(Units(100, 0))
    for pods in world.pods.values():
        for name, value in WELL.items():
            setattr(pods, name, value)
    world.edit_route(Units(100, 0))
    world.deploy("v9")
    for _ in range(80):
        world.tick()
    assert world.state.stable is not None
    assert world.state.stable.version == "v9", world.status


@settings(max_examples=15, deadline=None)
@given(
    away=st.lists(st.booleans(), min_size=30, max_size=30),
    restarts=st.sets(st.integers(0, 29), max_size=4),
    bad=st.booleans(),
)
def test_outages_and_restarts_change_no_verdict(away: list[bool], restarts: set[int], *, bad: bool) -> None:
    """With any pattern of outages and kills a good version ends promoted and a bad one rolled back."""
    world = _watched(_began())
    world.traffic.bad = dict(BAD if bad else GOOD)
    for number, gone in enumerate(away):
        world.outage = "connection refused" if gone else None
        if number in restarts:
            world.restart()
        world.tick()
    world.outage = None
    for _ in range(30):
        world.tick()
    outcome = world.state.outcome
    assert outcome is not None
    assert outcome.end is (End.ROLLED_BACK if bad else End.PROMOTED)


# --- evidence ---------------------------------------------------------------------------------------------------

COUNTS = st.tuples(st.integers(0, 400), st.integers(0, 400)).map(lambda pair: Counts(sum(pair), pair[1]))


@st.composite
def readings(draw: st.DrawFn) -> tuple[Reading | Outage, ...]:
    """Instants of the grid after the world's start: counts, gates that are missing, outages."""
    start = _began().now.timestamp()
    found: list[Reading | Outage] = []
    for number in range(draw(st.integers(1, 12))):
        instant = start + 15.0 * (number + 1)
        if draw(st.integers(0, 4)) == 0:
            found.append(Outage(instant, Reason.METRICS_UNAVAILABLE, "connection refused"))
            continue
        gates: dict[str, Counted | Missing] = {}
        for gate in PLAN.rate_gates():
            if draw(st.integers(0, 6)) == 0:
                gates[gate.name] = Missing(Reason.NO_BUCKET_AT_OBJECTIVE, "no such edge")
            else:
                gates[gate.name] = Counted(draw(COUNTS), draw(COUNTS))
        totals = [gate for gate in gates.values() if isinstance(gate, Counted)]
        stable = max((gate.stable.total for gate in totals), default=0)
        candidate = max((gate.candidate.total for gate in totals), default=0)
        outage = draw(st.sampled_from([0.0, 0.0, 5.0, 15.0]))
        found.append(Reading(instant, 15.0, gates, stable, candidate, True, True, outage_seconds=outage))
    return tuple(found)


def _taken(attempt: Attempt, *looks: tuple[Reading | Outage, ...]) -> Attempt:
    world = _began()
    assert world.state.candidate is not None
    for look in looks:
        state = replace(world.state, attempt=attempt)
        seen = replace(world.observe(look), state=state)
        attempt = take_in(seen, state, attempt, world.state.candidate, world.now.timestamp() + 60)
    return attempt


@cache
def _attempt() -> Attempt:
    """The attempt with its weight in effect, as it was seen at the first instant of the stage."""
    attempt = _began().state.attempt
    assert attempt is not None
    nothing = {gate.name: Counted(Counts(), Counts()) for gate in PLAN.rate_gates()}
    began = _taken(attempt, (Reading(_began().now.timestamp(), 15.0, nothing, 700, 0, True, True),))
    assert began.effect_since > 0
    return began


@settings(max_examples=40, deadline=None)
@given(found=readings())
def test_readings_give_the_same_evidence_in_one_look_or_one_by_one(found: tuple[Reading | Outage, ...]) -> None:
    """So the replay after a restart ends where the undisturbed run is."""
    assert _taken(_attempt(), found) == _taken(_attempt(), *((one,) for one in found))


@settings(max_examples=40, deadline=None)
@given(found=readings(), cut=st.integers(0, 11))
def test_evidence_survives_a_restart_at_any_instant(found: tuple[Reading | Outage, ...], cut: int) -> None:
    """What is loaded goes on exactly as what was dumped."""
    first, second = found[:cut], found[cut:]
    half = _taken(_attempt(), first)
    state = replace(_began().state, attempt=half)
    loaded = load_state(json.loads(json.dumps(dump_state(state)))).attempt
    assert loaded is not None
    assert _taken(loaded, second) == _taken(half, second)


@settings(max_examples=40, deadline=None)
@given(found=readings())
def test_time_counts_only_what_was_measured(found: tuple[Reading | Outage, ...]) -> None:
    """Soak and deadline never run faster than the readings that hold what decides, less their outages."""
    before, after = _attempt(), _taken(_attempt(), found)
    deciding = PLAN.required() & PLAN.judged(before.stage)
    measured = sum(
        one.seconds - one.outage_seconds
        for one in found
        if isinstance(one, Reading) and all(isinstance(one.gates[name], Counted) for name in deciding)
    )
    assert after.active_seconds - before.active_seconds <= measured
    assert after.soaked_seconds - before.soaked_seconds <= measured


@settings(max_examples=25, deadline=None)
@given(number=st.integers(1, 200), missing=st.booleans())
def test_missing_data_alone_ends_nothing(number: int, *, missing: bool) -> None:
    """However long nothing can be read, the attempt stays where it is, and no second of it counts."""
    world = _watched(_began())
    before = world.state.attempt
    assert before is not None
    nothing = {gate.name: Missing(Reason.STALE_METRICS, "40 s old") for gate in PLAN.rate_gates()}
    start = world.now.timestamp()
    found: list[Reading | Outage] = [
        Reading(start + 15.0 * (one + 1), 15.0, nothing, 700, 70, True, True)
        if missing
        else Outage(start + 15.0 * (one + 1), Reason.METRICS_UNAVAILABLE, "connection refused")
        for one in range(number)
    ]
    decision = world.look(tuple(found))
    attempt = decision.state.attempt
    assert attempt is not None
    assert (attempt.stage, attempt.active_seconds, attempt.soaked_seconds) == (
        before.stage,
        before.active_seconds,
        before.soaked_seconds,
    )
    assert decision.standing.reason.about.kind == "hold"


def test_the_record_of_a_revision_stays_within_its_bounds() -> None:
    """A hundred attempts with full steps stay under a hundred entries and 64 KB; the totals count all of them."""
    world = _watched(_began())
    world.traffic.bad = dict(BAD)
    for _ in range(6):
        world.tick()
    outcome = world.state.outcome
    assert outcome is not None
    status: dict[str, Any] = {}
    for number in range(1, 101):
        status = with_outcome(replace(outcome, attempt=number), status, 1, "u-1")
    assert len(status["record"]) <= 100
    assert len(json.dumps(status)) < 64_000
    assert status["recordTotals"] == {"advance": 100, "roll back": 100}
