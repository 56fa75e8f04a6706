"""Unpack tar and zip files so that nothing but files in one folder comes of it.

Only plain files and folders are made, in a folder that is new and ours: an archive with a link, a device, an
absolute name, '..' or a name twice is refused as a whole. So there is never a link that a later member could be
written through. Bytes are counted as they are written, whatever the headers say, against a limit in bytes and one in
proportion to the packed size; members are counted, too.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, cast

from serin.artifacts.digest import CHUNK_BYTES, check_paths
from serin.artifacts.errors import ArtifactError, Reason
from serin.artifacts.forward import Forward
from serin.artifacts.limits import Deadline, Limits
from serin.artifacts.zips import open_zip

_ENDINGS = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".zip")
_RATIO_FROM_BYTES = 16 << 20
"""Below this many unpacked bytes the ratio does not matter: a small file of zeros is no bomb."""


_DAMAGED = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    gzip.BadGzipFile,
    ValueError,  # a name in a zip that says it is UTF-8 and is none
    OverflowError,  # a record of an extended header that claims a length beyond 64 bits
)
"""What the libraries raise of an archive that is none."""


def is_archive_by_name(path: str) -> bool:
    """Say whether a file of this name is to be unpacked. A torch or Keras file is a zip, too, and is not."""
    return path.lower().endswith(_ENDINGS)


def unpack(archive: Path, into: Path, limits: Limits, deadline: Deadline) -> None:
    """Unpack into a folder that holds nothing which the archive's names could mean.

    Raises:
        ArtifactError: Unsafe, TooLarge, TimedOut.
    """
    writer = _Writer(into, archive.stat().st_size, limits, deadline)
    with archive.open("rb") as file:
        head = file.read(6)
    try:
        if head[:2] == b"PK":
            _unpack_zip(archive, writer, limits)
        else:
            _unpack_tar(archive, _opener(head), writer)
    except _DAMAGED as error:
        raise _unsafe(
            f"cannot be unpacked ({type(error).__name__}); it is damaged, or not what its name says"
        ) from None
    except (NotImplementedError, RuntimeError):
        raise _unsafe("is encrypted or packed in a way that is not supported; pack it as a plain zip or tar") from None


class _Writer:
    """Makes files and counts."""

    def __init__(self, into: Path, packed_bytes: int, limits: Limits, deadline: Deadline) -> None:
        self._into = into
        self._limits = limits
        self._deadline = deadline
        self._ratio_bytes = max(_RATIO_FROM_BYTES, limits.unpacked_ratio_max * packed_bytes)
        self._bytes = 0
        self._members = 0

    def member(self, name: str) -> str | None:
        """Count a member and return its path, or None for the root itself."""
        self._members += 1
        self._limits.check_files(self._members)
        path = name.removeprefix("./").rstrip("/") if name not in {".", "./"} else ""
        if not path:
            return None
        check_paths([path])
        return path

    def folder(self, path: str) -> None:
        """Make a folder; that it is there already is fine."""
        try:
            (self._into / path).mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError):
            raise _unsafe(f"has {path[:200]!r} as a file and as a folder; pack it anew") from None

    def file(self, path: str, read: Callable[[int], bytes]) -> None:
        """Write one file."""
        target = self._into / path
        self.folder(str(Path(path).parent))
        try:
            out = target.open("xb")
        except FileExistsError:
            raise _unsafe(f"has the name {path[:200]!r} twice; pack it anew") from None
        with out:
            while chunk := read(CHUNK_BYTES):
                self._count(len(chunk))
                out.write(chunk)

    def _count(self, count: int) -> None:
        self._bytes += count
        self._deadline.remaining()
        if self._bytes > self._limits.unpacked_bytes_max:
            raise ArtifactError(
                Reason.TOO_LARGE,
                f"an archive in the artifact unpacks to more than the {self._limits.unpacked_bytes_max} bytes that "
                f"are allowed; put the files there unpacked, where maxBytes limits them (by hand there is "
                f"--max-unpacked-bytes)",
            )
        if self._bytes > self._ratio_bytes:
            raise ArtifactError(
                Reason.UNSAFE,
                f"an archive in the artifact unpacks to more than {self._limits.unpacked_ratio_max:g} times its size, "
                f"as archives do that are made to fill a disk; if it is honest, put the files there unpacked or in a "
                "plain tar (by hand there is --max-unpacked-ratio)",
            )


def _unpack_zip(path: Path, writer: _Writer, limits: Limits) -> None:
    with open_zip(path, limits.files_max) as archive:
        for member in archive.infolist():
            name = writer.member(member.filename)
            kind = stat.S_IFMT(member.external_attr >> 16)
            if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
                raise _not_plain(member.filename)
            if name is None:
                continue
            if member.is_dir():
                writer.folder(name)
            else:
                with archive.open(member) as opened:
                    writer.file(name, opened.read)


def _unpack_tar(path: Path, opener: Callable[[Path], IO[bytes]], writer: _Writer) -> None:
    with opener(path) as plain, tarfile.open(fileobj=cast("IO[bytes]", Forward(plain)), mode="r:") as archive:
        for member in archive:
            name = writer.member(member.name)
            if not (member.isdir() or (member.isreg() and not member.issparse())):
                raise _not_plain(member.name)
            if name is None:
                continue
            if member.isdir():
                writer.folder(name)
                continue
            opened = archive.extractfile(member)
            if opened is None:
                raise _not_plain(member.name)
            writer.file(name, opened.read)


def _opener(head: bytes) -> Callable[[Path], Any]:
    if head[:2] == b"\x1f\x8b":
        return lambda path: gzip.open(path, "rb")
    if head[:3] == b"BZh":
        return lambda path: bz2.open(path, "rb")
    if head[:6] == b"\xfd7zXZ\x00":
        return lambda path: lzma.open(path, "rb")
    if head[:4] == b"\x28\xb5\x2f\xfd":
        raise _unsafe("is packed with zstd, which is not supported; pack it with gzip")
    return lambda path: path.open("rb")


def _not_plain(name: str) -> ArtifactError:
    return _unsafe(
        f"holds {name[:200]!r}, which is a link, a device or a sparse file; pack it anew with plain files (tar "
        f"--dereference --hard-dereference)"
    )


def _unsafe(how: str) -> ArtifactError:
    return ArtifactError(Reason.UNSAFE, f"an archive in the artifact {how}")
