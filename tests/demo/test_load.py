"""The load generator: it keeps its schedule, retries nothing and loses no failure."""

from __future__ import annotations

import asyncio
import io
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.demo.load import ARM_HEADER, Answer, Plan, Record, quantile, run

Json = dict[str, Any]


@asynccontextmanager
async def server(answer: Any) -> AsyncIterator[str]:
    """Serve every path by one handler."""
    app = web.Application()
    app.router.add_post("/{path:.*}", answer)
    async with TestServer(app) as started:
        yield str(started.make_url("/")).rstrip("/")


async def send(url: str, **plan: Any) -> tuple[Json, list[Json]]:
    """Send by a plan; return totals and all lines."""
    out = io.StringIO()
    record = Record(out, slow_seconds=0.3)
    await run(Plan(url=url, host="iris.example.com", **plan), record, asyncio.Event())
    totals = record.end()
    return totals, [json.loads(line) for line in out.getvalue().splitlines()]


async def test_every_request_is_in_the_record() -> None:
    """Seconds, arms and totals agree; the arm is what the server says."""
    hosts = set()

    async def answer(request: web.Request) -> web.Response:
        hosts.add(request.host)
        return web.json_response({}, headers={ARM_HEADER: "2"})

    async with server(answer) as url:
        totals, lines = await send(url, rate=100, seconds_max=0.5)
    assert (totals["requests"], totals["failures"], totals["byArm"]) == (50, 0, {"2": 50})
    assert sum(line["arms"]["2"]["200"] for line in lines if line["kind"] == "second") == 50
    assert [line["arm"] for line in lines if line["kind"] == "first"] == ["2"]
    assert hosts == {"iris.example.com"}


async def test_slow_answers_do_not_slow_it_down() -> None:
    """Open loop: what was sent last has no say in when the next is sent."""
    arrivals: list[float] = []

    async def answer(request: web.Request) -> web.Response:
        arrivals.append(time.monotonic())
        await asyncio.sleep(0.6)
        return web.Response()

    async with server(answer) as url:
        totals, _ = await send(url, rate=50, seconds_max=0.5)
    assert totals["requests"] == 25
    assert arrivals[-1] - arrivals[0] < 0.6 + 0.5, "all were sent before the first ones were answered twice"


@pytest.mark.parametrize(("status", "failed"), [(200, False), (204, False), (500, True), (503, True), (404, True)])
async def test_what_is_not_a_success_is_a_failure(status: int, failed: bool) -> None:
    """Every request is a good one, so a 404 of the gateway fails a user as much as a 500 of the model."""

    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=status, text="" if status == 204 else "words", headers={ARM_HEADER: "3"})

    async with server(answer) as url:
        totals, lines = await send(url, rate=100, seconds_max=0.1)
    failures = [line for line in lines if line["kind"] == "failure"]
    assert (totals["failures"] == 10) == failed
    assert len(failures) == totals["failures"]
    assert all((line["status"], line["arm"], line["body"]) == (str(status), "3", "words") for line in failures)


async def test_no_answer_in_time_is_a_failure() -> None:
    """A server that hangs is given up on, and that is written down."""

    async def answer(request: web.Request) -> web.Response:
        await asyncio.sleep(30)
        return web.Response()

    async with server(answer) as url:
        totals, _ = await send(url, rate=50, seconds_max=0.1, timeout_seconds=0.2)
    assert totals["statuses"] == {"timeout": 5}
    assert totals["failuresByArm"] == {"": 5}


async def test_no_connection_is_a_failure() -> None:
    """Nobody listens: each request is one failure, and none is tried again."""
    totals, lines = await send("http://127.0.0.1:1", rate=50, seconds_max=0.1)
    assert totals["statuses"] == {"connection": 5}
    assert sum(line["kind"] == "failure" for line in lines) == 5


async def test_a_connection_cut_in_mid_answer_is_a_failure() -> None:
    """What arrives in part did not arrive."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100", ARM_HEADER: "2"})
        await response.prepare(request)
        await response.write(b"half")
        assert request.transport is not None
        request.transport.abort()
        return response

    async with server(answer) as url:
        totals, _ = await send(url, rate=50, seconds_max=0.1)
    assert totals["statuses"] == {"connection": 5}


def test_a_second_is_the_one_a_request_was_sent_in() -> None:
    """Answers that come late are told of in the second that chose their arm."""
    out = io.StringIO()
    record = Record(out, slow_seconds=0.3)
    record.add(Answer(sent=10.9, seconds=2.0, status="200", arm="1"))
    record.add(Answer(sent=11.1, seconds=0.1, status="500", arm="2", body="no"))
    record.flush(before=11.5)
    record.end()
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    seconds = {line["at"]: (line["arms"], line["slow"]) for line in lines if line["kind"] == "second"}
    assert seconds == {10: ({"1": {"200": 1}}, {"1": 1}), 11: ({"2": {"500": 1}}, {})}


@pytest.mark.parametrize(
    ("values", "share", "want"),
    [
        ([], 0.5, None),
        ([1.0], 0.99, 1.0),
        ([3.0, 1.0, 2.0], 0.5, 2.0),
        ([1.0, 2.0, 3.0, 4.0], 0.5, 2.0),
        ([1.0, 2.0], 1.0, 2.0),
    ],
)
def test_quantiles(values: list[float], share: float, want: float | None) -> None:
    """The smallest value that at least this share does not exceed."""
    assert quantile(values, share) == want
