"""A stand-in for Prometheus over real HTTP: Traefik's counters for slots, growing as told, and faults on request.

For what a real Prometheus cannot be made to do at will: hundreds of models with traffic but without pods, answers
that are empty, NaN, late or refused. It speaks just what Serin asks: `time()` and range selectors over Traefik's
series, by POST.

    stub = Stub()
    stub.serve("ml", "iris-a", Traffic(per_second=45, bad_fraction=0.0))
    url = await stub.start()
    stub.fault = "unavailable"          # 503 until set to None

Counters are functions of time, so a question about the past has the answer it would have had then.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
import sys
import time
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

from aiohttp import web

Json = dict[str, Any]
Fault = Literal["unavailable", "empty", "nan", "warning"]

SCRAPE_SECONDS = 1.0
EDGES_SECONDS = (0.1, 0.3, 1.2, 5.0)
TARGET = {"job": "traefik", "instance": "gateway:8082"}
_SELECTOR = re.compile(r"^\{(?P<matchers>.*)\}\[(?P<milliseconds>\d+)ms\]$", re.DOTALL)
_MATCHER = re.compile(r'(?P<label>\w+)(?P<operator>=~|!~|!=|=)"(?P<value>(?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True)
class Traffic:
    """What a slot has served: a rate from `since` on (seconds since the epoch), and what happened before.

    offset_total, offset_bad: counts from earlier rates, so that a change of rate is no reset.
    """

    per_second: float
    bad_fraction: float = 0.0
    since: float = 0.0
    offset_total: int = 0
    offset_bad: int = 0

    def counts(self, at: float) -> tuple[int, int]:
        """Total and bad requests at a time; whole numbers that never fall."""
        total = max(0.0, at - self.since) * self.per_second
        return self.offset_total + math.floor(total), self.offset_bad + math.floor(total * self.bad_fraction)


@dataclass(slots=True)
class Stub:
    """Slots and their traffic. born: the process of the stand-in gateway started then."""

    slots: dict[tuple[str, str], list[Traffic]] = field(default_factory=dict)
    fault: Fault | None = None
    born: float = field(default_factory=lambda: time.time() - 7200)
    requests: int = 0
    _runner: web.AppRunner | None = None

    def serve(self, namespace: str, service: str, traffic: Traffic) -> None:
        """Give a slot traffic from the beginning of its `since`, dropping what it had."""
        self.slots[namespace, service] = [traffic]

    def change(self, namespace: str, service: str, per_second: float, bad_fraction: float = 0.0) -> None:
        """Change a slot's rate from now on; its counters go on."""
        history = self.slots.setdefault((namespace, service), [])
        now = time.time()
        total, bad = history[-1].counts(now) if history else (0, 0)
        history.append(Traffic(per_second, bad_fraction, now, total, bad))

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> str:
        """Listen; returns the URL."""
        app = web.Application()
        app.router.add_route("*", "/api/v1/query", self._query)
        app.router.add_post("/change", self._change)
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, host, port)
        await site.start()
        return f"http://{host}:{self._runner.addresses[0][1]}"

    async def stop(self) -> None:
        """Listen no more."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _change(self, request: web.Request) -> web.Response:
        """`[[namespace, service, per_second, bad_fraction], ...]` from another process."""
        for namespace, service, per_second, bad_fraction in await request.json():
            self.change(namespace, service, per_second, bad_fraction)
        return web.Response()

    async def _query(self, request: web.Request) -> web.Response:
        self.requests += 1
        form = await request.post() if request.method == "POST" else request.query
        if self.fault == "unavailable":
            return web.json_response({"status": "error", "error": "shutting down"}, status=503)
        expression = str(form["query"])
        if expression == "time()":
            return _success({"resultType": "scalar", "result": [time.time(), repr(time.time())]})
        selector = _SELECTOR.match(expression)
        if selector is None:
            return web.json_response({"status": "error", "error": f"cannot parse {expression}"}, status=400)
        at, window = float(str(form["time"])), float(selector["milliseconds"]) / 1000
        result = [] if self.fault == "empty" else self._matrix(selector["matchers"], at - window, at)
        answer: Json = {"status": "success", "data": {"resultType": "matrix", "result": result}}
        if self.fault == "warning":
            answer["warnings"] = ["results truncated"]
        return web.json_response(answer, dumps=lambda value: json.dumps(value, separators=(",", ":")))

    def _matrix(self, matchers: str, begin: float, end: float) -> list[Json]:
        wanted = [
            (match["label"], match["operator"], match["value"].replace('\\"', '"').replace("\\\\", "\\"))
            for match in _MATCHER.finditer(matchers)
        ]
        times = _scrapes(max(begin, self.born), min(end, time.time()))
        series: list[Json] = []
        for metric in ("traefik_config_reloads_total", "process_start_time_seconds"):
            labels = {"__name__": metric, **TARGET}
            if _fits(labels, wanted):
                value = "1" if metric == "traefik_config_reloads_total" else repr(self.born)
                series.append({"metric": labels, "values": [[at, value] for at in times]})
        for (namespace, service), history in self.slots.items():
            base = {"service": service_label(namespace, service), "method": "POST", "protocol": "http", **TARGET}
            for labels, pick in _series(base):
                if _fits(labels, wanted):
                    values = [[at, self._text(pick(*_at(history, at)))] for at in times if at >= history[0].since]
                    if values and (pick(*_at(history, times[-1])) > 0 or labels.get("code") == "200"):
                        series.append({"metric": labels, "values": values})
        return series

    def _text(self, value: int) -> str:
        return "NaN" if self.fault == "nan" else str(value)


def service_label(namespace: str, service: str) -> str:
    """Traefik's name for a slot as a backend."""
    route = service.rpartition("-")[0]
    parents = f"httproute-{namespace}-{route}-gw-default-gw-ep-web-0-0123456789abcdef0123"
    return f"{parents}-svc-{namespace}-{service}-0@kubernetesgateway"


def _series(base: Json) -> list[tuple[Json, Any]]:
    name, latency = "traefik_service_requests_total", "traefik_service_request_duration_seconds_bucket"
    found: list[tuple[Json, Any]] = [
        ({"__name__": name, "code": "200", **base}, lambda total, bad: total - bad),
        ({"__name__": name, "code": "500", **base}, lambda _, bad: bad),
    ]
    edges = [*(f"{edge:g}" for edge in EDGES_SECONDS), "+Inf"]
    found += [({"__name__": latency, "code": "200", "le": edge, **base}, lambda total, _: total) for edge in edges]
    return found


def _at(history: list[Traffic], at: float) -> tuple[int, int]:
    current = next((traffic for traffic in reversed(history) if traffic.since <= at), history[0])
    return current.counts(at)


def _scrapes(begin: float, end: float) -> list[float]:
    first = math.floor(begin / SCRAPE_SECONDS) + 1
    return [number * SCRAPE_SECONDS for number in range(first, math.floor(end / SCRAPE_SECONDS) + 1)]


def _fits(labels: Json, wanted: list[tuple[str, str, str]]) -> bool:
    for label, operator, value in wanted:
        have = str(labels.get(label, ""))
        match operator:
            case "=":
                fits = have == value
            case "!=":
                fits = have != value
            case "=~":
                fits = _matches(value, have)
            case _:
                fits = not _matches(value, have)
        if not fits:
            return False
    return True


@lru_cache(maxsize=200_000)
def _matches(pattern: str, text: str) -> bool:
    """Whether a pattern fits; remembered, for Python's alternatives are slow where Prometheus's are a look-up."""
    return re.fullmatch(pattern, text) is not None


def _success(data: Json) -> web.Response:
    return web.json_response({"status": "success", "data": data})


async def _main(slots_json: str, port: int) -> None:
    """Serve what a file tells: [[namespace, service, per_second, bad_fraction], ...]."""
    stub = Stub()
    with open(slots_json, encoding="utf-8") as file:  # noqa: ASYNC230, PTH123 - once, before anything runs
        for namespace, service, per_second, bad_fraction in json.load(file):
            stub.serve(namespace, service, Traffic(per_second, bad_fraction, since=time.time() - 600))
    print(await stub.start(port=port), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], int(sys.argv[2])))
