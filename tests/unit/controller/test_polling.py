"""A uri that is asked about again and again: when, by whom, and what comes of the answer."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from serin.controller.kube import Forbidden
from serin.workloads.jobs import LABEL_JOB
from tests.unit.controller.clock import run
from tests.unit.controller.desk import Desk
from tests.unit.controller.test_resolving import (
    CONFIGURED,
    ONE,
    TWO,
    digest_of,
    ends,
    floating,
    in_a_minute,
    one,
    resolves,
)

Json = dict[str, Any]
THREE = f"sha256:{'3' * 64}"


def polled(version: str = "1", *, every: str | None = "10m", **more: Any) -> Json:
    """A version whose uri is polled."""
    raw = floating(version)
    raw["spec"]["rollout"] = {"stages": [{"name": "all", "canary": {"weight": 50, "soak": "1s"}}]}
    if every is not None:
        raw["spec"]["model"]["pollInterval"] = every
    raw["spec"] |= more
    return raw


def jobs(desk: Desk) -> list[str]:
    """The Jobs that are there."""
    return [name for kind, name in desk.kube.objects if kind == "Job"]


async def after(desk: Desk, minutes: float) -> list[str]:
    """Look when the last answer is so much older; what was written.

    The operator's clock is not ours to move, so the stored instant is, as if another operator had written it.
    """
    poll = (desk.md.get("status") or {}).get("poll")
    if poll is not None:
        at = datetime.fromisoformat(poll["at"]) - timedelta(minutes=minutes)
        aged = {**desk.md["status"], "poll": {**poll, "at": at.strftime("%Y-%m-%dT%H:%M:%SZ")}}
        desk.cache.put("ModelDeployment", desk.kube.put({**desk.md, "status": aged}))
    return [line for _ in range(3) for line in await desk.look()]


def gone(desk: Desk) -> None:
    """The TTL of ended Jobs has come."""
    for name in jobs(desk):
        raw = desk.kube.objects.pop(("Job", name))
        desk.cache.remove("Job", raw)
    for name in [name for kind, name in desk.kube.objects if kind == "Pod"]:
        if LABEL_JOB in desk.kube.objects["Pod", name]["metadata"].get("labels", {}):
            desk.cache.remove("Pod", desk.kube.objects.pop(("Pod", name)))


async def serving(digest: str = ONE, **more: Any) -> Desk:
    """Version 1 serves with the files that its uri meant at first."""
    desk = Desk(polled(**more), CONFIGURED)
    await desk.look()
    resolves(desk, digest)
    await desk.look()
    desk.pods_ready("1")
    await after(desk, 1)
    assert desk.condition("Promoted")["status"] == "True"
    gone(desk)
    return desk


def ended(desk: Desk, revision: str, kind: str, reason: str) -> None:
    """The rollout of a candidate is over, as another operator would have stored it; its pods go."""
    md, record = desk.md, desk.kube.objects["ModelRevision", revision]
    placed = md["status"]["candidate"]
    status = {key: one for key, one in md["status"].items() if key not in {"candidate", "rollout"}}
    at = (datetime.now(UTC) + timedelta(seconds=2)).strftime("%Y-%m-%dT%H:%M:%SZ")
    status["outcome"] = {"revision": revision, "version": placed["version"], "kind": kind, "reason": reason, "at": at}
    status["outcome"] |= {"message": "errors", "attempt": 1, "steps": [], "gates": []}
    told: Json = {"verdict": "Rejected", "verdictReason": reason, "attempts": 1}
    left = revision
    if kind == "Promoted":
        left = md["status"]["stable"]["revision"]
        status["stable"] = {key: placed[key] for key in ("revision", "version", "slot")}
        entry = {"at": at, "attempt": 1, "event": "promote"}
        told = {"verdict": "Stable", "wasStable": True, "stableFor": "uid-iris", "attempts": 1, "record": [entry]}
        told["verdictReason"] = reason
    desk.cache.put("ModelRevision", desk.kube.put({**record, "status": {**record["status"], **told}}))
    desk.cache.put("ModelDeployment", desk.kube.put({**md, "status": status}))
    pods = desk.kube.objects["Deployment", left]
    desk.user_applies({**pods, "spec": {**pods["spec"], "replicas": 0}})
    if ("Pod", f"{left}-pod") in desk.kube.objects:
        desk.cache.remove("Pod", desk.kube.objects.pop(("Pod", f"{left}-pod")))


async def moved() -> Desk:
    """The first poll has found other files."""
    desk = await serving()
    await after(desk, 10)
    resolves(desk, TWO)
    await after(desk, 0)
    return desk


def test_nothing_is_asked_before_the_interval_is_over() -> None:
    async def story() -> None:
        desk = await serving()
        assert not any("Job" in line for line in await after(desk, 8))
        assert any(line.startswith("create Job iris-p-") for line in await after(desk, 2))
        assert desk.md["status"]["stable"]["revision"] == desk.md["status"]["poll"]["of"]

    run(story())


def test_the_same_files_start_nothing_and_are_asked_about_again() -> None:
    """Each question has a name of its own, so an old answer is never taken for a new one."""

    async def story() -> None:
        desk = await serving()
        names = set()
        for number in (1, 2):
            await after(desk, 10)
            names |= set(jobs(desk))
            resolves(desk, ONE)
            writes = await after(desk, 0)
            assert not any("Deployment iris-1" in line or "ModelRevision" in line for line in writes)
            assert desk.md["status"]["poll"]["number"] == number
            gone(desk)
        assert len(names) == 2

    run(story())


def test_other_files_become_a_revision_of_their_own_and_the_spec_is_left_alone() -> None:
    async def story() -> None:
        desk = await moved()
        before = desk.md["status"]["stable"]["revision"]
        candidate = desk.md["status"]["candidate"]
        assert candidate["revision"] not in {before, None}
        assert candidate["version"] == "1"
        made = desk.kube.objects["ModelRevision", candidate["revision"]]
        assert made["status"]["artifact"]["digest"] == made["spec"]["polled"]["digest"] == TWO
        assert digest_of(desk) == TWO
        assert "digest" not in desk.md["spec"]["model"]
        assert any("means other files now" in words for words in desk.recorder.told)
        # Nobody vouches for them, and no second Job is needed to know them.
        args = one(desk, "Deployment")["spec"]["template"]["spec"]["initContainers"][0]["args"]
        assert "--digest" not in args
        assert "pollInterval" not in made["spec"]["model"]

    run(story())


def test_nothing_is_asked_while_a_rollout_runs() -> None:
    """A tag that moves faster than a rollout takes would keep every version from its verdict."""

    async def story() -> None:
        desk = await moved()
        gone(desk)
        assert not any("Job" in line for line in await after(desk, 60))
        assert desk.md["status"]["candidate"]

    run(story())


def test_a_tag_that_moves_back_asks_for_the_first_revision_again() -> None:
    """What it meant in between was rolled back and stays rejected; the first serves, and nothing is tried."""

    async def story() -> None:
        desk = await moved()
        first = desk.md["status"]["stable"]["revision"]
        gone(desk)
        second = desk.md["status"]["candidate"]["revision"]
        ended(desk, second, "RolledBack", "GateFailed")
        await after(desk, 0)
        assert desk.condition("Stalled")["reason"] == "RolledBack"
        await after(desk, 10)
        resolves(desk, ONE)
        writes = await after(desk, 0)
        assert desk.condition("Promoted")["status"] == "True"
        assert desk.md["status"]["stable"]["revision"] == first
        assert not any("Deployment iris-1" in line for line in writes)

    run(story())


@pytest.mark.parametrize("reason", ["SourceUnavailable", "Unsafe"])
def test_an_answer_that_is_none_moves_nothing_and_is_said_once(reason: str) -> None:
    """A store that is away, or files that are refused: what serves goes on, and the next poll asks again."""

    async def story() -> None:
        desk = await serving()
        for number in (1, 2):
            await after(desk, 10)
            ends(desk, {"outcome": "failed", "reason": reason, "field": "spec.model.uri", "message": "words"}, code=1)
            await after(desk, 0)
            assert desk.md["status"]["poll"]["number"] == number
            assert "words" in desk.md["status"]["poll"]["message"]
            assert desk.condition("Promoted")["status"] == "True"
            gone(desk)
        assert len([words for words in desk.recorder.told if "has moved is not known" in words]) == 1

    run(story())


def test_a_spec_that_comes_back_means_what_was_promoted_of_it_last() -> None:
    """Version 2 failed in between and its polls took the place of version 1's: the find that serves goes on serving."""

    async def story() -> None:
        desk = await moved()
        gone(desk)
        second = desk.md["status"]["candidate"]["revision"]
        ended(desk, second, "Promoted", "Promoted")
        await after(desk, 0)
        assert desk.md["status"]["stable"]["revision"] == second
        desk.user_applies(polled("2"))
        await after(desk, 0)
        resolves(desk, THREE)
        await after(desk, 0)
        gone(desk)
        ended(desk, desk.md["status"]["candidate"]["revision"], "RolledBack", "GateFailed")
        await after(desk, 0)
        assert desk.md["status"]["poll"]["pinned"] == THREE
        desk.user_applies(polled("1"))
        await after(desk, 0)
        assert desk.md["status"]["stable"]["revision"] == second
        assert "candidate" not in desk.md["status"]
        assert desk.md["status"]["poll"]["artifact"]["digest"] == TWO
        await after(desk, 10)
        resolves(desk, TWO)
        await after(desk, 0)
        assert "candidate" not in desk.md["status"]

    run(story())


def test_to_stop_asking_is_not_to_go_back() -> None:
    """Without pollInterval what was found last goes on; another version asks anew."""

    async def story() -> None:
        desk = await moved()
        second = desk.md["status"]["candidate"]["revision"]
        gone(desk)
        desk.user_applies(polled(every=None))
        await after(desk, 0)
        assert desk.md["status"]["candidate"]["revision"] == second
        desk.user_applies(polled("2", every=None))
        await after(desk, 0)
        assert desk.md["status"]["outcome"]["kind"] == "Superseded"

    run(story())


def test_a_job_that_may_not_be_made_is_asked_for_again() -> None:
    """What serves is not touched by a quota for Jobs."""

    async def story() -> None:
        desk = await serving()
        desk.kube.fail = {"create Job": Forbidden("exceeded quota: jobs")}
        await after(desk, 10)
        assert desk.condition("Promoted")["status"] == "True"
        assert 30.0 in desk.later
        for _ in range(2):
            await in_a_minute(desk)
        assert "exceeded quota" in desk.md["status"]["poll"]["message"]
        assert len([words for words in desk.recorder.told if "exceeded quota" in words]) == 1
        desk.kube.fail = {}
        assert any(line.startswith("create Job iris-p-") for line in await after(desk, 1))

    run(story())


def test_a_kill_after_the_answer_asks_or_reads_again_and_counts_once() -> None:
    """The answer is read from the Job, so an operator that comes later finds it, too."""

    async def story() -> None:
        desk = await serving()
        await after(desk, 10)
        resolves(desk, TWO)
        later = Desk(json.loads(json.dumps(desk.md)), CONFIGURED)
        for (kind, _), obj in desk.kube.objects.items():
            if kind != "ModelDeployment":
                later.user_applies(obj)
        await after(later, 0)
        assert later.md["status"]["poll"]["number"] == 1
        assert later.md["status"]["candidate"]["version"] == "1"
        assert digest_of(later) == TWO

    run(story())
