"""Pods that are only said to run: for thousands of them, on a machine that could not run a hundred.

A pod that may run for ever becomes Ready at once; one that shall end (a Job's) has succeeded at once, with
the termination message of its annotation `cluster.serin.dev/termination-message`, if any.
"""

from __future__ import annotations

import asyncio
import datetime as dt

import aiohttp

from tests.cluster.agent import status
from tests.cluster.agent.network import Addresses
from tests.cluster.agent.status import ContainerStatus, Running, Terminated
from tests.cluster.api import STRATEGIC, Api, ApiError, Object

ANNOTATION = "cluster.serin.dev/fake"
MESSAGE_ANNOTATION = "cluster.serin.dev/termination-message"
_WRITERS = 32
_RETRY_SECONDS = 0.5


class FakePods:
    """All fake pods of the node, served by a few writers from one queue."""

    def __init__(self, api: Api, addresses: Addresses) -> None:
        self._api = api
        self._addresses = addresses
        self._queue: asyncio.Queue[Object] = asyncio.Queue()
        self._ips: dict[str, str] = {}

    async def run(self) -> None:
        """Write for ever."""
        await asyncio.gather(*(self._write() for _ in range(_WRITERS)))

    def seen(self, pod: Object) -> None:
        """A pod is new, or shall end."""
        uid = pod["metadata"]["uid"]
        if pod["metadata"].get("deletionTimestamp"):
            self._queue.put_nowait(pod)
        elif uid not in self._ips:
            self._ips[uid] = (pod.get("status") or {}).get("podIP") or self._addresses.take()
            self._queue.put_nowait(pod)

    def gone(self, uid: str) -> None:
        """A pod has been deleted."""
        if ip := self._ips.pop(uid, None):
            self._addresses.give_back(ip)

    async def _write(self) -> None:
        while True:
            pod = await self._queue.get()
            try:
                await self._settle(pod)
            except ApiError as error:
                if error.status >= 500 or error.status == 429:
                    self._queue.put_nowait(pod)
            except (aiohttp.ClientError, TimeoutError, ConnectionError):
                await asyncio.sleep(_RETRY_SECONDS)
                self._queue.put_nowait(pod)

    async def _settle(self, pod: Object) -> None:
        metadata = pod["metadata"]
        path = f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}"
        if metadata.get("deletionTimestamp"):
            body = {"gracePeriodSeconds": 0, "preconditions": {"uid": metadata["uid"]}}
            await self._api.request("DELETE", path, body)
            return
        ip = self._ips.get(metadata["uid"])
        if ip and not (pod.get("status") or {}).get("podIP"):
            now = dt.datetime.now(dt.UTC)
            patch = {"metadata": {"uid": metadata["uid"]}, "status": fake_status(pod, ip, now)}
            await self._api.patch(f"{path}/status", patch, STRATEGIC)


def fake_status(pod: Object, ip: str, now: dt.datetime) -> Object:
    """What a real pod's status would have become."""
    ends = pod["spec"].get("restartPolicy") != "Always"
    message = (pod["metadata"].get("annotations") or {}).get(MESSAGE_ANNOTATION, "")
    ended = Terminated(0, "Completed", message, now, now)

    def said(spec: Object, *, over: bool) -> ContainerStatus:
        return ContainerStatus(
            spec["name"],
            spec.get("image", ""),
            state=ended if over else Running(now),
            ready=not over,
            started=not over,
        )

    mains = [said(spec, over=ends) for spec in pod["spec"]["containers"]]
    return status.render(
        phase="Succeeded" if ends else "Running",
        pod_ip=ip,
        started=now,
        conditions=status.Conditions((pod.get("status") or {}).get("conditions") or []),
        initialized=True,
        init_containers=[said(spec, over=True) for spec in pod["spec"].get("initContainers") or []],
        containers=mains,
        now=now,
    )
