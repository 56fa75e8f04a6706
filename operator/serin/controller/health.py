"""/healthz, /readyz and /metrics."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest

from serin.controller.config import Listen


class Health:
    """A small HTTP server for the kubelet and Prometheus."""

    def __init__(self, listen: Listen, registry: CollectorRegistry, ready: Callable[[], bool]) -> None:
        """`ready` says whether the cache is filled."""
        self._listen, self._registry, self._ready = listen, registry, ready
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen; nowhere when the port is 0.

        Raises:
            OSError: the port is taken.
        """
        if not self._listen.port:
            return
        app = web.Application()
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._metrics)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._listen.host, self._listen.port).start()

    async def stop(self) -> None:
        """Listen no more."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _healthz(self, _: web.Request) -> web.Response:
        return web.Response(text="ok")  # answering at all is the proof: the event loop turns

    async def _readyz(self, _: web.Request) -> web.Response:
        return web.Response(text="ok") if self._ready() else web.Response(text="listing", status=503)

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=generate_latest(self._registry), content_type="text/plain")
