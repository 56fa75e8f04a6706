"""What happens when no attempt runs: serve, start, go back, or say what is in the way."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from serin.api.reasons import Reason
from serin.rollout.decide import decide
from serin.rollout.decision import Decision
from serin.rollout.observation import Observation, Occupant, Past, Refused, Target
from serin.rollout.state import Drain, End, Kind, Outcome, Placed, State
from serin.traffic.state import Absent, Routed, RuleWeights
from serin.traffic.weights import Units, Weights
from serin.workloads.pods import ArmHealth, Crash
from tests.unit.rollout.looks import plan
from tests.unit.rollout.world import START, conflict

V1, V2 = Placed("iris-v1", "v1", "a"), Target("iris-v2", "v2")
WELL = ArmHealth(desired=1, ready=1, updated=1, ready_since=1.0)


def ended(end: End, reason: Reason, revision: str = "iris-v2", attempt: int = 1) -> Outcome:
    """How an attempt of a revision ended."""
    return Outcome(revision, revision[-2:], end, reason, "as it was", "2026-11-21T11:00:00Z", attempt)


def observed(**fields: Any) -> Observation:
    """v1 serves, v2 is wanted; fields replace that."""
    seen = Observation(
        name="iris",
        namespace="ml",
        wanted=V2,
        policy=plan(),
        state=State(stable=V1),
        route=Routed(Weights(100, 0), True, "1", (RuleWeights(0, Units(100, 0)),), owned=True),
        health={"iris-v1": WELL},
    )
    return replace(seen, **fields)


def decided(**fields: Any) -> Decision:
    """What is decided on such an observation."""
    return decide(observed(**fields), START)


@pytest.mark.parametrize(
    ("sentence", "fields", "reason", "stalled"),
    [
        ("nothing usable is wanted", {"wanted": Refused(Reason.INVALID_SPEC, "a field")}, Reason.INVALID_SPEC, True),
        ("the route is in conflict", {"route": conflict(Reason.ROUTE_CONFLICT, "twice")}, Reason.ROUTE_CONFLICT, True),
        ("the policy is missing", {"policy": Refused(Reason.POLICY_NOT_FOUND, "none")}, Reason.POLICY_NOT_FOUND, True),
        (
            "it was rejected once",
            {"past": {"iris-v2": Past.REJECTED}},
            Reason.PREVIOUSLY_REJECTED,
            True,
        ),
        (
            "it was just rolled back",
            {"state": State(stable=V1, outcome=ended(End.ROLLED_BACK, Reason.GATE_FAILED))},
            Reason.ROLLED_BACK,
            True,
        ),
        (
            "its time was over and it is still wanted",
            {"state": State(stable=V1, outcome=ended(End.EXPIRED, Reason.DEADLINE_EXCEEDED))},
            Reason.ROLLED_BACK,
            True,
        ),
        (
            "its template was refused",
            {"state": State(stable=V1, outcome=ended(End.REFUSED, Reason.INVALID_TEMPLATE))},
            Reason.INVALID_TEMPLATE,
            True,
        ),
        (
            "somebody is still in its slot",
            {"occupants": (Occupant("iris-v0", "b", 0, 1),)},
            Reason.ROLLING_OUT,
            False,
        ),
        (
            "the route is too coarse for a stage",
            {"route": Routed(Weights(100, 0), True, "1", (RuleWeights(0, Units(1, 0)),), owned=False)},
            Reason.ROUTE_CONFLICT,
            True,
        ),
    ],
)
def test_nothing_starts_when(sentence: str, fields: dict[str, Any], reason: Reason, stalled: bool) -> None:
    decision = decided(**fields)
    assert decision.state.attempt is None, sentence
    assert decision.state.stable == V1, "the running stable is not touched for it"
    assert (decision.standing.reason, decision.standing.stalled) == (reason, stalled)
    assert decision.desired.weights == Weights(100, 0)


@pytest.mark.parametrize(
    ("sentence", "fields", "kind", "slot"),
    [
        ("beside a stable one: on trial in the other slot", {}, Kind.COMPARED, "b"),
        ("nothing serves: it is the first", {"state": State(), "health": {}}, Kind.FIRST, "a"),
        ("what serves was never promoted", {"state": State(stable=replace(V1, proven=False))}, Kind.FIRST, "b"),
        (
            "what serves was never promoted and is asked for again: where it is",
            {"state": State(stable=replace(V1, proven=False)), "wanted": Target("iris-v1", "v1")},
            Kind.FIRST,
            "a",
        ),
        ("it was stable before", {"past": {"iris-v2": Past.STABLE}}, Kind.GO_BACK, "b"),
        (
            "its own pods are still warm: they are not waited for",
            {
                "past": {"iris-v2": Past.STABLE},
                "occupants": (Occupant("iris-v2", "b", 1, 1),),
                "health": {"iris-v1": WELL, "iris-v2": WELL},
            },
            Kind.GO_BACK,
            "b",
        ),
        ("it was superseded before", {"state": State(stable=V1, outcome=ended(End.SUPERSEDED, Reason.ROLLING_OUT))},
         Kind.COMPARED, "b"),
        (
            "a first revision that never answered is in slot a",
            {"state": State(), "health": {}, "occupants": (Occupant("iris-v1", "a", 1, 1),)},
            Kind.FIRST,
            "b",
        ),
        (
            "another one was rolled back",
            {"state": State(stable=V1, outcome=ended(End.ROLLED_BACK, Reason.GATE_FAILED, "iris-v3"))},
            Kind.COMPARED,
            "b",
        ),
    ],
)  # fmt: skip
def test_an_attempt_starts_when(sentence: str, fields: dict[str, Any], kind: Kind, slot: str) -> None:
    state = decided(**fields).state
    assert state.attempt is not None, sentence
    assert state.candidate is not None
    assert (state.attempt.kind, state.candidate.slot) == (kind, slot)


def test_pods_that_crash_go_before_their_revision_is_tried_again() -> None:
    """They would speak against the new attempt."""
    broken = replace(WELL, crash=Crash("CrashLoop", 3, "exited with 1"))
    decision = decided(occupants=(Occupant("iris-v2", "b", 1, 1),), health={"iris-v1": WELL, "iris-v2": broken})
    assert decision.standing.phase == "Draining"


@pytest.mark.parametrize(
    ("recorded", "outcome", "want"),
    [
        (0, None, 1),
        (3, None, 4),
        (0, ended(End.SUPERSEDED, Reason.SUPERSEDED, attempt=2), 3),
        (3, ended(End.SUPERSEDED, Reason.SUPERSEDED, "iris-v3", attempt=7), 4),
    ],
)
def test_attempts_of_a_revision_are_numbered_through(recorded: int, outcome: Outcome | None, want: int) -> None:
    state = decided(attempts={"iris-v2": recorded}, state=State(stable=V1, outcome=outcome)).state
    assert state.attempt is not None
    assert state.attempt.number == want


def test_history_leaves_out_what_belongs_to_an_earlier_attempt() -> None:
    state = decided(state=State(stable=V1, outcome=ended(End.ROLLED_BACK, Reason.GATE_FAILED, "iris-v3"))).state
    assert state.attempt is not None
    assert state.attempt.history_since == START.timestamp() - 3600


def test_what_was_rejected_keeps_its_outcome_when_the_spec_goes_back() -> None:
    outcome = ended(End.ROLLED_BACK, Reason.GATE_FAILED)
    assert decided(wanted=Target("iris-v1", "v1"), state=State(stable=V1, outcome=outcome)).state.outcome == outcome


@pytest.mark.parametrize("end", [End.EXPIRED, End.REFUSED])
def test_what_only_ran_out_of_time_may_be_tried_again_once_the_spec_has_asked_for_something_else(end: End) -> None:
    before = State(stable=V1, outcome=ended(end, Reason.DEADLINE_EXCEEDED))
    between = decided(wanted=Target("iris-v1", "v1"), state=before).state
    assert decided(state=between).state.attempt is not None


@pytest.mark.parametrize(
    ("ready", "replicas", "reason"),
    [(1, 1, Reason.SERVING), (0, 1, Reason.STABLE_UNAVAILABLE), (0, 0, Reason.SERVING)],
)
def test_a_stable_that_cannot_answer_is_said(ready: int, replicas: int, reason: Reason) -> None:
    health = {"iris-v1": replace(WELL, ready=ready, desired=replicas)}
    decision = decided(wanted=Target("iris-v1", "v1"), health=health, replicas=replicas)
    assert decision.standing.reason is reason


def test_a_running_service_becomes_the_first_stable() -> None:
    state = decided(state=State(), adoptable="legacy", health={}).state
    assert state.stable == Placed("iris-existing", "existing", "a", adopted="legacy")
    assert state.attempt is not None
    assert state.attempt.kind is Kind.COMPARED


# --- the slot that lost its traffic -------------------------------------------------------------------------------

TENANT = (Occupant("iris-v0", "b", 1, 1),)


@pytest.mark.parametrize(
    ("sentence", "drain", "later", "over"),
    [
        ("nothing was read back yet", Drain("iris-v0", "b"), 1000.0, False),
        ("two quiet intervals, and the gateway's reload", Drain("iris-v0", "b", START.timestamp(), 2), 5.0, True),
        ("two quiet intervals within the reload", Drain("iris-v0", "b", START.timestamp(), 2), 4.9, False),
        ("one quiet interval", Drain("iris-v0", "b", START.timestamp(), 1), 299.0, False),
        ("five minutes without metrics", Drain("iris-v0", "b", START.timestamp(), 0), 300.0, True),
    ],
)
def test_a_tenant_is_scaled_down_when(sentence: str, drain: Drain, later: float, over: bool) -> None:
    seen = observed(wanted=Target("iris-v1", "v1"), state=State(stable=V1, drains=(drain,)), occupants=TENANT)
    decision = decide(seen, START.fromtimestamp(START.timestamp() + later, START.tzinfo))
    assert any(work.surplus for work in decision.desired.workloads) is over, sentence


@pytest.mark.parametrize("route", [Absent(), Routed(Weights(50, 50), True, "1", (RuleWeights(0, Units(1, 1)),), True)])
def test_a_tenant_that_may_still_be_reached_does_not_drain(route: Absent | Routed) -> None:
    drain = Drain("iris-v0", "b", START.timestamp(), 2)
    decision = decided(
        wanted=Target("iris-v1", "v1"), state=State(stable=V1, drains=(drain,)), occupants=TENANT, route=route
    )
    assert decision.state.drains == (Drain("iris-v0", "b"),)
    assert decision.look_again_seconds == 5.0
