"""A route that somebody else keeps: two weights in it are Serin's, and nothing else."""

from __future__ import annotations

import time
from typing import Any

import pytest

from serin.api.model_deployment import ModelDeployment
from serin.traffic.gateway import canonical_without_our_weights
from tests.cluster.api import ApiError
from tests.demo.stage import condition
from tests.e2e.lifecycle.world import (
    LONG,
    Load,
    World,
    in_stage,
    promoted,
    route_of_others,
    serving,
    stalled,
    together,
)

Json = dict[str, Any]
FLUX = "kustomize-controller"


@together
async def test_the_route_keeps_every_byte_but_two_weights_through_a_rollout(world: World) -> None:
    """Canonical JSON is equal from the owner's apply to the end; the pods are those of the demo, with load on them."""
    shop = world.model("shop")
    rich: Json = {
        "name": "predict",
        "matches": [{"path": {"type": "PathPrefix", "value": "/v2"}, "method": "POST"}],
        "filters": [
            {"type": "RequestHeaderModifier", "requestHeaderModifier": {"add": [{"name": "x-shop", "value": "1"}]}}
        ],
        "timeouts": {"request": "10s"},
        "backendRefs": [
            {"name": shop.its("a"), "port": 8080, "weight": 1000},
            {"name": "somebody", "port": 80, "weight": 0},
            {"name": shop.its("b"), "port": 8080, "weight": 0},
        ],
    }
    route = route_of_others(shop.its("route"), rich, [("somebody", 1)], host=shop.host)
    route["metadata"]["labels"] = {"team": "shop"}
    route["metadata"]["annotations"] = {"owner": "shop@example.com"}
    await world.apply(route)
    manifests = [shop.spec(version, traffic=shop.guest(shop.its("route")), scikit_learn=True) for version in "12"]
    await shop.apply(manifests[0])
    await shop.until(promoted("1"))
    async with world.load(shop.host, rate=20) as load:
        await world.eventually(lambda: _answered(load, "1"), "version 1 answers")
        load.forget()  # until its first pod was ready there was nobody to answer
        await shop.apply(manifests[1])
        await shop.until(promoted("2"))
        await shop.until_pods("a", 0)
    assert not load.failures, load.failures
    assert load.of("2") > 0
    raw = shop.history[-1]
    md = ModelDeployment.model_validate({key: raw[key] for key in ("apiVersion", "kind", "metadata", "spec")})
    texts = {canonical_without_our_weights(_bare(one), md) for one in shop.routes(shop.its("route"))}
    assert len(texts) == 1, "\n".join(texts)
    # The owner's sum of 1000 is kept, also in the shares of the stages: 50 %, then 90 % with a tenth held back.
    assert [pair for pair in shop.shares(shop.its("route")) if pair != (1000, 0)] == [(500, 500), (100, 900), (0, 1000)]
    managers = {entry["manager"]: entry for entry in shop.routes(shop.its("route"))[-1]["metadata"]["managedFields"]}
    assert "serin" in managers
    assert "f:parentRefs" in str(managers["cluster"]["fieldsV1"]), "the owner still owns what it wrote"
    shop.is_as_applied(*manifests)


async def _answered(load: Load, version: str) -> bool:
    return bool(load.of(version))


def _bare(route: Json) -> Json:
    return {key: value for key, value in route.items() if key != "seen_at"}


@together
async def test_a_weight_edited_by_others_is_put_back_and_said_and_other_edits_are_theirs(world: World) -> None:
    """Drift of ours is put right within 60 s with an Event; a header that the owner adds stays."""
    drift = world.model("drift")
    await world.apply(
        route_of_others(drift.its("route"), [(drift.its("a"), 100), (drift.its("b"), 0)], host=drift.host)
    )
    await drift.serve("1", traffic=drift.guest(drift.its("route")))
    async with world.load(drift.host):
        await drift.apply(drift.spec("2", traffic=drift.guest(drift.its("route")), rollout=LONG))
        await drift.until_shares(80, 20, drift.its("route"))
        await drift.until(in_stage("long"))
        route = await world.get("HTTPRoute", drift.its("route"))
        assert route is not None
        rules = route["spec"]["rules"]
        for ref in rules[0]["backendRefs"]:
            ref["weight"] = 50
        rules[0]["filters"] = [
            {"type": "RequestHeaderModifier", "requestHeaderModifier": {"set": [{"name": "x-theirs", "value": "1"}]}}
        ]
        edited = time.monotonic()
        await world.patch("HTTPRoute", drift.its("route"), {"spec": {"rules": rules}})
        await drift.until_shares(50, 50, drift.its("route"))
        await drift.until_shares(80, 20, drift.its("route"))
        assert time.monotonic() - edited < 60
        await drift.told_once("WeightRestored")
        assert "50 and 50" in await drift.until_event("WeightRestored")
        live = await world.get("HTTPRoute", drift.its("route"))
        assert live is not None
        assert live["spec"]["rules"][0]["filters"] == rules[0]["filters"]
        # Without a rollout the same holds.
        await drift.apply(drift.spec("1", traffic=drift.guest(drift.its("route")), rollout=LONG))
        await drift.until(promoted("1"))
        await drift.until_shares(100, 0, drift.its("route"))
        for ref, weight in zip(rules[0]["backendRefs"], (30, 70), strict=True):
            ref["weight"] = weight
        await world.patch("HTTPRoute", drift.its("route"), {"spec": {"rules": rules}})
        await drift.until_shares(30, 70, drift.its("route"))
        await drift.until_shares(100, 0, drift.its("route"))


@together
async def test_a_route_applied_from_git_during_a_rollout_gets_its_weights_back(world: World) -> None:
    """As Flux does it, by force: Git's weights stand for a moment, then ours again, and the rollout goes on.

    Without force it is refused. With the live weights in it nothing of ours changes: Flux's spec.ignore does that.
    """
    git = world.model("git")
    route = route_of_others(git.its("route"), [(git.its("a"), 100), (git.its("b"), 0)], host=git.host)
    await world.apply_as(FLUX, route, force=True)
    await git.serve("1", traffic=git.guest(git.its("route")))
    async with world.load(git.host) as load:
        await git.apply(git.spec("2", traffic=git.guest(git.its("route")), rollout=LONG))
        await git.until_shares(80, 20, git.its("route"))
        await git.until(in_stage("long"))
        with pytest.raises(ApiError, match="conflict with"):
            await world.apply_as(FLUX, route, force=False)
        written = await world.apply_as(FLUX, route, force=True)
        assert git.weights(written) == [(100, 0)]
        await git.until_shares(80, 20, git.its("route"))
        assert "100 and 0" in await git.until_event("WeightRestored")
        md = await git.until(in_stage("long"))
        assert condition(md, "Reconciling"), "the rollout goes on"
        for ref, weight in zip(route["spec"]["rules"][0]["backendRefs"], (80, 20), strict=True):
            ref["weight"] = weight
        route["spec"]["rules"][0]["timeouts"] = {"request": "7s"}
        await world.apply_as(FLUX, route, force=True)
        await git.apply(git.spec("1", traffic=git.guest(git.its("route")), rollout=LONG))
        await git.until(promoted("1"))
        await git.until_shares(100, 0, git.its("route"))
    live = git.routes(git.its("route"))[-1]
    assert live["spec"]["rules"][0]["timeouts"] == {"request": "7s"}
    # What was seen, with nothing between: Serin's 80/20, Git's 100/0, Serin's again, then the end.
    assert git.shares(git.its("route")) == [(100, 0), (80, 20), (100, 0), (80, 20), (100, 0)]
    await git.told_once("WeightRestored")
    assert not load.failures, load.failures


@together
async def test_weights_from_git_can_be_those_of_an_empty_slot(world: World) -> None:
    """After a promotion stable is in the other slot, so Git's 100/0 sends users to nobody until ours are back."""
    late = world.model("late")
    route = route_of_others(late.its("route"), [(late.its("a"), 100), (late.its("b"), 0)], host=late.host)
    await world.apply_as(FLUX, route, force=True)
    await late.serve("1", traffic=late.guest(late.its("route")))
    async with world.load(late.host) as load:
        await late.apply(late.spec("2", traffic=late.guest(late.its("route"))))
        await late.until(promoted("2"))
        await late.until_shares(0, 100, late.its("route"))
        await late.until_pods("a", 0)
        load.forget()
        applied = time.monotonic()
        written = await world.apply_as(FLUX, route, force=True)
        assert late.weights(written) == [(100, 0)]
        await late.until_shares(100, 0, late.its("route"))
        await late.until_shares(0, 100, late.its("route"))
        assert time.monotonic() - applied < 60
        before = load.of("2")
        await world.eventually(lambda: _more(load, "2", before), "version 2 answers again")
        # At 15 requests/s some may have been sent to the empty slot, and nothing else may fail.
        assert all("503 from the gateway" in one for one in load.failures), load.failures
    await late.until_event("WeightRestored")
    assert promoted("2")(late.history[-1])


async def _more(load: Load, version: str, before: int) -> bool:
    return load.of(version) > before + 10


@together
async def test_of_two_deployments_in_one_rule_the_older_wins(world: World) -> None:
    """The younger is Stalled RouteConflict, the older goes on; a rule of its own settles it."""
    older, younger = world.model("older"), world.model("younger")
    rule = [(older.its("a"), 100), (older.its("b"), 0), (younger.its("a"), 100), (younger.its("b"), 0)]
    await world.apply(route_of_others(older.its("rule"), rule, host=older.host))
    await older.serve("1", traffic=older.guest(older.its("rule")), fake=True)
    await world.eventually(_a_second_later(older.history[-1]), "a later creation time")
    await younger.apply(younger.spec("1", traffic=younger.guest(older.its("rule")), fake=True))
    md = await younger.until(stalled("RouteConflict", older.name, "spec.traffic"))
    assert condition(md, "Ready")["status"] == "False"
    assert promoted("1")(older.history[-1])
    await world.apply(route_of_others(older.its("rule"), rule[:2], rule[2:], host=older.host))
    await younger.until(promoted("1"))


def _a_second_later(raw: Json) -> Any:
    # Creation times are whole seconds; of two of the same second the name decides.
    async def later() -> bool:
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()) > str(raw["metadata"]["creationTimestamp"])

    return later


@together
async def test_a_route_without_the_slots_is_stalled_with_the_lines_to_add(world: World) -> None:
    """Once the owner adds them it goes on by itself."""
    bare = world.model("bare")
    await world.apply(route_of_others(bare.its("route"), [("somebody", 1)], host=bare.host))
    await bare.apply(bare.spec("1", traffic=bare.guest(bare.its("route")), fake=True))
    await bare.until(stalled("RouteConflict", "spec.traffic", f"- name: {bare.name}-a", f"- name: {bare.name}-b"))
    assert await world.list("Deployment", deployment=bare.name) == []
    await world.apply(route_of_others(bare.its("route"), [(bare.its("a"), 100), (bare.its("b"), 0)], host=bare.host))
    await bare.until(promoted("1"))


@together
async def test_a_deployment_can_move_from_its_own_route_to_one_of_others(world: World) -> None:
    """The own route goes once the other one carries the weights: two routes would share the traffic between them."""
    mover = world.model("mover")
    await mover.serve("1", fake=True)
    await world.apply(route_of_others(mover.its("route"), [(mover.its("a"), 1), (mover.its("b"), 0)], host=mover.host))
    await mover.apply(mover.spec("1", traffic=mover.guest(mover.its("route")), fake=True))
    await world.until_gone("HTTPRoute", mover.name)
    md = await mover.until(promoted("1"))
    assert serving(md, "1")
    assert mover.shares(mover.its("route")) == [(1, 0)]
