"""`serin run`: the operator, out of a cluster against a kubeconfig or in one as the image's entry point."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from serin import __version__
from serin.cli.artifact import add_artifact
from serin.cli.evaluate import add_evaluate
from serin.cli.warmup import add_warmup

if TYPE_CHECKING:
    import asyncio


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit code is 0, 1 for a failure, 2 for unusable arguments or configuration."""
    options = _parser().parse_args(arguments)
    return int(options.command(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="serin", description="Rolls machine-learning models out on evidence.")
    parser.add_argument("--version", action="version", version=f"serin {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="run the operator")
    run.add_argument("--config", type=Path, help="configuration file: metric sources and defaults")
    run.add_argument("--kubeconfig", type=Path, help="how to reach the cluster; default: the pod's service account")
    run.add_argument("--namespace", action="append", help="watch only this namespace; may be repeated")
    run.add_argument("--standalone", action="store_true", help="no leader election: this is the only process")
    run.add_argument("--log-format", choices=("text", "json"), default="text")
    run.add_argument("--log-level", choices=("debug", "info", "warning"), default="info")
    run.set_defaults(command=_run)
    add_evaluate(commands)
    add_artifact(commands)
    add_warmup(commands)
    return parser


def _run(options: argparse.Namespace) -> int:
    # Imported here: `serin --version` should not wait for kopf and numpy.
    import asyncio

    from serin.cli.logs import configure_logs
    from serin.controller.app import Options, run
    from serin.controller.config import Config, InvalidConfig, load_config
    from serin.controller.health import PortTaken
    from serin.controller.kube import Unreachable
    from serin.controller.lease import LostLease

    configure_logs(options.log_format, options.log_level)
    try:
        config = load_config(options.config) if options.config is not None else Config()
    except InvalidConfig as error:
        print(f"serin: {error}", file=sys.stderr)
        return 2
    changes: dict[str, object] = {}
    if options.namespace:
        changes["namespaces"] = options.namespace
    if options.standalone:
        changes["leader_election"] = config.leader_election.model_copy(update={"enabled": False})
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(run(Options(config.model_copy(update=changes), options.kubeconfig)))
    except (Unreachable, PortTaken) as error:
        print(f"serin: {error}", file=sys.stderr)
        return 2
    except LostLease as error:
        logging.getLogger(__name__).error("stopped", extra={"why": str(error)})  # noqa: TRY400 - no fault of ours
        return 1
    return 0


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return uvloop's where there is one, not on Windows; None is the standard library's."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


if __name__ == "__main__":
    sys.exit(main())
