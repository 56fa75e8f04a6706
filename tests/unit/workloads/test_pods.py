"""What pods and their Deployment say of an arm."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from serin.workloads import ArmHealth, arm_health
from tests.unit.workloads.builders import container, live_deployment, pod

Json = dict[str, Any]


def instant(text: str) -> float:
    return datetime.fromisoformat(f"2026-11-21T{text}").replace(tzinfo=UTC).timestamp()


def health(*pods: Json, replicas: int = 1) -> ArmHealth:
    return arm_health(live_deployment(replicas), pods)


def test_no_deployment_wants_nothing() -> None:
    """An arm that is not there yet has no pods and no trouble."""
    assert arm_health(None, []) == ArmHealth(desired=0, ready=0, updated=0)


def test_ready_pods_are_counted_by_their_own_word() -> None:
    """The Deployment's status may be a moment behind; the pods are asked themselves."""
    state = arm_health(live_deployment(3, readyReplicas=3, updatedReplicas=2), [pod("p1"), pod("p2", ready=None)])
    assert (state.desired, state.ready, state.updated, state.full) == (3, 1, 2, False)


def test_pods_of_other_revisions_and_pods_that_leave_do_not_count() -> None:
    """A terminating pod takes no new requests, however ready it says it is."""
    state = health(pod("p1"), pod("p2", of="iris-1-zzzzz"), pod("p3", deleted=True))
    assert state.ready == 1


def test_instants() -> None:
    """Ready since the first of the pods that are ready now; started from the oldest to the youngest."""
    state = health(
        pod("p1", ready="2026-11-21T09:05:00Z", started="2026-11-21T09:04:00Z"),
        pod("p2", ready="2026-11-21T09:07:00Z", started="2026-11-21T09:06:00Z"),
        pod("p3", ready=None, started="2026-11-21T09:08:00Z"),
    )
    assert state.ready_since == instant("09:05:00")
    assert (state.first_start, state.last_start) == (instant("09:04:00"), instant("09:08:00"))


def test_a_restart_does_not_move_the_first_start() -> None:
    """After a restart the container's startedAt is the last start; the pod's own start is the first."""
    state = health(pod(states=[container(running="2026-11-21T09:30:00Z", restarts=1, ended={"exitCode": 1})]))
    assert state.first_start == instant("09:00:00")


def test_nobody_ready_is_no_instant() -> None:
    """Without a ready pod there is no "since"."""
    assert health(pod(ready=None)).ready_since is None


# --- the cluster has no room ---


def test_an_unschedulable_pod_says_why() -> None:
    """The scheduler's own sentence is passed on."""
    message = "0/3 nodes are available: 3 Insufficient nvidia.com/gpu."
    unplaced = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message}
    state = health(pod("p1"), pod("p2", ready=None, states=[], conditions=[unplaced], phase="Pending"), replicas=2)
    assert state.pending_message == message
    assert (state.crash, state.evicted, state.cannot_start) == (None, False, None)


@pytest.mark.parametrize(
    ("message", "pending"),
    [
        pytest.param('pods "iris" is forbidden: exceeded quota: gpus', True, id="a quota is want of room"),
        pytest.param('pods "iris" is forbidden: violates PodSecurity', False, id="a policy is a fault of the template"),
    ],
)
def test_pods_that_cannot_even_be_made(message: str, pending: bool) -> None:
    """The Deployment says it when there is no pod that could."""
    failure = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message}
    state = arm_health(live_deployment(1, conditions=[failure]), [])
    assert (state.pending_message, state.cannot_start) == ((message, None) if pending else (None, message))


# --- the container cannot start ---


@pytest.mark.parametrize(
    "reason",
    [
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "CreateContainerConfigError",
        "RunContainerError",
    ],
)
def test_an_image_or_configuration_that_does_not_start_is_no_crash(reason: str) -> None:
    """The model never ran, so it is not the model that failed; the kubelet's words are passed on."""
    state = health(pod(ready=None, states=[container(waiting=reason, message="not found")]))
    assert state.cannot_start == f"container model: {reason}: not found"
    assert state.crash is None


@pytest.mark.parametrize("reason", ["ContainerCreating", "PodInitializing"])
def test_waiting_to_start_is_nothing_to_report(reason: str) -> None:
    """A pod that is being made is simply not ready."""
    state = health(pod(ready=None, states=[container(waiting=reason)]))
    assert (state.cannot_start, state.crash, state.ready) == (None, None, 0)


# --- the model ends by itself ---


def test_a_container_that_runs_again_is_no_crash_but_counts() -> None:
    """How many restarts are let pass is for the hard gate to say; they are added up over the arm."""
    pods = [
        pod(f"p{index}", states=[container(running="2026-11-21T09:00:30Z", restarts=count, ended={"exitCode": 1})])
        for index, count in enumerate((1, 2))
    ]
    state = health(*pods, replicas=2)
    assert (state.crash, state.restarts) == (None, 3)


@pytest.mark.parametrize(
    "down",
    [
        pytest.param(container(waiting="CrashLoopBackOff", restarts=2, ended={"exitCode": 1}), id="in back-off"),
        pytest.param(container(restarts=2, ended={"exitCode": 1}, now=True), id="just ended"),
    ],
)
def test_a_container_that_is_down_is_a_crash(down: Json) -> None:
    """It has ended once more than it was started again, so there is no need to wait for the restart."""
    crash = health(pod("p0"), pod(ready=None, states=[down])).crash
    assert crash is not None
    assert (crash.kind, crash.restarts) == ("CrashLoop", 2)


@pytest.mark.parametrize(
    ("ended", "words"),
    [
        ({"exitCode": 1}, "exited with 1"),
        ({"exitCode": 0}, "exited with 0, which a server should not do"),
        ({"exitCode": 127}, "its command was not found"),
        ({"exitCode": 139}, "segmentation fault"),
        ({"exitCode": 1, "message": "Traceback\nKeyError: 'petal'\n"}, "exited with 1: KeyError: 'petal'"),
        ({}, "keeps ending"),
    ],
)
def test_a_crash_says_how_the_container_ended(ended: Json, words: str) -> None:
    """Exit code and last words save a user the way to the logs."""
    crash = health(pod(ready=None, states=[container(waiting="CrashLoopBackOff", restarts=3, ended=ended)])).crash
    assert crash is not None
    assert (crash.kind, crash.restarts) == ("CrashLoop", 3)
    assert words in crash.message
    assert crash.message.startswith("container model of pod p1 ")
    assert crash.message.endswith("; 3 restarts in all")


@pytest.mark.parametrize("now", [True, False])
def test_an_oom_kill_counts_at_once(now: bool) -> None:
    """Out of memory is a crash at the first time, whether it just happened or is the last thing that did."""
    killed = container(restarts=0 if now else 1, ended={"reason": "OOMKilled", "exitCode": 137}, now=now)
    crash = health(pod(ready=None, states=[killed])).crash
    assert crash is not None
    assert crash.kind == "OutOfMemory"
    assert "was killed for want of memory" in crash.message


def test_out_of_memory_is_the_worse_word() -> None:
    """With both, the one that tells what to do is said."""
    crash = health(
        pod(
            "p1",
            ready=None,
            states=[container(waiting="CrashLoopBackOff", restarts=9, ended={"exitCode": 1})],
        ),
        pod("p2", ready=None, states=[container(restarts=1, ended={"reason": "OOMKilled", "exitCode": 137})]),
    ).crash
    assert crash is not None
    assert crash.kind == "OutOfMemory"


def test_an_init_container_that_did_its_work_is_no_crash() -> None:
    """It ends with 0, as it should; one that fails is."""
    done = {
        "name": "fetch",
        "restartCount": 0,
        "state": {"terminated": {"exitCode": 0, "reason": "Completed"}},
    }
    assert health(pod(initContainerStatuses=[done])).crash is None
    failed = {"name": "fetch", "restartCount": 0, "state": {"terminated": {"exitCode": 3, "reason": "Error"}}}
    assert health(pod(ready=None, initContainerStatuses=[failed])).crash is not None


def test_the_end_of_a_pod_that_is_being_deleted_is_no_crash() -> None:
    """SIGTERM ends containers; that is what it is for."""
    leaving = pod(ready=None, deleted=True, states=[container(ended={"exitCode": 143}, now=True)])
    assert health(pod("p2"), leaving).crash is None


# --- the pod is taken away ---

DISRUPTED = {"type": "DisruptionTarget", "status": "True", "reason": "DeletionByTaintManager"}


@pytest.mark.parametrize(
    "gone",
    [
        pytest.param(pod(ready=None, phase="Failed", reason="Evicted"), id="evicted for want of disk"),
        pytest.param(pod(ready=None, conditions=[DISRUPTED], deleted=True), id="drained"),
        pytest.param(pod(ready=None, reason="NodeLost"), id="the node is lost"),
        pytest.param(
            pod(
                ready=None,
                states=[container(ended={"reason": "ContainerStatusUnknown", "exitCode": 137}, now=True)],
            ),
            id="nobody knows how it ended",
        ),
    ],
)
def test_a_pod_that_was_taken_away_is_evicted_and_not_crashed(gone: Json) -> None:
    """What a node does to a pod says nothing about the model."""
    state = health(gone, pod("p2", ready=None, states=[container(waiting="ContainerCreating")]))
    assert (state.evicted, state.crash) == (True, None)


def test_an_eviction_of_long_ago_is_over_once_the_replacement_is_ready() -> None:
    """Evicted pods stay in the list; they matter while somebody is missing."""
    assert not health(pod("p0", ready=None, phase="Failed", reason="Evicted"), pod("p1")).evicted


@pytest.mark.parametrize("status", [{}, {"conditions": None, "containerStatuses": None}])
def test_a_pod_that_the_kubelet_has_not_seen_is_no_crash_of_ours(status: Json) -> None:
    """Fields may be missing or null."""
    bare = {"metadata": {"name": "p1", "labels": {"serin.dev/revision": "iris-2-abcde"}}, "status": status}
    assert health(bare) == ArmHealth(desired=1, ready=0, updated=0)
