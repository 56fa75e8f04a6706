"""Records that outlive their ModelDeployment, and the next ModelDeployment of that name."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.controller.clock import run
from tests.unit.controller.desk import Desk
from tests.unit.controller.test_apply_order import md, without_hash

Json = dict[str, Any]
ROLLOUT: Json = {"stages": [{"name": "all", "canary": {"weight": 50, "soak": "1s"}}]}


async def promoted(desk: Desk, version: str) -> str:
    """Looks until a first version serves; its revision's name."""
    await desk.look()
    revision = desk.pods_ready(version)
    for _ in range(3):
        await desk.look()
    assert desk.condition("Promoted")["status"] == "True"
    return revision


def owners(desk: Desk, revision: str) -> list[str]:
    """By uid, who owns a ModelRevision."""
    metadata = desk.kube.objects["ModelRevision", revision]["metadata"]
    return [one["uid"] for one in metadata.get("ownerReferences") or ()]


def test_retain_takes_the_owner_off_and_gives_it_back() -> None:
    """In one write each, and then none."""

    async def story() -> None:
        desk = Desk(md(rollout=ROLLOUT))
        revision = await promoted(desk, "1")
        assert owners(desk, revision) == ["uid-iris"]
        for generation, retain, left in ((2, True, []), (3, False, ["uid-iris"])):
            changed = md(rollout=ROLLOUT, retain=retain)
            changed["metadata"]["generation"] = generation
            desk.user_applies(changed)
            writes = without_hash(await desk.look())
            assert "patch /metadata/ownerReferences /metadata/annotations of ModelRevision iris-1" in writes
            assert owners(desk, revision) == left
            assert "patch" not in str(await desk.look())

    run(story())


def add_revision(desk: Desk, like: str, name: str, created: str, **status: Any) -> None:
    """Another revision of the same ModelDeployment, from long ago."""
    raw = desk.kube.objects["ModelRevision", like]
    metadata = {**raw["metadata"], "name": name, "uid": f"uid-{name}", "creationTimestamp": created}
    desk.cache.put("ModelRevision", desk.kube.put({**raw, "metadata": metadata, "status": status}))


@pytest.mark.parametrize(("limit", "left"), [(3, "before second third"), (2, "before third"), (1, "before"), (0, "")])
def test_beyond_the_limit_the_oldest_go_and_what_was_stable_before_goes_last(limit: int, left: str) -> None:
    """Three candidates were rejected since; without that one a rollback of stable had nothing to go back to."""

    async def story() -> None:
        desk = Desk(md(rollout=ROLLOUT))
        revision = await promoted(desk, "1")
        add_revision(desk, revision, "before", "2020-01-01T00:00:00Z", verdict="Stable", wasStable=True)
        for month, name in enumerate(("first", "second", "third"), 2):
            add_revision(desk, revision, name, f"2020-{month:02}-01T00:00:00Z", verdict="Rejected")
        desk.user_applies(md(rollout=ROLLOUT, revisionHistoryLimit=limit))
        await desk.look()
        found = {name for kind, name in desk.kube.objects if kind == "ModelRevision"}
        assert found == {revision, *left.split()}
        assert not [one for one in await desk.look() if "delete" in one], "each goes once"

    run(story())


def leave(desk: Desk) -> None:
    """The ModelDeployment is deleted, and what is owned goes with it."""
    for key, obj in list(desk.kube.objects.items()):
        if key[0] != "ModelRevision":
            del desk.kube.objects[key]
            gone = {**obj, "metadata": {"namespace": "ml", **obj["metadata"]}}
            desk.cache.remove(key[0], gone)


def second(version: str, **spec: Any) -> Json:
    """The ModelDeployment that is applied after the first is gone."""
    raw = md(version, rollout=ROLLOUT, **spec)
    raw["metadata"]["uid"] = "uid-second"
    return raw


@pytest.mark.parametrize("retain", [True, False])
def test_a_second_life_serves_from_what_the_first_left_and_does_not_own_it(retain: bool) -> None:
    """Its attempt is the second on record, and the record goes on."""

    async def story() -> None:
        desk = Desk(md(rollout=ROLLOUT, retain=True))
        revision = await promoted(desk, "1")
        leave(desk)
        desk.user_applies(second("1", retain=retain))
        assert await promoted(desk, "1") == revision
        status = desk.kube.objects["ModelRevision", revision]["status"]
        assert (status["attempts"], status["stableFor"]) == (2, "uid-second")
        assert owners(desk, revision) == []
        assert desk.md["status"]["outcome"]["attempt"] == 2

    run(story())


def test_what_was_stable_for_the_first_is_on_trial_in_the_second() -> None:
    """Routes, metrics and users may be others; in the same life it would take over at once."""

    async def story() -> None:
        desk = Desk(md("1", rollout=ROLLOUT, retain=True))
        await promoted(desk, "1")
        leave(desk)
        desk.user_applies(second("2"))
        await promoted(desk, "2")
        desk.user_applies(second("1"))
        await desk.look()
        assert desk.md["status"]["rollout"]["kind"] == "Compared"

    run(story())


def test_what_the_first_rejected_stays_rejected() -> None:
    """A new object of the same name does not make a bad model good."""

    async def story() -> None:
        desk = Desk(md("1", rollout=ROLLOUT, retain=True))
        revision = await promoted(desk, "1")
        raw = desk.kube.objects["ModelRevision", revision]
        desk.cache.put("ModelRevision", desk.kube.put({**raw, "status": {**raw["status"], "verdict": "Rejected"}}))
        leave(desk)
        desk.user_applies(second("2"))
        await promoted(desk, "2")
        desk.user_applies(second("1"))
        await desk.look()
        assert desk.condition("Stalled")["reason"] == "PreviouslyRejected"

    run(story())


def test_what_the_first_left_is_not_pruned_by_the_second() -> None:
    """RevisionHistoryLimit is about the ModelDeployment's own revisions."""

    async def story() -> None:
        desk = Desk(md("1", rollout=ROLLOUT, retain=True))
        revision = await promoted(desk, "1")
        leave(desk)
        desk.user_applies(second("2", revisionHistoryLimit=0))
        await promoted(desk, "2")
        assert ("ModelRevision", revision) in desk.kube.objects

    run(story())
