"""One cluster, one operator, one namespace: all stories of this folder happen in it at the same time.

    @together
    async def test_something(world: World) -> None:
        iris = world.model("iris")
        await iris.apply(iris.spec("1"))
        await iris.until(promoted("1"))

A story waits far more than it works, so they run side by side, each with ModelDeployments of its own; what pytest
shows of one is how it ended and not how long it took. One that failed is told again when pytest runs its test again
(`--reruns`), about ModelDeployments of other names.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import copy
import functools
import json
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.cluster import Access
from tests.cluster.api import APPLY, Api, ApiError
from tests.demo import manifests
from tests.demo.stage import condition, is_true
from tests.demo.traffic import Traffic

Json = dict[str, Any]
Holds = Callable[[Json], bool]
Story = Callable[["World"], Awaitable[None]]

NAMESPACE = "lifecycle"
QUICK = "quick"
AT_ONCE_MAX = 10
WAIT_SECONDS_MAX = 150.0
REQUESTS_PER_SECOND = 15.0

WATCHED = ("ModelDeployment", "HTTPRoute")

_again: contextvars.ContextVar[bool] = contextvars.ContextVar("again", default=False)
"""Whether the story that runs is told for the second time."""

_MD = "/apis/serin.dev/v1alpha1/namespaces/{0}/modeldeployments"
PATHS = {
    "ModelDeployment": _MD,
    "ModelRevision": "/apis/serin.dev/v1alpha1/namespaces/{0}/modelrevisions",
    "RolloutAction": "/apis/serin.dev/v1alpha1/namespaces/{0}/rolloutactions",
    "RolloutPolicy": "/apis/serin.dev/v1alpha1/namespaces/{0}/rolloutpolicies",
    "HTTPRoute": "/apis/gateway.networking.k8s.io/v1/namespaces/{0}/httproutes",
    "Deployment": "/apis/apps/v1/namespaces/{0}/deployments",
    "Service": "/api/v1/namespaces/{0}/services",
    "Job": "/apis/batch/v1/namespaces/{0}/jobs",
    "Secret": "/api/v1/namespaces/{0}/secrets",
    "Pod": "/api/v1/namespaces/{0}/pods",
    "Event": "/apis/events.k8s.io/v1/namespaces/{0}/events",
}

GATES: list[Json] = [
    # Wide margins: these stories are about what happens, not about how little evidence can prove.
    {
        "name": "errors",
        "compare": {
            "what": "serverErrors",
            "margin": {"plus": "25pp", "ofStable": "0%", "max": "25pp"},
            "tolerance": "5pp",
        },
    },
    {"name": "pods", "hard": {"restarts": 1, "readyWithin": "60s"}},
]
STAGES: list[Json] = [
    {"name": "half", "canary": {"weight": 50, "soak": "2s"}},
    {"name": "bake", "bake": {"for": "2s", "holdback": 10}},
]
LONG_STAGES: list[Json] = [
    {"name": "long", "canary": {"weight": 20, "soak": "30m"}},
    {"name": "half", "canary": {"weight": 50, "soak": "30m"}},
]
"""A rollout that stays in canary until something else ends it."""

LONG: Json = {"gates": GATES, "stages": LONG_STAGES}


def together(story: Story) -> Story:
    """Make a test that runs beside all others of this folder."""

    @functools.wraps(story)
    async def wait(world: World) -> None:
        await world.told(story)

    wait.story = story  # type: ignore[attr-defined]
    return wait


def begins_first(story: Story) -> Story:
    """Mark a story that takes longer than the others: begun last, it would keep all waiting at the end."""
    story.begins_first = True  # type: ignore[attr-defined]
    return story


class NotSeen(AssertionError):
    """Something that was waited for did not happen; the message holds what was there instead."""


class Load:
    """Steady requests to one host from inside the cluster, and what became of them."""

    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic
        self._since = 0.0

    @property
    def failures(self) -> list[str]:
        """Every request that failed since `forget`."""
        found = self._traffic.failures(self._since)
        return [f"{one['at']:.1f} {one['status']} from {one['arm'] or 'the gateway'}" for one in found]

    @property
    def requests(self) -> int:
        """All requests so far."""
        return self._traffic.count().requests

    def of(self, version: str) -> int:
        """Return how many requests a version answered."""
        return self._traffic.count(arm=version).requests

    def forget(self) -> None:
        """Leave out the failures so far."""
        self._since = time.time()


class World:
    """What the stories share."""

    def __init__(self, cluster: Access, api: Api, folder: Path, alive: Callable[[], str | None]) -> None:
        self.cluster, self.api, self.folder = cluster, api, folder
        self._alive = alive
        self._slots = asyncio.Semaphore(AT_ONCE_MAX)
        self._tasks: dict[Any, asyncio.Task[None]] = {}
        self._waited_for: set[Any] = set()
        self._watches: list[asyncio.Task[None]] = []
        self._changed = asyncio.Condition()
        self.seen: dict[str, dict[str, list[Json]]] = defaultdict(lambda: defaultdict(list))
        """Every version of every object that the watches showed, by kind and name; {} where it was deleted."""
        self._written: dict[tuple[str, str], int] = {}

    async def start(self, items: Iterable[pytest.Item]) -> None:
        """Begin to watch, and begin all stories that were asked for."""
        for kind in WATCHED:
            self._watches.append(asyncio.create_task(self._watch(kind)))
        stories = [getattr(getattr(item, "function", None), "story", None) for item in items]
        for story in sorted(filter(None, stories), key=lambda one: not hasattr(one, "begins_first")):
            self._tasks[story] = asyncio.create_task(self._tell(story, again=False))

    async def stop(self) -> None:
        """End what still runs."""
        for task in (*self._tasks.values(), *self._watches):
            task.cancel()
        await asyncio.gather(*self._tasks.values(), *self._watches, return_exceptions=True)

    async def told(self, story: Story) -> None:
        """Wait for the end of a story; asked a second time, because it failed, tell it again."""
        if story in self._waited_for:
            self._tasks[story] = asyncio.create_task(self._tell(story, again=True))
        self._waited_for.add(story)
        await self._tasks[story]

    async def _tell(self, story: Story, *, again: bool) -> None:
        _again.set(again)  # of this task alone
        async with self._slots:
            await story(self)

    def model(self, name: str) -> Model:
        """Return a ModelDeployment that a story tells about; all other names of the story begin with its name."""
        return Model(self, f"{name}-2nd" if _again.get() else name)

    # --- objects ---------------------------------------------------------------------------------------------

    async def get(self, kind: str, name: str) -> Json | None:
        """Read an object, None when it is not there."""
        try:
            return await self.api.get(f"{PATHS[kind].format(NAMESPACE)}/{name}")
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    async def list(self, kind: str, **labels: str) -> list[Json]:
        """Read all objects of a kind that carry the labels (serin.dev/ is put before each)."""
        selector = ",".join(f"serin.dev/{key}={value}" for key, value in labels.items())
        query = {"labelSelector": selector} if selector else None
        found: list[Json] = (await self.api.request("GET", PATHS[kind].format(NAMESPACE), query=query))["items"]
        return found

    async def apply(self, *objects: Json) -> None:
        """Server-side apply, as a user does it."""
        for one in objects:
            metadata = one["metadata"]
            metadata["namespace"] = NAMESPACE
            path = f"{PATHS[one['kind']].format(NAMESPACE)}/{metadata['name']}"
            await self._shown(await self.api.apply(path, one))

    async def apply_as(self, manager: str, one: Json, *, force: bool) -> Json:
        """Server-side apply, as a tool does it."""
        metadata = one["metadata"]
        metadata["namespace"] = NAMESPACE
        path = f"{PATHS[one['kind']].format(NAMESPACE)}/{metadata['name']}"
        written = await self.api.patch(path, one, APPLY, fieldManager=manager, force=str(force).lower())
        return await self._shown(written)

    async def patch(self, kind: str, name: str, patch: Json) -> Json:
        """Merge patch, as somebody else does it."""
        return await self._shown(await self.api.patch(f"{PATHS[kind].format(NAMESPACE)}/{name}", patch))

    async def delete(self, kind: str, name: str) -> None:
        """Delete an object; what it owns follows."""
        body = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
        await self.api.request("DELETE", f"{PATHS[kind].format(NAMESPACE)}/{name}", body)

    async def kubectl(self, *arguments: str) -> str:
        """Run kubectl in the namespace."""
        return await asyncio.to_thread(self.cluster.kubectl, "--namespace", NAMESPACE, *arguments)

    async def until_gone(self, kind: str, name: str) -> None:
        """Wait until an object is not there."""
        await self.eventually(lambda: self._gone(kind, name), f"{kind} {name} is gone")

    async def _gone(self, kind: str, name: str) -> bool:
        return await self.get(kind, name) is None

    async def eventually(self, holds: Callable[[], Awaitable[bool]], what: str) -> None:
        """Ask again and again until it holds."""
        deadline = time.monotonic() + WAIT_SECONDS_MAX
        while not await holds():
            if time.monotonic() > deadline:
                raise NotSeen(f"not within {WAIT_SECONDS_MAX:.0f} s: {what}")
            await asyncio.sleep(0.5)

    # --- watching --------------------------------------------------------------------------------------------

    async def until(self, kind: str, name: str, holds: Holds, what: str) -> Json:
        """Wait until the watched object is as wanted: now, at some time from now on, or since the story wrote it.

        No version is left out: of two that came at once, the first may be the one that was waited for.
        """
        deadline = time.monotonic() + WAIT_SECONDS_MAX
        versions = self.seen[kind][name]
        next_one = self._written.pop((kind, name), max(0, len(versions) - 1))
        async with self._changed:
            while True:
                for version in versions[next_one:]:
                    if version and holds(version):
                        return version
                next_one = len(versions)
                if (ended := self._alive()) is not None:
                    raise NotSeen(f"the operator has ended while waiting for {what}\n{ended}")
                left = deadline - time.monotonic()
                if left <= 0:
                    newest = next(iter(versions[-1:]), {})
                    status = json.dumps(newest.get("status", newest.get("spec")), indent=1)[:3000]
                    raise NotSeen(f"{name}, not within {WAIT_SECONDS_MAX:.0f} s: {what}\n{status}")
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), min(left, 1.0))

    async def _shown(self, written: Json) -> Json:
        """Wait until the watch has come to what a story wrote, so that nothing from before it is taken for after it."""
        kind, name = written["kind"], written["metadata"]["name"]
        if kind in WATCHED:
            wanted = int(written["metadata"]["resourceVersion"])
            versions = self.seen[kind][name]

            def is_there(version: Json) -> bool:
                return bool(version) and int(version["metadata"]["resourceVersion"]) >= wanted

            async with self._changed:
                async with asyncio.timeout(WAIT_SECONDS_MAX):
                    await self._changed.wait_for(lambda: any(map(is_there, versions)))
            self._written[kind, name] = next(n for n, version in enumerate(versions) if is_there(version))
        return written

    async def _watch(self, kind: str) -> None:
        async for event, item in self.api.list_and_watch(PATHS[kind].format(NAMESPACE)):
            if not item:
                continue
            async with self._changed:
                item["seen_at"] = time.monotonic()
                self.seen[kind][item["metadata"]["name"]].append({} if event == "DELETED" else item)
                self._changed.notify_all()

    # --- traffic ---------------------------------------------------------------------------------------------

    @contextlib.asynccontextmanager
    async def load(self, host: str, rate: float = REQUESTS_PER_SECOND) -> AsyncIterator[Load]:
        """Send requests through the gateway for as long as the block lasts."""
        traffic = Traffic(self.cluster, self.folder / f"{host}.jsonl", rate=rate, host=host)
        try:
            yield Load(traffic)
        finally:
            await asyncio.to_thread(traffic.stop)

    async def answers(self, host: str) -> str:
        """Send one request, and return the version that answered it with 200."""
        url = f"{self.cluster.gateway_url}/v2/health/ready"
        async with aiohttp.ClientSession(headers={"Host": host}) as session, session.get(url) as response:
            assert response.status == 200, f"{host} answers {response.status}"
            return response.headers.get("x-serin-version", "")


class Model:
    """One ModelDeployment."""

    def __init__(self, world: World, name: str) -> None:
        self.world, self.name = world, name
        self.host = f"{name}.example.com"

    def spec(
        self,
        version: str,
        faults: Mapping[str, object] | None = None,
        *,
        fake: bool = False,
        scikit_learn: bool = False,
        rollout: Json | None = None,
        **more: Any,
    ) -> Json:
        """Return the ModelDeployment of one version.

        fake: its pods are only said to run. scikit_learn: they run the demo's model server.
        """
        md = manifests.model_deployment(
            version,
            faults,
            namespace=NAMESPACE,
            name=self.name,
            host=self.host,
            rollout=rollout or {"policyRef": {"name": QUICK}},
            **more,
        )
        template = md["spec"]["serving"]["template"]
        container = template["spec"]["containers"][0]
        if not scikit_learn:
            container["command"] = [sys.executable, str(Path(__file__).with_name("model.py"))]
        template["metadata"]["annotations"] = {"cluster.serin.dev/fake": "true"} if fake else {}
        template["spec"]["terminationGracePeriodSeconds"] = 15
        return copy.deepcopy(md)

    def its(self, what: str) -> str:
        """The name of what belongs to it: a slot's Service, a route of its own."""
        return f"{self.name}-{what}"

    def guest(self, route: str) -> Json:
        """Return spec.traffic for a route that others keep."""
        return {"httpRoute": {"ref": {"name": route}}}

    async def apply(self, md: Json) -> None:
        """Apply it, as a user does."""
        await self.world.apply(md)

    async def patch(self, patch: Json) -> None:
        """Change it, as a user does."""
        await self.world.patch("ModelDeployment", self.name, patch)

    async def until(self, holds: Holds, what: str = "") -> Json:
        """Wait until the ModelDeployment is as wanted."""
        return await self.world.until("ModelDeployment", self.name, holds, what or getattr(holds, "words", "?"))

    @property
    def history(self) -> list[Json]:
        """Every version of it that was seen."""
        return self.world.seen["ModelDeployment"][self.name]

    def routes(self, name: str | None = None) -> list[Json]:
        """Every version of its route that was seen."""
        return self.world.seen["HTTPRoute"][name or self.name]

    def shares(self, route: str | None = None) -> list[tuple[int, int]]:
        """Every pair of weights that its slots had, in order, repetitions left out."""
        found: list[tuple[int, int]] = []
        for one in self.routes(route):
            for pair in self.weights(one)[:1]:
                if not found or found[-1] != pair:
                    found.append(pair)
        return found

    def weights(self, route: Json) -> list[tuple[int, int]]:
        """The weights of the two slots, for each rule that has them."""
        pairs = []
        for rule in route.get("spec", {}).get("rules", []):
            by_name = {ref["name"]: ref.get("weight", 1) for ref in rule.get("backendRefs", [])}
            if f"{self.name}-a" in by_name and f"{self.name}-b" in by_name:
                pairs.append((by_name[f"{self.name}-a"], by_name[f"{self.name}-b"]))
        return pairs

    async def until_shares(self, a: int, b: int, route: str | None = None) -> None:
        """Wait until every rule of its route has these weights."""
        await self.world.until(
            "HTTPRoute",
            route or self.name,
            lambda one: bool(self.weights(one)) and set(self.weights(one)) == {(a, b)},
            f"weights {a}/{b}",
        )

    def is_as_applied(self, *applied: Json) -> None:
        """See that the operator has written nothing that a manifest says: Git would fight it.

        applied: what was applied, in order; each has made one generation, and nobody else has made one.
        """
        for one in filter(None, self.history):
            manifest = applied[one["metadata"]["generation"] - 1]
            kept = {key: one["metadata"].get(key, {}) for key in ("labels", "annotations")}
            assert kept == {key: manifest["metadata"].get(key, {}) for key in kept}
            entries = [entry for entry in one["metadata"]["managedFields"] if entry["manager"] == "serin"]
            owned = {key: fields for entry in entries for key, fields in entry["fieldsV1"].items()}
            assert set(owned) <= {"f:status", "f:metadata"}, owned
            assert set(owned.get("f:metadata", {})) <= {"f:finalizers"}, owned
        assert {one["metadata"]["generation"] for one in self.history if one} == set(range(1, len(applied) + 1))
        assert "serin" in {entry["manager"] for entry in self.history[-1]["metadata"]["managedFields"]}

    async def events(self, reason: str | None = None) -> list[str]:
        """The notes of its Events, oldest first."""
        found = [one for one in await self.world.list("Event") if one["regarding"]["name"] == self.name]
        found.sort(key=lambda one: one["eventTime"])
        return [f"{one['reason']}: {one['note']}" for one in found if reason in (None, one["reason"])]

    async def until_event(self, reason: str) -> str:
        """Wait for an Event, and return its words."""
        await self.world.eventually(lambda: self._has_event(reason), f"an Event {reason} about {self.name}")
        return (await self.events(reason))[-1]

    async def _has_event(self, reason: str) -> bool:
        return bool(await self.events(reason))

    async def until_pods(self, slot: str, count: int) -> None:
        """Wait until a slot has so many pods."""
        await self.world.eventually(lambda: self._has_pods(slot, count), f"{count} pods in slot {slot} of {self.name}")

    async def _has_pods(self, slot: str, count: int) -> bool:
        return len(await self.world.list("Pod", deployment=self.name, slot=slot)) == count

    async def serve(self, version: str = "1", **spec: Any) -> None:
        """Apply the first version, and wait until it serves."""
        await self.apply(self.spec(version, **spec))
        await self.until(promoted(version))

    async def until_answered_by(self, version: str) -> None:
        """Wait until the gateway has heard of what the route says, and a version answers."""

        async def answered() -> bool:
            try:
                return await self.world.answers(self.host) == version
            except AssertionError:  # nobody is there yet
                return False

        await self.world.eventually(answered, f"{version} answers for {self.host}")

    async def until_verdict(self, version: str, verdict: str) -> None:
        """Wait until the record of a version says how it ended: the weight comes first."""
        await self.world.eventually(lambda: self._has_verdict(version, verdict), f"{version} is recorded as {verdict}")

    async def _has_verdict(self, version: str, verdict: str) -> bool:
        return bool((await self.revision(version)).get("status", {}).get("verdict") == verdict)

    async def told_once(self, reason: str) -> None:
        """Wait for an Event, and see that there is no second one."""
        await self.until_event(reason)
        assert len(await self.events(reason)) == 1

    async def revision(self, version: str) -> Json:
        """The ModelRevision of a version."""
        found = await self.world.list("ModelRevision", deployment=self.name)
        return next(one for one in found if one["spec"]["model"]["version"] == version)


def _named(words: str, holds: Holds) -> Holds:
    holds.words = words  # type: ignore[attr-defined]
    return holds


def promoted(version: str) -> Holds:
    """Whether a version is stable, and the spec asks for it."""
    return _named(
        f"{version} is promoted",
        lambda md: (
            (md["status"].get("stable") or {}).get("version") == version
            and is_true(md, "Promoted")
            and md["status"].get("observedGeneration") == md["metadata"]["generation"]
        ),
    )


def in_stage(stage: str, version: str | None = None) -> Holds:
    """Whether a candidate is on trial in a stage."""
    return _named(
        f"stage {stage}",
        lambda md: (
            (md["status"].get("rollout") or {}).get("stage") == stage
            and version in (None, (md["status"].get("candidate") or {}).get("version"))
        ),
    )


def stalled(reason: str, *words: str) -> Holds:
    """Whether it is Stalled for a reason, with words."""

    def holds(md: Json) -> bool:
        found = condition(md, "Stalled")
        fresh = md["status"].get("observedGeneration") == md["metadata"]["generation"]
        said = found.get("message", "")
        return bool(
            fresh
            and found.get("status") == "True"
            and found.get("reason") == reason
            and all(word in said for word in words)
        )

    return _named(f"Stalled {reason} {words}", holds)


def waiting(reason: str, *words: str) -> Holds:
    """Whether the rollout holds for a reason, with words."""

    def holds(md: Json) -> bool:
        found = condition(md, "Reconciling")
        said = found.get("message", "")
        return found.get("reason") == reason and all(word in said for word in words)

    return _named(f"Reconciling {reason} {words}", holds)


def serving(md: Json, version: str) -> bool:
    """Whether a version is stable and Ready, whatever else is said."""
    return (md["status"].get("stable") or {}).get("version") == version and is_true(md, "Ready")


def route_of_others(name: str, *rules: Json | list[tuple[str, int]], host: str) -> Json:
    """Return a route that somebody keeps; a list of (Service, weight) is a rule that has nothing else."""
    whole = [
        rule
        if isinstance(rule, dict)
        else {"backendRefs": [{"name": service, "port": 8080, "weight": weight} for service, weight in rule]}
        for rule in rules
    ]
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": name},
        "spec": {"parentRefs": [{"name": "gw", "namespace": "default"}], "hostnames": [host], "rules": whole},
    }
