"""Steady traffic, as a process of its own, with a record of every second and of every failure.

    python -m tests.demo.load --url http://10.244.0.254:8000 --host iris.example.com --rate 50 --out
    load.jsonl

Open loop: request k is sent at start + k / rate whatever became of the others, so a server that answers
slowly gets no rest and hides nothing. Connections are reused, nothing is retried. Every request is a good
one, so whatever is not a success (a 5xx, a 404 of the gateway, no connection, no answer in time) fails a
user. A bounded number of requests waits for an answer; one beyond the bound is not sent and counts as a
failure of status "overload".

Written to --out, one JSON object a line, flushed every second:

    {"kind": "second", "at": 1795306595, "arms": {"1": {"200": 45}, "2": {"200": 4, "500": 1}},
     "slow": {"2": 1}, "p50": 0.004, "p99": 0.031}
    {"kind": "first", "at": 1795306595.21, "arm": "2"}                       an arm's first answer
    {"kind": "failure", "at": 1795306601.02, "seconds": 0.004, "status": "500", "arm": "2", "body": "..."}
    {"kind": "totals", ...}                                                  at the end, also printed

The arm is the version that answers in `x-serin-version`; what never reached a model server has arm "".
`at` is when the request was SENT: that is the moment at which the gateway chose the arm.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import math
import signal
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import aiohttp

ARM_HEADER = "x-serin-version"
IN_FLIGHT_MAX = 1000
BODY_START = 200

ROWS = (
    (5.1, 3.5, 1.4, 0.2),
    (7.0, 3.2, 4.7, 1.4),
    (6.3, 3.3, 6.0, 2.5),
    (5.8, 2.7, 5.1, 1.9),
    (4.9, 3.1, 1.5, 0.1),
)


@dataclass(frozen=True)
class Plan:
    """What to send."""

    url: str
    host: str
    path: str = "/v2/models/iris/infer"
    rate: float = 50.0
    seconds_max: float = 3600.0
    timeout_seconds: float = 5.0
    slow_seconds: float = 0.3


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one request."""

    sent: float
    seconds: float
    status: str
    """The HTTP status, or "timeout", "connection", "overload"."""
    arm: str
    body: str = ""

    @property
    def failed(self) -> bool:
        """Whether a user saw a failure: no answer, or one that is not a success."""
        return not self.status.startswith("2")


@dataclass(slots=True)
class Second:
    """All requests that were sent within one second."""

    arms: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    slow: Counter[str] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)

    def add(self, answer: Answer, slow_seconds: float) -> None:
        """Count one answer."""
        self.arms[answer.arm][answer.status] += 1
        self.slow[answer.arm] += answer.seconds > slow_seconds
        self.latencies.append(answer.seconds)

    def line(self, at: int) -> dict[str, Any]:
        """Return the record of this second."""
        return {
            "kind": "second",
            "at": at,
            "arms": {arm: dict(statuses) for arm, statuses in self.arms.items()},
            "slow": {arm: count for arm, count in self.slow.items() if count},
            "p50": quantile(self.latencies, 0.5),
            "p99": quantile(self.latencies, 0.99),
        }


class Record:
    """Gathers answers, writes lines."""

    def __init__(self, out: IO[str], *, slow_seconds: float) -> None:
        self._out = out
        self._slow_seconds = slow_seconds
        self._open: dict[int, Second] = {}
        self._arms: set[str] = set()
        self.requests: Counter[str] = Counter()
        self.failures: Counter[str] = Counter()
        self.statuses: Counter[str] = Counter()

    def add(self, answer: Answer) -> None:
        """Take one answer in; failures and new arms are written at once."""
        self._open.setdefault(int(answer.sent), Second()).add(answer, self._slow_seconds)
        self.requests[answer.arm] += 1
        self.statuses[answer.status] += 1
        if answer.arm and answer.arm not in self._arms:
            self._arms.add(answer.arm)
            self._write({"kind": "first", "at": answer.sent, "arm": answer.arm})
        if answer.failed:
            self.failures[answer.arm] += 1
            self._write(
                {
                    "kind": "failure",
                    "at": answer.sent,
                    "seconds": round(answer.seconds, 4),
                    "status": answer.status,
                    "arm": answer.arm,
                    "body": answer.body,
                }
            )

    def flush(self, before: float = math.inf) -> None:
        """Write every second that ended before an instant; an answer that comes later makes another line."""
        for at in sorted(second for second in self._open if second + 1 <= before):
            self._write(self._open.pop(at).line(at))
        self._out.flush()

    def totals(self) -> dict[str, Any]:
        """Return what it came to."""
        return {
            "kind": "totals",
            "requests": self.requests.total(),
            "failures": self.failures.total(),
            "byArm": dict(self.requests),
            "failuresByArm": dict(self.failures),
            "statuses": dict(self.statuses),
        }

    def end(self) -> dict[str, Any]:
        """Write the rest and the totals."""
        self.flush()
        totals = self.totals()
        self._write(totals)
        self._out.flush()
        return totals

    def _write(self, line: dict[str, Any]) -> None:
        self._out.write(json.dumps(line, separators=(",", ":")) + "\n")


async def run(plan: Plan, record: Record, stop: asyncio.Event) -> None:
    """Send by the plan until told to stop or the time is over, then wait for the answers that are due."""
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=60)
    timeout = aiohttp.ClientTimeout(total=plan.timeout_seconds)
    bodies = [_body(row) for row in ROWS]
    pending: set[asyncio.Task[None]] = set()
    loop = asyncio.get_running_loop()
    start, wall = loop.time(), time.time()
    async with aiohttp.ClientSession(connector=connector, timeout=timeout, headers={"Host": plan.host}) as session:
        flushed = start
        for number in range(math.ceil(plan.seconds_max * plan.rate)):
            due = start + number / plan.rate
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), max(0.0, due - loop.time()))
            if stop.is_set():
                break
            if len(pending) < IN_FLIGHT_MAX:
                task = loop.create_task(_one(session, plan, bodies[number % len(bodies)], record))
                pending.add(task)
                task.add_done_callback(pending.discard)
            else:
                record.add(Answer(wall + due - start, 0.0, "overload", ""))
            if loop.time() - flushed >= 1:
                flushed = loop.time()
                # A second is written once most of its answers are in; stragglers get a line of their own.
                record.flush(before=time.time() - 1)
        if pending:
            await asyncio.wait(pending, timeout=plan.timeout_seconds + 1)


async def _one(session: aiohttp.ClientSession, plan: Plan, body: bytes, record: Record) -> None:
    sent, began = time.time(), time.perf_counter()
    status, arm, text = "connection", "", ""
    try:
        async with session.post(plan.url + plan.path, data=body) as response:
            arm = response.headers.get(ARM_HEADER, "")
            content = await response.read()
            status = str(response.status)
            if response.status >= 400:
                text = content[:BODY_START].decode(errors="replace")
    except TimeoutError:
        status = "timeout"
    except (aiohttp.ClientError, OSError) as error:
        text = f"{type(error).__name__}: {error}"[:BODY_START]
    record.add(Answer(sent, time.perf_counter() - began, status, arm, text))


def _body(row: Iterable[float]) -> bytes:
    tensor = {"name": "features", "shape": [1, 4], "datatype": "FP64", "data": list(row)}
    return json.dumps({"inputs": [tensor]}).encode()


def quantile(values: list[float], share: float) -> float | None:
    """Return the smallest value that at least `share` of the values do not exceed."""
    if not values:
        return None
    return round(sorted(values)[max(0, math.ceil(share * len(values)) - 1)], 5)


async def _until_signalled(plan: Plan, record: Record) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await run(plan, record, stop)


def main(arguments: list[str] | None = None) -> int:
    """Send until SIGTERM or the end of the time, print the totals."""
    parser = argparse.ArgumentParser(prog="python -m tests.demo.load", description="Steady open-loop traffic.")
    parser.add_argument("--url", required=True, help="where the gateway listens")
    parser.add_argument("--host", required=True, help="the host name of the route")
    parser.add_argument("--path", default=Plan.path)
    parser.add_argument("--rate", type=float, default=Plan.rate, help="requests per second (default 50)")
    parser.add_argument("--seconds", type=float, default=Plan.seconds_max, help="how long at most (default an hour)")
    parser.add_argument("--timeout", type=float, default=Plan.timeout_seconds, help="for one answer (default 5 s)")
    parser.add_argument("--slow", type=float, default=Plan.slow_seconds, help="count as slow above (default 0.3 s)")
    parser.add_argument("--out", type=Path, required=True, help="the record, JSON lines")
    options = parser.parse_args(arguments)
    plan = Plan(
        url=options.url.rstrip("/"),
        host=options.host,
        path=options.path,
        rate=options.rate,
        seconds_max=options.seconds,
        timeout_seconds=options.timeout,
        slow_seconds=options.slow,
    )
    with options.out.open("w") as out:
        record = Record(out, slow_seconds=plan.slow_seconds)
        asyncio.run(_until_signalled(plan, record))
        print(json.dumps(record.end()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
