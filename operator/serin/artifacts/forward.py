"""A file that is read forwards, for `tarfile`, with an end to how much is read at once.

`tarfile` reads a long name or an extended header in one piece, whatever length its header claims, and a compressed
archive can claim gigabytes in a few bytes. In its streaming mode such a read cannot be told from others; in its
seeking mode it can, so this gives the little seeking that is needed, without ever unpacking anything twice.
"""

from __future__ import annotations

from typing import IO

from serin.artifacts.digest import CHUNK_BYTES
from serin.artifacts.errors import ArtifactError, Reason

_READ_BYTES_MAX = 4 << 20
_KEPT_BYTES = 4096
"""How far back a seek can go: tarfile looks at the last byte of the member before."""


class Forward:
    """What `tarfile.open(fileobj=...)` needs of a file."""

    def __init__(self, file: IO[bytes]) -> None:
        """Take a file at its start."""
        self._file = file
        self._read = 0
        self._at = 0
        self._kept = b""

    def tell(self) -> int:
        """The position in bytes."""
        return self._at

    def seek(self, position: int, whence: int = 0) -> int:
        """Go to a position: forwards, or a few bytes back.

        Raises:
            OSError: it is further back.
        """
        if whence != 0 or position < self._read - len(self._kept):
            raise OSError("this file is read forwards")
        while self._read < position and self._more(min(CHUNK_BYTES, position - self._read)):
            pass
        self._at = min(position, self._read)
        return self._at

    def read(self, count: int = -1) -> bytes:
        """Read.

        Raises:
            ArtifactError: Unsafe for more than four megabytes at once, which only a made-up header asks for.
        """
        if count < 0 or count > _READ_BYTES_MAX:
            raise ArtifactError(
                Reason.UNSAFE, "an archive in the artifact has a header of impossible size; pack it anew"
            )
        parts = []
        if self._at < self._read:
            behind = self._read - self._at
            parts.append(self._kept[len(self._kept) - behind :][:count])
            self._at += len(parts[0])
            count -= len(parts[0])
        while count and (chunk := self._more(count)):
            parts.append(chunk)
            self._at += len(chunk)
            count -= len(chunk)
        return b"".join(parts)

    def _more(self, count: int) -> bytes:
        chunk = self._file.read(count)
        self._read += len(chunk)
        self._kept = (self._kept + chunk[-_KEPT_BYTES:])[-_KEPT_BYTES:]
        return chunk
