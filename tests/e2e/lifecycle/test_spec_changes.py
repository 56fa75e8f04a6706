"""What a change of the spec does, before, during and after a rollout."""

from __future__ import annotations

import pytest

from tests.cluster import ClusterError
from tests.demo.stage import condition, settled
from tests.e2e.lifecycle.world import (
    GATES,
    LONG,
    LONG_STAGES,
    QUICK,
    REQUESTS_PER_SECOND,
    STAGES,
    World,
    in_stage,
    promoted,
    serving,
    stalled,
    together,
    waiting,
)

COLUMNS = ["NAME", "STABLE", "CANDIDATE", "STAGE", "WEIGHT", "VERDICT", "REASON", "READY", "AGE"]


@together
async def test_another_version_in_canary_supersedes_the_candidate(world: World) -> None:
    """Stable's weight comes first, then the slot drains, then the new version starts with empty evidence."""
    iris = world.model("supersede")
    await iris.serve("1")
    async with world.load(iris.host):
        await iris.apply(iris.spec("2", rollout=LONG))
        await iris.until(in_stage("long", "2"))
        await iris.until_shares(80, 20)
        await iris.apply(iris.spec("3"))
        begun = await iris.until(lambda md: (md["status"].get("candidate") or {}).get("version") == "3")
        await iris.until(promoted("3"))
    # 3 took the slot of 2: by then the weight had been at 0, and 2's pods were gone.
    assert begun["status"]["candidate"]["slot"] == "b"
    assert begun["status"]["rollout"]["evidence"]["gates"][0]["candidate"] == [0, 0]
    shares = iris.shares()
    assert shares[shares.index((80, 20)) + 1] == (100, 0), shares
    await iris.until_verdict("2", "Superseded")
    await iris.told_once("Superseded")
    waits = [condition(md, "Reconciling") for md in iris.history if md]
    for_the_slot = [one for one in waits if "starts when slot b is free" in one.get("message", "")]
    assert {one["reason"] for one in for_the_slot} == {"RollingOut"}, "waiting for the slot is a part of rolling out"


@together
async def test_the_stable_spec_again_ends_the_rollout(world: World) -> None:
    """Reverted by spec: the weight goes back in one write, and nothing is Stalled."""
    iris = world.model("revert")
    manifests = [iris.spec("1"), iris.spec("2", rollout=LONG), iris.spec("1", rollout=LONG)]
    for manifest in manifests:
        manifest["metadata"] |= {"labels": {"team": "ml"}, "annotations": {"example.com/from": "git"}}
    await iris.apply(manifests[0])
    await iris.until(promoted("1"))
    async with world.load(iris.host) as load:
        await iris.apply(manifests[1])
        await iris.until_shares(80, 20)
        await iris.apply(manifests[2])
        md = await iris.until(promoted("1"))
        await iris.until_shares(100, 0)
        assert condition(md, "Promoted")["reason"] == "RevertedBySpec"
        assert not condition(md, "Stalled")
        await iris.told_once("RevertedBySpec")
        await iris.until_pods("b", 0)
    assert not load.failures
    await iris.until_verdict("2", "Superseded")
    iris.is_as_applied(*manifests)


@together
async def test_a_ramp_rises_by_itself_to_the_weight_of_its_stage(world: World) -> None:
    """With little traffic little can happen, so each step is taken as soon as the one before is in effect.

    It begins behind a stage of 10 %: Traefik counts its requests off and begins anew whenever a route of any story
    changes, so that of 2,100 requests 2 came to a weight of 1 %.
    """
    iris = world.model("ramp")
    await iris.serve("1")
    small = {"name": "small", "canary": {"weight": 10, "soak": "2s"}}
    ramp = {"name": "ramp", "canary": {"weight": 50, "soak": "2s", "excessFailures": 100}}
    async with world.load(iris.host, rate=2 * REQUESTS_PER_SECOND) as load:
        await iris.apply(iris.spec("2", rollout={"gates": GATES, "stages": [small, ramp]}))
        await iris.until(promoted("2"))
        await iris.until_shares(0, 100)  # the status is written before the weights
    assert not load.failures
    assert iris.shares() == [(100, 0), (90, 10), (80, 20), (50, 50), (0, 100)]


@together
async def test_a_revision_that_was_stable_before_takes_over_without_a_trial(world: World) -> None:
    """Going back: pods ready, then one write."""
    iris = world.model("go-back")
    await iris.serve("1")
    async with world.load(iris.host) as load:
        await iris.apply(iris.spec("2"))
        await iris.until(promoted("2"))
        await iris.until_pods("a", 0)
        writes = len(iris.shares())
        await iris.apply(iris.spec("1"))
        md = await iris.until(promoted("1"))
        await iris.until_shares(100, 0)
        assert condition(md, "Promoted")["reason"] == "WentBack"
        assert iris.shares()[writes:] == [(100, 0)], "one write"
        await iris.until_pods("b", 0)
    assert not load.failures
    assert (await iris.revision("2"))["status"]["wasStable"]
    assert len([note for note in await iris.events("Promoted") if "it was stable before" in note]) == 1


@together
async def test_a_first_revision_that_fails_is_replaced_uncompared(world: World) -> None:
    """FirstRevisionFailing; the next spec takes over without a comparison, for there is nothing to compare with."""
    iris = world.model("first-fails")
    await iris.apply(iris.spec("1", {"CRASH_WHEN": "/"}))
    md = await iris.until(stalled("FirstRevisionFailing", "spec.serving.template"))
    assert condition(md, "Ready")["status"] == "False"
    await iris.apply(iris.spec("2"))
    md = await iris.until(promoted("2"))
    assert condition(md, "Promoted")["reason"] == "FirstDeployment"
    await iris.until_answered_by("2")
    stages = {(md["status"].get("rollout") or {}).get("stage") for md in iris.history if md}
    assert stages <= {None, "start"}, stages


@together
async def test_kubectl_scale_scales_stable_without_a_rollout(world: World) -> None:
    """The scale subresource sets spec.serving.replicas, which is no part of a revision."""
    iris = world.model("scaled")
    await iris.serve("1", fake=True)
    await world.kubectl("scale", "modeldeployment", iris.name, "--replicas=3")
    await iris.until_pods("a", 3)
    md = await iris.until(lambda md: md["status"].get("replicas") == 3, "status.replicas is 3")
    assert promoted("1")(md)
    assert len(await world.list("ModelRevision", deployment=iris.name)) == 1
    assert len(await iris.events("RollingOut")) == 1, "only that of the first version"
    assert all("candidate" not in md["status"] for md in iris.history if md and md["metadata"]["generation"] > 1)


@together
async def test_an_edit_of_the_policy_leaves_the_running_attempt_alone(world: World) -> None:
    """Stages and gates are a snapshot; the next attempt has the new ones."""
    iris = world.model("policy-edit")
    policy = {
        "apiVersion": "serin.dev/v1alpha1",
        "kind": "RolloutPolicy",
        "metadata": {"name": iris.its("edited")},
        "spec": {"gates": GATES, "stages": LONG_STAGES},
    }
    await world.apply(policy)
    by_policy = {"policyRef": {"name": iris.its("edited")}}
    await iris.serve("1")
    async with world.load(iris.host):
        await iris.apply(iris.spec("2", rollout=by_policy))
        await iris.until(in_stage("long", "2"))
        other = [{"name": "other", "canary": {"weight": 40, "soak": "30m"}}]
        await world.apply({**policy, "spec": {"gates": GATES, "stages": other}})
        instant = (await iris.until(in_stage("long", "2")))["status"]["rollout"]["instant"]
        # Three more readings of the metrics: whatever the edit did would show by then.
        await iris.until(lambda md: ((md["status"].get("rollout") or {}).get("instant") or 0) >= instant + 6)
        assert in_stage("long", "2")(iris.history[-1])
        assert iris.shares()[-1] == (80, 20)
        await iris.apply(iris.spec("3", rollout=by_policy))
        await iris.until(in_stage("other", "3"))
        await iris.until_shares(60, 40)


@together
async def test_paused_stops_advances_and_not_rollbacks(world: World) -> None:
    """A paused rollout stays where it is, until its candidate fails."""
    iris = world.model("paused")
    stages = [{"name": "low", "canary": {"weight": 40, "soak": "1s"}}, *LONG_STAGES[1:]]
    plan = {"gates": GATES, "stages": stages}
    await iris.serve("1")
    async with world.load(iris.host):
        crash = world.folder / iris.its("crash")
        await iris.apply(iris.spec("2", {"CRASH_WHEN": crash}, rollout=plan))
        await iris.until(in_stage("low", "2"))
        await iris.patch({"spec": {"rollout": {"paused": True}}})
        md = await iris.until(waiting("Paused"))
        instant = md["status"]["rollout"]["instant"]
        await iris.until(lambda md: (md["status"]["rollout"]["instant"] or 0) >= instant + 6, "six seconds more")
        assert in_stage("low", "2")(iris.history[-1])
        crash.touch()
        md = await iris.until(stalled("RolledBack", "CrashLoop"))
        await iris.until_shares(100, 0)
    assert serving(md, "1")


@together
async def test_a_rejected_version_is_not_tried_again_by_itself(world: World) -> None:
    """Rolled back for CrashLoop; after another version the rejected one is PreviouslyRejected, and stays so."""
    iris = world.model("rejected")
    await iris.serve("1")
    bad = {"CRASH_WHEN": "/"}
    await iris.apply(iris.spec("2", bad))
    md = await iris.until(stalled("RolledBack", "CrashLoop"))
    assert serving(md, "1")
    assert condition(md, "Promoted")["status"] == "False"
    await iris.until_verdict("2", "Rejected")
    await iris.told_once("CrashLoop")
    # While nothing else was tried, its end still is the last news.
    await iris.apply(iris.spec("1"))
    await iris.until(promoted("1"))
    await iris.apply(iris.spec("2", bad))
    await iris.until(stalled("RolledBack", "CrashLoop"))
    async with world.load(iris.host):
        await iris.apply(iris.spec("3"))
        await iris.until(promoted("3"))
    for _ in range(2):
        await iris.apply(iris.spec("2", bad))
        md = await iris.until(stalled("PreviouslyRejected", "spec.model.version"))
        assert serving(md, "3")
        await iris.until_verdict("2", "Rejected")
        await iris.apply(iris.spec("3"))
        await iris.until(promoted("3"))
    await iris.until_answered_by("3")


@together
async def test_a_candidate_that_no_node_takes_holds(world: World) -> None:
    """InsufficientCapacity with the scheduler's words; nothing is rolled back for it, and stable serves."""
    iris = world.model("no-room")
    await iris.serve("1")
    huge = iris.spec("2")
    huge["spec"]["serving"]["template"]["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "900"}}
    async with world.load(iris.host) as load:
        await iris.apply(huge)
        md = await iris.until(waiting("InsufficientCapacity", "cpu"))
        assert serving(md, "1")
        await iris.apply(iris.spec("1"))
        await iris.until(promoted("1"))
    assert not load.failures


@together
async def test_a_good_version_is_promoted_and_each_transition_is_told_once(world: World) -> None:
    """What `kubectl wait`, `kubectl get md` and `kubectl get events` say of an ordinary rollout."""
    iris = world.model("ordinary")
    await iris.serve("1")
    wait = ["wait", "--for=condition=Promoted", f"md/{iris.name}", "--timeout=1s"]
    half, bake = STAGES
    seen = {**half, "canary": {**half["canary"], "soak": "12s"}}  # kubectl takes its time on a busy machine
    async with world.load(iris.host) as load:
        await iris.apply(iris.spec("2", rollout={"gates": GATES, "stages": [seen, bake]}))
        await iris.until(in_stage("half", "2"))
        table = (await world.kubectl("get", "md", iris.name)).splitlines()
        assert table[0].split() == COLUMNS
        assert table[1].split()[:5] == [iris.name, "1", "2", "half", "50"]
        with pytest.raises(ClusterError, match="timed out"):
            await world.kubectl(*wait)
        await iris.until(promoted("2"))
        assert "condition met" in await world.kubectl(*wait)
        await iris.until(settled)
        await iris.until_pods("a", 0)
        # After its pods are gone there is still nothing but answers.
        assert await world.answers(iris.host) == "2"
    assert not load.failures, load.failures
    assert load.of("2") > 0
    (row,) = (await world.kubectl("get", "md", iris.name, "--no-headers")).splitlines()
    assert row.split()[:4] == [iris.name, "2", "Promoted", "True"]
    told = [note for note in await iris.events() if f"{iris.name}-2" in note]
    assert [note.partition(":")[0] for note in told] == ["RollingOut", "RollingOut", "RollingOut", "Promoted"], told
    assert len(set(told)) == len(told)


@together
async def test_a_rollout_waits_for_its_policy(world: World) -> None:
    """PolicyNotFound is Stalled, stable serves; once the policy is there it goes on by itself."""
    iris = world.model("policy-late")
    await iris.serve("1")
    await iris.apply(iris.spec("2", rollout={"policyRef": {"name": iris.its("policy")}}))
    md = await iris.until(stalled("PolicyNotFound", "spec.rollout.policyRef.name", iris.its("policy")))
    assert serving(md, "1")
    quick = await world.get("RolloutPolicy", QUICK)
    assert quick is not None
    async with world.load(iris.host):
        await world.apply({**quick, "metadata": {"name": iris.its("policy")}})
        await iris.until(promoted("2"))
