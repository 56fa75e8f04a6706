"""Where `serin evaluate` keeps its report when a policy says so: a bucket, or a claim that is mounted.

Whatever happens here, the verdict is out already: a report that cannot be stored is told in words and is no failure of
the evaluation. So nothing is waited for longer than the time that it was given.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from serin.artifacts.errors import ArtifactError
    from serin.artifacts.uri import BucketPlace, ClaimPlace
    from serin.evaluate.output import Kept

_SECONDS_MAX = 86400.0
_GROUP = r"[a-z0-9][a-z0-9.-]*\.[0-9]+\.[a-z0-9][a-z0-9-]*"
_NAME = re.compile(rf"[a-z0-9][a-z0-9-]*/[a-z0-9][a-z0-9.-]*/{_GROUP}")


@dataclass(frozen=True, slots=True)
class ReportPlace:
    """What was asked for.

    uri: the folder. name: NAMESPACE/DEPLOYMENT/REVISION.ATTEMPT.STAGE. keep: reports of the deployment that stay.
    claims: where claims are mounted, each under its name. seconds: how long it may take.
    """

    uri: str
    name: str
    keep: int
    claims: Path
    seconds: float


def add_report_place(command: argparse.ArgumentParser) -> None:
    """Register the options."""
    command.add_argument("--report-uri", help="s3://, gs://, az:// or pvc://: where it goes instead of --output")
    command.add_argument("--report-name", help="under this name: NAMESPACE/DEPLOYMENT/REVISION.ATTEMPT.STAGE")
    command.add_argument("--report-keep", type=int, default=20, help="reports of the deployment that stay there")
    command.add_argument("--report-seconds", type=float, default=60.0, help="how long storing it may take")
    command.add_argument("--claims", type=Path, default=Path("/mnt/serin/claims"), help="where claims are mounted")


def asked_place(options: argparse.Namespace) -> ReportPlace | None:
    """Read the options; None when nothing is asked for.

    Raises:
        ValueError: a name that is none, a number of reports that would keep nothing, or a time that is none.
    """
    if not 0 < options.report_seconds <= _SECONDS_MAX:
        raise ValueError(f"--report-seconds must be above 0 and at most {_SECONDS_MAX:g}, not {options.report_seconds}")
    if options.report_uri is None:
        return None
    if options.report_name is None or not _NAME.fullmatch(options.report_name):
        raise ValueError("--report-name must be NAMESPACE/DEPLOYMENT/REVISION.ATTEMPT.STAGE, in lower case")
    if not 1 <= options.report_keep <= 1000:
        raise ValueError(f"--report-keep must be 1 to 1000, and is {options.report_keep}")
    return ReportPlace(
        options.report_uri, options.report_name, options.report_keep, options.claims, options.report_seconds
    )


def keep_report(place: ReportPlace, files: Mapping[str, str]) -> Kept:
    """Store a report's files, then remove those of the deployment that are too old.

    Never raises: what goes wrong is in the answer's words.

    Args:
        place: Where to.
        files: By name, `report.json` among them.
    """
    from serin.evaluate.output import Kept

    known: list[Kept] = []
    # A thread, because a volume or a library may wait in a way that no deadline reaches; the process does not wait
    # for it in the end.
    work = threading.Thread(target=lambda: known.extend(_keep(place, files)), daemon=True)
    work.start()
    work.join(place.seconds + 5.0)
    if known:
        return known[-1]
    if work.is_alive():
        return Kept(None, None, f"the report was not stored: {_late(place)}")
    return Kept(None, None, f"the report was not stored: {place.uri}: an error that nobody expected; the log has it")


def _keep(place: ReportPlace, files: Mapping[str, str]) -> Iterator[Kept]:
    """What is known so far, each time that more is: stored already when the removal of old ones hangs."""
    from serin.artifacts.errors import ArtifactError
    from serin.artifacts.failures import local_failures
    from serin.artifacts.uri import BucketPlace, ClaimPlace, parse_uri
    from serin.evaluate.output import Kept

    try:
        with local_failures():
            match found := parse_uri(place.uri):
                case BucketPlace():
                    yield from _into_bucket(found, place, files)
                case ClaimPlace():
                    yield from _into_claim(found, place, files)
                case _:
                    yield Kept(None, None, f"the report was not stored: {place.uri} is neither a bucket nor a claim")
    except ArtifactError as error:
        yield Kept(None, None, f"the report was not stored: {_why(error, place)}")
    except ImportError as error:
        yield Kept(None, None, f"the report was not stored: the image has no {error.name}; install serin[artifacts]")


def _into_bucket(found: BucketPlace, place: ReportPlace, files: Mapping[str, str]) -> Iterator[Kept]:
    from serin.artifacts.errors import ArtifactError
    from serin.artifacts.keeping import Shelf, drop_groups, keep_group
    from serin.artifacts.limits import Deadline
    from serin.evaluate.output import PAGE, REPORT, Kept

    deadline = Deadline(place.seconds)
    deployment, _, group = place.name.rpartition("/")
    folder = replace(found, key=f"{found.key.rstrip('/')}/{deployment}")
    shelf = Shelf(folder, re.compile(_GROUP), (PAGE, REPORT))
    content = {name: text.encode() for name, text in files.items()}
    keep_group(shelf, group, content, deadline)
    kept = Kept(shelf.uri(group, REPORT), _digest(content[REPORT]))
    yield _not_removed(kept, _late(place))
    try:
        drop_groups(shelf, group, deadline, keep_newest=place.keep)
    except ArtifactError as error:
        yield _not_removed(kept, _why(error, place))
    else:
        yield kept


def _into_claim(found: ClaimPlace, place: ReportPlace, files: Mapping[str, str]) -> Iterator[Kept]:
    from serin.artifacts.errors import ArtifactError, Reason
    from serin.evaluate import output

    root = (place.claims / found.claim).resolve()
    if not root.is_dir():
        words = f"claim {found.claim} is not mounted at {place.claims / found.claim}"
        raise ArtifactError(Reason.ARTIFACT_NOT_FOUND, words)
    folder = root / found.path / place.name
    if not folder.resolve().is_relative_to(root):
        raise ArtifactError(Reason.UNSAFE, f"{place.uri} holds a link out of its claim; replace the link")
    output.keep(folder, files)
    uri = f"pvc://{found.claim}/{found.path}/{place.name}/{output.REPORT}"
    kept = output.Kept(uri, _digest(files[output.REPORT].encode()))
    yield _not_removed(kept, _late(place))
    try:
        left = output.sweep(folder.parent, own=folder, keep_newest=place.keep, names=re.compile(_GROUP))
    except OSError as error:
        yield _not_removed(kept, f"{error.strerror}; see the volume")
        return
    stuck = [one.name for one in left if one.exists()]
    yield _not_removed(kept, f"{stuck[0]}; see the volume's rights") if stuck else kept


def _not_removed(kept: Kept, why: str) -> Kept:
    return replace(kept, trouble=f"older reports were not removed: {why}")


def _why(error: ArtifactError, place: ReportPlace) -> str:
    from serin.artifacts.errors import Reason

    # The deadline's own words speak of downloads.
    return _late(place) if error.reason is Reason.TIMED_OUT else f"{error.reason}: {error.message}"


def _late(place: ReportPlace) -> str:
    return f"TimedOut: {place.uri} took more than {place.seconds:g} s"


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"
