"""What can be done with a cluster that runs, whoever started it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

from tests.cluster import run_dirs
from tests.cluster.errors import ClusterError
from tests.cluster.namespaces import Isolation
from tests.cluster.process import Process
from tests.cluster.settings import CONTROL_SOCKET, GATEWAY_PORT, NODE_ADDRESS, PROMETHEUS_PORT

_CONTROL_SECONDS_MAX = 90.0
_STATE_FILE = "state.json"

Stream = int | IO[Any] | None


@dataclass(frozen=True)
class State:
    """What another process must know to use a cluster; kept in its run dir."""

    launcher_pid: int
    supervisor_pid: int
    user_namespace: bool
    api_port: int
    prometheus_port: int
    gateway_port: int
    traefik_metrics_port: int
    kubectl: str

    def save(self, run_dir: Path) -> None:
        """Write it all at once, so that nobody reads half of it."""
        scratch = run_dir / (_STATE_FILE + ".part")
        scratch.write_text(json.dumps(asdict(self)))
        scratch.rename(run_dir / _STATE_FILE)

    @staticmethod
    def load(run_dir: Path) -> State:
        """Read what `save` wrote."""
        return State(**json.loads((run_dir / _STATE_FILE).read_text()))


class Access:
    """A running cluster."""

    prometheus_url_inside = f"http://{NODE_ADDRESS}:{PROMETHEUS_PORT}"
    gateway_url_inside = f"http://{NODE_ADDRESS}:{GATEWAY_PORT}"

    def __init__(self, name: str) -> None:
        self.name = name
        self.run_dir = run_dirs.run_dir_of(name)

    @property
    def state(self) -> State:
        """Ports and pids.

        Raises:
            ClusterError: The cluster is not up.
        """
        if not run_dirs.is_alive(self.name):
            raise ClusterError(f"no cluster named {self.name!r} is running")
        try:
            return State.load(self.run_dir)
        except FileNotFoundError:
            raise ClusterError(f"cluster {self.name!r} is still starting") from None

    @property
    def kubeconfig(self) -> Path:
        """For programs on the host."""
        return self.run_dir / "kubeconfig"

    @property
    def kubeconfig_inside(self) -> Path:
        """For programs inside; `popen` sets KUBECONFIG to it."""
        return self.run_dir / "kubeconfig-inside"

    @property
    def prometheus_url(self) -> str:
        """Prometheus, from the host."""
        return f"http://127.0.0.1:{self.state.prometheus_port}"

    @property
    def gateway_url(self) -> str:
        """The entry point that routes of the Gateway `default/gw` answer on, from the host."""
        return f"http://127.0.0.1:{self.state.gateway_port}"

    @property
    def traefik_metrics_url(self) -> str:
        """Traefik's own metrics, from the host."""
        return f"http://127.0.0.1:{self.state.traefik_metrics_port}/metrics"

    def popen(
        self,
        command: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        stdin: Stream = subprocess.DEVNULL,
        stdout: Stream = None,
        stderr: Stream = None,
    ) -> Process:
        """Start a command inside the cluster's namespaces; it dies with the cluster.

        Args:
            command: Program and arguments.
            env: Variables on top of the caller's own and of KUBECONFIG, which names the inner one.
            cwd: Working directory; the caller's own by default.
            stdin: As in `subprocess.Popen`; nothing by default.
            stdout: As in `subprocess.Popen`.
            stderr: As in `subprocess.Popen`.
        """
        return Process(
            subprocess.Popen(
                self.enter(command, cwd or Path.cwd()),
                env=self.environment(env),
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
            )
        )

    def run(
        self,
        command: Sequence[str | Path],
        *,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        timeout: float = 60,
    ) -> str:
        """Run a command inside to its end and return what it printed.

        Raises:
            ClusterError: It failed; with all it printed.
        """
        with self.popen(command, env=env, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
            output = process.communicate(timeout=timeout)[0].decode(errors="replace")
        if process.returncode != 0:
            raise ClusterError(f"{[str(word) for word in command]} exited with {process.returncode}:\n{output}")
        return output

    def enter(self, command: Sequence[str | Path], cwd: Path) -> list[str]:
        """The command line that, run on the host, runs the command inside."""
        state = self.state
        return [
            *Isolation(state.user_namespace).enter(state.supervisor_pid, cwd),
            *(str(word) for word in command),
        ]

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        """The environment of a command inside."""
        return {**os.environ, "KUBECONFIG": str(self.kubeconfig_inside), **(extra or {})}

    def kubectl(self, *arguments: str, input: str | None = None, timeout: float = 60) -> str:  # noqa: A002 - as in subprocess.run
        """Run kubectl on the host as the cluster's admin and return its output.

        Raises:
            ClusterError: It failed; with what it said.
        """
        done = subprocess.run(
            [self.state.kubectl, *arguments],
            env={**os.environ, "KUBECONFIG": str(self.kubeconfig)},
            input=input,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if done.returncode != 0:
            raise ClusterError(f"kubectl {' '.join(arguments)}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def apply(self, objects: str | Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> str:
        """Server-side apply of YAML text, one object, or several."""
        if isinstance(objects, Mapping):
            objects = [objects]
        if not isinstance(objects, str):
            objects = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
        return self.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", input=objects)

    def logs(self, namespace: str, pod: str, container: str | None = None) -> str:
        """What a pod's container printed, all its runs; of all containers when none is named."""
        pattern = f"{namespace}_{pod}_{container or '*'}.log"
        return "".join(file.read_text(errors="replace") for file in sorted((self.run_dir / "logs").glob(pattern)))

    def component_log(self, component: str) -> str:
        """What a part of the cluster printed."""
        return (self.run_dir / "logs" / f"{component}.log").read_text(errors="replace")

    def start(self, component: str) -> None:
        """Start a stopped part again, with the data it had, and wait until it is up."""
        self._control("start", component)

    def stop(self, component: str) -> None:
        """Stop a part and wait until it has ended. Stopping the agent is a reboot of the node."""
        self._control("stop", component)

    def pause(self, component: str) -> None:
        """Freeze a part: connections stay open and nothing answers."""
        self._control("pause", component)

    def resume(self, component: str) -> None:
        """Let a frozen part go on."""
        self._control("resume", component)

    def component_states(self) -> dict[str, dict[str, Any]]:
        """For each part its state, pid inside the cluster and exit code."""
        return self._control("status")

    def _control(self, what: str, component: str = "") -> dict[str, Any]:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(_CONTROL_SECONDS_MAX)
            try:
                sock.connect(str(self.run_dir / CONTROL_SOCKET))
                sock.sendall(json.dumps({"do": what, "component": component}).encode() + b"\n")
                raw = sock.makefile().readline()
            except OSError as error:
                raise ClusterError(f"cluster {self.name!r} does not answer: {error}") from error
        answer: dict[str, Any] = json.loads(raw or "{}")
        if error_text := answer.get("error"):
            raise ClusterError(f"{what} {component}: {error_text}")
        return answer
