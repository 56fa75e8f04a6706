"""Endpoints on loopback that serve and fail as a test wants, and the program run as a Job runs it."""

from __future__ import annotations

import asyncio
import json
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from aiohttp import web
from aiohttp.test_utils import TestServer

from serin.cli.main import main
from serin.evaluate.config import load_config
from serin.evaluate.output import folder_of
from serin.evaluate.report import Report, read_report
from tests.demo.model_server import IrisModel, Server, Settings

Json = dict[str, Any]
Answering = Callable[[Json], Any]
"""From a request's JSON to an answer's, or to a whole response."""

ANSWER = {"prediction": "species", "scores": "probabilities"}


@contextmanager
def served(application: web.Application) -> Iterator[str]:
    """An application on a port of its own in a thread of its own; its address."""
    loop = asyncio.new_event_loop()
    server = TestServer(application)
    ready = threading.Event()

    def serve() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(server.start_server())
        ready.set()
        loop.run_forever()
        loop.run_until_complete(server.close())
        loop.close()

    thread = threading.Thread(target=serve)
    thread.start()
    assert ready.wait(30)
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)


def iris(model: IrisModel, **settings: Any) -> web.Application:
    """The demo's model server."""
    server = Server(Settings(version="7", **settings), model, chance=random.Random(1))
    server.ready = True
    return server.application()


def answering(answer: Answering) -> web.Application:
    """An application that answers each POST so."""

    async def handle(request: web.Request) -> web.StreamResponse:
        found = answer(json.loads(await request.read()))
        if asyncio.iscoroutine(found):
            found = await found
        return found if isinstance(found, web.StreamResponse) else web.json_response(found)

    application = web.Application(client_max_size=1 << 28)
    application.router.add_post("/{path:.*}", handle)
    return application


def evaluated(folder: Path, config: Json, *arguments: str, code: int = 0) -> Report:
    """Run `serin evaluate` with a configuration; the report that stands then."""
    file = folder / "evaluation.yaml"
    file.write_text(yaml.safe_dump(config))
    output = folder / "reports"
    assert main(["evaluate", "--config", str(file), "--output", str(output), *arguments]) == code
    found = folder_of(output, config["revision"], load_config(file).digest())
    return read_report((found / "report.json").read_text())
