"""A model whose uri nobody has pinned, from the spec through the resolve Job to the written Deployment."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import json
from typing import Any

import pytest

from serin.controller.kube import Conflict, Forbidden
from serin.workloads.jobs import LABEL_JOB
from tests.unit.controller.clock import run
from tests.unit.controller.desk import Desk
from tests.unit.controller.test_apply_order import md, without_hash
from tests.unit.controller.test_artifacts import configured

Json = dict[str, Any]
CONFIGURED = configured("a:1")
ONE, TWO = (f"sha256:{digit * 64}" for digit in "12")


def floating(version: str, uri: str = "https://models.example/iris") -> Json:
    """A version whose files are wherever the uri leads."""
    raw = copy.deepcopy(md(version))
    raw["spec"]["model"] |= {"uri": uri, "fetch": {}}
    return raw


def one(desk: Desk, kind: str) -> Json:
    """The only object of a kind, or the newest."""
    return [obj for (found, _), obj in desk.kube.objects.items() if found == kind][-1]


async def in_a_minute(desk: Desk) -> None:
    """Look when mere words are due to be written."""
    await asyncio.sleep(60.0)
    await desk.look()


def kinds(desk: Desk) -> set[str]:
    return {kind for kind, _ in desk.kube.objects}


def ends(desk: Desk, answer: Json, *, code: int = 0) -> None:
    """The Job's pod has said its last words, and the Job is over."""
    job = one(desk, "Job")
    name = job["metadata"]["name"]
    labels = {LABEL_JOB: name, "serin.dev/deployment": "iris"}
    ended = {"terminated": {"exitCode": code, "reason": "Ended", "message": json.dumps(answer)}}
    pod = {
        "kind": "Pod",
        "metadata": {"name": f"{name}-pod", "labels": labels},
        "status": {
            "phase": "Failed" if code else "Succeeded",
            "containerStatuses": [{"name": "serin-resolve", "state": ended}],
        },
    }
    desk.user_applies(pod)
    condition = {"type": "Failed" if code else "Complete", "status": "True", "reason": "R", "message": "M"}
    desk.user_applies({**job, "status": {"conditions": [condition]}})
    kept = desk.kube.objects["Job", name]
    assert kept["status"]["conditions"]


def resolves(desk: Desk, digest: str = ONE) -> None:
    ends(desk, {"outcome": "resolved", "digest": digest, "uri": "https://models.example/iris", "size": 7})


def refuses(desk: Desk, reason: str) -> None:
    ends(desk, {"outcome": "failed", "reason": reason, "field": "spec.model.uri", "message": "words"}, code=1)


def digest_of(desk: Desk) -> str:
    """By which digest the newest Deployment fetches."""
    args = one(desk, "Deployment")["spec"]["template"]["spec"]["initContainers"][0]["args"]
    return str(args[args.index("--resolved-digest") + 1])


def test_the_digest_is_on_record_before_the_first_pod_and_the_spec_is_left_alone() -> None:
    async def story() -> None:
        desk = Desk(floating("1"), CONFIGURED)
        await desk.look()
        await in_a_minute(desk)
        assert "Deployment" not in kinds(desk)
        assert "finds out which files" in desk.condition("Reconciling")["message"]
        resolves(desk)
        writes = without_hash(await desk.look())
        pinned, made = writes.index("status ModelRevision iris-1"), writes.index("apply Deployment iris-1")
        assert pinned < made
        assert one(desk, "ModelRevision")["status"]["artifact"]["digest"] == ONE
        assert "digest" not in one(desk, "ModelRevision")["spec"]["model"]
        assert "digest" not in desk.md["spec"]["model"]
        assert digest_of(desk) == ONE

    run(story())


def test_what_was_pinned_once_is_never_asked_again() -> None:
    """The Job goes by its TTL, and another operator takes over: nobody looks where the uri leads now."""

    async def story() -> None:
        before = Desk(floating("1"), CONFIGURED)
        await before.look()
        resolves(before)
        await before.look()
        before.pods_ready("1")
        for _ in range(3):
            await before.look()
        after = Desk(before.md, CONFIGURED)
        for (kind, _), obj in before.kube.objects.items():
            if kind != "Job":
                after.user_applies(obj)
        writes = [line for _ in range(3) for line in await after.look()]
        assert not [line for line in writes if " Job " in line or "Deployment iris-1" in line]
        assert digest_of(after) == ONE

    run(story())


@pytest.mark.parametrize("write", ["status ModelDeployment", "create Job", "status ModelRevision", "apply Deployment"])
def test_a_write_that_fails_anywhere_loses_nothing(write: str) -> None:
    async def story() -> None:
        desk = Desk(floating("1"), CONFIGURED)
        for answered in (False, True):
            desk.kube.fail = {write: Conflict("killed here")}
            for _ in range(2):
                with contextlib.suppress(Conflict):
                    await desk.look()
            desk.kube.fail = {}
            await desk.look()
            if not answered:
                resolves(desk)
        await desk.look()
        assert digest_of(desk) == ONE
        assert len([kind for kind, _ in desk.kube.objects if kind == "Job"]) == 1

    run(story())


def test_a_deleted_record_does_not_move_what_runs() -> None:
    """The alias may lead elsewhere by now: the pods that are there say what was fetched, and by which digest."""

    async def story() -> None:
        desk = Desk(floating("1", "models:/iris@champion"), CONFIGURED)
        await desk.look()
        ends(desk, {"outcome": "resolved", "digest": ONE, "uri": "models:/iris/3", "size": 7})
        await desk.look()
        desk.pods_ready("1")
        for _ in range(3):
            await desk.look()
        revision = one(desk, "ModelRevision")
        del desk.kube.objects["ModelRevision", revision["metadata"]["name"]]
        desk.cache.remove("ModelRevision", revision)
        for _ in range(3):
            await desk.look()
        assert one(desk, "ModelRevision")["status"]["artifact"] == {"digest": ONE, "uri": "models:/iris/3"}
        assert digest_of(desk) == ONE

    run(story())


@pytest.mark.parametrize(
    ("reason", "said"), [("TooLarge", "ArtifactRefused"), ("SourceUnavailable", "ArtifactUnavailable")]
)
def test_what_cannot_be_resolved_gets_no_pods(reason: str, said: str) -> None:
    async def story() -> None:
        desk = Desk(floating("1"), CONFIGURED)
        await desk.look()
        refuses(desk, reason)
        await in_a_minute(desk)
        assert desk.condition("Promoted")["reason"] == said
        assert "words" in desk.condition("Promoted")["message"]
        assert "Deployment" not in kinds(desk)

    run(story())


def test_a_job_that_was_taken_away_is_made_again() -> None:
    """Its TTL is the pause between two tries; what it found is not lost, for it had found nothing."""

    async def story() -> None:
        desk = Desk(floating("1"), CONFIGURED)
        await desk.look()
        refuses(desk, "SourceUnavailable")
        await desk.look()
        for kind in ("Job", "Pod"):
            gone = one(desk, kind)
            del desk.kube.objects[kind, gone["metadata"]["name"]]
            desk.cache.remove(kind, gone)
        assert any(line.startswith("create Job") for line in await desk.look())
        resolves(desk)
        await desk.look()
        assert digest_of(desk) == ONE

    run(story())


def test_a_job_that_may_not_be_made_holds_in_the_api_servers_words() -> None:
    async def story() -> None:
        desk = Desk(floating("1"), CONFIGURED)
        desk.kube.fail = {"create Job": Forbidden("exceeded quota: jobs")}
        await desk.look()
        await in_a_minute(desk)
        assert desk.condition("Promoted")["reason"] == "InsufficientCapacity"
        assert "exceeded quota" in desk.condition("Promoted")["message"]

    run(story())


@pytest.mark.parametrize(("digest", "tried"), [(ONE, False), (TWO, True)])
def test_rejected_files_are_known_again_by_what_the_uri_turned_out_to_mean(digest: str, *, tried: bool) -> None:
    """Version 1 was rejected with its files; version 2 is another label, and its uri leads to the same or to others."""

    async def story() -> None:
        desk = Desk(floating("1"), CONFIGURED)
        await desk.look()
        resolves(desk, ONE)
        await desk.look()
        rejected = one(desk, "ModelRevision")
        rejected["status"] |= {"verdict": "Rejected", "verdictReason": "GateFailed"}
        desk.cache.put("ModelRevision", desk.kube.put(rejected))
        after = Desk(floating("2"), CONFIGURED)
        after.user_applies(rejected)
        after.cache.put("ModelRevision", after.kube.put(rejected))
        await after.look()
        assert "Job" in kinds(after)
        resolves(after, digest)
        await after.look()
        assert ("Deployment" in kinds(after)) == tried
        assert (after.condition("Stalled").get("reason") == "PreviouslyRejected") != tried

    run(story())
