"""Process 1 of a cluster: starts the parts, reaps, forwards, and dies as soon as its launcher does.

The launcher holds the other end of our standard input and never writes to it. Its end, however it came
about, is an end of file here; we exit, and the kernel ends everything in the pid namespace with us.

Standard output tells the launcher how the start goes, one JSON object a line. Afterwards a unix socket in
the run dir takes one request a connection, also JSON: {"do": "stop", "component": "prometheus"}.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import ssl
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from tests.cluster import components, forward, gateway, interior
from tests.cluster.api import Api, ApiError
from tests.cluster.settings import API_PORT, CONTROL_SOCKET, Settings

_POLL_SECONDS = 0.05
_STOP_SECONDS_MAX = 10.0
_LOG_TAIL_BYTES = 3000


@dataclass
class Part:
    """One component and its current process."""

    component: components.Component
    process: subprocess.Popen[bytes] | None = None
    """Signalled with os.kill only: Popen's own methods would collect its end before `_reap` sees it."""
    state: str = "stopped"
    """stopped, starting, running, paused, or exited (by itself, which is never right)."""
    exit_code: int | None = None
    up: asyncio.Event = field(default_factory=asyncio.Event)
    gone: asyncio.Event = field(default_factory=asyncio.Event)


class PartFailed(Exception):
    """A part ended instead of coming up."""


class Supervisor:
    """The parts by name, and what can be done to them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._parts = {name: Part(components.CATALOGUE[name]) for name in settings.components}
        self._gateway_up = asyncio.Event()
        self._end = asyncio.Event()
        self._by_pid: dict[int, Part] = {}

    async def run(self) -> None:
        """Start everything, then serve until the launcher is gone or says so."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGCHLD, self._reap)
        loop.add_signal_handler(signal.SIGTERM, self._end.set)
        loop.add_reader(sys.stdin.fileno(), self._end.set)  # readable only at its end
        control = await asyncio.start_unix_server(self._serve, self._settings.path / CONTROL_SOCKET)
        servers = [control, *await forward.serve(self._settings.forwards)]
        async with self._api() as api:
            starting = asyncio.ensure_future(self._start_all(api))
            ending = asyncio.ensure_future(self._end.wait())
            await asyncio.wait([starting, ending], return_when=asyncio.FIRST_COMPLETED)
            if starting.done():
                if error := starting.exception():
                    _tell(event="failed", message=str(error) or repr(error))
                else:
                    _tell(event="ready")
                await ending
        del servers

    def _api(self) -> Api:
        return Api(f"https://127.0.0.1:{API_PORT}", self._settings.tokens["admin"], self._settings.path / "ca.crt")

    async def _start_all(self, api: Api) -> None:
        tasks = [asyncio.create_task(self._start(part)) for part in self._parts.values()]
        if "traefik" in self._parts:
            tasks.append(asyncio.create_task(self._start_gateway(api)))
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()

    async def _start_gateway(self, api: Api) -> None:
        crds = gateway.load_crds(self._settings)
        await self._parts["kube-apiserver"].up.wait()
        started = time.monotonic()
        await gateway.apply(api, crds)
        self._gateway_up.set()
        _tell(event="started", component="gateway", seconds=round(time.monotonic() - started, 2))

    async def _start(self, part: Part) -> None:
        """Start one part and wait until it is up."""
        component = part.component
        for name in component.after:
            await (self._gateway_up if name == "gateway" else self._parts[name].up).wait()
        started = time.monotonic()
        self._spawn(part)
        await self._until_up(part)
        part.state = "running"
        part.up.set()
        _tell(event="started", component=component.name, seconds=round(time.monotonic() - started, 2))

    def _spawn(self, part: Part) -> None:
        with self._log(part).open("ab") as log:
            part.process = subprocess.Popen(
                part.component.command(self._settings),
                cwd=self._settings.path,
                env=os.environ | components.environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        part.state, part.exit_code = "starting", None
        part.gone.clear()
        self._by_pid[part.process.pid] = part
        self._reap()  # it may have ended before it was known

    async def _until_up(self, part: Part) -> None:
        url = part.component.ready_url
        certificates = ssl.create_default_context(cafile=str(self._settings.path / "ca.crt"))
        headers = {"Authorization": f"Bearer {self._settings.tokens['admin']}"}
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
            while True:
                if part.gone.is_set():
                    raise PartFailed(
                        f"{part.component.name} ended with exit code {part.exit_code}:\n{self._log_tail(part)}"
                    )
                if url is None:
                    return
                sent = headers if url.startswith("https") else {}
                with contextlib.suppress(aiohttp.ClientError, TimeoutError, OSError):
                    async with session.get(url, headers=sent, ssl=certificates) as response:
                        if response.status == 200:
                            return
                await asyncio.sleep(_POLL_SECONDS)

    def _log(self, part: Part) -> Path:
        return self._settings.path / "logs" / f"{part.component.name}.log"

    def _log_tail(self, part: Part) -> str:
        return self._log(part).read_bytes()[-_LOG_TAIL_BYTES:].decode(errors="replace")

    async def _stop(self, part: Part) -> None:
        if part.process is None or part.gone.is_set():
            part.state = "stopped"
            return
        part.state = "stopping"
        part.up.clear()
        os.kill(part.process.pid, signal.SIGTERM)
        os.kill(part.process.pid, signal.SIGCONT)  # a paused part would not see the other
        try:
            await asyncio.wait_for(part.gone.wait(), _STOP_SECONDS_MAX)
        except TimeoutError:
            os.kill(part.process.pid, signal.SIGKILL)
            await part.gone.wait()
        part.state = "stopped"

    def _reap(self) -> None:
        """Collect every ended child: the parts, and orphans, which all become ours as process 1."""
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                part = self._by_pid.pop(pid, None)
                if part is None or part.process is None:
                    continue
                part.exit_code = part.process.returncode = os.waitstatus_to_exitcode(status)
                if part.state != "stopping":
                    part.state = "exited"
                    part.up.clear()
                part.gone.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            answer = await self._obey(json.loads(await reader.readline()))
        except (PartFailed, ApiError, KeyError, ValueError) as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        writer.write(json.dumps(answer).encode() + b"\n")
        with contextlib.suppress(OSError):
            await writer.drain()
        writer.close()

    async def _obey(self, request: dict[str, str]) -> dict[str, Any]:
        what = request["do"]
        if what == "down":
            self._end.set()
        elif what == "status":
            return {
                name: {"state": part.state, "pid": part.process and part.process.pid, "exitCode": part.exit_code}
                for name, part in self._parts.items()
            }
        else:
            await self._act(what, self._parts[request["component"]])
        return {}

    async def _act(self, what: str, part: Part) -> None:
        alive = part.process is not None and not part.gone.is_set()
        match what:
            case "start" if not alive:
                await self._start(part)
            case "stop":
                await self._stop(part)
            case "pause" if alive and part.process:
                os.kill(part.process.pid, signal.SIGSTOP)
                part.state = "paused"
            case "resume" if alive and part.process:
                os.kill(part.process.pid, signal.SIGCONT)
                part.state = "running"
            case _:
                raise ValueError(f"cannot {what} {part.component.name}, which is {part.state}")


def _tell(**event: Any) -> None:
    # The launcher may have stopped listening; that is its business.
    with contextlib.suppress(OSError):
        line = json.dumps(event)
        print(line, flush=True)
        print(line, file=sys.stderr, flush=True)  # for supervisor.log


def main() -> None:
    """Furnish the namespaces and run until the end."""
    settings = Settings.load(sys.argv[1])
    try:
        interior.furnish(Path(settings.run_dir))
    except OSError as error:
        _tell(event="failed", message=f"the namespaces could not be furnished: {error}")
        sys.exit(1)
    asyncio.run(_run(settings))


async def _run(settings: Settings) -> None:
    await Supervisor(settings).run()
    os._exit(0)  # nothing is worth a tidy shutdown: the kernel ends the rest with us


if __name__ == "__main__":
    main()
