"""Start a cluster and take it down; the launcher's side."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import secrets
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

import yaml

from tests.cluster import certificates, components, forward, namespaces, run_dirs, settings, tools
from tests.cluster.access import Access, State
from tests.cluster.errors import ClusterError, StartFailed
from tests.cluster.settings import COMPONENTS, AgentMode, AuditLevel, Forward, Settings

_DOWN_SECONDS_MAX = 10.0


class Cluster(Access):
    """A cluster of our own: up on entry, gone on exit.

    Args:
        name: Clusters of different names run side by side.
        components: Which parts to run; `API_ONLY` for a bare API server.
        agent: "processes" runs pods; "fake" only says that they are Ready, for thousands of them.
        scrape_interval_seconds: How often Prometheus scrapes everything.
        gpus: How many `nvidia.com/gpu` the node claims to have.
        audit: Write `audit.log` into the run dir, with this much about each request.
        admission_plugins: Of the API server, besides those that it has by default.
        restart_delay_seconds: The kubelet's back-off starts at 10 s; tests have less time.
        start_seconds_max: Give up after this; building programs does not count.
    """

    def __init__(
        self,
        name: str = "serin",
        *,
        components: Iterable[str] = COMPONENTS,
        agent: AgentMode = "processes",
        scrape_interval_seconds: float = 1.0,
        gpus: int = 0,
        audit: AuditLevel | None = None,
        admission_plugins: Iterable[str] = (),
        restart_delay_seconds: float = 1.0,
        start_seconds_max: float = 90.0,
    ) -> None:
        super().__init__(name)
        wanted = set(components)
        if unknown := wanted - set(COMPONENTS):
            raise ClusterError(f"unknown components {sorted(unknown)}; there are {', '.join(COMPONENTS)}")
        self._components = tuple(part for part in COMPONENTS if part in wanted or part in settings.API_ONLY)
        self._agent: AgentMode = agent
        self._scrape_interval_seconds = scrape_interval_seconds
        self._gpus = gpus
        self._audit: AuditLevel | None = audit
        self._admission_plugins = tuple(admission_plugins)
        self._restart_delay_seconds = restart_delay_seconds
        self._start_seconds_max = start_seconds_max
        self._unshare: subprocess.Popen[bytes] | None = None
        self._lock: int | None = None

    def __enter__(self) -> Self:
        self.up()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.down()

    def up(self) -> None:
        """Start, and return when every part is up.

        Raises:
            Unsupported: This machine cannot run it.
            ToolMissing: A program could not be had.
            NameTaken: One of this name is running.
            StartFailed: A part did not come up; its log is in the message.
        """
        isolation = namespaces.detect()
        programs = tools.ensure([*(part for part in self._components if part != "agent"), "kubectl"])
        crds = tools.gateway_api_crds() if "traefik" in self._components else []
        _, self._lock = run_dirs.claim(self.name)
        try:
            self._launch(isolation, programs, crds)
        except BaseException:
            self.down()
            raise

    def down(self) -> None:
        """End every process of the cluster and remove its files."""
        if self._unshare is not None:
            unshare, self._unshare = self._unshare, None
            if unshare.stdin:
                unshare.stdin.close()  # the supervisor's cue to leave
            try:
                unshare.wait(_DOWN_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                unshare.kill()
                unshare.wait()
            if unshare.stdout:
                unshare.stdout.close()
        if self._lock is not None:
            shutil.rmtree(self.run_dir, ignore_errors=True)
            os.close(self._lock)
            self._lock = None

    def wait(self) -> None:
        """Wait until the cluster ends by itself, which `down` from another terminal brings about."""
        if self._unshare is not None:
            self._unshare.wait()

    def _launch(self, isolation: namespaces.Isolation, programs: dict[str, Path], crds: list[Path]) -> None:
        (self.run_dir / "logs").mkdir()
        (self.run_dir / "pods").mkdir()
        certificates.write(self.run_dir, components.CERTIFICATE_NAMES, components.CERTIFICATE_ADDRESSES)
        tokens = {user: secrets.token_hex(16) for user in settings.USERS}
        self._write_tokens(tokens)
        inner_ports = (
            settings.API_PORT,
            settings.PROMETHEUS_PORT,
            settings.GATEWAY_PORT,
            settings.TRAEFIK_METRICS_PORT,
        )
        with contextlib.ExitStack() as stack:
            sockets = [stack.enter_context(forward.listen()) for _ in inner_ports]
            ports = [sock.getsockname()[1] for sock in sockets]
            self._write_kubeconfig(self.kubeconfig, f"https://127.0.0.1:{ports[0]}", tokens["admin"])
            self._write_kubeconfig(
                self.kubeconfig_inside, f"https://{settings.NODE_ADDRESS}:{settings.API_PORT}", tokens["admin"]
            )
            chosen = Settings(
                name=self.name,
                run_dir=str(self.run_dir),
                tools={name: str(path) for name, path in programs.items()},
                tokens=tokens,
                components=self._components,
                agent_mode=self._agent,
                scrape_interval_seconds=self._scrape_interval_seconds,
                gpus=self._gpus,
                audit=self._audit,
                admission_plugins=self._admission_plugins,
                restart_delay_seconds=self._restart_delay_seconds,
                gateway_crds=tuple(str(path) for path in crds),
                forwards=tuple(Forward(sock.fileno(), port) for sock, port in zip(sockets, inner_ports, strict=True)),
            )
            self._unshare = self._spawn(isolation, chosen, sockets)
        self._await_ready()
        supervisor_pid = namespaces.only_child(self._unshare)
        if supervisor_pid is None:
            raise StartFailed("the supervisor ended right after its start")
        State(
            launcher_pid=os.getpid(),
            supervisor_pid=supervisor_pid,
            user_namespace=isolation.user_namespace,
            api_port=ports[0],
            prometheus_port=ports[1],
            gateway_port=ports[2],
            traefik_metrics_port=ports[3],
            kubectl=str(programs["kubectl"]),
        ).save(self.run_dir)

    def _spawn(
        self, isolation: namespaces.Isolation, chosen: Settings, sockets: list[socket.socket]
    ) -> subprocess.Popen[bytes]:
        assert self._lock is not None, "a cluster is launched only under its lock"
        with (self.run_dir / "logs" / "supervisor.log").open("ab") as log:
            return subprocess.Popen(
                [*isolation.unshare(), sys.executable, "-m", "tests.cluster.supervisor", str(chosen.save())],
                env={**os.environ, **components.environment()},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                # unshare keeps the lock until the last process inside is dead.
                pass_fds=[self._lock, *(sock.fileno() for sock in sockets)],
                start_new_session=True,  # Ctrl-C is for the launcher, which takes its time to clean up
            )

    def _await_ready(self) -> None:
        assert self._unshare is not None
        assert self._unshare.stdout is not None
        stdout = self._unshare.stdout
        deadline = time.monotonic() + self._start_seconds_max
        pending = b""
        with selectors.DefaultSelector() as selector:
            selector.register(stdout, selectors.EVENT_READ)
            while True:
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise StartFailed(f"not up within {self._start_seconds_max:.0f} s; logs:\n{self._log_tails()}")
                chunk = os.read(stdout.fileno(), 1 << 16)
                if not chunk:
                    raise StartFailed(f"the supervisor ended:\n{self.component_log('supervisor')}")
                *lines, pending = (pending + chunk).split(b"\n")
                for line in lines:
                    event = json.loads(line)
                    if event["event"] == "ready":
                        return
                    if event["event"] == "failed":
                        raise StartFailed(event["message"])

    def _log_tails(self) -> str:
        return "\n".join(
            f"--- {file.stem}\n{file.read_text(errors='replace')[-1500:]}"
            for file in sorted((self.run_dir / "logs").glob("*.log"))
        )

    def _write_tokens(self, tokens: dict[str, str]) -> None:
        path = self.run_dir / "tokens.csv"
        path.touch(mode=0o600)
        path.write_text("".join(f"{token},{user},{user},system:masters\n" for user, token in tokens.items()))

    def _write_kubeconfig(self, path: Path, server: str, token: str) -> None:
        authority = base64.b64encode((self.run_dir / "ca.crt").read_bytes()).decode()
        name = f"serin-{self.name}"
        path.touch(mode=0o600)
        path.write_text(
            yaml.safe_dump(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "clusters": [
                        {"name": name, "cluster": {"server": server, "certificate-authority-data": authority}}
                    ],
                    "users": [{"name": name, "user": {"token": token}}],
                    "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
                    "current-context": name,
                }
            )
        )


def take_down(name: str) -> None:
    """Take down a cluster that another process launched; that process then removes the files."""
    state = Access(name).state
    with contextlib.suppress(ProcessLookupError):
        os.kill(state.supervisor_pid, signal.SIGKILL)
    deadline = time.monotonic() + _DOWN_SECONDS_MAX
    while run_dirs.is_alive(name):
        if time.monotonic() > deadline:
            raise ClusterError(f"cluster {name!r} is dead, but its launcher (pid {state.launcher_pid}) lives on")
        time.sleep(0.05)
    run_dirs.sweep()
