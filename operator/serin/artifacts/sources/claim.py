"""pvc: a file or folder of a claim, which the pod has mounted under the claim's name.

Links inside of the claim are followed, links that leave it are refused.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from serin.artifacts.digest import CHUNK_BYTES
from serin.artifacts.errors import ArtifactError, Reason, not_found
from serin.artifacts.limits import Limits
from serin.artifacts.source import Body, Offer, RemoteFile
from serin.artifacts.uri import ClaimPlace


class ClaimSource:
    """A path in a claim."""

    def __init__(self, place: ClaimPlace, claims: Path, limits: Limits) -> None:
        """Take a place; nothing is opened yet.

        Args: claims: the folder in which claims are mounted.
        """
        self._uri = f"pvc://{place.claim}/{place.path}"
        self._root = (claims / place.claim).resolve()
        self._path = self._root / place.path
        self._limits = limits

    def look(self) -> Offer:
        """List the files."""
        if not self._path.exists():
            raise not_found(self._uri if self._root.is_dir() else f"the mounted claim of {self._uri}")
        if not self._path.is_dir():
            return Offer(self._uri, (self._file(self._path, self._path.name),), True, "application/octet-stream")
        files = tuple(
            self._file(path, path.relative_to(self._path).as_posix())
            for path in sorted(self._walk(self._inside(self._path)))
        )
        if not files:
            raise not_found(f"{self._uri} is an empty folder; a file in it")
        return Offer(self._uri, files, False, "directory")

    @contextmanager
    def open(self, file: RemoteFile, offset: int) -> Iterator[Body]:
        """Read from an offset on."""
        with self._inside(Path(file.location)).open("rb") as opened:
            opened.seek(offset)
            yield Body(offset, iter(lambda: opened.read(CHUNK_BYTES), b""))

    def _walk(self, folder: Path) -> Iterator[Path]:
        count = 0
        # A folder that may not be read is an artifact that is not known, and no smaller one.
        for here, folders, names in os.walk(folder, followlinks=True, onerror=_raise):
            ancestors = {Path(here).resolve(), *Path(here).resolve().parents}
            for name in folders:
                if self._inside(Path(here, name)) in ancestors:
                    raise ArtifactError(Reason.UNSAFE, f"{self._uri} holds a link to a folder above; take it out")
            for name in names:
                count += 1
                self._limits.check_files(count)
                yield Path(here, name)

    def _file(self, path: Path, name: str) -> RemoteFile:
        real = self._inside(path)
        if not real.is_file():
            raise ArtifactError(Reason.UNSAFE, f"{name!r} in {self._uri} is neither a file nor a folder; take it out")
        facts = real.stat()
        return RemoteFile(name, str(path), facts.st_size, validator=f"{facts.st_ino}-{facts.st_mtime_ns}")

    def _inside(self, path: Path) -> Path:
        try:
            real = path.resolve()
        except RuntimeError:  # what Python 3.11 and 3.12 raise of a link to itself; later ones leave it as it is
            raise ArtifactError(
                Reason.UNSAFE, f"{self._uri} is or holds a link that leads to itself; take it out"
            ) from None
        if not real.is_relative_to(self._root):
            raise ArtifactError(Reason.UNSAFE, f"{self._uri} is or holds a link out of its claim; replace the link")
        return real


def _raise(error: OSError) -> None:
    raise error
