"""The real client against a server that speaks Prometheus's HTTP API, as well and as badly as it can."""

from __future__ import annotations

import asyncio
import json
import math
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from serin.api.reasons import Reason
from serin.metrics.hub import Hub, Want
from serin.metrics.meter import Meter
from serin.metrics.prometheus import MetricsUnavailable, PrometheusSource, QueryRejected
from serin.metrics.reading import ArmRef, Arms, CompareNeed, Outage
from serin.metrics.source import MetricSource

QUERY = 'x_total{service=~"a|b"}[90000ms]'


@dataclass
class Stub:
    """What the server answers, and what it was asked."""

    status: int = 200
    body: Any = None
    raw: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    delay_seconds: float = 0.0
    hook: Callable[[dict[str, str]], None] = lambda _: None
    url: str = ""
    asked: list[dict[str, str]] = field(default_factory=list)
    seen: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    """Method, path and headers of every request."""

    def answer(self, result: Any, kind: str = "matrix", **more: Any) -> None:
        """Answer with success from now on."""
        self.body = {"status": "success", "data": {"resultType": kind, "result": result}, **more}


@pytest.fixture
def stub() -> Iterator[Stub]:
    told = Stub()
    told.answer([])

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Quiet."""

        def _do(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            form = {key: values[0] for key, values in parse_qs(self.rfile.read(length).decode()).items()}
            told.seen.append((self.command, self.path, dict(self.headers)))
            told.asked.append(form)
            told.hook(form)
            time.sleep(told.delay_seconds)
            payload = told.raw if told.raw is not None else json.dumps(told.body).encode()
            self.send_response(told.status)
            for name, value in told.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        do_GET = do_POST = _do  # noqa: N815 - the library's names

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    told.url = f"http://127.0.0.1:{server.server_address[1]}/prometheus"
    yield told
    server.shutdown()
    server.server_close()
    thread.join()


def source(stub: Stub, **fields: Any) -> MetricSource:
    return MetricSource.model_validate({"url": stub.url, "timeoutSeconds": 2, **fields})


def ask(stub: Stub, query: str = QUERY, **fields: Any) -> Any:
    async def once() -> Any:
        client = PrometheusSource(source(stub, **fields))
        try:
            return await client.query(query, 1_700_000_000.0)
        finally:
            client.close()

    return asyncio.run(once())


def test_the_query_is_in_the_body_of_a_post(stub: Stub) -> None:
    """A selector of some hundred arms does not fit into a URL."""
    long = "x_total{service=~" + '"' + "|".join(f"service-{n}" for n in range(2000)) + '"}[90000ms]'
    ask(stub, long)
    ((method, path, _),) = stub.seen
    assert (method, path) == ("POST", "/prometheus/api/v1/query")
    assert stub.asked == [{"query": long, "time": "1700000000.000", "timeout": "2s"}]


def test_raw_samples_with_their_own_times(stub: Stub) -> None:
    """Numbers come as text, NaN and infinity among them."""
    values = [[1_699_999_970.123, "1"], [1_699_999_985.123, "NaN"], [1_700_000_000, "+Inf"]]
    stub.answer([{"metric": {"__name__": "x_total", "job": "j", "instance": "i"}, "values": values}])
    (series,) = ask(stub)
    assert series.times == (1_699_999_970.123, 1_699_999_985.123, 1_700_000_000.0)
    assert series.values[0] == 1
    assert math.isnan(series.values[1])
    assert series.values[2] == math.inf
    assert series.target == ("j", "i")


def test_no_series_is_an_answer(stub: Stub) -> None:
    """What it means is not the client's to say."""
    assert ask(stub) == []


def test_infos_are_hints(stub: Stub) -> None:
    """Prometheus marks doubts about metric names so; the answer is whole."""
    stub.answer([], infos=["metric might not be a counter"])
    assert ask(stub) == []


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"warnings": ["results truncated due to limit"]}, "in part: results truncated due to limit"),
        ({"isPartial": True}, "in part: some of its storage nodes are away"),
    ],
)
def test_a_partial_answer_is_none(stub: Stub, more: dict[str, Any], words: str) -> None:
    """A store that was away looks like fewer requests."""
    stub.answer([{"metric": {"__name__": "x_total"}, "values": [[1, "1"]]}], **more)
    with pytest.raises(MetricsUnavailable, match=words):
        ask(stub)


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (
            400,
            {"status": "error", "error": "1:9: parse error"},
            QueryRejected,
            "refuses the query .400.: 1:9: parse error",
        ),
        (422, {"status": "error", "error": "too many samples"}, QueryRejected, "refuses the query .422.: too many"),
        (401, {"error": "who are you"}, MetricsUnavailable, "refuses the credentials .401.: who are you"),
        (404, "not here", MetricsUnavailable, "answers 404"),
        (429, {"error": "slow down"}, MetricsUnavailable, "answers 429: slow down"),
        (503, {"status": "error", "error": "query timed out"}, MetricsUnavailable, "answers 503: query timed out"),
        (302, "", MetricsUnavailable, "answers 302"),
        (200, {"status": "error", "error": "odd"}, MetricsUnavailable, "not Prometheus's API: odd"),
        (200, "<html>login</html>", MetricsUnavailable, "not Prometheus's API"),
        (200, {"status": "success", "data": {"resultType": "vector", "result": []}}, MetricsUnavailable, "got vector"),
        (200, {"status": "success"}, MetricsUnavailable, "got NoneType"),
        (
            200,
            {"status": "success", "data": {"resultType": "matrix", "result": [{"values": [[1, "one"]]}]}},
            MetricsUnavailable,
            "in a form that Prometheus does not use",
        ),
    ],
)
def test_every_bad_answer_has_its_words(stub: Stub, status: int, body: Any, kind: type[Exception], words: str) -> None:
    """They go into a status that a user reads; only a refused query is the query's fault."""
    stub.status, stub.body = status, body
    with pytest.raises(MetricsUnavailable, match=words) as caught:
        ask(stub)
    assert type(caught.value) is kind
    assert len(stub.seen) == 1  # no retry, no redirect followed


@pytest.mark.parametrize("status", [200, 502])
def test_an_answer_that_is_nested_without_end_is_not_prometheus(stub: Stub, status: int) -> None:
    """A source that is away in words of its own must not end the look at the rollout."""
    stub.status, stub.raw = status, b"[" * 5000
    with pytest.raises(MetricsUnavailable, match=r"\[\[\["):
        ask(stub)


def test_a_server_that_never_answers_is_given_up(stub: Stub) -> None:
    """Once, after the time-out, not three times."""
    stub.delay_seconds = 1.0
    with pytest.raises(MetricsUnavailable, match=r"within 0\.3 s"):
        ask(stub, timeoutSeconds=0.3)
    assert len(stub.seen) == 1


def test_nobody_listens(stub: Stub) -> None:
    """The words name the fault, not the library's retry."""
    stub.url = "http://127.0.0.1:9/prometheus"
    with pytest.raises(MetricsUnavailable, match=r"cannot reach http://127.0.0.1:9/prometheus: .*refused"):
        ask(stub)


def test_what_a_kind_of_store_is_told(stub: Stub) -> None:
    """Thanos must not answer in part, and its tenant is a header."""
    ask(stub, kind="thanos", tenant="ml", headers={"X-Team": "b"})
    form, (_, _, headers) = stub.asked[0], stub.seen[0]
    assert form["partial_response"] == "false"
    assert (headers["THANOS-TENANT"], headers["X-Team"]) == ("ml", "b")


def test_a_token_is_read_anew_each_time(stub: Stub, tmp_path: Path) -> None:
    """It may be rotated; a missing file is said."""
    token = tmp_path / "token"
    for text in ("one", "two\n"):
        token.write_text(text)
        ask(stub, bearerTokenFile=str(token))
    assert [headers["Authorization"] for _, _, headers in stub.seen] == ["Bearer one", "Bearer two"]
    token.unlink()
    with pytest.raises(MetricsUnavailable, match="cannot read bearerTokenFile"):
        ask(stub, bearerTokenFile=str(token))


def test_surroundings_do_not_interfere(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy of the shell is not the operator's."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert ask(stub) == []


def test_the_source_has_the_clock(stub: Stub) -> None:
    """time() is the only clock that evidence goes by."""

    async def now() -> float:
        hub = Hub(source(stub))
        try:
            return await hub.now()
        finally:
            hub.close()

    stub.answer([1_700_000_001.5, "1700000001.5"], kind="scalar")
    assert asyncio.run(now()) == 1_700_000_001.5
    stub.answer([], kind="vector")
    with pytest.raises(MetricsUnavailable, match="answered time"):
        asyncio.run(now())


def test_the_event_loop_goes_on_while_a_source_is_slow(stub: Stub) -> None:
    """The library is synchronous; it must not hold up the operator."""
    stub.delay_seconds = 0.5

    async def both() -> int:
        client = PrometheusSource(source(stub))
        ticks = 0
        asked = asyncio.create_task(client.query(QUERY, 1.0))
        while not asked.done():
            await asyncio.sleep(0.01)
            ticks += 1
        client.close()
        return ticks

    assert asyncio.run(both()) > 10


def test_an_outage_has_the_sources_words(stub: Stub) -> None:
    """From a broken source to what a rollout is told."""
    stub.status, stub.body = 503, {"status": "error", "error": "TSDB not ready"}
    arms = Arms(ArmRef("ml", "iris-a", "r1"), ArmRef("ml", "iris-b", "r2"))

    async def once() -> object:
        hub = Hub(source(stub))
        wants = [Want(arms, [CompareNeed("errors", "serverErrors")], "auto", Meter.start(1_700_000_010.0))]
        try:
            return await hub.snapshot(1_700_000_025.0, wants)
        finally:
            hub.close()

    found = asyncio.run(once())
    assert isinstance(found, Outage)
    assert found.reason == Reason.METRICS_UNAVAILABLE
    assert "TSDB not ready" in found.message
