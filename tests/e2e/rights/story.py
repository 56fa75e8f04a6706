"""A run that uses everything the operator can do, told as a few stories that happen at the same time.

    changes    own HTTPRoute, a Job that is superseded, a Job that passes, fail-over, promotion by hand, pruning of
               revisions and actions, a rollout on a GRPCRoute of its own, and back
    guest      two weights in somebody else's route, deleted in canary
    stays      deletionPolicy Orphan, and records that stay
    taken      somebody else has a ModelRevision and a Job under the names that ours get

Pods are only said to run, and traffic is counted by a stand-in. Where a rollout would wait for long a person
promotes it.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from tests.bench.stub_prometheus import Stub
from tests.e2e.lifecycle.world import (
    GATES,
    LONG,
    LONG_STAGES,
    NAMESPACE,
    PATHS,
    Model,
    World,
    in_stage,
    promoted,
    route_of_others,
    stalled,
)
from tests.e2e.rights.operators import Operators

Json = dict[str, Any]

MODELS = ("changes", "guest", "stays", "taken")
ME = "admin"
PER_SECOND = 200.0
ACTIONS = 12
"""More than the ten answered ones that are kept."""
GRPC_ROUTES = "/apis/gateway.networking.k8s.io/v1/namespaces/{0}/grpcroutes"
BY_LATENCY: Json = {
    "gates": [
        {"name": "slow", "compare": {"what": "slowerThan", "objective": "300ms", "margin": {"plus": "1pp"}}},
        {"name": "pods", "hard": {"restarts": 1, "readyWithin": "60s"}},
    ],
    "stages": LONG_STAGES,
}
"""Traefik cannot tell errors of gRPC."""
WAITS = "import time; time.sleep(600)"
PASSES = """\
import json
answer = {"verdict": "pass", "gates": [{"name": "good", "verdict": "pass", "message": "as it should be"}]}
open("/dev/termination-log", "w").write(json.dumps(answer))
"""
"""A program of the user's own, in place of `serin evaluate`."""


def validated(program: str) -> Json:
    """A rollout whose first stage is judged by a program, and whose second one waits for evidence."""
    container = {"name": "evaluate", "image": "demo.local/judge", "command": [sys.executable, "-c", program]}
    asked = {
        "task": "classification",
        "classes": [0, 1, 2],
        "endpoint": {"protocol": "openInference", "model": "iris"},
        "datasets": [{"name": "holdout", "path": "/data/holdout.csv", "target": "species"}],
        "gates": [{"name": "good", "metric": "accuracy", "min": 0.8}],
    }
    stage = {"evaluation": asked, "template": {"spec": {"containers": [container]}}}
    stages = [
        {"name": "holdout", "validate": stage},
        {"name": "half", "canary": {"weight": 50, "soak": "30m"}},
    ]
    return {"gates": GATES, "stages": stages}


async def tell(world: World, operators: Operators) -> None:
    """All of it."""
    PATHS.setdefault("GRPCRoute", GRPC_ROUTES)
    await asyncio.gather(changes(world, operators), guest(world), stays(world), taken(world))


async def count(world: World, stub: Stub) -> None:
    """Let the stand-in count what the routes send to each slot, for ever: a slot is drained when nothing is counted."""
    now: dict[str, tuple[int, int]] = {}
    while True:
        for model in map(world.model, MODELS):
            route = next(iter(model.routes("theirs" if model.name == "guest" else None)[-1:]), {})
            for weights in model.weights(route)[:1]:
                if now.get(model.name) != weights:
                    now[model.name] = weights
                    for slot, weight in zip("ab", weights, strict=True):
                        share = weight / sum(weights)
                        stub.change(NAMESPACE, f"{model.name}-{slot}", PER_SECOND * share, 0.0)
        await asyncio.sleep(0.2)


async def changes(world: World, operators: Operators) -> None:
    """A life of a ModelDeployment, with another leader in the middle."""
    iris = world.model("changes")
    await iris.apply(_spec(iris, "1"))
    await iris.until(promoted("1"))

    await iris.apply(_spec(iris, "2", rollout=validated(WAITS)))
    waits = await _job(iris)
    leader = await asyncio.to_thread(operators.until_led)
    await asyncio.to_thread(operators.kill_first)
    await asyncio.to_thread(operators.until_led, leader)

    await iris.apply(_spec(iris, "3", rollout=validated(PASSES)))
    await world.until_gone("Job", waits["metadata"]["name"])
    await iris.until(in_stage("half", "3"))
    await _promote(iris, "3")
    await world.eventually(lambda: _revisions(iris, ["3"]), "older revisions are pruned")

    await asyncio.gather(*(_act(iris, f"late-{number}", "Abort", "none") for number in range(ACTIONS)))
    await world.eventually(lambda: _few_answered(iris), "ten answered actions are left")

    parent = iris.spec("3")["spec"]["traffic"]["httpRoute"]
    grpc = {"grpcRoute": {"parentRefs": parent["parentRefs"], "hostnames": [iris.host]}}
    await iris.apply(_spec(iris, "3", traffic=grpc, rollout=BY_LATENCY))
    await world.until_gone("HTTPRoute", iris.name)
    await iris.apply(_spec(iris, "4", traffic=grpc, rollout=BY_LATENCY))
    await iris.until(in_stage("long", "4"))
    await _promote(iris, "4")
    await iris.apply(_spec(iris, "4"))
    await world.until_gone("GRPCRoute", iris.name)
    await iris.until(promoted("4"))


async def guest(world: World) -> None:
    """A finalizer, two weights by a patch, and the route left to its owner with all weight on stable."""
    iris = world.model("guest")
    await world.apply(route_of_others("theirs", [("guest-a", 10), ("guest-b", 0)], host=iris.host))
    await iris.serve("1", fake=True, traffic=iris.guest("theirs"))
    await iris.apply(iris.spec("2", fake=True, traffic=iris.guest("theirs"), rollout=LONG))
    await iris.until_shares(8, 2, "theirs")
    await world.delete("ModelDeployment", iris.name)
    await world.until_gone("ModelDeployment", iris.name)
    await iris.until_shares(10, 0, "theirs")


async def stays(world: World) -> None:
    """What serves loses its owner, and a candidate's pods go; the records lose theirs while all is well."""
    iris = world.model("stays")
    for version, rollout in (("1", None), ("2", LONG)):
        md = iris.spec(version, fake=True, rollout=rollout)
        md["spec"]["deletionPolicy"] = "Orphan"
        md["spec"]["retain"] = version == "2"
        await iris.apply(md)
        await iris.until(in_stage("long") if rollout else promoted(version))
    await world.delete("ModelDeployment", iris.name)
    await world.until_gone("ModelDeployment", iris.name)
    for kind, name in (("Service", "stays"), ("Service", "stays-a"), ("HTTPRoute", "stays")):
        live = await world.get(kind, name)
        assert live is not None, (kind, name)
        assert not live["metadata"].get("ownerReferences"), (kind, name)


async def taken(world: World) -> None:
    """What carries no label of ours is in no cache: it shows when ours cannot be created, and is read then."""
    iris = world.model("taken")
    first, second = _spec(iris, "1"), _spec(iris, "2", rollout=validated(WAITS))
    await iris.apply(first)
    await iris.until(promoted("1"))
    await iris.apply(second)
    job, revision = await _job(iris), await iris.revision("1")
    await world.delete("ModelDeployment", iris.name)
    for kind, one in (("ModelDeployment", first), ("ModelRevision", revision), ("Job", job)):
        await world.until_gone(kind, one["metadata"]["name"])

    await _create(world, "ModelRevision", {**revision, "metadata": {"name": revision["metadata"]["name"]}})
    containers = [{"name": "theirs", "image": "demo.local/theirs", "command": ["true"]}]
    spec = {"suspend": True, "template": {"spec": {"restartPolicy": "Never", "containers": containers}}}
    name = job["metadata"]["name"]
    await _create(world, "Job", {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": spec})

    await iris.apply(first)
    await iris.until(stalled("RouteConflict", "ModelRevision"))
    await world.delete("ModelRevision", revision["metadata"]["name"])
    # Nothing tells the operator that a name is free again; a change of the ModelDeployment makes it look.
    await iris.patch({"metadata": {"annotations": {"example.com/looked-at": "again"}}})
    await iris.until(promoted("1"))
    await iris.apply(second)
    await iris.until(stalled("RouteConflict", f"Job {name}"))


def _spec(iris: Model, version: str, **more: Any) -> Json:
    md = iris.spec(version, fake=True, **more)
    md["spec"]["revisionHistoryLimit"] = 0
    return md


async def _job(iris: Model) -> Json:
    """The Job of its stage, once it is there."""
    found: list[Json] = []

    async def there() -> bool:
        found[:] = await iris.world.list("Job", deployment=iris.name)
        return bool(found)

    await iris.world.eventually(there, f"{iris.name} has a Job")
    return found[0]


async def _promote(iris: Model, version: str) -> None:
    revision = await iris.revision(version)
    await _act(iris, f"promote-{version}", "Promote", revision["metadata"]["name"])
    await iris.until(promoted(version))


async def _act(iris: Model, name: str, action: str, revision: str) -> None:
    spec = {"deployment": iris.name, "action": action, "revision": revision, "actor": ME, "reason": "a story"}
    raw = {
        "apiVersion": "serin.dev/v1alpha1",
        "kind": "RolloutAction",
        "metadata": {"name": f"{iris.name}-{name}"},
        "spec": spec,
    }
    await _create(iris.world, "RolloutAction", raw)


async def _create(world: World, kind: str, raw: Json) -> None:
    raw["metadata"]["namespace"] = NAMESPACE
    await world.api.request("POST", PATHS[kind].format(NAMESPACE), raw)


async def _revisions(iris: Model, versions: list[str]) -> bool:
    found = await iris.world.list("ModelRevision", deployment=iris.name)
    return sorted(one["spec"]["model"]["version"] for one in found) == versions


async def _few_answered(iris: Model) -> bool:
    actions = [one for one in await iris.world.list("RolloutAction") if one["spec"]["deployment"] == iris.name]
    return len(actions) <= 10 and all((one.get("status") or {}).get("phase") for one in actions)
