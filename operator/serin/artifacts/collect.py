"""All files of an offer into one folder, and the digest of what came.

The folder is the memory of a broken call: whole and partial files stay in it, each with a note of what it is a part
of, and the next call with the same folder goes on. What does not match the digest is thrown away at once, so that it
is never gone on with. A second folder can keep the same for others; it is another memory, and nothing depends on it.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from serin.artifacts.digest import Digest, check_paths
from serin.artifacts.errors import ArtifactError, Reason
from serin.artifacts.limits import Deadline, Limits
from serin.artifacts.parts import Local
from serin.artifacts.source import Offer, Source
from serin.artifacts.transfer import persistently, receive

FILES = "files"
_NOTES = "notes"


@dataclass(frozen=True, slots=True)
class Collected:
    """What came."""

    digest: Digest
    digests: Mapping[str, Digest]
    """Of each file, by path."""
    size: int
    """Bytes of all files."""
    received: int
    """Bytes that came over the network in this call."""
    resumed: bool
    """Whether anything of an earlier call was used."""
    kept: bool
    """Whether the folder that keeps for others has all of it."""


def look(source: Source, limits: Limits, deadline: Deadline, expected: Digest | None) -> Offer:
    """Ask a source what it has, and refuse what can be refused without reading it.

    Raises:
        ArtifactError: as the source does; Unsafe, TooLarge, DigestMismatch.
    """
    offer = persistently(deadline, source.look)
    limits.check_files(len(offer.files))
    limits.check_bytes(sum(file.size or 0 for file in offer.files))
    check_paths(file.path for file in offer.files)
    if expected is not None and offer.digest is not None:
        check_digest(offer.digest, expected)
    return offer


def collect(
    source: Source,
    offer: Offer,
    folder: Path | None,
    limits: Limits,
    deadline: Deadline,
    expected: Digest | None,
    *,
    keep: Path | None = None,
) -> Collected:
    """Bring all files into a folder, or only hash them when there is none.

    Args: keep: a folder that has them afterwards as well, unless it is full or may not be written; then it is emptied.

    Raises:
        ArtifactError: as the source does; TooLarge, TimedOut, DigestMismatch.
    """
    if folder is not None:
        _remove_strangers(folder, offer)
    keep = _cleared(keep, offer)
    collected = _collect(source, offer, folder, keep, limits, deadline, expected)
    if expected is not None and collected.digest != expected and collected.resumed:
        # The old part may have been of other content, or spoilt on the disk; once more from the start tells.
        discard(folder, keep)
        again = _collect(source, offer, folder, keep, limits, deadline, expected)
        collected = replace(again, received=again.received + collected.received)
    if expected is not None and collected.digest != expected:
        discard(folder, keep)
        check_digest(collected.digest, expected)
    return collected


def check_digest(found: Digest, expected: Digest) -> None:
    """Refuse content that is not what was pinned.

    Raises:
        ArtifactError: DigestMismatch.
    """
    if found != expected:
        raise ArtifactError(
            Reason.DIGEST_MISMATCH,
            f"the files at the uri have the digest {found} and not {expected}; if the change is meant, deploy it as a "
            f"new version with its own digest, otherwise find out who changed them",
            field="spec.model.digest",
        )


def discard(*folders: Path | None) -> None:
    """Throw away what folders have collected."""
    for folder in folders:
        if folder is not None:
            for name in (FILES, _NOTES):
                shutil.rmtree(folder / name, ignore_errors=True)


def _collect(
    source: Source,
    offer: Offer,
    folder: Path | None,
    keep: Path | None,
    limits: Limits,
    deadline: Deadline,
    expected: Digest | None,
) -> Collected:
    digests: dict[str, Digest] = {}
    size = received = 0
    resumed = False
    for file in offer.files:
        got = receive(
            source,
            file,
            _local(folder, file.path),
            _local(keep, file.path),
            allowed=limits.bytes_max - size,
            limits=limits,
            deadline=deadline,
            content_known=expected is not None,
        )
        if file.digest is not None and got.digest != file.digest:
            discard(folder, keep)
            raise ArtifactError(
                Reason.DIGEST_MISMATCH,
                f"{file.path[:200]!r} came with the digest {got.digest}, and the source itself says {file.digest}; do "
                f"not use this source before that is understood",
            )
        if keep is not None and not got.kept:
            discard(keep)  # at once, because what is full may be the volume of both
            keep = None
        digests[file.path] = got.digest
        size += got.size
        received += got.received
        resumed = resumed or got.resumed
    return Collected(offer.digest_of(digests), digests, size, received, resumed, keep is not None)


def _local(folder: Path | None, path: str) -> Local | None:
    if folder is None:
        return None
    note = hashlib.sha256(path.encode()).hexdigest()[:32]
    return Local(folder / FILES / path, folder / _NOTES / f"{note}.json")


def _cleared(keep: Path | None, offer: Offer) -> Path | None:
    """The folder without what the artifact no longer has; None when that cannot be."""
    if keep is not None:
        try:
            _remove_strangers(keep, offer)
        except OSError:
            return None
    return keep


def _remove_strangers(folder: Path, offer: Offer) -> None:
    """Remove files of an earlier call that the artifact no longer has."""
    wanted = {file.path for file in offer.files}
    files = folder / FILES
    for path in list(files.rglob("*")):
        if path.is_file() and path.relative_to(files).as_posix() not in wanted:
            path.unlink()
    if any(path.is_dir() and path.relative_to(files).as_posix() in wanted for path in files.rglob("*")):
        discard(folder)  # what was a folder is now a file
