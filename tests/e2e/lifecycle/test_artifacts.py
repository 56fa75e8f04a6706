"""Models that an init container fetches: what pins them, what refuses them, and what a store that is away stops."""

from __future__ import annotations

import asyncio
import hashlib
import io
import sys
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.cluster.process import Process
from tests.cluster.settings import NODE_ADDRESS
from tests.demo.stage import condition
from tests.e2e.lifecycle.test_actions import ME
from tests.e2e.lifecycle.world import (
    NAMESPACE,
    PATHS,
    Model,
    World,
    promoted,
    serving,
    stalled,
    together,
    waiting,
)

Json = dict[str, Any]


def archive(files: dict[str, bytes]) -> bytes:
    """A tar.gz of files, the same bytes each time."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return packed.getvalue()


class Store:
    """A web server inside the cluster that can be away, and counts what it was asked for."""

    def __init__(self, world: World, name: str, port: int) -> None:
        self.name, self._world, self._port = name, world, port
        self._folder = world.folder / f"store-{name}"
        self._folder.mkdir()
        self._log = world.folder / f"store-{name}.log"
        self._log.touch()
        self._process: Process | None = None
        self._digests: dict[str, str] = {}

    def put(self, version: str, content: bytes | None = None) -> None:
        """Keep the archive of a version under its name; what was pinned before stays pinned."""
        content = content or archive({"version": version.encode(), "weights.bin": bytes(range(256)) * 64})
        (self._folder / f"{version}.tar.gz").write_bytes(content)
        self._digests.setdefault(version, f"sha256:{hashlib.sha256(content).hexdigest()}")

    def start(self) -> None:
        """Answer from now on."""
        command = [sys.executable, "-m", "http.server", "--bind", NODE_ADDRESS, "--directory", self._folder, self._port]
        with self._log.open("ab") as log:
            self._process = self._world.cluster.popen([str(one) for one in command], stdout=log, stderr=log)

    def stop(self) -> None:
        """Be away."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None

    def downloads(self, version: str) -> int:
        """How often a version was sent."""
        return self._log.read_text().count(f'"GET /{version}.tar.gz')

    def spec(self, iris: Model, version: str, *, of: str | None = None, **more: Any) -> Json:
        """The ModelDeployment of a version whose files are those of version `of`."""
        md = iris.spec(version, **more)
        of = of or version
        md["spec"]["model"] |= {
            "uri": f"http://{NODE_ADDRESS}:{self._port}/{of}.tar.gz",
            "digest": self._digests[of],
            "fetch": {"cache": {"hostPath": {"path": str(self._world.folder / f"cache-{self.name}")}}},
        }
        return md


@contextmanager
def store_of(world: World, name: str, port: int) -> Iterator[Store]:
    """Run a store with versions 1 and 2 for as long as the block lasts."""
    store = Store(world, name, port)
    store.put("1")
    store.put("2")
    store.start()
    try:
        yield store
    finally:
        store.stop()


@together
async def test_fetched_versions_are_promoted_and_fetched_once(world: World) -> None:
    """Two replicas of each version, one download; what answers is what was in the archive."""
    iris = world.model("fetched")
    with store_of(world, iris.name, 18081) as store:
        await iris.apply(store.spec(iris, "1", replicas=2))
        await iris.until(promoted("1"))
        await iris.until_answered_by("1")
        async with world.load(iris.host) as load:
            await iris.apply(store.spec(iris, "2", replicas=2))
            await iris.until(promoted("2"))
            await iris.until_pods("a", 0)
        assert not load.failures, load.failures
        assert load.of("2") > 0
        assert [store.downloads(version) for version in ("1", "2")] == [1, 1]


@together
async def test_a_tampered_artifact_is_rejected_and_stable_serves_on(world: World) -> None:
    """The uri has other bytes than were pinned: ArtifactRefused, with the reason in words."""
    iris = world.model("tampered")
    with store_of(world, iris.name, 18082) as store:
        await iris.apply(store.spec(iris, "1"))
        await iris.until(promoted("1"))
        store.put("2", archive({"version": b"2", "weights.bin": b"somebody else's"}))
        async with world.load(iris.host) as load:
            await iris.apply(store.spec(iris, "2"))
            md = await iris.until(stalled("RolledBack", "ArtifactRefused", "DigestMismatch", "spec.model.digest"))
            assert serving(md, "1")
            assert md["status"]["outcome"]["reason"] == "ArtifactRefused"
            await iris.until_verdict("2", "Rejected")
            await iris.told_once("ArtifactRefused")
        assert not load.failures, load.failures
        assert load.of("2") == 0
        assert {b for _, b in iris.shares()} == {0}, "it never got traffic"


@together
async def test_a_store_that_is_down_holds_until_it_is_back(world: World) -> None:
    """ArtifactUnavailable is nobody's fault: longer than readyWithin, and then the rollout goes on by itself."""
    iris = world.model("store-down")
    with store_of(world, iris.name, 18083) as store:
        await iris.apply(store.spec(iris, "1"))
        await iris.until(promoted("1"))
        store.stop()
        async with world.load(iris.host) as load:
            await iris.apply(store.spec(iris, "2"))
            md = await iris.until(waiting("ArtifactUnavailable", "does not answer"))
            assert serving(md, "1")
            assert condition(md, "Promoted")["reason"] == "ArtifactUnavailable"
            await asyncio.sleep(max(0.0, 65.0 - (time.monotonic() - iris.history[-1]["seen_at"])))
            store.start()
            md = await iris.until(promoted("2"))
        assert not load.failures, load.failures
        await iris.until_verdict("2", "Stable")
        assert (await iris.revision("2"))["status"]["attempts"] == 1
        assert all(not condition(one, "Stalled") for one in iris.history if one)


@together
async def test_going_back_while_the_store_is_down_takes_the_cache(world: World) -> None:
    """The pods of version 1 are long gone; its files are on the node."""
    iris = world.model("from-cache")
    with store_of(world, iris.name, 18084) as store:
        await iris.apply(store.spec(iris, "1"))
        await iris.until(promoted("1"))
        async with world.load(iris.host) as load:
            await iris.apply(store.spec(iris, "2"))
            await iris.until(promoted("2"))
            await iris.until_pods("a", 0)
            store.stop()
            await iris.apply(store.spec(iris, "1"))
            md = await iris.until(promoted("1"))
            await iris.until_pods("b", 0)
        assert condition(md, "Promoted")["reason"] == "WentBack"
        assert not load.failures, load.failures
        await iris.until_answered_by("1")
        assert store.downloads("1") == 1


@together
async def test_a_rejected_digest_under_a_new_label_is_not_tried_again(world: World) -> None:
    """An archive that leaves its folder, rejected as 2 and asked for as 3: PreviouslyRejected, until Retry."""
    iris = world.model("relabelled")
    with store_of(world, iris.name, 18085) as store:
        store.put("evil", archive({"version": b"2", "../../escaped": b"!"}))
        await iris.apply(store.spec(iris, "1"))
        await iris.until(promoted("1"))
        await iris.apply(store.spec(iris, "2", of="evil"))
        await iris.until(stalled("RolledBack", "ArtifactRefused", "Unsafe"))
        await iris.until_verdict("2", "Rejected")
        downloads = store.downloads("evil")
        await iris.apply(store.spec(iris, "3", of="evil"))
        md = await iris.until(stalled("PreviouslyRejected", "spec.model.digest", "version 2"))
        assert serving(md, "1")
        assert store.downloads("evil") == downloads
        await _retry(iris, md["status"]["outcome"]["revision"])
        md = await iris.until(stalled("RolledBack", f"{iris.name}-3", "ArtifactRefused", "Unsafe"))
        assert serving(md, "1")
        await iris.until_verdict("3", "Rejected")
        assert not await asyncio.to_thread(lambda: list(world.folder.rglob("escaped")))


async def _retry(iris: Model, revision: str) -> None:
    spec = {"deployment": iris.name, "action": "Retry", "revision": revision, "actor": ME, "reason": "a story"}
    metadata = {"name": f"{iris.name}-again", "namespace": NAMESPACE}
    raw = {"apiVersion": "serin.dev/v1alpha1", "kind": "RolloutAction", "metadata": metadata, "spec": spec}
    await iris.world.api.request("POST", PATHS["RolloutAction"].format(NAMESPACE), raw)


# --- nobody has pinned them ----------------------------------------------------------------------------------------


@together
async def test_a_tag_that_moves_does_not_move_what_runs(world: World) -> None:
    """A uri without a digest is pinned once: a new pod gets the files of the first one, or none at all."""
    iris = world.model("floating")
    with store_of(world, iris.name, 18086) as store:
        store.put("latest", archive({"version": b"first"}))
        first = store.spec(iris, "1", of="latest")
        pinned = first["spec"]["model"].pop("digest")
        await iris.apply(first)
        await iris.until(promoted("1"))
        await iris.until_answered_by("first")
        assert (await iris.revision("1"))["status"]["artifact"]["digest"] == pinned
        assert "digest" not in (await iris.revision("1"))["spec"]["model"]

        store.put("latest", archive({"version": b"moved"}))
        (pod,) = await world.list("Pod", deployment=iris.name, slot="a")
        await world.delete("Pod", pod["metadata"]["name"])
        await world.until_gone("Pod", pod["metadata"]["name"])
        await world.eventually(lambda: _another_is_ready(iris, pod), "another pod is ready")
        await iris.until_answered_by("first")  # from the cache, by its digest

        second = store.spec(iris, "2", of="latest")
        del second["spec"]["model"]["digest"]
        async with world.load(iris.host) as load:
            await iris.apply(second)
            await iris.until(promoted("2"))
        assert not load.failures, load.failures
        await iris.until_answered_by("moved")  # another revision asks anew
        assert (await iris.revision("2"))["status"]["artifact"]["digest"] != pinned


async def _another_is_ready(iris: Model, before: Json) -> bool:
    pods = await iris.world.list("Pod", deployment=iris.name, slot="a")
    return any(
        pod["metadata"]["uid"] != before["metadata"]["uid"] and condition(pod, "Ready").get("status") == "True"
        for pod in pods
    )


@together
async def test_a_store_that_is_down_keeps_a_revision_from_being_pinned(world: World) -> None:
    """No pod before its files are known; the Job is tried again by itself, and stable serves on."""
    iris = world.model("unpinned-down")
    with store_of(world, iris.name, 18087) as store:
        await iris.apply(store.spec(iris, "1"))
        await iris.until(promoted("1"))
        store.stop()
        second = store.spec(iris, "2")
        pinned = second["spec"]["model"].pop("digest")
        async with world.load(iris.host) as load:
            await iris.apply(second)
            md = await iris.until(waiting("ArtifactUnavailable", "does not answer"))
            assert serving(md, "1")
            assert not await world.list("Pod", deployment=iris.name, slot="b")
            store.start()
            await iris.until(promoted("2"))
        assert not load.failures, load.failures
        assert (await iris.revision("2"))["status"]["artifact"]["digest"] == pinned
