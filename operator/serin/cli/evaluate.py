"""`serin evaluate`: the evaluation of a model before it gets traffic; what a Job runs, and anybody on a laptop.

Exit codes: 0 when there is a verdict (a Job that failed would be run again, and find the same) and its report stands,
or its short answer says why not; else 2. With --exit-code 0 for pass, 1 for fail, 3 for undecided.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from serin.cli.report_place import ReportPlace, add_report_place, asked_place, keep_report

if TYPE_CHECKING:
    from serin.evaluate.config import Config
    from serin.evaluate.faults import Unfit
    from serin.evaluate.output import Kept
    from serin.evaluate.report import Report

_EXITS = {"pass": 0, "fail": 1, "undecided": 3}
_PROGRESS_SECONDS = 10.0
_FINDINGS_MAX = 20
"""Lines about what differs from the training data; the report has all."""


def add_evaluate(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Register the command."""
    command = commands.add_parser("evaluate", help="evaluate a model on data whose answers are known")
    command.add_argument("--config", type=Path, required=True, help="what is evaluated, on what, by which gates")
    command.add_argument("--output", type=Path, default=Path("evaluation"), help="the folder of reports")
    command.add_argument("--keep", type=int, default=10, help="reports that stay in it, the newest")
    command.add_argument("--termination-log", type=Path, help="where the short answer goes, such as a pod's")
    command.add_argument("--exit-code", action="store_true", help="end with 1 for fail and 3 for undecided")
    command.add_argument("--write-snapshot", type=Path, help="keep what the first data set looks like, ask nobody")
    add_report_place(command)
    command.set_defaults(command=_evaluate)


def _evaluate(options: argparse.Namespace) -> int:
    # Before NumPy is imported. Our products of matrices are too small for several threads, and OpenBLAS starts one for
    # each processor of the node, however few of them the container may use.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from serin.evaluate.config import load_config
    from serin.evaluate.faults import Unfit

    try:
        place = _asked(options)
    except ValueError as error:
        print(f"serin: {error}", file=sys.stderr)
        return 2
    try:
        config = load_config(options.config)
        if options.write_snapshot is not None:
            return _write_snapshot(config, options)
        report, kept = _stored(config, options, place) if place is not None else _report(config, options)
    except Unfit as unfit:
        _say_fault(unfit, options.termination_log)
        return 2
    _say(report, kept)
    if options.termination_log is not None:
        from serin.evaluate.short_answer import short_answer

        if not _written(options.termination_log, short_answer(report, kept)):
            return 2
    elif kept.place is None:
        return 2
    return _EXITS[report.verdict] if options.exit_code else 0


def _asked(options: argparse.Namespace) -> ReportPlace | None:
    if options.keep < 1:
        raise ValueError(f"--keep must be 1 or more, and is {options.keep}")
    return asked_place(options)


def _stored(config: Config, options: argparse.Namespace, place: ReportPlace) -> tuple[Report, Kept]:
    """The report goes where the policy says, and nowhere else."""
    import asyncio

    from serin.evaluate import output
    from serin.evaluate.page import page
    from serin.evaluate.program import run

    report = asyncio.run(run(config, options.config.resolve().parent, datetime.now(UTC), _Progress()))
    return report, keep_report(place, {output.REPORT: report.to_json(), output.PAGE: page(config, report)})


def _report(config: Config, options: argparse.Namespace) -> tuple[Report, Kept]:
    """The report goes into --output, unless an earlier run has put it there."""
    import asyncio

    from serin.evaluate import output
    from serin.evaluate.faults import Unfit
    from serin.evaluate.page import page
    from serin.evaluate.program import digests_of, run

    folder = options.config.resolve().parent
    place = output.folder_of(options.output, config.revision, config.digest())
    try:
        report = output.finished(place, config.digest(), digests_of(config, folder))
    except Unfit:
        # The run below says it in a report.
        report = None
    made = report or asyncio.run(run(config, folder, datetime.now(UTC), _Progress()))
    try:
        if report is None:
            output.keep(place, {output.REPORT: made.to_json(), output.PAGE: page(config, made)})
            output.sweep(options.output, own=place, keep_newest=options.keep)
        else:
            print(f"serin: an earlier run has evaluated this; {place / output.REPORT} stands", file=sys.stderr)
        content = (place / output.REPORT).read_bytes()
    except OSError as error:
        return made, output.Kept(None, None, f"the report was not stored: {error}")
    return made, output.Kept(place.name, f"sha256:{hashlib.sha256(content).hexdigest()}")


def _say(report: Report, kept: Kept) -> None:
    if report.fault is not None:
        print(f"{report.fault.reason}: {report.fault.message}")
    for gate in report.gates:
        print(f"{gate.verdict:9}  {gate.name}: {gate.message}")
    if report.skew is not None:
        print(f"{report.skew.verdict:9}  skew: {report.skew.message}")
    _say_findings(report)
    print(f"{report.verdict}: {kept.place or kept.trouble}")
    if kept.place is not None and kept.trouble is not None:
        print(f"serin: {kept.trouble}", file=sys.stderr)


def _say_findings(report: Report) -> None:
    """What differs from the training data: without a gate on drift nobody would be told but who opens the report."""
    found = [
        f"{dataset.name}: {name} {words}"
        for dataset in report.datasets
        for name, column in dataset.columns.items()
        for words in column.findings
    ]
    for one in found[:_FINDINGS_MAX]:
        print(f"{'differs':9}  {one}")
    if len(found) > _FINDINGS_MAX:
        print(f"{'differs':9}  and {len(found) - _FINDINGS_MAX} more, in the report")


def _say_fault(unfit: Unfit, termination_log: Path | None) -> None:
    from serin.evaluate.program import fault_report

    print(f"serin: {unfit.fault}: {unfit}", file=sys.stderr)
    if termination_log is not None:
        fault = fault_report(unfit).model_dump_json(by_alias=True)
        _written(termination_log, f'{{"verdict": "undecided", "fault": {fault}}}')


def _written(path: Path, text: str) -> bool:
    """Whether a file could be written; if not, it is said why."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        print(f"serin: {path} cannot be written: {error.strerror or error}", file=sys.stderr)
        return False
    return True


def _write_snapshot(config: Config, options: argparse.Namespace) -> int:
    from serin.evaluate.reading import Source
    from serin.evaluate.snapshot import make_snapshot
    from serin.evaluate.survey import survey

    (dataset, *_) = config.datasets
    source = Source(options.config.resolve().parent / dataset.path, dataset.kind)
    made = make_snapshot(survey(config, dataset, source, datetime.now(UTC)))
    if not _written(options.write_snapshot, made.model_dump_json(by_alias=True, indent=1) + "\n"):
        return 2
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
