"""A small asynchronous client of the API server, for the supervisor and the node agent.

The project's Kubernetes client would do, but it loads for a second, which every start of a cluster would
pay twice; here a request is a path and a dict.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp

Object = dict[str, Any]

MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
APPLY = "application/apply-patch+yaml"
_WATCH_SECONDS = 600
_EVENT_BYTES_MAX = 16 << 20


class ApiError(Exception):
    """The API server answered with an error."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status


class Api:
    """Requests with one user's token; connections are kept."""

    def __init__(self, url: str, token: str, ca_file: Path) -> None:
        self._url = url
        self._session = aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {token}"},
            connector=aiohttp.TCPConnector(ssl=ssl.create_default_context(cafile=str(ca_file)), limit=64),
            timeout=aiohttp.ClientTimeout(total=15),
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def get(self, path: str) -> Object:
        """Read one object or list."""
        return await self.request("GET", path)

    async def patch(self, path: str, body: object, kind: str = MERGE, **query: str) -> Object:
        """Change one object."""
        return await self.request("PATCH", path, body, kind, query)

    async def apply(self, path: str, body: Object) -> Object:
        """Create or update by server-side apply, as the owner of the cluster."""
        return await self.patch(path, body, APPLY, fieldManager="cluster", force="true")

    async def request(
        self,
        method: str,
        path: str,
        body: object = None,
        content_type: str = "application/json",
        query: Mapping[str, str] | None = None,
    ) -> Object:
        """One request.

        Raises:
            ApiError: The answer is not a success.
            aiohttp.ClientError: There was no answer.
            TimeoutError: The answer did not come in time.
        """
        async with self._session.request(
            method,
            self._url + path,
            data=None if body is None else json.dumps(body),
            headers={"Content-Type": content_type},
            params=query,
        ) as response:
            text = await response.text()
            if response.status >= 400:
                raise ApiError(response.status, text[:500])
            answer: Object = json.loads(text) if text.startswith("{") else {}
            return answer

    async def list_and_watch(self, path: str, **query: str) -> AsyncIterator[tuple[str, Object]]:
        """Every object as an ADDED event, then each change, for ever.

        After a lost connection it goes on from the last version seen; when that is too old for the API
        server, or a new server has never heard of it, it lists again. A listing starts with an event
        `("RESTART", {})`, because deletions may have been missed: what is not listed anew is gone.
        """
        version = ""
        while True:
            try:
                if not version:
                    listed = await self.request("GET", path, query=query)
                    yield "RESTART", {}
                    for item in listed["items"]:
                        yield "ADDED", item
                    version = listed["metadata"]["resourceVersion"]
                    yield "LISTED", {}
                async for kind, item in self._watch(path, query, version):
                    version = item["metadata"]["resourceVersion"]
                    if kind != "BOOKMARK":
                        yield kind, item
            except ApiError:
                version = ""
                await asyncio.sleep(0.5)
            except (aiohttp.ClientError, TimeoutError, ConnectionError):
                await asyncio.sleep(0.2)

    async def _watch(self, path: str, query: Mapping[str, str], version: str) -> AsyncIterator[tuple[str, Object]]:
        parameters = {
            **query,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(_WATCH_SECONDS),
        }
        async with self._session.get(
            self._url + path, params=parameters, timeout=aiohttp.ClientTimeout(total=None, sock_connect=5)
        ) as response:
            if response.status >= 400:
                raise ApiError(response.status, await response.text())
            pending = b""
            async for chunk in response.content.iter_any():
                *lines, pending = (pending + chunk).split(b"\n")
                if len(pending) > _EVENT_BYTES_MAX:
                    raise ApiError(500, "a watch event is larger than anything this client expects")
                for line in lines:
                    event = json.loads(line)
                    if event["type"] == "ERROR":
                        raise ApiError(event["object"].get("code", 500), event["object"].get("message", ""))
                    yield event["type"], event["object"]
