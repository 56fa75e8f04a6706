"""Attempts without a comparison: the first deployment, and going back. Pods decide, and time is the cluster's."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from serin.api.reasons import Reason
from serin.rollout.decide import decide
from serin.rollout.decision import Decision
from serin.rollout.gates import HardGate
from serin.rollout.observation import Past, Target
from serin.rollout.state import End, Kind, Placed, State
from serin.traffic.state import Conflict, Routed, RuleWeights
from serin.traffic.weights import Units, Weights
from serin.workloads.fetching import Fetching
from serin.workloads.pods import ArmHealth, Crash
from tests.unit.rollout.looks import OUT_OF_MEMORY, plan
from tests.unit.rollout.test_starting import V1, observed
from tests.unit.rollout.world import START

T0 = START.timestamp()
READY = ArmHealth(desired=1, ready=1, updated=1, ready_since=T0)
UNREADY = ArmHealth(desired=1, ready=0, updated=1)


def first(health: ArmHealth | None, later: float, **fields: Any) -> Decision:
    """A first revision, some seconds after its attempt began."""
    start = {"state": State(), "health": {}, "wanted": Target("iris-v2", "v2")}
    began = decide(observed(**start), START).state
    began = decide(observed(**{**start, "state": began}), START).state  # the route carries its weight
    found = {"iris-v2": health} if health is not None else {}
    return decide(observed(**{**start, "state": began, "health": found, **fields}), START + timedelta(seconds=later))


def going_back(health: ArmHealth, later: float = 60.0, stable: ArmHealth = READY, **fields: Any) -> Decision:
    """A revision that was stable before, some seconds after it was asked for again."""
    start: dict[str, Any] = {"past": {"iris-v2": Past.STABLE}, "health": {"iris-v1": replace(stable, restarts=0)}}
    began = decide(observed(**start), START).state
    assert began.attempt is not None
    assert began.attempt.kind is Kind.GO_BACK
    seen = observed(**{**start, "state": began, "health": {"iris-v1": stable, "iris-v2": health}, **fields})
    return decide(seen, START + timedelta(seconds=later))


@pytest.mark.parametrize(
    ("sentence", "health", "later", "fields", "reason"),
    [
        ("no pods yet", None, 1.0, {}, Reason.NOT_READY),
        ("not ready yet", UNREADY, 600.0, {}, Reason.NOT_READY),
        ("not ready in time", UNREADY, 600.1, {}, Reason.FIRST_REVISION_FAILING),
        (
            "no node, however long",
            replace(UNREADY, pending_message="0/3 nodes are available"),
            9999.0,
            {},
            Reason.INSUFFICIENT_CAPACITY,
        ),
        (
            "its files are on their way, however long",
            replace(UNREADY, fetching=Fetching("running", "pod p fetches the model")),
            9999.0,
            {},
            Reason.NOT_READY,
        ),
        (
            "their store is away, however long",
            replace(UNREADY, fetching=Fetching("unavailable", "does not answer")),
            9999.0,
            {},
            Reason.ARTIFACT_UNAVAILABLE,
        ),
        (
            "its files are refused",
            replace(UNREADY, fetching=Fetching("refused", "other bytes")),
            1.0,
            {},
            Reason.ARTIFACT_REFUSED,
        ),
        ("killed for its memory", replace(READY, crash=OUT_OF_MEMORY), 10.0, {}, Reason.FIRST_REVISION_FAILING),
        ("ready, within the first soak", READY, 59.0, {}, Reason.FIRST_DEPLOYMENT),
        ("ready and paused", READY, 60.0, {"paused": True}, Reason.PAUSED),
        ("scaled to nothing", replace(UNREADY, desired=0), 9999.0, {"replicas": 0}, Reason.NOT_READY),
    ],
)
def test_the_first_revision_waits(
    sentence: str, health: ArmHealth | None, later: float, fields: dict[str, Any], reason: Reason
) -> None:
    decision = first(health, later, **fields)
    assert decision.state.attempt is not None, sentence
    assert decision.standing.reason is reason, sentence
    assert decision.desired.weights == Weights(100, 0), "nothing else serves"


def test_the_first_revision_is_promoted_after_the_soak_without_any_traffic() -> None:
    decision = first(READY, 60.0)
    assert decision.state.stable == Placed("iris-v2", "v2", "a")
    assert decision.standing.reason is Reason.FIRST_DEPLOYMENT


@pytest.mark.parametrize(
    ("sentence", "since_ready", "since_routed", "seconds_left"),
    [
        ("the gateway has to learn of the pod", 4.0, 60.0, 1.0),
        ("the gateway has to learn of the weight", 60.0, 4.0, 1.0),
        ("the gateway knows both", 5.0, 5.0, None),
    ],
)
def test_promoted_is_said_when_requests_surely_reach_the_first_revision(
    sentence: str, since_ready: float, since_routed: float, seconds_left: float | None
) -> None:
    """With a soak of 2 s it was said two seconds before Traefik had the route, and requests met a 503."""
    short = plan(stages=(replace(plan().stages[0], soak_seconds=2.0), *plan().stages[1:]))
    start = {"state": State(), "health": {}, "wanted": Target("iris-v2", "v2"), "policy": short}
    began = decide(observed(**start), START).state
    routed = decide(observed(**{**start, "state": began}), START).state
    now = START + timedelta(seconds=since_routed)
    health = {"iris-v2": replace(READY, ready_since=now.timestamp() - since_ready)}
    decision = decide(observed(**{**start, "state": routed, "health": health}), now)
    assert decision.look_again_seconds == seconds_left, sentence
    assert (decision.state.stable is None) is (seconds_left is not None), sentence


def test_a_first_revision_whose_weight_is_not_in_the_route_is_not_promoted() -> None:
    nowhere = RuleWeights(0, Units(0, 100))
    decision = first(READY, 600.0, route=Routed(Weights(0, 100), True, "1", (nowhere,), owned=True))
    assert decision.state.stable is None
    assert decision.standing.reason is Reason.NOT_READY


def test_a_first_revision_behind_a_route_in_conflict_is_stalled_with_the_routes_reason() -> None:
    decision = first(READY, 600.0, route=Conflict(Reason.ROUTE_CONFLICT, "two deployments list it"))
    assert decision.standing.stalled
    assert decision.standing.reason is Reason.ROUTE_CONFLICT


def test_a_first_revision_that_fails_is_looked_at_again_when_its_time_is_over() -> None:
    assert first(UNREADY, 590.0).look_again_seconds == pytest.approx(11.0)


def test_a_gate_that_is_not_required_does_not_stop_the_first_revision() -> None:
    by = plan(gates=(HardGate("pods", False, 0, True, 1.0),))
    assert first(replace(READY, crash=OUT_OF_MEMORY, restarts=5), 60.0, policy=by).state.stable is not None


def test_the_next_spec_takes_over_from_an_unproven_revision_in_one_write() -> None:
    unproven = State(stable=replace(V1, proven=False))
    began = decide(observed(state=unproven, health={"iris-v1": READY}), START).state
    waiting = decide(observed(state=began, health={"iris-v1": READY, "iris-v2": UNREADY}), START)
    assert waiting.desired.weights == Weights(100, 0)
    later = START + timedelta(seconds=10)
    taken = decide(observed(state=waiting.state, health={"iris-v1": READY, "iris-v2": READY}), later)
    assert taken.desired.weights == Weights(0, 100)
    assert taken.state.stable is None


@pytest.mark.parametrize(
    ("sentence", "health", "later", "fields", "reason"),
    [
        ("not ready yet", UNREADY, 60.0, {}, Reason.NOT_READY),
        ("no node", replace(UNREADY, pending_message="no node"), 9999.0, {}, Reason.INSUFFICIENT_CAPACITY),
        ("the gateway does not know it yet", replace(READY, ready_since=T0 + 56.0), 60.0, {}, Reason.NOT_READY),
        ("paused", READY, 60.0, {"paused": True}, Reason.PAUSED),
    ],
)
def test_going_back_waits_and_stable_keeps_all(
    sentence: str, health: ArmHealth, later: float, fields: dict[str, Any], reason: Reason
) -> None:
    decision = going_back(health, later, **fields)
    assert decision.standing.reason is reason, sentence
    assert decision.desired.weights == Weights(100, 0)


def test_going_back_is_one_write_when_its_pods_are_ready() -> None:
    decision = going_back(READY)
    assert decision.desired.weights == Weights(0, 100)
    assert decision.standing.reason is Reason.WENT_BACK


@pytest.mark.parametrize(
    ("health", "later", "reason"),
    [
        (replace(READY, crash=OUT_OF_MEMORY, restarts=1), 10.0, Reason.CRASH_LOOP),
        (UNREADY, 601.0, Reason.NOT_READY),
    ],
)
def test_going_back_to_what_fails_by_itself_ends(health: ArmHealth, later: float, reason: Reason) -> None:
    outcome = going_back(health, later).state.outcome
    assert outcome is not None
    assert (outcome.end, outcome.reason) == (End.ROLLED_BACK, reason)


def test_going_back_in_a_shared_incident_waits() -> None:
    broken = replace(READY, crash=Crash("CrashLoop", 3, "exited with 1"), restarts=3)
    assert going_back(broken, 10.0, stable=broken).standing.reason is Reason.SHARED_INCIDENT
