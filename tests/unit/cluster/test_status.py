"""What the agent says about a pod."""

from __future__ import annotations

import datetime as dt

import pytest

from tests.cluster.agent.fake import fake_status
from tests.cluster.agent.status import (
    Conditions,
    ContainerStatus,
    Running,
    State,
    Terminated,
    Waiting,
    phase,
)

NOON = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
LATER = NOON + dt.timedelta(minutes=1)
RUNNING = Running(NOON)
CREATING = Waiting("ContainerCreating")
LOOPING = Waiting("CrashLoopBackOff")


def ended(code: int) -> Terminated:
    """A container's end."""
    return Terminated(code, "Completed" if code == 0 else "Error", "", NOON, LATER)


@pytest.mark.parametrize(
    ("policy", "states", "want"),
    [
        ("Always", [CREATING], "Pending"),
        ("Always", [RUNNING, CREATING], "Pending"),
        ("Always", [RUNNING], "Running"),
        ("Always", [LOOPING], "Running"),
        ("Always", [ended(0)], "Running"),
        ("OnFailure", [ended(1)], "Running"),
        ("OnFailure", [ended(0)], "Succeeded"),
        ("Never", [ended(0), RUNNING], "Running"),
        ("Never", [ended(0), ended(0)], "Succeeded"),
        ("Never", [ended(0), ended(1)], "Failed"),
    ],
)
def test_phase(policy: str, states: list[State], want: str) -> None:
    """The phase follows from restart policy and container states as in the kubelet."""
    containers = [
        ContainerStatus(f"c{i}", "image", state, last=ended(1) if state == LOOPING else None)
        for i, state in enumerate(states)
    ]
    assert phase(policy, True, containers, init_failed=False) == want
    assert phase(policy, False, containers, init_failed=False) == "Pending"
    assert phase(policy, False, containers, init_failed=True) == "Failed"


def test_transition_time_moves_with_the_status_only() -> None:
    """A condition that stays as it was keeps its time; one that changes gets the new one and a reason."""
    conditions = Conditions([])
    conditions.render({"Ready": (True, "")}, NOON)
    [same] = conditions.render({"Ready": (True, "")}, LATER)
    assert same == {"type": "Ready", "status": "True", "lastTransitionTime": "2026-03-01T12:00:00Z"}
    [changed] = conditions.render({"Ready": (False, "ContainersNotReady")}, LATER)
    assert changed == {
        "type": "Ready",
        "status": "False",
        "lastTransitionTime": "2026-03-01T12:01:00Z",
        "reason": "ContainersNotReady",
    }


def test_image_id_is_the_digest_where_there_is_one() -> None:
    """An image named by digest keeps it; another gets a stable stand-in."""
    pinned, tagged = "example/iris@sha256:abc", "example/iris:2"
    assert ContainerStatus("c", pinned).render()["imageID"] == pinned
    assert ContainerStatus("c", tagged).render()["imageID"] == ContainerStatus("d", tagged).render()["imageID"]


@pytest.mark.parametrize(
    ("policy", "want_phase", "want_ready"), [("Always", "Running", "True"), ("Never", "Succeeded", "False")]
)
def test_fake_pods(policy: str, want_phase: str, want_ready: str) -> None:
    """A fake pod is Ready at once, or has succeeded at once if it is one that ends."""
    pod = {
        "metadata": {"annotations": {"cluster.serin.dev/termination-message": "done"}},
        "spec": {"restartPolicy": policy, "containers": [{"name": "c", "image": "i"}]},
    }
    status = fake_status(pod, "10.244.128.1", NOON)
    assert status["phase"] == want_phase
    assert {c["type"]: c["status"] for c in status["conditions"]}["Ready"] == want_ready
    if policy == "Never":
        assert status["containerStatuses"][0]["state"]["terminated"]["message"] == "done"
