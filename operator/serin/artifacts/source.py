"""What every kind of source can do: say what it offers, and give a file from an offset on.

A source knows its protocol and its credentials and nothing of disks, digests, caches or retries.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from serin.artifacts.digest import Digest, digest_of_files


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """One file that a source offers."""

    path: str
    """Relative to the artifact's root, with '/'; not to be trusted before `check_paths`."""
    location: str
    """What the source itself needs to find it; may hold what must not be printed."""
    size: int | None = None
    """Bytes; None when the source does not say."""
    digest: Digest | None = None
    """What the source says it is; verified like any other."""
    validator: str | None = None
    """Changes whenever the content does (a strong ETag, a version id); None when the source has none."""
    packed: bool = False
    """Whether the source says that it is an archive to be unpacked at the artifact's root."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What a URI means now."""

    uri: str
    """The URI, pinned as far as the source can: a tag became a digest, an alias a version."""
    files: tuple[RemoteFile, ...]
    single: bool
    """Whether the artifact is one file and known by that file's digest, or a folder and known by its listing's."""
    media: str
    """A media type; "directory" for a folder of no declared type."""

    @property
    def size(self) -> int | None:
        """Bytes of all files; None when the source does not say."""
        sizes = [file.size for file in self.files]
        return None if None in sizes else sum(size for size in sizes if size is not None)

    @property
    def digest(self) -> Digest | None:
        """The digest, when the source vouches for every file."""
        known = {file.path: file.digest for file in self.files if file.digest is not None}
        return self.digest_of(known) if len(known) == len(self.files) else None

    def digest_of(self, files: dict[str, Digest]) -> Digest:
        """Return the artifact's digest, given those of all of its files by path."""
        return files[self.files[0].path] if self.single else digest_of_files(files)


@dataclass(frozen=True, slots=True)
class Body:
    """Bytes of a file on their way."""

    offset: int
    """Where they start: what was asked for, or 0 when the source cannot start elsewhere or has new content."""
    chunks: Iterator[bytes]
    """At most a few megabytes each; raises Interrupted when the rest may be had by asking again."""
    stop: Callable[[], object] = lambda: None
    """Wakes a blocked read from another thread."""


class Source(Protocol):
    """One artifact at one place."""

    def look(self) -> Offer:
        """Say what is there; no content is read.

        Raises:
            ArtifactError: ArtifactNotFound, AccessDenied, SourceUnavailable...
            Interrupted: as above, and asking again may help.
        """
        ...

    def open(self, file: RemoteFile, offset: int) -> AbstractContextManager[Body]:
        """Start to read a file at an offset in bytes.

        Raises: as `look`.
        """
        ...
