"""Each rule by itself, its boundaries, and the order of precedence."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from serin.api.reasons import Reason
from serin.metrics.reading import Outage
from serin.rollout import holds, verdicts
from serin.rollout.acts import Approved, Order
from serin.rollout.gates import HardGate, LimitGate
from serin.rollout.look import Look
from serin.rollout.plan import Bake, Canary
from serin.rollout.rules import RULES, rule
from serin.rollout.rulings import Advance, Hold, RollBack, TakeAll, Wait
from serin.rollout.state import End, Placed
from serin.rollout.windows import Freeze
from serin.stats import Counts
from serin.traffic.state import Absent, Routed, RuleWeights
from serin.traffic.weights import Units, Weights
from serin.workloads.fetching import Fetching
from serin.workloads.pods import Crash
from tests.unit.rollout.looks import (
    CANDIDATE,
    OUT_OF_MEMORY,
    SPEAKING,
    STABLE,
    Change,
    approval,
    attempt,
    by_plan,
    counted,
    look,
    plan,
    pods,
    seen,
)

# Two that cannot be at once: an incident that is shared is not the candidate's own fault.
EXCLUDES = {frozenset({"failing_pods", "shared_incident"})}


def test_the_list_of_rules_is_the_order_of_precedence() -> None:
    names = [one.__name__ for one in RULES]
    # What a promotion by hand says depends on what holds it, so it is not among those that speak with one reason.
    assert names.pop(names.index("ended_by_hand") + 1) == "promoted_by_hand"
    # Two that speak only before the first request; tests/unit/rollout/test_validation.py has them.
    assert names.pop(names.index("failing_gates") + 1) == "failing_validation"
    assert names.pop(names.index("unfit_route") + 1) == "validating"
    last = [
        "too_little_traffic",
        "awaiting_approval",
        "capacity",
        "unfinished",
        "harm_budget",
        "failing_ahead",
        "outside_window",
    ]
    assert names == [*SPEAKING, *last, "advance"]


@pytest.mark.parametrize("name", SPEAKING)
def test_a_rule_speaks_with_its_reason(name: str) -> None:
    change, reason = SPEAKING[name]
    ruling = rule(look(change))
    assert isinstance(ruling, RollBack | Hold)
    assert ruling.reason is reason


@pytest.mark.parametrize(
    ("earlier", "later"),
    [pair for pair in itertools.combinations(SPEAKING, 2) if frozenset(pair) not in EXCLUDES],
)
def test_of_two_rules_the_earlier_one_decides(earlier: str, later: str) -> None:
    # A comparative gate needs a stable to compare with, so it cannot speak when stable is down.
    limits = by_plan(gates=(*plan().gates, LimitGate("ceiling", True, "serverErrors", None, 0.02)))
    changes = [SPEAKING[later][0], SPEAKING[earlier][0]]
    if {earlier, later} == {"failing_gates", "stable_down"}:
        ruling = rule(look(*changes, limits))
        assert isinstance(ruling, Hold)
        assert ruling.reason is Reason.STABLE_UNAVAILABLE
        return
    ruling = rule(look(*changes))
    assert isinstance(ruling, RollBack | Hold)
    assert ruling.reason is SPEAKING[earlier][1]


def test_no_hold_hides_what_ends_the_trial() -> None:
    """Whatever else is the matter, a candidate that fails by itself is rolled back."""
    everything = [change for name, (change, _) in SPEAKING.items() if name not in ("failing_pods", "shared_incident")]
    assert isinstance(rule(look(*everything, SPEAKING["failing_pods"][0])), RollBack)


# --- the candidate's pods -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sentence", "changes", "want"),
    [
        ("two restarts are let pass", [pods(CANDIDATE, restarts=2)], None),
        ("the third is not", [pods(CANDIDATE, restarts=3)], Reason.CRASH_LOOP),
        (
            "down after the second has ended three times",
            [pods(CANDIDATE, restarts=2, crash=Crash("CrashLoop", 2, "exited with 1"))],
            Reason.CRASH_LOOP,
        ),
        ("one kill for memory is enough", [pods(CANDIDATE, restarts=1, crash=OUT_OF_MEMORY)], Reason.CRASH_LOOP),
        (
            "its files are not what was pinned, while a pod of it serves",
            [pods(CANDIDATE, fetching=Fetching("refused", "other bytes"))],
            Reason.ARTIFACT_REFUSED,
        ),
        (
            "their store is away",
            [pods(CANDIDATE, ready=0, fetching=Fetching("unavailable", "does not answer"))],
            None,
        ),
        ("evicted pods are no failure", [pods(CANDIDATE, evicted=True)], None),
        ("ready within the limit", [attempt(unready_seconds=600.0)], None),
        ("not ready within it", [attempt(unready_seconds=600.1)], Reason.NOT_READY),
    ],
)
def test_pods_fail_the_candidate_by_the_hard_gates_limits(
    sentence: str, changes: list[Change], want: Reason | None
) -> None:
    ruling = verdicts.failing_pods(look(*changes))
    assert (ruling.reason if isinstance(ruling, RollBack) else None) is want, sentence


@pytest.mark.parametrize(
    ("restarts", "out_of_memory", "required", "fails"),
    [(0, True, True, True), (None, False, True, False), (5, False, True, False), (0, True, False, False)],
)
def test_a_hard_gate_judges_only_what_it_names(
    restarts: int | None, out_of_memory: bool, required: bool, fails: bool
) -> None:
    gate = HardGate("pods", required, restarts, out_of_memory, None)
    killed = pods(CANDIDATE, restarts=1, crash=OUT_OF_MEMORY)
    found = look(by_plan(gates=(*plan().gates[:-1], gate)), killed)
    assert isinstance(verdicts.failing_pods(found), RollBack) is fails


def test_a_limit_of_restarts_counts_kills_for_memory_too() -> None:
    gate = HardGate("pods", True, 2, False, None)
    killed = pods(CANDIDATE, restarts=3, crash=OUT_OF_MEMORY)
    assert isinstance(verdicts.failing_pods(look(by_plan(gates=(gate,)), killed)), RollBack)


def test_only_what_stable_got_since_the_start_is_a_shared_incident() -> None:
    both = [pods(one, crash=OUT_OF_MEMORY, restarts=1) for one in (STABLE, CANDIDATE)]
    assert isinstance(rule(look(*both, attempt(stable_restarts=0))), Hold)
    assert isinstance(rule(look(*both, attempt(stable_restarts=1))), RollBack)


@pytest.mark.parametrize(
    ("ready", "seconds_ago", "shielded"),
    [(0, None, True), (1, 0.0, True), (1, 4.9, True), (1, 5.0, False), (1, 60.0, False)],
)
def test_a_candidate_has_weight_only_when_it_is_ready_and_the_gateway_knows(
    ready: int, seconds_ago: float | None, shielded: bool
) -> None:
    """The gateway is given 5 s to load a new endpoint."""
    since = None if seconds_ago is None else look().now - seconds_ago
    assert look(pods(CANDIDATE, ready=ready, ready_since=since)).shielded is shielded


def test_a_candidate_that_cannot_answer_is_shielded_whatever_the_ruling() -> None:
    both = [pods(one, crash=OUT_OF_MEMORY, restarts=1) for one in (STABLE, CANDIDATE)]
    found = look(*both, pods(CANDIDATE, ready=0))
    ruling = rule(found)
    assert isinstance(ruling, Hold)
    assert ruling.reason is Reason.SHARED_INCIDENT
    assert found.shielded


# --- stable -------------------------------------------------------------------------------------------------------


def test_a_stable_whose_deployment_is_gone_is_down() -> None:
    found = look()
    health = {name: one for name, one in found.seen.health.items() if name != STABLE}
    ruling = rule(look(seen(health=health)))
    assert isinstance(ruling, Hold)
    assert ruling.reason is Reason.STABLE_UNAVAILABLE


def test_of_an_adopted_stables_pods_nothing_is_known_so_it_is_not_down() -> None:
    found = look()
    adopted = Placed("iris-existing", "existing", "a", adopted="iris-legacy")
    assert verdicts.stable_down(Look.at(found.seen, found.attempt, adopted, found.candidate, found.now)) is None


@pytest.mark.parametrize(
    ("sentence", "changes", "takes"),
    [
        ("the policy says Promote and it is ready", [], True),
        ("the policy says Hold", [by_plan(on_stable_down="Hold")], False),
        ("it is not ready in full", [pods(CANDIDATE, ready=1, desired=2)], False),
        ("the gateway does not know it yet", [pods(CANDIDATE, ready_since=None, ready=0)], False),
        ("somebody has paused", [seen(paused=True)], False),
    ],
)
def test_a_ready_candidate_takes_all_from_a_stable_that_is_down(
    sentence: str, changes: list[Change], takes: bool
) -> None:
    ruling = verdicts.stable_down(look(by_plan(on_stable_down="Promote"), pods(STABLE, ready=0), *changes))
    assert isinstance(ruling, TakeAll) is takes, sentence


# --- the deadline -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("active", "over"), [(14_399.0, False), (14_400.0, False), (14_400.1, True)])
def test_the_deadline_is_over_after_it_not_at_it(active: float, over: bool) -> None:
    assert (verdicts.deadline(look(attempt(active_seconds=active))) is not None) is over


def test_the_deadline_rolls_back_without_a_rejection() -> None:
    ruling = verdicts.deadline(look(attempt(active_seconds=1e6)))
    assert isinstance(ruling, RollBack)
    assert ruling.end is End.EXPIRED


def test_on_timeout_hold_waits_for_a_person() -> None:
    ruling = verdicts.deadline(look(attempt(active_seconds=1e6), by_plan(on_timeout="Hold")))
    assert isinstance(ruling, Hold)
    assert ruling.stalled


def test_what_happens_at_the_deadline_is_the_policys_of_now() -> None:
    ruling = verdicts.deadline(look(attempt(active_seconds=1e6), seen(policy=plan(on_timeout="Hold"))))
    assert isinstance(ruling, Hold)


@pytest.mark.parametrize(("progress", "over"), [(20_000.0, False), (10.0, True)])
def test_a_later_deadline_is_live_and_an_earlier_one_is_not(progress: float, over: bool) -> None:
    changed = look(attempt(active_seconds=15_000.0), seen(policy=plan(progress_seconds=progress)))
    assert (verdicts.deadline(changed) is not None) is over
    early = look(attempt(active_seconds=11.0), seen(policy=plan(progress_seconds=10.0)))
    assert verdicts.deadline(early) is None


# --- the route ----------------------------------------------------------------------------------------------------


def test_a_route_that_is_not_there_holds_without_a_person() -> None:
    ruling = holds.unfit_route(look(seen(route=Absent())))
    assert isinstance(ruling, Hold)
    assert not ruling.stalled


def test_a_route_too_coarse_for_the_stage_sends_nothing_to_the_candidate() -> None:
    coarse = Routed(Weights(50, 50), True, "1", (RuleWeights(0, Units(1, 1)),), owned=False)
    found = look(seen(route=coarse))
    assert found.shielded
    ruling = holds.unfit_route(found)
    assert isinstance(ruling, Hold)
    assert ruling.stalled


# --- metrics ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sentence", "changes", "stage", "want"),
    [
        ("nothing was read yet", [attempt(instant=0.0)], -1, Reason.METRICS_UNAVAILABLE),
        (
            "the source's own words come first",
            [attempt(instant=0.0, outage=(Reason.STALE_METRICS, "40 s old"))],
            -1,
            Reason.STALE_METRICS,
        ),
        ("stable was never seen", [attempt(instant=1.0, stable_seen=False)], -1, Reason.NO_TRAFFIC),
        ("both arms are silent for 30 s", [attempt(silent_seconds=30.0)], 0, Reason.NO_TRAFFIC),
        ("not yet for 30 s", [attempt(silent_seconds=29.9)], 0, None),
        ("20 expected, none seen", [attempt(expected=20.0, candidate_seen=False)], 0, Reason.NOT_ATTRIBUTABLE),
        ("19 expected", [attempt(expected=19.9, candidate_seen=False)], 0, None),
        ("stable's series went away", [attempt(stable_seen=False)], 1, Reason.NOT_ATTRIBUTABLE),
        ("both arms' did", [attempt(stable_seen=False, candidate_seen=False)], 1, Reason.NO_TRAFFIC),
        ("without a holdback stable may be unseen", [attempt(stable_seen=False)], 2, None),
    ],
)
def test_each_way_of_not_knowing_has_its_reason(
    sentence: str, changes: list[Change], stage: int, want: Reason | None
) -> None:
    stages = (*plan().stages[:2], Bake("bake", 120.0, 0))
    ruling = holds.missing_data(look(by_plan(stages=stages), *changes, stage=stage))
    assert (ruling.reason if isinstance(ruling, Hold) else None) is want, sentence


def test_an_outage_says_its_own_reason_and_that_it_goes_on() -> None:
    outage = Outage(0.0, Reason.METRICS_UNAVAILABLE, "connection refused")
    ruling = holds.missing_data(look(attempt(outage=(outage.reason, outage.message))))
    assert isinstance(ruling, Hold)
    assert ruling.message.startswith("connection refused; ")


# --- going on -----------------------------------------------------------------------------------------------------


def test_a_stage_that_is_done_goes_on() -> None:
    assert rule(look(stage=0, done=True)) == Advance("stage half at 50 %")
    assert rule(look(stage=1, done=True)) == Advance("stage bake at 95 %")
    assert rule(look(stage=2, done=True)) == Advance("promote")


@pytest.mark.parametrize(
    ("sentence", "changes", "want"),
    [
        ("its soak is not over", [attempt(soaked_seconds=59.9)], Reason.ROLLING_OUT),
        ("its soak is over", [attempt(soaked_seconds=60.0)], None),
        (
            "requests of this stage are wanted",
            [
                by_plan(stages=(Canary("small", 10, 60.0, requests_min=500), *plan().stages[1:])),
                attempt(stage_requests=499, requests=10_000),
            ],
            Reason.TOO_FEW_SAMPLES,
        ),
        (
            "requests of this stage are there",
            [
                by_plan(stages=(Canary("small", 10, 60.0, requests_min=500), *plan().stages[1:])),
                attempt(stage_requests=500),
            ],
            None,
        ),
    ],
)
def test_an_inner_stage_is_left_after_soak_and_counts(
    sentence: str, changes: list[Change], want: Reason | None
) -> None:
    ruling = rule(look(*changes, stage=0, done=True))
    if want is None:
        assert isinstance(ruling, Advance), sentence
    elif want is Reason.ROLLING_OUT:
        assert isinstance(ruling, Wait), sentence
    else:
        assert isinstance(ruling, Hold)
        assert ruling.reason is want, sentence


def test_each_gate_that_decides_has_counted_before_a_stage_is_left() -> None:
    """A latency gate that leaves out a cold arm has seen nothing after a short soak."""
    found = look(stage=0, done=True)
    gates = tuple(
        replace(gate, candidate=Counts(19, 0)) if gate.name == "slow" else gate for gate in found.attempt.gates
    )
    ruling = rule(look(attempt(gates=gates), stage=0, done=True))
    assert isinstance(ruling, Hold)
    assert ruling.reason is Reason.TOO_FEW_SAMPLES
    assert "19 of 20" in ruling.message


def test_full_traffic_comes_only_with_every_required_gates_pass() -> None:
    unproven = look(stage=1)
    assert unproven.judgement.verdict == "undecided"
    ruling = rule(look(attempt(soaked_seconds=1e4, stage_requests=1000), stage=1))
    assert isinstance(ruling, Hold)
    assert ruling.reason is Reason.TOO_FEW_SAMPLES


@pytest.mark.parametrize(("ready", "goes_on"), [(2, True), (1, False)])
def test_pods_for_full_traffic_are_there_in_full_before_it(ready: int, goes_on: bool) -> None:
    ruling = rule(look(pods(CANDIDATE, ready=ready), stage=1, done=True))
    assert isinstance(ruling, Advance if goes_on else Hold)


def test_pods_that_find_no_node_hold_the_next_step() -> None:
    waiting = pods(CANDIDATE, ready=1, pending_message="0/3 nodes are available")
    ruling = rule(look(waiting, stage=1, done=True))
    assert isinstance(ruling, Hold)
    assert ruling.reason is Reason.INSUFFICIENT_CAPACITY


def test_what_the_next_stage_judges_as_failed_is_not_shown_to_more_users() -> None:
    stages = (replace(plan().stages[0], gates=("errors",)), *plan().stages[1:])
    slow = counted("slow", Counts(1000, 0), Counts(400, 200))
    found = look(by_plan(stages=stages), slow, stage=0, done=True)
    assert found.judgement.verdict != "fail"
    ruling = rule(found)
    assert isinstance(ruling, RollBack)
    assert ruling.message.startswith("slow: candidate")


def test_a_paused_rollout_does_not_advance() -> None:
    ruling = rule(look(seen(paused=True), stage=1, done=True))
    assert isinstance(ruling, Hold)
    assert ruling.reason is Reason.PAUSED


# --- people ---------------------------------------------------------------------------------------------------------

PROMOTE = attempt(order=Order("Promote", "ann", "by ann"))


@pytest.mark.parametrize("name", ["stable_down", "deadline", "approval_expired", "shared_incident", "missing_data"])
def test_a_promotion_by_hand_goes_past_what_waits_for_evidence_or_people(name: str) -> None:
    ruling = rule(look(SPEAKING[name][0], PROMOTE, seen(replicas=1)))
    if name == "shared_incident":
        # The candidate fails by itself, too; nothing is sent to pods that were killed.
        assert not isinstance(ruling, Advance)
        return
    assert isinstance(ruling, TakeAll)
    assert (ruling.reason, ruling.actor) == (Reason.PROMOTED, "ann")


@pytest.mark.parametrize("name", ["failing_pods", "hanging_candidate", "failing_gates", "ended_by_hand"])
def test_nobody_promotes_past_a_failure(name: str) -> None:
    change, reason = SPEAKING[name]
    ruling = rule(look(PROMOTE, change))
    assert isinstance(ruling, RollBack)
    assert ruling.reason is reason


def test_nobody_promotes_past_a_failed_gate_that_this_stage_does_not_judge() -> None:
    stages = (Canary("small", 10, 60.0, gates=("slow",)), *plan().stages[1:])
    ruling = rule(look(by_plan(stages=stages), counted("errors", Counts(1000, 1), Counts(400, 100)), PROMOTE))
    assert isinstance(ruling, RollBack)
    assert ruling.reason is Reason.GATE_FAILED


@pytest.mark.parametrize(
    ("sentence", "change", "want"),
    [
        ("not onto pods that are not there", seen(replicas=9), Reason.NOT_READY),
        ("not while it is paused", seen(paused=True), Reason.PAUSED),
        ("not into a route that others have", SPEAKING["unfit_route"][0], Reason.ROUTE_CONFLICT),
    ],
)
def test_a_promotion_by_hand_waits(sentence: str, change: Change, want: Reason) -> None:
    ruling = rule(look(PROMOTE, change))
    assert isinstance(ruling, Hold), sentence
    assert ruling.reason is want, sentence
    assert "by ann" in ruling.message


@pytest.mark.parametrize(("waited", "expired"), [(0.0, False), (59.9, False), (60.0, True), (1e6, True)])
def test_an_approval_expires_by_the_clock(waited: float, expired: bool) -> None:
    found = look(approval(since=look().now - waited))
    ruling = rule(found)
    assert isinstance(ruling, RollBack if expired else Hold)
    assert ruling.reason is (Reason.APPROVAL_EXPIRED if expired else Reason.AWAITING_APPROVAL)
    held = rule(look(by_plan(on_timeout="Hold"), approval(since=look().now - waited)))
    assert isinstance(held, Hold)
    assert held.stalled is expired


def test_an_approved_stage_goes_on_though_its_time_is_over() -> None:
    approved = attempt(approvals=(Approved("ann", "2026-11-21T12:00:00Z"),))
    assert isinstance(rule(look(approval(since=1.0), approved, done=True)), Advance)


def test_a_window_holds_only_the_step_itself() -> None:
    """What the stage itself still waits for is said first; a failure waits for nothing."""
    shut = by_plan(freezes=(Freeze(0.0, 4e9, "audit"),))
    running = rule(look(shut))
    assert isinstance(running, Wait | Hold)
    assert not (isinstance(running, Hold) and running.reason is Reason.FROZEN)
    ready = rule(look(shut, done=True))
    assert isinstance(ready, Hold)
    assert ready.reason is Reason.FROZEN
    assert "audit" in ready.message
    assert isinstance(rule(look(shut, SPEAKING["failing_gates"][0], done=True)), RollBack)
