"""One container: start, watch, end, and what its status says meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp

from tests.cluster.agent import environment, memory, probes, quantity, volumes
from tests.cluster.agent.names import hosts_text
from tests.cluster.agent.network import PodNetwork
from tests.cluster.agent.objects import Reader
from tests.cluster.agent.status import ContainerStatus, Running, Terminated, Waiting
from tests.cluster.api import Object

_MESSAGE_BYTES_MAX = 4096
_MESSAGE_FROM_LOG_BYTES_MAX = 2048
_MESSAGE_FROM_LOG_LINES_MAX = 80
_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ")
"""What an image would bring; nothing else of the agent's own environment reaches a pod."""
_KILL_WAIT_SECONDS = 5.0
_LAUNCH = Path(__file__).with_name("launch.py")


class Container:
    """A container of a pod, over all its runs."""

    def __init__(
        self, spec: Mapping[str, Any], pod: Object, folder: Path, log: Path, changed: Callable[[], None]
    ) -> None:
        self.spec = spec
        self.status = ContainerStatus(spec["name"], spec.get("image", ""))
        self._pod = pod
        self._folder = folder
        self._log = log
        self._changed = changed
        self._process: asyncio.subprocess.Process | None = None
        self._environment: dict[str, str] = {}
        self._ip = ""
        self._killed_for_memory = False
        limit = ((spec.get("resources") or {}).get("limits") or {}).get("memory")
        self.memory_limit_bytes = int(quantity.parse(limit)) if limit else None
        self.has_started = asyncio.Event()
        """Set once it runs and its start-up probe, if any, has passed."""

    @property
    def pid(self) -> int | None:
        """Its first process, or None when it does not run."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def run(
        self, network: PodNetwork, folders: Mapping[str, Path], reader: Reader, watcher: memory.Watcher
    ) -> Terminated:
        """Run once, from start to end.

        Raises:
            ConfigError: It cannot be started as specified.
        """
        self._ip = network.ip
        await self._start(network, folders, reader)
        assert self._process is not None
        began = _now()
        self._say(state=Running(began))
        watcher.add(self)
        probing = asyncio.create_task(self._probe())
        try:
            code = await self._process.wait()
        finally:
            probing.cancel()
            watcher.discard(self)
        self._kill_rest()
        self.has_started.clear()
        ended = self._terminated(code, began)
        self._say(state=ended, ready=False, started=False)
        return ended

    def waits(self, reason: str, message: str = "") -> None:
        """It does not run, for this reason."""
        if isinstance(self.status.state, Terminated):
            self.status.last = self.status.state
        self._say(state=Waiting(reason, message), ready=False, started=False)

    def restarts(self) -> None:
        """It is about to run once more."""
        if isinstance(self.status.state, Terminated):
            self.status.last = self.status.state
        self.status.restarts += 1

    def was_running_before(self, earlier: Mapping[str, Any]) -> None:
        """Go on from what the API server says of it; the agent was restarted and took its processes along."""
        self.status.restarts = earlier.get("restartCount", 0)
        if "running" in (earlier.get("state") or {}):
            since = dt.datetime.fromisoformat(earlier["state"]["running"]["startedAt"])
            self.status.state = Terminated(137, "Error", "the node was restarted", since, _now())
            self.restarts()

    async def stop(self, grace_seconds: float) -> None:
        """The preStop hook, SIGTERM, and at the end of the grace period SIGKILL."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        deadline = asyncio.get_running_loop().time() + grace_seconds
        hook = (self.spec.get("lifecycle") or {}).get("preStop")
        if hook and grace_seconds > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._run_hook(hook), grace_seconds)
        self._signal(signal.SIGTERM if grace_seconds > 0 else signal.SIGKILL)
        try:
            # The kubelet gives two seconds after a hook that used up the whole grace period.
            left = deadline - asyncio.get_running_loop().time()
            await asyncio.wait_for(process.wait(), max(left, 2.0 if hook else 0.05))
        except TimeoutError:
            self.kill()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), _KILL_WAIT_SECONDS)

    def kill(self) -> None:
        """SIGKILL to the container and everything it started."""
        if self.pid is not None:
            for member in memory.tree(self.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(member, signal.SIGKILL)

    def out_of_memory(self) -> None:
        """It has passed its memory limit."""
        self._killed_for_memory = True
        self.kill()

    async def _start(self, network: PodNetwork, folders: Mapping[str, Path], reader: Reader) -> None:
        self._killed_for_memory = False
        sources = await reader.sources(self._pod["metadata"]["namespace"], environment.references(self.spec))
        own = environment.variables(self.spec, self._pod, network.ip, sources)
        self._environment = {key: os.environ[key] for key in _INHERITED if key in os.environ} | own
        message_file = self._folder / "termination-log"
        self._folder.mkdir(parents=True, exist_ok=True)
        message_file.write_bytes(b"")
        message_file.chmod(0o666)
        termination = {
            "source": str(message_file),
            "target": self.spec.get("terminationMessagePath") or "/dev/termination-log",
            "read_only": False,
        }
        hostname = self._pod["spec"].get("hostname") or self._pod["metadata"]["name"]
        hosts_file = self._folder / "hosts"
        own_names = f"127.0.0.1\tlocalhost\n{network.ip}\t{hostname}\n"
        hosts_file.write_text(hosts_text(own_names, self._folder.parents[2]))
        hosts = {"source": str(hosts_file), "target": "/etc/hosts", "read_only": False}
        instructions = {
            "command": environment.command(self.spec, own),
            "env": self._environment,
            "cwd": self.spec.get("workingDir") or "/",
            "hostname": hostname,
            "network": network.namespace,
            "mounts": [*volumes.mounts_of(self.spec, folders, own), termination, hosts],
            "message_file": str(message_file),
        }
        file = self._folder / "launch.json"
        file.write_text(json.dumps(instructions))
        with self._log.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", _LAUNCH, file),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _terminated(self, code: int, began: dt.datetime) -> Terminated:
        exit_code = 128 - code if code < 0 else code
        if self._killed_for_memory:
            reason, exit_code = "OOMKilled", 128 + signal.SIGKILL
        else:
            reason = "Completed" if exit_code == 0 else "Error"
        return Terminated(exit_code, reason, self._message(exit_code), began, _now())

    def _message(self, exit_code: int) -> str:
        with (self._folder / "termination-log").open("rb") as file:
            message = file.read(_MESSAGE_BYTES_MAX)
        if not message and exit_code != 0 and self.spec.get("terminationMessagePolicy") == "FallbackToLogsOnError":
            tail = self._log.read_bytes()[-_MESSAGE_FROM_LOG_BYTES_MAX:]
            message = b"".join(tail.splitlines(keepends=True)[-_MESSAGE_FROM_LOG_LINES_MAX:])
        return message.decode(errors="replace")

    async def _probe(self) -> None:
        """The start-up probe first; then liveness and readiness side by side."""
        startup = self.spec.get("startupProbe")
        if startup:
            passed = asyncio.Event()
            watching = asyncio.create_task(
                self._watch(startup, None, lambda good, why: passed.set() if good else self._unhealthy("Startup", why))
            )
            try:
                await passed.wait()
            finally:
                watching.cancel()
        self._say(started=True)
        self.has_started.set()
        kinds = []
        if readiness := self.spec.get("readinessProbe"):
            kinds.append(self._watch(readiness, False, lambda good, _: self._say(ready=good)))
        else:
            self._say(ready=True)
        if liveness := self.spec.get("livenessProbe"):
            kinds.append(
                self._watch(liveness, True, lambda good, why: None if good else self._unhealthy("Liveness", why))
            )
        await asyncio.gather(*kinds)

    async def _watch(self, probe: Mapping[str, Any], begins: bool | None, changed: Callable[[bool, str], None]) -> None:
        check = probes.check_of(probe, self.spec, self._ip, self._execute)
        await probes.watch(probes.Tracker(probes.Timing.of(probe), begins), check, changed)

    def _unhealthy(self, kind: str, why: str) -> None:
        """A probe has given up on the container: end it, so that the restart policy takes over."""
        with self._log.open("a") as log:
            log.write(f"[agent] {kind} probe failed: {why}\n")
        grace = self._pod["spec"].get("terminationGracePeriodSeconds")
        self._stopping = asyncio.create_task(self.stop(30 if grace is None else grace))

    async def _run_hook(self, hook: Mapping[str, Any]) -> None:
        if "exec" in hook:
            await self._execute(hook["exec"]["command"])
        elif "sleep" in hook:
            await asyncio.sleep(hook["sleep"]["seconds"])
        elif "httpGet" in hook:
            get = hook["httpGet"]
            url = f"http://{get.get('host') or self._ip}:{probes.port_of(get['port'], self.spec)}{get.get('path', '/')}"
            with contextlib.suppress(aiohttp.ClientError):
                async with aiohttp.ClientSession() as session, session.get(url):
                    pass

    async def _execute(self, command: Sequence[str]) -> int:
        """Run a command in the container: its network, its mounts, its environment."""
        if self.pid is None:
            return 1
        with self._log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *("nsenter", "--target", str(self.pid), "--net", "--mount", "--uts", "--", *command),
                env=self._environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=log,
            )
        try:
            return await process.wait()
        finally:
            if process.returncode is None:
                process.kill()

    def _signal(self, number: int) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, number)

    def _kill_rest(self) -> None:
        """End what the first process left behind in its session, as the end of a real container would."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)

    def _say(self, **fields: Any) -> None:
        before = self.status.render()
        for name, value in fields.items():
            setattr(self.status, name, value)
        if self.status.render() != before:
            self._changed()


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
