"""Run the node agent: one watch on the pods of its node, one task for each pod."""

from __future__ import annotations

import asyncio
import signal
import sys
import traceback

from tests.cluster.agent import fake, memory, network, node
from tests.cluster.agent.names import Names
from tests.cluster.agent.objects import Reader
from tests.cluster.agent.pod import Node, Pod
from tests.cluster.api import Api, Object
from tests.cluster.settings import NODE_NAME, Settings

_LEAVE_SECONDS_MAX = 5.0


class Agent:
    """The pods of the node by uid."""

    def __init__(self, api: Api, settings: Settings) -> None:
        self._fake_only = settings.agent_mode == "fake"
        self._fakes = fake.FakePods(api, network.fake_addresses())
        self._memory = memory.Watcher()
        self._names = Names(api, settings.path)
        self._api = api
        self._node = Node(
            api=api,
            reader=Reader(api),
            addresses=network.real_addresses(),
            memory=self._memory,
            run_dir=settings.path,
            restart_delay_seconds=settings.restart_delay_seconds,
        )
        self._pods: dict[str, Pod] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._listed: set[str] | None = None

    async def run(self) -> None:
        """Watch for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._memory.run())
            tasks.create_task(self._fakes.run())
            tasks.create_task(self._names.run())
            tasks.create_task(self._watch())

    async def _watch(self) -> None:
        async for kind, pod in self._api.list_and_watch("/api/v1/pods", fieldSelector=f"spec.nodeName={NODE_NAME}"):
            match kind:
                case "RESTART":
                    self._listed = set()
                case "LISTED":
                    # Deleted while nobody watched.
                    for uid in set(self._pods) - (self._listed or set()):
                        self._pods[uid].gone()
                    self._listed = None
                case "DELETED":
                    self._gone(pod["metadata"]["uid"])
                case _:
                    self._seen(pod)

    def _seen(self, pod: Object) -> None:
        uid = pod["metadata"]["uid"]
        if self._listed is not None:
            self._listed.add(uid)
        annotations = pod["metadata"].get("annotations") or {}
        if self._fake_only or annotations.get(fake.ANNOTATION) == "true":
            self._fakes.seen(pod)
            return
        if uid not in self._pods:
            finished = (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed")
            if finished and not pod["metadata"].get("deletionTimestamp"):
                return  # it ended before this agent started
            self._pods[uid] = Pod(self._node, pod)
            self._tasks[uid] = asyncio.create_task(self._run(uid, self._pods[uid]))
        self._pods[uid].seen(pod)

    def _gone(self, uid: str) -> None:
        self._fakes.gone(uid)
        if uid in self._pods:
            self._pods[uid].gone()

    async def _run(self, uid: str, pod: Pod) -> None:
        try:
            await pod.run()
        except Exception:  # noqa: BLE001 - one broken pod must not take the others along
            traceback.print_exc()
        finally:
            self._pods.pop(uid, None)
            self._tasks.pop(uid, None)

    async def leave(self) -> None:
        """Kill every container without a word to the API server, like a machine that loses power."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.wait([*tasks, asyncio.ensure_future(asyncio.sleep(0))], timeout=_LEAVE_SECONDS_MAX)


async def _main(settings: Settings) -> None:
    if sys.version_info < (3, 12):
        # The default watcher of Python 3.11 starts a thread for each process.
        watcher = asyncio.PidfdChildWatcher()
        watcher.attach_loop(asyncio.get_running_loop())
        asyncio.set_child_watcher(watcher)
    end = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, end.set)
    async with Api(settings.api_url, settings.tokens["agent"], settings.path / "ca.crt") as api:
        await node.register(api, settings.gpus)
        agent = Agent(api, settings)
        running = asyncio.create_task(agent.run())
        ending = asyncio.create_task(end.wait())
        await asyncio.wait([running, ending], return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
        await agent.leave()


if __name__ == "__main__":
    asyncio.run(_main(Settings.load(sys.argv[1])))
