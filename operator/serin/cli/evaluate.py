"""`serin evaluate`: the evaluation of a model before it gets traffic; what a Job runs, and anybody on a laptop.

Exit codes: 0 when a report stands, whatever its verdict (a Job that failed would be run again, and find the same); 2
when there could be none; with --exit-code 0 for pass, 1 for fail, 3 for undecided.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from serin.evaluate.config import Config
    from serin.evaluate.faults import Unfit
    from serin.evaluate.report import Report

_EXITS = {"pass": 0, "fail": 1, "undecided": 3}
_PROGRESS_SECONDS = 10.0


def add_evaluate(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the command."""
    command = commands.add_parser("evaluate", help="evaluate a model on data whose answers are known")
    command.add_argument("--config", type=Path, required=True, help="what is evaluated, on what, by which gates")
    command.add_argument("--output", type=Path, default=Path("evaluation"), help="the folder of reports")
    command.add_argument("--keep", type=int, default=10, help="reports that stay in it, the newest")
    command.add_argument("--termination-log", type=Path, help="where the short answer goes, such as a pod's")
    command.add_argument("--exit-code", action="store_true", help="end with 1 for fail and 3 for undecided")
    command.add_argument("--write-snapshot", type=Path, help="keep what the first data set looks like, ask nobody")
    command.set_defaults(command=_evaluate)


def _evaluate(options: argparse.Namespace) -> int:
    from serin.evaluate.config import load_config
    from serin.evaluate.faults import Unfit

    try:
        config = load_config(options.config)
        if options.write_snapshot is not None:
            return _write_snapshot(config, options)
        report = _report(config, options)
    except Unfit as unfit:
        _say_fault(unfit, options.termination_log)
        return 2
    except OSError as error:
        print(f"serin: the report cannot be kept: {error}", file=sys.stderr)
        return 2
    return _EXITS[report.verdict] if options.exit_code else 0


def _report(config: Config, options: argparse.Namespace) -> Report:
    from serin.evaluate import output
    from serin.evaluate.faults import Unfit
    from serin.evaluate.page import page
    from serin.evaluate.program import digests_of, run, termination_message

    folder = options.config.resolve().parent
    place = output.folder_of(options.output, config.revision, config.digest())
    try:
        report = output.finished(place, config.digest(), digests_of(config, folder))
    except Unfit:
        # The run below says it in a report.
        report = None
    if report is None:
        report = asyncio.run(run(config, folder, datetime.now(UTC), _Progress()))
        output.keep(place, {output.REPORT: report.to_json(), output.PAGE: page(config, report)})
        output.sweep(options.output, keep_newest=max(options.keep, 1))
    else:
        print(f"serin: an earlier run has evaluated this; {place / output.REPORT} stands", file=sys.stderr)
    content = (place / output.REPORT).read_bytes()
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    if options.termination_log is not None:
        options.termination_log.write_text(termination_message(report, place.name, digest), encoding="utf-8")
    _say(report, place)
    return report


def _say(report: Report, place: Path) -> None:
    if report.fault is not None:
        print(f"{report.fault.reason}: {report.fault.message}")
    for gate in report.gates:
        print(f"{gate.verdict:9}  {gate.name}: {gate.message}")
    if report.skew is not None:
        print(f"{report.skew.verdict:9}  skew: {report.skew.message}")
    print(f"{report.verdict}: {place}")


def _say_fault(unfit: Unfit, termination_log: Path | None) -> None:
    from serin.evaluate.program import fault_report

    print(f"serin: {unfit.fault}: {unfit}", file=sys.stderr)
    if termination_log is not None:
        fault = fault_report(unfit).model_dump_json(by_alias=True)
        termination_log.write_text(f'{{"verdict": "undecided", "fault": {fault}}}', encoding="utf-8")


def _write_snapshot(config: Config, options: argparse.Namespace) -> int:
    from serin.evaluate.reading import Source
    from serin.evaluate.snapshot import make_snapshot
    from serin.evaluate.survey import survey

    (dataset, *_) = config.datasets
    source = Source(options.config.resolve().parent / dataset.path, dataset.kind)
    made = make_snapshot(survey(config, dataset, source, datetime.now(UTC)))
    options.write_snapshot.write_text(made.model_dump_json(by_alias=True, indent=1) + "\n", encoding="utf-8")
    print(f"{options.write_snapshot}: {made.rows} rows, {len(made.columns)} features")
    return 0


class _Progress:
    """A line every ten seconds: enough to see that it goes on, little enough for a log."""

    def __init__(self) -> None:
        self._said_at = time.monotonic()

    def __call__(self, dataset: str, done: int, rows: int) -> None:
        now = time.monotonic()
        if now - self._said_at >= _PROGRESS_SECONDS or done == rows:
            self._said_at = now
            print(f"serin: {dataset}: {done:,} of {rows:,} rows", file=sys.stderr, flush=True)
