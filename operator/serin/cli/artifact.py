"""`serin artifact`: what resolve Jobs and fetch init containers run."""

from __future__ import annotations

import argparse
import math
import re
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from serin.artifacts import ArtifactError, Cache, Digest, Limits, Policy
    from serin.artifacts.fetching import Fetched
    from serin.artifacts.resolving import Resolved

_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}
_UNITS["Ti"] = 1 << 40
_NUMBER_MAX = 1e8
_GRACE_SECONDS = 5.0
"""How much later than the library's own deadline the process is stopped."""


def add_artifact(commands: Any) -> None:
    """Add the subcommand to those of `serin`."""
    artifact = commands.add_parser("artifact", help="say what a model URI means, or bring its files")
    acts = artifact.add_subparsers(required=True, metavar="ACT")
    resolve = acts.add_parser("resolve", help="pin a URI: its digest, size and media type")
    fetch = acts.add_parser("fetch", help="bring the files into a folder, verified")
    fetch.add_argument("--into", type=Path, required=True, help="an empty folder, or one from an earlier call")
    pins = fetch.add_mutually_exclusive_group()
    pins.add_argument("--digest", help="what the files must have: sha256:...; somebody vouches for it")
    pins.add_argument("--resolved-digest", help="the same, found out by `serin artifact resolve`: nobody vouches")
    fetch.add_argument("--resolved-uri", help="what the uri meant then, where that moves less; read in its place")
    for parser in (resolve, fetch):
        parser.add_argument("uri", help="https, s3, gs, az, oci, models, pvc or hf")
        parser.add_argument("--cache", type=Path, help="a folder of artifacts by digest, shared by processes")
        parser.add_argument("--cache-bytes", type=_bytes, default=100 << 30, help="what may be in it; default 100Gi")
        parser.add_argument("--claims", type=Path, help="where claims are mounted, each under its name")
        parser.add_argument("--max-bytes", type=_bytes, help="bytes as delivered; default 50Gi")
        parser.add_argument("--max-files", type=_count, help="files, and members of an archive; default 10000")
        parser.add_argument("--max-unpacked-bytes", type=_bytes, help="bytes that archives unpack to; default 100Gi")
        parser.add_argument("--max-unpacked-ratio", type=_above_zero, help="the same for each packed byte; default 200")
        parser.add_argument("--timeout", type=_above_zero, help="seconds for the whole call; default 3600")
        parser.add_argument("--allow-pickles", action="store_true", help="also from a source that nobody pinned")
        parser.add_argument("--allow-http", action="store_true", help="http:// is good enough")
        parser.add_argument("--keep-archives", action="store_true", help="do not unpack")
        parser.add_argument("--termination-log", type=Path, default=Path("/dev/termination-log"))
    resolve.set_defaults(command=_resolve)
    fetch.set_defaults(command=_fetch)


def _resolve(options: argparse.Namespace) -> int:
    from serin.artifacts import resolve
    from serin.artifacts.fetching import CLAIMS

    def act() -> Resolved:
        return resolve(
            options.uri,
            limits=_limits(options),
            policy=_policy(options),
            cache=_cache(options),
            claims=options.claims or CLAIMS,
        )

    return _told(options, act)


def _fetch(options: argparse.Namespace) -> int:
    from serin.artifacts import fetch
    from serin.artifacts.fetching import CLAIMS

    def act() -> Fetched:
        return fetch(
            options.uri,
            _digest(options),
            options.into,
            limits=_limits(options),
            policy=_policy(options),
            cache=_cache(options),
            trusted=options.resolved_digest is None,
            resolved_uri=options.resolved_uri,
            claims=options.claims or CLAIMS,
        )

    return _told(options, act)


def _told(options: argparse.Namespace, act: Any) -> int:
    """Act, say how it ended where Kubernetes and people look, and return the exit code."""
    from serin.artifacts import ArtifactError, Limits
    from serin.artifacts.limits import Deadline
    from serin.artifacts.report import exit_code, message, write

    seconds = options.timeout or Limits().seconds_max
    deadline = Deadline(seconds)

    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise deadline.missed()

    # A library may wait in a way that the deadline does not reach; this ends every wait of the main thread.
    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds + _GRACE_SECONDS)
    outcome: Resolved | Fetched | ArtifactError
    try:
        outcome = act()
    except ArtifactError as error:
        outcome = error
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    text = message(outcome)
    write(options.termination_log, text)
    print(text, flush=True)
    if isinstance(outcome, ArtifactError):
        print(f"serin: {outcome}", file=sys.stderr)
    return exit_code(outcome)


def _limits(options: argparse.Namespace) -> Limits:
    from serin.artifacts import Limits

    asked = {
        "bytes_max": options.max_bytes,
        "files_max": options.max_files,
        "unpacked_bytes_max": options.max_unpacked_bytes,
        "unpacked_ratio_max": options.max_unpacked_ratio,
        "seconds_max": options.timeout,
    }
    return Limits(**{name: value for name, value in asked.items() if value is not None})


def _policy(options: argparse.Namespace) -> Policy:
    from serin.artifacts import Policy

    return Policy(options.allow_pickles, options.allow_http, not options.keep_archives)


def _cache(options: argparse.Namespace) -> Cache | None:
    from serin.artifacts import Cache

    return Cache(options.cache, options.cache_bytes) if options.cache is not None else None


def _digest(options: argparse.Namespace) -> Digest | None:
    from serin.artifacts import ArtifactError, Digest, Reason

    text = options.digest or options.resolved_digest
    try:
        return Digest(text) if text else None
    except ValueError as error:
        raise ArtifactError(Reason.DIGEST_MISMATCH, f"the digest {error}", field="spec.model.digest") from None


def _bytes(text: str) -> int:
    """Return the bytes of a Kubernetes quantity: "2Gi", "500M", "1000"."""
    found = re.fullmatch(r"([0-9]{1,15})([KMGT]i?)?", text)
    if found is None or not int(found.group(1)):
        raise argparse.ArgumentTypeError("must be a number of bytes above 0 such as 2Gi, 500M or 1000")
    return int(found.group(1)) * _UNITS[found.group(2) or ""]


def _count(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,15}", text) or not int(text):
        raise argparse.ArgumentTypeError("must be a whole number above 0")
    return int(text)


def _above_zero(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    # A timer of the system takes no more than that.
    if not 0 < number <= _NUMBER_MAX:
        raise argparse.ArgumentTypeError(f"must be a number above 0 and at most {_NUMBER_MAX:g}")
    return number
