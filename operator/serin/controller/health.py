"""/healthz, /readyz and /metrics."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest

from serin.controller.config import Listen


class PortTaken(Exception):
    """Somebody else listens where health and metrics were to be answered."""


class Health:
    """A small HTTP server for the kubelet and Prometheus."""

    def __init__(self, listen: Listen, registry: CollectorRegistry, ready: Callable[[], bool]) -> None:
        """`ready` says whether the cache is filled."""
        self._listen, self._registry, self._ready = listen, registry, ready
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen; nowhere when the port is 0.

        Raises:
            PortTaken: nothing can listen there.
        """
        if not self._listen.port:
            return
        app = web.Application()
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._metrics)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._listen.host, self._listen.port).start()
        except OSError as error:
            where = f"{self._listen.host}:{self._listen.port}"
            raise PortTaken(
                f"listen.port: cannot listen on {where}: {error.strerror}; set another, or 0 for none"
            ) from error

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
