"""`serin warmup`: asks a model until its answers have settled; what a Job runs, and anybody at a desk.

Exit codes: 0 when there is an answer, whatever it is (a Job that failed would be run again); 2 when the configuration
cannot be used. The short answer goes to standard output, and to --termination-log.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path


def add_warmup(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the command."""
    command = commands.add_parser("warmup", help="ask a model until its answers have settled")
    command.add_argument("--config", type=Path, required=True, help="whom to ask, what, and until when; JSON")
    command.add_argument("--termination-log", type=Path, help="where the short answer goes, such as a pod's")
    command.set_defaults(command=_warmup)


def _warmup(options: argparse.Namespace) -> int:
    import asyncio

    from serin.warmup.program import Config, run

    try:
        config = Config.of(json.loads(options.config.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        print(f"serin: {options.config}: {error}", file=sys.stderr)
        return 2
    except RecursionError:
        print(f"serin: {options.config}: it is nested too deep", file=sys.stderr)
        return 2
    answer = json.dumps(asyncio.run(run(config)))
    print(answer)
    if options.termination_log is not None:
        options.termination_log.write_text(answer, encoding="utf-8")
    return 0
