"""Asking an endpoint: batches in order, a few at a time, no faster than told, with attempts that end.

    rows -> encode -> [rate] -> POST -> parse -> decode, check -> answers, in the order of the rows
                      ^           |       |
                      '- again, later ----'  nobody there, late, 408, 425, 429, 499, 5xx, no JSON, nothing

Every attempt counts against the rate: an endpoint that says 429 is the last one to be asked faster. Another 4xx is not
asked again: the same rows would be refused the same way. No JSON is asked again, because the answer of a pod that is
killed ends in the middle, and without a Content-Length nothing else tells.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import aiohttp
import pyarrow as pa
from aiohttp.http_exceptions import ContentEncodingError

from serin.evaluate.answers import Answers, answers_of
from serin.evaluate.config import Config
from serin.evaluate.endpoints import Asking, Endpoint, sendable
from serin.evaluate.faults import Arm, Fault, Unfit
from serin.evaluate.protocols import decode, encode, parsed, path_of

_BACKOFF_SECONDS_MAX = 30.0
_ANSWERED = frozenset({200, 201, 203})
"""With a body. 201 is what some programs say to each POST, 203 what a proxy says that has rewritten the answer."""
_NOT_FOUND = frozenset({401, 403, 404, 405})
_LATE = 408
_NOT_NOW = frozenset({425, 429, 499})
"""Too early, too many, and what a proxy says when a connection went away: they speak of the moment, not of the rows."""
_TOO_LARGE = {
    413: "a request of asking.batchRows = {rows} rows is too large for it; ask for fewer",
    431: "the request's headers are too large for it, whatever asking.batchRows is; shorten the endpoint's headers",
}
"""What somebody has to change in the configuration."""
_SAID_MAX = 300
"""Characters of an endpoint's own words that are repeated."""


@dataclass(slots=True)
class Tally:
    """How an arm was asked.

    Attributes:
        requests: That were sent, further attempts included.
        retries: Further attempts.
        seconds: Time in which at least one was under way.
    """

    requests: int = 0
    retries: int = 0
    seconds: float = 0.0
    _under_way: int = 0
    _since: float = 0.0

    def begin(self) -> None:
        """A request goes out."""
        self.requests += 1
        if self._under_way == 0:
            self._since = time.monotonic()
        self._under_way += 1

    def end(self) -> None:
        """It is over."""
        self._under_way -= 1
        if self._under_way == 0:
            self.seconds += time.monotonic() - self._since


@dataclass(slots=True)
class Pace:
    """Rows by rate: a place in time for each batch, so that a pause is not made up for by a burst."""

    rows_per_second: float | None
    _free_at: float = 0.0

    def wait_seconds(self, rows: int, now: float) -> float:
        """How long a batch has to wait; the next one goes after it.

        >>> pace = Pace(100.0)
        >>> pace.wait_seconds(50, now=10.0), pace.wait_seconds(50, now=10.0), pace.wait_seconds(50, now=20.0)
        (0.0, 0.5, 0.0)
        """
        if self.rows_per_second is None:
            return 0.0
        start = max(now, self._free_at)
        self._free_at = start + rows / self.rows_per_second
        return start - now


@dataclass(slots=True)
class Asker:
    """One arm's endpoint, as an asynchronous context."""

    config: Config
    arm: Arm
    endpoint: Endpoint
    tally: Tally = field(default_factory=Tally)
    _pace: Pace = field(init=False)
    _places: asyncio.Semaphore = field(init=False)
    _session: aiohttp.ClientSession = field(init=False)

    async def __aenter__(self) -> Self:
        """Open connections lazily; proxies and .netrc of the environment are not for endpoints of a cluster."""
        asking = self.config.asking
        self._pace = Pace(asking.rows_per_second)
        self._places = asyncio.Semaphore(asking.in_flight)
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=asking.request_timeout.total_seconds()),
            connector=aiohttp.TCPConnector(limit=asking.in_flight),
            headers={"Content-Type": "application/json", **_headers(self.endpoint)},
            trust_env=False,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close them."""
        await self._session.close()

    async def ask(self, rows: pa.RecordBatch) -> Answers:
        """The arm's answers to some rows; its columns are the features.

        Raises:
            Unfit: with the arm: any of the endpoint's or the answer's faults.
        """
        try:
            # Before there is a place: the model is not to wait for it.
            body = encode(self.endpoint, rows)
            async with self._places:
                answer = await self._tried(body, rows.num_rows)
            said = decode(self.endpoint, answer, rows.num_rows)
            return answers_of(self.config, self.endpoint.answer, said, rows.num_rows)
        except Unfit as unfit:
            whose = None if unfit.fault is Fault.WRONG_COLUMNS else self.arm
            raise Unfit(unfit.fault, f"{self.arm}: {unfit}", arm=whose) from unfit

    async def _tried(self, body: bytes, rows: int) -> Any:
        asking, doubt = self.config.asking, None
        for attempt in range(1, asking.attempts + 1):
            wait = self._pace.wait_seconds(rows, time.monotonic())
            if wait > 0:
                await asyncio.sleep(wait)
            found = await self._once(body)
            if isinstance(found, bytes):
                try:
                    return parsed(found)
                except Unfit as unfit:
                    found = _Again(unfit.fault, str(unfit))
            # No JSON is what the endpoint means to say only if it never said anything else: beside a connection that
            # broke it is one more answer of a pod that is going away.
            doubt = found if found.fault is not Fault.ANSWER_MALFORMED else doubt
            if attempt == asking.attempts:
                told = doubt or found
                raise Unfit(told.fault, f"{told.message}, after {attempt} attempts")
            self.tally.retries += 1
            await asyncio.sleep(max(_backoff_seconds(asking, attempt), found.after_seconds))
        raise AssertionError("attempts is at least 1")

    async def _once(self, body: bytes) -> bytes | _Again:
        self.tally.begin()
        try:
            # Redirects would lead to an address that nobody gave.
            async with self._session.post(_url(self.endpoint), data=body, allow_redirects=False) as response:
                return await self._answered(response)
        except TimeoutError:
            limit = self.config.asking.request_timeout.total_seconds()
            return _Again(Fault.ENDPOINT_TIMED_OUT, f"no answer within {limit:g} s")
        except aiohttp.ClientError as error:
            return _Again(Fault.ENDPOINT_UNREACHABLE, f"{_url(self.endpoint)}: {error or type(error).__name__}")
        finally:
            self.tally.end()

    async def _answered(self, response: aiohttp.ClientResponse) -> bytes | _Again:
        status = response.status
        try:
            body = await self._body(response)
        except aiohttp.ClientPayloadError as error:
            # Any other one is a connection that broke.
            if not isinstance(error.__cause__, ContentEncodingError):
                raise
            if status in _ANSWERED:
                said = response.headers.get("Content-Encoding")
                return _Again(Fault.ANSWER_MALFORMED, f"the answer's Content-Encoding is {said}, and its body is not")
            body = bytearray()
        if status in _ANSWERED and body:
            return bytes(body)
        words = f"HTTP {status}: {_one_line(body)}"
        if 200 <= status < 300:
            return _Again(Fault.ANSWER_MALFORMED, f"{words}: no answer to these rows")
        if status == _LATE:
            return _Again(Fault.ENDPOINT_TIMED_OUT, words, _retry_after(response))
        if status in _NOT_NOW or status >= 500:
            return _Again(Fault.ENDPOINT_FAILED, words, _retry_after(response))
        if status in _TOO_LARGE:
            hint = _TOO_LARGE[status].format(rows=self.config.asking.batch_rows)
            raise Unfit(Fault.INVALID_CONFIG, f"{words}: {hint}")
        if status in _NOT_FOUND or status < 400:
            raise Unfit(Fault.ENDPOINT_NOT_FOUND, f"{words} from {_url(self.endpoint)}")
        raise Unfit(Fault.ENDPOINT_REFUSED, words)

    async def _body(self, response: aiohttp.ClientResponse) -> bytearray:
        limit = int(self.config.asking.answer_megabytes_max * 1e6)
        body = bytearray()
        async for part in response.content.iter_chunked(1 << 16):
            body += part
            if len(body) > limit:
                raise Unfit(Fault.ANSWER_MALFORMED, f"the answer is longer than {limit / 1e6:g} MB")
        return body


@dataclass(frozen=True, slots=True)
class _Again:
    """What may be tried once more."""

    fault: Fault
    message: str
    after_seconds: float = 0.0


def _backoff_seconds(asking: Asking, attempt: int) -> float:
    """Twice as long each time, 30 s at most."""
    return float(min(asking.backoff.total_seconds() * 2 ** (attempt - 1), _BACKOFF_SECONDS_MAX))


def _retry_after(response: aiohttp.ClientResponse) -> float:
    """What the endpoint asks for, as far as we go along."""
    said = response.headers.get("Retry-After", "")
    return min(float(said), _BACKOFF_SECONDS_MAX) if said.isdecimal() else 0.0


def _one_line(body: bytearray) -> str:
    text = " ".join(bytes(body[: 4 * _SAID_MAX]).decode("utf-8", "replace").split())
    return text[:_SAID_MAX] if text else "(no words)"


def _url(endpoint: Endpoint) -> str:
    url = endpoint.url
    return f"{url.scheme}://{url.host}:{url.port}{path_of(endpoint)}"


def _headers(endpoint: Endpoint) -> dict[str, str]:
    """With the environment's secrets in their places.

    Raises:
        Unfit: InvalidConfig: the environment has no such name, or a line break in it.
    """

    def of_environment(found: re.Match[str]) -> str:
        value = os.environ.get(found[1])
        if value is None:
            raise Unfit(Fault.INVALID_CONFIG, f"a header needs {found[1]} in the environment")
        if not sendable(value):
            # A secret that was made from a file often ends with a line break.
            raise Unfit(
                Fault.INVALID_CONFIG,
                f"{found[1]} of the environment holds a line break, and a header cannot: remove it",
            )
        return value

    return {name: re.sub(r"\$\{(\w+)\}", of_environment, value) for name, value in endpoint.headers.items()}
