"""Probes: when to ask, what an answer changes, and how to ask.

`Tracker` holds the rule and no clock; `watch` is the loop around it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp


@dataclass(frozen=True)
class Timing:
    """When a probe asks and how many equal answers it takes."""

    initial_delay_seconds: float
    period_seconds: float
    timeout_seconds: float
    success_threshold: int
    failure_threshold: int

    @staticmethod
    def of(probe: Mapping[str, Any]) -> Timing:
        """The timing of a probe; the API server has filled in the defaults."""
        return Timing(
            initial_delay_seconds=probe.get("initialDelaySeconds") or 0,
            period_seconds=probe.get("periodSeconds") or 10,
            timeout_seconds=probe.get("timeoutSeconds") or 1,
            success_threshold=probe.get("successThreshold") or 1,
            failure_threshold=probe.get("failureThreshold") or 3,
        )


@dataclass
class Tracker:
    """Turns answers into a state: it changes after so many equal answers in a row.

    Readiness begins as False and waits for successes; liveness begins as True and waits for failures; a
    start-up probe begins as None and waits for either.
    """

    timing: Timing
    state: bool | None
    _last: bool | None = None
    _in_a_row: int = 0

    def observe(self, answer: bool) -> bool:
        """Take one answer in; return whether the state changed."""
        self._in_a_row = self._in_a_row + 1 if answer == self._last else 1
        self._last = answer
        needed = self.timing.success_threshold if answer else self.timing.failure_threshold
        if self._in_a_row < needed or self.state == answer:
            return False
        self.state = answer
        return True


Check = Callable[[], Awaitable[str | None]]
"""Asks once: None when all is well, else what is wrong."""


async def watch(tracker: Tracker, check: Check, changed: Callable[[bool, str], None]) -> None:
    """Ask for ever and report each change of state with the last answer's words."""
    await asyncio.sleep(tracker.timing.initial_delay_seconds)
    while True:
        try:
            problem = await asyncio.wait_for(check(), tracker.timing.timeout_seconds)
        except TimeoutError:
            problem = f"no answer within {tracker.timing.timeout_seconds:g} s"
        if tracker.observe(problem is None) and tracker.state is not None:
            changed(tracker.state, problem or "")
        await asyncio.sleep(tracker.timing.period_seconds)


def check_of(
    probe: Mapping[str, Any],
    container: Mapping[str, Any],
    pod_ip: str,
    execute: Callable[[list[str]], Awaitable[int]],
) -> Check:
    """The way of asking that a probe describes."""
    if "httpGet" in probe:
        return lambda: _http(probe["httpGet"], container, pod_ip)
    if "tcpSocket" in probe:
        return lambda: _tcp(probe["tcpSocket"], container, pod_ip)
    if "exec" in probe:
        return lambda: _exec(probe["exec"]["command"], execute)
    return _unsupported


def port_of(named: int | str, container: Mapping[str, Any]) -> int:
    """A port by number or by the name the container gives it."""
    for port in container.get("ports") or []:
        if port.get("name") == named:
            return int(port["containerPort"])
    return int(named)


async def _http(get: Mapping[str, Any], container: Mapping[str, Any], pod_ip: str) -> str | None:
    scheme = (get.get("scheme") or "HTTP").lower()
    url = f"{scheme}://{get.get('host') or pod_ip}:{port_of(get['port'], container)}{get.get('path') or '/'}"
    headers = {"User-Agent": "kube-probe/1.35", **{h["name"]: h["value"] for h in get.get("httpHeaders") or []}}
    try:
        async with (
            # A connection of its own each time, as the kubelet does: a kept one hides a full accept queue.
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=False, force_close=True)) as session,
            session.get(url, headers=headers, allow_redirects=False) as response,
        ):
            return None if 200 <= response.status < 400 else f"HTTP {response.status}"
    except (aiohttp.ClientError, OSError) as error:
        return str(error) or type(error).__name__


async def _tcp(socket: Mapping[str, Any], container: Mapping[str, Any], pod_ip: str) -> str | None:
    try:
        _, writer = await asyncio.open_connection(socket.get("host") or pod_ip, port_of(socket["port"], container))
    except OSError as error:
        return str(error)
    writer.close()
    return None


async def _exec(command: list[str], execute: Callable[[list[str]], Awaitable[int]]) -> str | None:
    code = await execute(command)
    return None if code == 0 else f"exit code {code}"


async def _unsupported() -> str | None:
    return "the local cluster has no probes of this kind"
