"""RolloutActions at the desk: done once, answered last, and believed only where a policy keeps names honest."""

from __future__ import annotations

from typing import Any

import pytest

from serin.controller.kube import Unavailable
from tests.unit.controller.clock import run
from tests.unit.controller.desk import Desk, Json
from tests.unit.controller.test_apply_order import md


def action(desk: Desk, kind: str = "Abort", name: str = "act", **spec: Any) -> Json:
    """A RolloutAction about the candidate, made after whatever has happened so far."""
    candidate = (desk.md.get("status") or {}).get("candidate") or {}
    whole = {"deployment": "iris", "action": kind, "revision": candidate.get("revision", "none"), "actor": "ann"}
    return {
        "apiVersion": "serin.dev/v1alpha1",
        "kind": "RolloutAction",
        "metadata": {"name": name, "creationTimestamp": "2099-01-01T00:00:00Z"},
        "spec": {**whole, **spec},
    }


def answer(desk: Desk, name: str = "act") -> tuple[str | None, str | None]:
    """Phase and reason of an action."""
    status = desk.kube.objects["RolloutAction", name].get("status") or {}
    return status.get("phase"), status.get("reason")


async def begun() -> Desk:
    """The first version gets ready."""
    desk = Desk(md())
    await desk.look()
    return desk


def again(desk: Desk) -> Desk:
    """The operator was killed; another one comes to what is there."""
    other = Desk(desk.md)
    for obj in desk.kube.objects.values():
        other.user_applies(obj)
    return other


def test_an_act_is_stored_before_it_is_done_and_answered_last() -> None:
    async def story() -> None:
        desk = await begun()
        desk.user_applies(action(desk))
        writes = await desk.look()
        assert writes[0] == "status ModelDeployment iris"
        assert writes[-2:] == ["patch /metadata/ownerReferences of RolloutAction act", "status RolloutAction act"]
        assert answer(desk) == ("Done", "Aborted")
        made = desk.kube.objects["RolloutAction", "act"]
        assert [one["uid"] for one in made["metadata"]["ownerReferences"]] == ["uid-iris"]
        assert desk.md["status"]["outcome"]["kind"] == "Aborted"
        assert desk.md["status"]["outcome"]["steps"][-1]["actor"] == "ann"
        assert not [line for line in await desk.look() if "RolloutAction" in line]

    run(story())


@pytest.mark.parametrize(
    "killed_at",
    ["status ModelDeployment", "status ModelRevision", "patch /metadata/ownerReferences", "status RolloutAction"],
)
def test_an_act_is_done_once_wherever_the_operator_is_killed(killed_at: str) -> None:
    async def story() -> None:
        desk = await begun()
        desk.user_applies(action(desk, "Abort"))
        desk.kube.fail[killed_at] = Unavailable("gone")
        with pytest.raises(Unavailable):
            await desk.look()
        other = again(desk)
        await other.look()
        assert answer(other) == ("Done", "Aborted")
        assert other.md["status"]["outcome"]["kind"] == "Aborted"
        assert [step["decision"] for step in other.md["status"]["outcome"]["steps"]] == ["abort"]
        assert len(other.md["status"]["acted"]) == 1
        await other.look()
        assert len(other.md["status"]["acted"]) == 1

    run(story())


def test_a_retry_killed_before_its_answer_is_no_second_retry() -> None:
    """The most harm that a second time could do: an attempt that has failed again would begin again."""

    async def story() -> None:
        desk = await begun()
        revision = desk.md["status"]["candidate"]["revision"]
        desk.user_applies(action(desk))
        await desk.look()
        desk.user_applies(action(desk, "Retry", "again", revision=revision))
        desk.kube.fail["status RolloutAction again"] = Unavailable("gone")
        with pytest.raises(Unavailable):
            await desk.look()
        assert desk.md["status"]["rollout"]["attempt"] == 2
        desk.user_applies(action(desk, "Abort", "stop"))
        desk.kube.fail["status RolloutAction again"] = Unavailable("still gone")
        with pytest.raises(Unavailable):
            await desk.look()
        other = again(desk)
        for _ in range(3):
            await other.look()
        assert answer(other, "again") == ("Done", "Retrying")
        assert answer(other, "stop") == ("Done", "Aborted")
        assert other.md["status"]["outcome"]["attempt"] == 2
        assert "rollout" not in other.md["status"]

    run(story())


@pytest.mark.parametrize(
    ("kind", "want"), [("Promote", ("Refused", "Unverified")), ("Approve", ("Refused", "Unverified"))]
)
def test_without_the_policy_nobody_is_believed(kind: str, want: tuple[str, str]) -> None:
    async def story() -> None:
        desk = await begun()
        desk.kube.policy_in_force = False
        desk.user_applies(action(desk, kind))
        await desk.look()
        assert answer(desk) == want
        desk.user_applies(action(desk, "Abort", "stop"))
        await desk.look()
        assert answer(desk, "stop") == ("Done", "Aborted")
        assert desk.md["status"]["outcome"]["steps"][-1]["actor"] == "unverified"

    run(story())


def test_the_policy_is_tried_once_for_each_action_and_never_without_one() -> None:
    async def story() -> None:
        desk = await begun()
        assert desk.kube.tried == 0
        desk.user_applies(action(desk, "Retry"))
        desk.kube.fail["status RolloutAction"] = Unavailable("gone")
        for _ in range(3):
            with pytest.raises(Unavailable):
                await desk.look()
        assert desk.kube.tried == 1

    run(story())


def test_of_what_is_answered_the_last_ten_are_kept() -> None:
    async def story() -> None:
        desk = await begun()
        for number in range(13):
            made = action(desk, "Retry", f"act-{number:02}")
            made["metadata"]["creationTimestamp"] = f"2099-01-01T00:00:{number:02}Z"
            desk.user_applies(made)
        for _ in range(14):
            await desk.look()
        left = sorted(name for kind, name in desk.kube.objects if kind == "RolloutAction")
        assert left == [f"act-{number:02}" for number in range(3, 13)]
        assert all(answer(desk, name) == ("Refused", "NothingToRetry") for name in left)
        assert len(desk.md["status"]["acted"]) <= 4

    run(story())


def test_an_action_about_nothing_is_refused() -> None:
    async def story() -> None:
        desk = await begun()
        desk.user_applies(action(desk))
        desk.cache.forget("ModelDeployment", ("ml", "iris"))
        await desk.look()
        assert answer(desk) == ("Refused", "NoDeployment")

    run(story())


def test_several_acts_are_answered_one_after_the_other() -> None:
    async def story() -> None:
        desk = await begun()
        for name in ("a", "b"):
            desk.user_applies(action(desk, "Abort", name))
        await desk.look()
        assert (answer(desk, "a"), answer(desk, "b")[0]) == (("Done", "Aborted"), None)
        assert 0.0 in desk.later, "the next one is not left waiting for an event"
        await desk.look()
        assert answer(desk, "b") == ("Expired", "AttemptOver")

    run(story())
