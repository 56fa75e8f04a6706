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
import re
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from serin.evaluate.faults import Unfit
from serin.evaluate.report import Report, read_report

REPORT, PAGE = "report.json", "report.html"
_NAMES = re.compile(r".+-[0-9a-f]{12}")
"""As `folder_of` makes them."""


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
    """Write a report's files into a folder so that a reader sees all of the old or all of the new, never a part.

    What else somebody has put into that folder stays.

    Args:
        folder: The report's own.
        files: By name, `report.json` among them.

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
        # A folder cannot replace one that has files. Between the lines there is no report, which is what a run that
        # was killed looks like anyway.
        if folder.exists() and not _drop(folder):
            # The JSON comes last: with it the report is whole.
            for name in sorted(files, key=lambda one: one == REPORT):
                (fresh / name).replace(folder / name)
            fresh.rmdir()
            _sync(folder)
        else:
            fresh.replace(folder)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    _sync(folder.parent)


def sweep(output: Path, *, own: Path, keep_newest: int, names: re.Pattern[str] = _NAMES) -> list[Path]:
    """Remove what killed runs of the same report left, and reports beyond the newest ones; returns what was doomed.

    Only folders that are named as reports are and hold a report's files and nothing else, and only those files. What a
    run of another report is about to write, in a folder of its own beside, is not looked at.

    Args:
        output: The folder of reports.
        own: The report that was just written: the newest, whatever the clocks say.
        keep_newest: How many stay.
        names: What reports are called there.

    Raises:
        OSError: the folder cannot be listed.
    """
    if not output.is_dir():
        return []
    # As `keep` makes them; the characters are those of tempfile.
    left = re.compile(rf"\.{re.escape(own.name)}-[a-z0-9_]{{8}}")
    folders = [one for one in output.iterdir() if one != own and _is_only_a_report(one)]
    written = {one: at for one in folders if names.fullmatch(one.name) and (at := _written(one)) is not None}
    others = sorted(written, key=lambda one: (written[one], one.name), reverse=True)
    doomed = [*(one for one in folders if left.fullmatch(one.name)), *others[max(keep_newest - 1, 0) :]]
    for one in doomed:
        with suppress(OSError):
            _drop(one)
    return doomed


def _is_only_a_report(folder: Path) -> bool:
    """Whether it holds a report's files and nothing else; a part of one is one."""
    if folder.is_symlink() or not folder.is_dir():
        return False
    try:
        return all(one.name in (REPORT, PAGE) and one.is_file() and not one.is_symlink() for one in folder.iterdir())
    except OSError:
        return False  # it was removed while we looked, or is not ours to read


def _written(folder: Path) -> float | None:
    """When a report was written, None where there is none (any more)."""
    try:
        return (folder / REPORT).stat().st_mtime
    except OSError:
        return None


def _drop(folder: Path) -> bool:
    """Remove a report's files, and the folder if nothing else is in it; says whether it is gone.

    The page goes first: a removal that breaks off leaves the JSON, and is found again.
    """
    for name in (PAGE, REPORT):
        (folder / name).unlink(missing_ok=True)
    try:
        folder.rmdir()
    except OSError:
        return not folder.exists()
    return True


def _sync(folder: Path) -> None:
    """A rename that is not on the disk is not there after a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
