"""Where reports go: one folder for each revision and configuration, written at once or not at all.

    OUTPUT/iris-2-x7k2p-3f9a0c11d2e4/report.json
                                     report.html

The folder's name is the revision and the configuration's digest. A run that is killed leaves nothing under that name,
and the next one starts again; a run that finds a finished report of the same data takes it and asks nobody. So however
often a Job starts, the evaluation counts once. Where a policy says where reports are kept, the folder's name is that
of revision, attempt and stage, and the evaluation is made anew: stable may be another one by then.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from serin.evaluate.faults import Unfit
from serin.evaluate.report import Report, read_report

REPORT, PAGE = "report.json", "report.html"


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of a report.

    place: where its JSON is, None when it could not be stored. digest: of the JSON, None as well then.
    trouble: what went wrong, in a sentence; None when nothing did. It never touches the verdict.
    """

    place: str | None
    digest: str | None
    trouble: str | None = None


def folder_of(output: Path, revision: str, config_digest: str) -> Path:
    """Where the report of a revision and a configuration is."""
    return output / f"{revision}-{config_digest.removeprefix('sha256:')[:12]}"


def finished(folder: Path, config_digest: str, digests: Mapping[str, str]) -> Report | None:
    """The report of an earlier run, if it counts.

    It does when it is whole, of this configuration and of these data, and no fault ended it: what a fault was about may
    be repaired by now.

    Args:
        folder: Where it would be.
        config_digest: The configuration's.
        digests: The data sets' by name.
    """
    try:
        report = read_report((folder / REPORT).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, Unfit):
        return None
    same = report.config_digest == config_digest and {one.name: one.digest for one in report.datasets} == digests
    return report if same and report.fault is None else None


def keep(folder: Path, files: Mapping[str, str]) -> None:
    """Write files into a folder so that a reader sees all of the old or all of the new, never a part.

    Raises:
        OSError: nothing was changed, or the old report is gone and the new one not there: never a mixture.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        for name, text in files.items():
            with (fresh / name).open("w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
        fresh.chmod(0o755)
        # A folder cannot replace one that has files. Between the two lines there is no report, which is what a run
        # that was killed looks like anyway.
        if folder.exists():
            shutil.rmtree(folder)
        fresh.replace(folder)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    _sync(folder.parent)


def sweep(output: Path, *, own: Path, keep_newest: int) -> list[Path]:
    """Remove what killed runs left, and reports beyond the newest ones; returns what was removed.

    Args:
        output: The folder of reports.
        own: The report that was just written: the newest, whatever the clocks say.
        keep_newest: How many stay.
    """
    if not output.is_dir():
        return []
    left = [one for one in output.iterdir() if one.is_dir() and one.name.startswith(".")]
    reports = [one for one in output.iterdir() if (one / REPORT).is_file() and not one.name.startswith(".")]
    reports.sort(key=lambda one: (one == own, (one / REPORT).stat().st_mtime, one.name), reverse=True)
    removed = [*left, *reports[keep_newest:]]
    for one in removed:
        shutil.rmtree(one, ignore_errors=True)
    return removed


def _sync(folder: Path) -> None:
    """A rename that is not on the disk is not there after a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
