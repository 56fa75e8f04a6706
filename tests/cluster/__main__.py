"""`python -m tests.cluster`: the cluster from a terminal."""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.cluster import run_dirs, tools
from tests.cluster.access import Access
from tests.cluster.cluster import Cluster, take_down
from tests.cluster.components import environment
from tests.cluster.errors import ClusterError
from tests.cluster.settings import API_ONLY, COMPONENTS

_DETACHED_START_SECONDS_MAX = 3600.0  # a first start builds


def main(arguments: list[str] | None = None) -> int:
    """Parse and obey."""
    options = _parser().parse_args(arguments)
    try:
        code: int = options.run(options)
    except ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description="A local cluster of real parts.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    up = commands.add_parser("up", help="start a cluster and stay until Ctrl-C")
    up.add_argument("--detach", action="store_true", help="return when it is up; end it with 'down'")
    up.add_argument("--api-only", action="store_true", help="only etcd and the API server")
    up.add_argument("--agent", choices=("processes", "fake"), default="processes", help="whether pods really run")
    up.add_argument("--scrape-interval", type=float, default=1.0, metavar="SECONDS", help="Prometheus (default 1)")
    up.add_argument("--gpus", type=int, default=0, help="GPUs that the node claims to have")
    up.add_argument(
        "--audit",
        action="store_const",
        const="RequestResponse",
        help="write every request into audit.log in the run dir",
    )
    up.set_defaults(run=_up)

    down = commands.add_parser("down", help="end a cluster")
    down.set_defaults(run=_down)
    shell = commands.add_parser("shell", help="open a shell inside, with KUBECONFIG set")
    shell.set_defaults(run=_shell)
    execute = commands.add_parser("exec", help="run one command inside: exec -- COMMAND ...")
    execute.add_argument("command", nargs=argparse.REMAINDER)
    execute.set_defaults(run=_exec)
    status = commands.add_parser("status", help="what runs, and where to reach it")
    status.set_defaults(run=_status)
    for command in (up, down, shell, execute, status):
        command.add_argument("--name", default="serin", help="which cluster (default 'serin')")
    fetch = commands.add_parser("tools", help="only find, fetch or build the programs")
    fetch.set_defaults(run=_tools)
    return parser


def _up(options: argparse.Namespace) -> int:
    if options.detach:
        return _up_detached(options.name)
    signal.signal(signal.SIGTERM, lambda *_: _interrupt())
    started = time.monotonic()
    with Cluster(
        options.name,
        components=API_ONLY if options.api_only else COMPONENTS,
        agent=options.agent,
        scrape_interval_seconds=options.scrape_interval,
        gpus=options.gpus,
        audit=options.audit,
    ) as cluster:
        print(f"cluster {options.name!r} is up after {time.monotonic() - started:.1f} s")
        _describe(cluster)
        print("Ctrl-C ends it", flush=True)
        try:
            cluster.wait()
            print("the cluster ended")
        except KeyboardInterrupt:
            print("\ngoing down")
    return 0


def _interrupt() -> None:
    raise KeyboardInterrupt


def _up_detached(name: str) -> int:
    """Run `up` as a process of its own, which then is the cluster's launcher."""
    if run_dirs.is_alive(name):
        raise ClusterError(f"a cluster named {name!r} is running already")
    run_dirs.base_dir().mkdir(mode=0o700, exist_ok=True)
    log = run_dirs.base_dir() / f"{name}.log"
    passed_on = [argument for argument in sys.argv[1:] if argument != "--detach"]
    with log.open("wb") as output:
        launcher = subprocess.Popen(
            [sys.executable, "-m", "tests.cluster", *passed_on],
            env={**os.environ, **environment()},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    deadline = time.monotonic() + _DETACHED_START_SECONDS_MAX
    shown = 0
    while time.monotonic() < deadline:
        text = log.read_text()
        print(text[shown:].replace("Ctrl-C ends it\n", ""), end="", file=sys.stderr, flush=True)
        shown = len(text)
        if "Ctrl-C ends it" in text:
            return 0
        if launcher.poll() is not None:
            return launcher.returncode or 1
        time.sleep(0.1)
    raise ClusterError(f"not up after an hour; see {log}")


def _describe(cluster: Access) -> None:
    print(f"  kubeconfig       {cluster.kubeconfig}")
    print(f"  inside           {cluster.kubeconfig_inside}")
    parts = cluster.component_states()
    if "traefik" in parts:
        print(f"  gateway          {cluster.gateway_url}  (inside {cluster.gateway_url_inside})")
        print(f"  traefik metrics  {cluster.traefik_metrics_url}")
    if "prometheus" in parts:
        print(f"  prometheus       {cluster.prometheus_url}  (inside {cluster.prometheus_url_inside})")
    print(f"  logs             {cluster.run_dir / 'logs'}")


def _down(options: argparse.Namespace) -> int:
    take_down(options.name)
    return 0


def _shell(options: argparse.Namespace) -> int:
    cluster = Access(options.name)
    command = cluster.enter([os.environ.get("SHELL", "/bin/sh")], Path.cwd())
    os.execvpe(command[0], command, cluster.environment({"SERIN_CLUSTER": options.name}))


def _exec(options: argparse.Namespace) -> int:
    words = [word for index, word in enumerate(options.command) if (index, word) != (0, "--")]
    if not words:
        raise ClusterError("exec needs a command: exec -- COMMAND ...")
    cluster = Access(options.name)
    command = cluster.enter(words, Path.cwd())
    os.execvpe(command[0], command, cluster.environment())


def _status(options: argparse.Namespace) -> int:
    names = run_dirs.names()
    print(f"running: {', '.join(names) or 'none'}")
    if options.name not in names:
        return 1
    cluster = Access(options.name)
    _describe(cluster)
    for part, state in cluster.component_states().items():
        code = "" if state["exitCode"] is None else f" (exit code {state['exitCode']})"
        print(f"  {part:<24} {state['state']}{code}")
    return 0


def _tools(options: argparse.Namespace) -> int:
    names = [*(part for part in COMPONENTS if part != "agent"), "kubectl"]
    for name, path in tools.ensure(names).items():
        print(f"{name:<24} {path}")
    print(f"{'gateway CRDs':<24} {tools.gateway_api_crds()[0].parent}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
