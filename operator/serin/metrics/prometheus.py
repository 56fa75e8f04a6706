"""Asks one Prometheus, and believes only whole answers.

Built on prometheus-api-client, whose requests are replaced, because it puts the query of a POST into the URL
(a selector of some hundred arms is too long for one), drops `warnings` and `isPartial` (a store that was away
then looks like fewer requests), has no time-out unless told, and retries thrice over seconds. It is
synchronous, so it runs in threads of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import requests
from prometheus_api_client import PrometheusConnect
from urllib3.util.retry import Retry

from serin.metrics.series import Series
from serin.metrics.source import MetricSource

__all__ = ["MetricsUnavailable", "PrometheusSource", "QueryRejected", "parse_matrix"]

_T = TypeVar("_T")

_THREADS = 4
_CONNECT_SECONDS_MAX = 3.0
_WORDS_MAX = 300


class MetricsUnavailable(Exception):
    """The source gave no usable answer: unreachable, too slow, an error of its own, a partial result."""


class QueryRejected(MetricsUnavailable):
    """The source understood and refused (400, 422): the query is wrong, and asking again will not help."""


class _Connection(PrometheusConnect):  # type: ignore[misc]  # the library has no types
    """The library's client with our own way of asking."""

    def __init__(self, source: MetricSource) -> None:
        session = requests.Session()
        # Neither proxies nor .netrc of whoever starts the operator: what is asked is what the configuration
        # says.
        session.trust_env = False
        session.verify = str(source.ca_file) if source.ca_file else True
        super().__init__(
            url=str(source.url).rstrip("/"),
            headers=source.all_headers,
            session=session,
            # A connection that was refused or had gone stale gets a second try; an answer never does.
            retry=Retry(total=1, connect=1, read=0, redirect=0, status=0, other=0, backoff_factor=0.1),
            timeout=source.timeout_seconds,
            method="POST",
        )
        self._source = source

    def custom_query(self, query: str, params: Mapping[str, Any] | None = None, timeout: float | None = None) -> Any:
        """Ask and return `data` of a whole answer.

        Raises:
            MetricsUnavailable: anything else came back, or nothing.
        """
        seconds = timeout or self._source.timeout_seconds
        try:
            response = self._session.post(
                f"{self.url}/api/v1/query",
                data={"query": query, "timeout": f"{seconds:g}s", **self._source.params, **(params or {})},
                headers={**(self.headers or {}), **self._authorization()},
                timeout=(min(_CONNECT_SECONDS_MAX, seconds), seconds),
                allow_redirects=False,
            )
        except requests.Timeout as error:
            raise MetricsUnavailable(f"no answer from {self.url} within {seconds:g} s") from error
        except requests.RequestException as error:
            raise MetricsUnavailable(f"cannot reach {self.url}: {_root(error)}") from error
        return _whole(response, self.url)

    def _authorization(self) -> dict[str, str]:
        path = self._source.bearer_token_file
        if path is None:
            return {}
        try:
            return {"Authorization": f"Bearer {path.read_text(encoding='utf-8').strip()}"}
        except OSError as error:
            raise MetricsUnavailable(f"cannot read bearerTokenFile {path}: {error.strerror}") from error


class PrometheusSource:
    """The asynchronous face of one source. Close it when done: it owns threads and connections."""

    def __init__(self, source: MetricSource) -> None:
        self.source = source
        self._connection = _Connection(source)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix=f"metrics-{source.name}")

    async def query(self, expression: str, time: float) -> list[Series]:
        """The raw samples that a range selector gives at `time` (seconds since the epoch).

        Raises:
            MetricsUnavailable: there was no whole answer; `QueryRejected` when the query is at fault.
        """
        return await self._run(self._query, expression, time)

    async def now(self) -> float:
        """The source's own time, seconds since the epoch: the only clock that evidence goes by.

        Raises:
            MetricsUnavailable: there was no whole answer.
        """
        return await self._run(self._now)

    def close(self) -> None:
        """Give threads and connections back. Queries under way end by their own time-out."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._connection.close()

    async def _run(self, call: Callable[..., _T], *args: Any) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call, *args)

    def _query(self, expression: str, time: float) -> list[Series]:
        return parse_matrix(self._connection.custom_query(expression, {"time": f"{time:.3f}"}))

    def _now(self) -> float:
        data = self._connection.custom_query("time()")
        try:
            return float(data["result"][1])
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise MetricsUnavailable(f"{self.source.url} answered time() with {str(data)[:_WORDS_MAX]}") from error


def parse_matrix(data: Any) -> list[Series]:
    """Series from the `data` of an answer to a range selector.

    Raises:
        MetricsUnavailable: it is something else.
    """
    if not isinstance(data, dict) or data.get("resultType") != "matrix":
        kind = data.get("resultType") if isinstance(data, dict) else type(data).__name__
        raise MetricsUnavailable(f"expected raw samples (a matrix), got {kind}")
    try:
        return [_series(one) for one in data["result"] if one.get("values")]
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise MetricsUnavailable(f"samples in a form that Prometheus does not use: {error}") from error


def _series(one: dict[str, Any]) -> Series:
    times, texts = zip(*one["values"], strict=True)
    # Numbers come as text ("NaN", "+Inf"); float() reads all of Prometheus's spellings.
    return Series(one["metric"], tuple(map(float, times)), tuple(map(float, texts)))


def _whole(response: requests.Response, url: str) -> Any:
    status = response.status_code
    try:
        body = response.json()
    except (ValueError, RecursionError):
        body = None
    words = str(body.get("error") or "") if isinstance(body, dict) else response.text.strip()[:_WORDS_MAX]
    words = " ".join(words.split())[:_WORDS_MAX]
    if status in (400, 422):
        raise QueryRejected(f"{url} refuses the query ({status}): {words}")
    if status in (401, 403):
        raise MetricsUnavailable(f"{url} refuses the credentials ({status}): {words}")
    if status != 200:
        raise MetricsUnavailable(f"{url} answers {status}: {words or response.reason}")
    if not isinstance(body, dict) or body.get("status") != "success":
        raise MetricsUnavailable(f"{url} answers something that is not Prometheus's API: {words or 'no JSON'}")
    warnings = body.get("warnings")
    if warnings:
        raise MetricsUnavailable(f"{url} answers in part: {'; '.join(map(str, warnings))[:_WORDS_MAX]}")
    if body.get("isPartial"):
        raise MetricsUnavailable(f"{url} answers in part: some of its storage nodes are away")
    return body.get("data")


def _root(error: BaseException) -> str:
    """The last cause, which names the fault; the outer ones name the library's retry."""
    inner: Any = error
    for _ in range(8):
        deeper = (
            getattr(inner, "reason", None)
            or inner.__cause__
            or next((arg for arg in getattr(inner, "args", ()) if isinstance(arg, BaseException)), None)
        )
        if not isinstance(deeper, BaseException) or deeper is inner:
            break
        inner = deeper
    return str(inner).rpartition(": ")[2] or type(inner).__name__
