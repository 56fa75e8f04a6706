"""Send until it has settled or the time is over; leave the short answer.

    pass        settled
    fail        nothing was ever answered, or the objective was not met: the candidate is at fault
    undecided   the request is wrong, or the latency never came to rest: somebody has to look

Each request has a connection of its own, so that behind a Service every pod gets some.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import aiohttp

from serin.warmup.asking import NoRequest, Request, from_metadata, path_of
from serin.warmup.settling import Settled, settled

Verdict = Literal["pass", "fail", "undecided"]

PAUSE_SECONDS = 0.5
"""After a request that was not answered."""
REFUSED = range(400, 500)
BUSY = 429


@dataclass(frozen=True, slots=True)
class Config:
    """What the operator asks for.

    url: of the candidate's Service. request: None to make one from the model's metadata. window: requests; the last
    one is compared with those before. within_seconds: for all of it. objective_seconds: for the median at the end, None
    for nothing.
    """

    revision: str
    url: str
    model: str
    request: Request | None
    window: int
    within_seconds: float
    timeout_seconds: float
    objective_seconds: float | None = None

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> Config:
        """Read what the Job was given.

        Raises:
            ValueError: a field is missing or of another type.
        """
        try:
            asked = raw.get("request")
            return cls(
                revision=str(raw["revision"]),
                url=str(raw["url"]).rstrip("/"),
                model=str(raw["model"]),
                request=Request(str(asked["path"]), asked.get("body")) if asked is not None else None,
                window=int(raw["window"]),
                within_seconds=float(raw["withinSeconds"]),
                timeout_seconds=float(raw["timeoutSeconds"]),
                objective_seconds=float(raw["objectiveSeconds"]) if raw.get("objectiveSeconds") is not None else None,
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"the configuration cannot be read: {type(error).__name__} {error}") from error


@dataclass(slots=True)
class _Tally:
    latencies: list[float] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)

    def __str__(self) -> str:
        """Say how it went: '12 answered; 3 times 503'."""
        said = [
            f"{len(self.latencies)} answered",
            *(f"{count} times {what}" for what, count in self.faults.most_common(3)),
        ]
        return "; ".join(said)


class _Refused(Exception):
    """The model does not take the request; asking on would only say so again."""


async def run(config: Config) -> dict[str, Any]:
    """Warm the candidate, and return the short answer."""
    tally = _Tally()
    try:
        async with asyncio.timeout(config.within_seconds), _session(config) as session:
            verdict, message = await _warm(config, session, tally)
    except TimeoutError:
        verdict, message = _late(config, tally)
    except (_Refused, NoRequest) as refusal:
        verdict, message = "undecided", str(refusal)
    gate = {"name": "warm", "verdict": verdict, "message": message}
    return {"revision": config.revision, "verdict": verdict, "gates": [gate]}


def _session(config: Config) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(force_close=True), timeout=aiohttp.ClientTimeout(total=config.timeout_seconds)
    )


async def _warm(config: Config, session: aiohttp.ClientSession, tally: _Tally) -> tuple[Verdict, str]:
    request = config.request or await _described(config, session, tally)
    while True:
        seconds = await _ask(session, "POST", config.url + request.path, tally, body=request.body)
        if seconds is None:
            continue
        tally.latencies.append(seconds[0])
        if len(tally.latencies) % config.window:
            continue  # looked at after each request, windows of a restless model would agree by chance at last
        state = settled(tally.latencies, config.window, config.objective_seconds)
        if isinstance(state, Settled):
            first, last = 1000 * state.first_seconds, 1000 * state.median_seconds
            return (
                "pass",
                f"the first answer took {first:.0f} ms, the last {config.window} {last:.3g} ms (median); {tally}",
            )


async def _described(config: Config, session: aiohttp.ClientSession, tally: _Tally) -> Request:
    while True:
        answer = await _ask(session, "GET", config.url + path_of(config.model), tally)
        if answer is not None:
            try:
                return from_metadata(config.model, json.loads(answer[1]))
            except (ValueError, RecursionError) as error:
                raise NoRequest(f"the metadata of {config.model} are no JSON; give the stage a request") from error


async def _ask(
    session: aiohttp.ClientSession, method: str, url: str, tally: _Tally, *, body: Any = None
) -> tuple[float, bytes] | None:
    """One request: seconds and body of the answer; None when there was none, after a pause.

    Raises:
        _Refused: 4xx but 429.
    """
    began = time.monotonic()
    try:
        async with session.request(method, url, json=body) as response:
            content = await response.read()
            if response.ok:
                return time.monotonic() - began, content
            if response.status in REFUSED and response.status != BUSY:
                said = content.decode(errors="replace").strip()[:200]
                raise _Refused(f"{method} {url} is answered with {response.status}: {said}")
            tally.faults[str(response.status)] += 1
    except TimeoutError:
        tally.faults["too late"] += 1
    except aiohttp.ClientError as error:
        tally.faults[type(error).__name__] += 1
    await asyncio.sleep(PAUSE_SECONDS)
    return None


def _late(config: Config, tally: _Tally) -> tuple[Verdict, str]:
    within = f"within {config.within_seconds:g} s"
    if not tally.latencies:
        return "fail", f"nothing was answered {within}: {tally}"
    whole = len(tally.latencies) // config.window * config.window
    state = settled(tally.latencies[:whole], config.window)
    if isinstance(state, Settled):
        assert config.objective_seconds is not None  # noqa: S101 - without an objective it would have passed
        limit, last = 1000 * config.objective_seconds, 1000 * state.median_seconds
        return "fail", f"steady at {last:.3g} ms (median), above the objective of {limit:g} ms; {tally}"
    return "undecided", f"not settled {within}: {state.words}; {tally}"
