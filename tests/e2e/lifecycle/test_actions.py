"""People approve, come too late, abort and roll back; the API server lets nobody do it in another's name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from serin.api.rollout_action import ACTOR_WORDS
from tests.cluster.api import ApiError
from tests.e2e.lifecycle.command_line import serin
from tests.e2e.lifecycle.world import (
    GATES,
    LONG,
    NAMESPACE,
    PATHS,
    Model,
    World,
    in_stage,
    promoted,
    serving,
    stalled,
    together,
    waiting,
)

Json = dict[str, Any]
ME = "admin"
"""The user that the stories' token belongs to."""
TAKEN_BACK = 3
"""The exit code of `kubectl serin wait` for a revision that was on trial and does not serve."""


def signed(expires: str) -> Json:
    """Half, then a person, then a short bake."""
    stages = [
        {"name": "half", "canary": {"weight": 50, "soak": "2s"}},
        {"name": "sign-off", "approval": {"expires": expires}},
        {"name": "bake", "bake": {"for": "2s", "holdback": 10}},
    ]
    return {"gates": GATES, "stages": stages}


async def act(iris: Model, kind: str, version: str, actor: str = ME) -> Json:
    """Make a RolloutAction about a version, and wait for its answer."""
    revision = await iris.revision(version)
    name = f"{iris.name}-{kind.lower()}-{version}"
    spec = {
        "deployment": iris.name,
        "action": kind,
        "revision": revision["metadata"]["name"],
        "actor": actor,
        "reason": "a story",
    }
    raw = {
        "apiVersion": "serin.dev/v1alpha1",
        "kind": "RolloutAction",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": spec,
    }
    await iris.world.api.request("POST", PATHS["RolloutAction"].format(NAMESPACE), raw)
    found: Json = {}

    async def answered() -> bool:
        found.update(await iris.world.get("RolloutAction", name) or {})
        return bool(found["status"].get("reason"))

    await iris.world.eventually(answered, f"{name} is answered")
    return found


async def onlooker(world: World, name: str) -> Path:
    """The kubeconfig of somebody who may make actions and has the right to no act."""
    await world.kubectl("create", "serviceaccount", name)
    kinds = ("--resource=modeldeployments.serin.dev", "--resource=rolloutactions.serin.dev")
    await world.kubectl("create", "role", name, "--verb=get", "--verb=create", *kinds)
    await world.kubectl("create", "rolebinding", name, f"--role={name}", f"--serviceaccount={NAMESPACE}:{name}")
    config = yaml.safe_load(world.cluster.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": (await world.kubectl("create", "token", name)).strip()}
    path = world.folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


@together
async def test_people_act_by_the_command_line(world: World) -> None:
    """Who may not is told which right is missing; who may reads the answer, and the exit code says it too."""
    iris = world.model("commanded")
    await iris.serve("1")
    onlookers = await onlooker(world, iris.its("onlooker"))
    async with world.load(iris.host) as load:
        code, _, said = await serin(world, "approve", iris.name)
        assert (code, "there is no candidate to approve" in said) == (1, True), said
        await iris.apply(iris.spec("2", rollout=signed("10m")))
        await iris.until(waiting("AwaitingApproval", "sign-off"))
        revision = (await iris.revision("2"))["metadata"]["name"]

        code, _, said = await serin(world, "approve", iris.name, kubeconfig=onlookers)
        person = f"system:serviceaccount:{NAMESPACE}:{iris.its('onlooker')}"
        assert code == 1, said
        assert f"error: spec.action: {person} may not approve {iris.name}" in said
        assert f"the right create on modeldeployments/approve in namespace {NAMESPACE} is missing" in said

        code, out, said = await serin(world, "approve", iris.name, "--reason", "answers read")
        assert code == 0, said
        about, answer = out.splitlines()
        assert about.startswith(f"{NAMESPACE}/{iris.name}: approving {revision}, version 2, on trial at stage sign-off")
        assert about.endswith(f", as {ME}")
        assert answer == f"Done (Approved): stage sign-off: approval 1 of 1 by {ME}: answers read"
        await iris.until(promoted("2"))

        code, out, said = await serin(world, "rollback", iris.name, "-o", "json")
        assert code == 0, said
        action = json.loads(out)
        assert (action["spec"]["action"], action["spec"]["revision"], action["spec"]["actor"]) == (
            "Rollback",
            revision,
            ME,
        )
        assert (action["status"]["phase"], action["status"]["reason"]) == ("Done", "GoingBack")
        await iris.until(lambda md: serving(md, "1") and stalled("RolledBack", ME)(md), "version 1 serves again")
    assert not load.failures, load.failures


@together
async def test_every_other_act_by_the_command_line(world: World) -> None:
    """Pause, resume, abort, retry and promote, and a wait whose exit code tells promoted from taken back."""
    iris = world.model("ordered")
    await iris.serve("1")
    async with world.load(iris.host) as load:
        await iris.apply(iris.spec("2", rollout=LONG))
        await iris.until(in_stage("long", "2"))
        code, _, said = await serin(world, "pause", iris.name)
        assert code == 0, said
        await iris.until(waiting("Paused"))
        code, _, said = await serin(world, "resume", iris.name)
        assert code == 0, said
        await iris.until(lambda md: md["status"]["rollout"]["reason"] != "Paused", "it goes on")

        code, out, said = await serin(world, "abort", iris.name, "--reason", "wrong file")
        assert (code, "Done (Aborted)" in out) == (0, True), said
        code, out, said = await serin(world, "wait", iris.name, "--timeout", "60s")
        assert (code, f"by {ME}: wrong file" in out) == (TAKEN_BACK, True), out + said

        code, out, said = await serin(world, "retry", iris.name)
        assert (code, "Done (Retrying)" in out) == (0, True), said
        await iris.until(in_stage("long", "2"))
        code, out, said = await serin(world, "promote", iris.name, "--reason", "it is urgent")
        assert (code, "Done (Promoting)" in out) == (0, True), out + said
        code, _, said = await serin(world, "wait", iris.name, "--timeout", "60s")
        assert code == 0, said
        await iris.until(promoted("2"))
    assert not load.failures, load.failures


@together
async def test_an_approval_is_waited_for_and_promotes(world: World) -> None:
    """At the weight before it, with answers only; nobody can give it in another's name; the record says who gave it."""
    iris = world.model("approved")
    await iris.serve("1")
    async with world.load(iris.host) as load:
        await iris.apply(iris.spec("2", rollout=signed("10m")))
        md = await iris.until(waiting("AwaitingApproval", "sign-off"))
        assert in_stage("sign-off", "2")(md)
        await iris.until_shares(50, 50)
        with pytest.raises(ApiError, match=ACTOR_WORDS) as refusal:
            await act(iris, "Approve", "2", actor="the-boss")
        assert refusal.value.status == 403
        answer = await act(iris, "Approve", "2")
        assert (answer["status"]["phase"], answer["status"]["reason"]) == ("Done", "Approved")
        (owner,) = answer["metadata"]["ownerReferences"]
        assert owner["uid"] == md["metadata"]["uid"]
        await iris.until(promoted("2"))
    assert not load.failures, load.failures
    await iris.until_verdict("2", "Stable")
    record = (await iris.revision("2"))["status"]["record"]
    assert [(one["event"], one.get("actor")) for one in record] == [
        ("advance", None),
        ("advance", None),
        ("approve", ME),
        ("advance", None),
        ("promote", None),
    ]


@together
async def test_an_approval_that_nobody_gives_expires_and_a_retry_tries_again(world: World) -> None:
    """Rolled back with ApprovalExpired; an approval comes too late; after a Retry it can be given."""
    iris = world.model("unapproved")
    await iris.serve("1")
    async with world.load(iris.host):
        await iris.apply(iris.spec("2", rollout=signed("6s")))
        md = await iris.until(stalled("RolledBack", "ApprovalExpired"))
        assert serving(md, "1")
        await iris.until_shares(100, 0)
        await iris.until_verdict("2", "Aborted")
        late = await act(iris, "Approve", "2")
        assert (late["status"]["phase"], late["status"]["reason"]) == ("Expired", "AttemptOver")
        retry = await act(iris, "Retry", "2")
        assert (retry["status"]["phase"], retry["status"]["reason"]) == ("Done", "Retrying")
        md = await iris.until(waiting("AwaitingApproval"))
        assert md["status"]["rollout"]["attempt"] == 2


@together
async def test_an_abort_takes_everything_back_in_one_write(world: World) -> None:
    """No request fails, and the revision is not remembered as rejected."""
    iris = world.model("aborted")
    await iris.serve("1")
    async with world.load(iris.host) as load:
        await iris.apply(iris.spec("2", rollout=LONG))
        await iris.until(in_stage("long", "2"))
        await iris.until_shares(80, 20)
        answer = await act(iris, "Abort", "2")
        assert (answer["status"]["phase"], answer["status"]["reason"]) == ("Done", "Aborted")
        md = await iris.until(stalled("RolledBack", "Aborted", f"by {ME}: a story"))
        assert serving(md, "1")
        await iris.until_shares(100, 0)
    assert not load.failures, load.failures
    assert iris.shares() == [(100, 0), (80, 20), (100, 0)]
    await iris.until_verdict("2", "Aborted")
    await iris.told_once("Aborted")


@together
async def test_a_stable_version_is_rolled_back_by_hand(world: World) -> None:
    """The one before takes over though the spec asks for the other; the spec stays as it is, and no request fails."""
    iris = world.model("regretted")
    await iris.serve("1")
    async with world.load(iris.host) as load:
        await iris.apply(iris.spec("2"))
        await iris.until(promoted("2"))
        answer = await act(iris, "Rollback", "2")
        assert (answer["status"]["phase"], answer["status"]["reason"]) == ("Done", "GoingBack")
        md = await iris.until(
            lambda md: serving(md, "1") and stalled("RolledBack", f"rolled back by {ME}")(md), "version 1 serves again"
        )
        await iris.until_shares(100, 0)
        await iris.until_answered_by("1")
    assert md["spec"]["model"]["version"] == "2"
    assert not load.failures, load.failures
    await iris.until_verdict("2", "Rejected")
