"""Files that run code when they are loaded.

A pickle is a program. From a source that somebody pinned by digest it is that person's program; from one that moves
it is whoever's. Names decide first, content where names say nothing: a torch checkpoint is a zip with a pickle in
it, and `.bin` can be anything.

Not looked for: code that a framework is told to load in other ways (Keras Lambda layers, custom code in a model
repository), and pickles within something else under another name: compressed ones, those in a tar, in an archive within
an archive, or behind other bytes where a program is told to look.
"""

from __future__ import annotations

import lzma
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, assert_never

from serin.artifacts.errors import ArtifactError, Reason
from serin.artifacts.opcodes import runs_code
from serin.artifacts.zips import CrowdedZip, open_zip

_NAMES = (
    *(".pkl", ".pickle", ".pck", ".p", ".dill", ".cloudpickle"),
    *(".joblib", ".joblib.gz", ".pkl.gz", ".pt", ".pth", ".ckpt", ".mar"),
)
_HEAD_BYTES = 6
_ARRAY = b"\x93NUMPY"
_ZIP_MEMBERS_MAX = 100_000
_UNREADABLE = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
    *(NotImplementedError, RuntimeError, OSError, EOFError, ValueError, OverflowError),
    IndexError,  # a member without a name, up to Python 3.11
)
"""What zipfile raises of a zip that is damaged, or not for it."""


def is_pickle_by_name(path: str) -> bool:
    """Say whether files of this name usually are or hold pickles."""
    return path.lower().endswith(_NAMES)


@dataclass(frozen=True, slots=True)
class Pickle:
    """A file is or holds a pickle."""


@dataclass(frozen=True, slots=True)
class Damaged:
    """A file calls itself a zip and cannot be looked into; another program may read what we cannot."""


@dataclass(frozen=True, slots=True)
class Crowded:
    """A zip has more members than are looked through."""

    how: str
    """What was counted, as the rest of a sentence about the file."""


Finding = Pickle | Damaged | Crowded
"""Why a file is refused from a source that nobody pinned."""


def look_for_pickle(path: Path) -> Finding | None:
    """Look whether a file on this machine is or holds a pickle, by its name or its content; None: it does not."""
    if is_pickle_by_name(path.name):
        return Pickle()
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        if head[:2] == b"PK" and head[2:4] in {b"\x03\x04", b"\x05\x06"}:
            return _look_into_zip(path)
        file.seek(0)
        return Pickle() if _is_pickle_by_content(file, path.stat().st_size) else None


def look_for_pickles(files: Mapping[str, Path]) -> dict[str, Finding]:
    """Look into files, by their paths in the artifact; return what was found."""
    found = {path: look_for_pickle(file) for path, file in files.items()}
    return {path: finding for path, finding in found.items() if finding is not None}


def refuse_pickles(found: Mapping[str, Finding]) -> None:
    """Refuse an artifact for what was found in its files, by path; nothing is fine.

    Raises:
        ArtifactError: Unsafe.
    """
    if found:
        path = min(found)
        more = f" (and {len(found) - 1} more files are refused)" if len(found) > 1 else ""
        raise ArtifactError(
            Reason.UNSAFE,
            f"{path[:200]!r} {_words(found[path])}, or let an administrator set artifacts.allowPickles in the "
            f"operator's configuration{more}",
            field="spec.model.digest",
        )


def _words(finding: Finding) -> str:
    match finding:
        case Pickle():
            return (
                "can run code when it is loaded, and nobody has pinned the source; give spec.model.digest, store the "
                "model without pickles (safetensors, ONNX, skops)"
            )
        case Damaged():
            return (
                "calls itself a zip and cannot be read as one, so nobody can tell whether it holds a pickle, and "
                "nobody has pinned the source; see whether the file is whole, give spec.model.digest if it is meant so"
            )
        case Crowded(how):
            return (
                f"is a zip that {how.rstrip(',')} and is looked through for pickles up to {_ZIP_MEMBERS_MAX} members, "
                f"and nobody has pinned the source; give spec.model.digest, or put the files into several smaller zips"
            )
    assert_never(finding)


def _is_pickle_by_content(file: IO[bytes], size: int, *, packed: bool = False) -> bool:
    head = file.read(_HEAD_BYTES)
    file.seek(0)
    # An array of objects is stored as a pickle behind the header. Its first byte is an opcode that wants two more.
    return _has_objects(file) if head == _ARRAY else runs_code(file, size, packed=packed)


def _look_into_zip(path: Path) -> Finding | None:
    try:
        with open_zip(path, _ZIP_MEMBERS_MAX) as archive:
            return Pickle() if any(_member_is_pickle(archive, member) for member in archive.infolist()) else None
    except CrowdedZip as crowded:
        return Crowded(crowded.how)
    except _UNREADABLE:
        return Damaged()


def _member_is_pickle(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bool:
    if is_pickle_by_name(member.filename):
        return True
    if member.is_dir():
        return False
    with archive.open(member) as opened:
        return _is_pickle_by_content(opened, member.file_size, packed=True)


def _has_objects(file: IO[bytes]) -> bool:
    # Here and not above: it takes a tenth of a second, and most artifacts have no arrays.
    from numpy.lib.format import read_array_header_1_0, read_array_header_2_0, read_magic

    try:
        major, _ = read_magic(file)
        # Version 3 is version 2 with names of fields in another encoding, and they do not matter here.
        read = read_array_header_1_0 if major == 1 else read_array_header_2_0
        *_, dtype = read(file)
    except (ValueError, SyntaxError, tokenize.TokenError, RecursionError, MemoryError, TypeError, struct.error):
        # It calls itself an array and its header is not as they are, or longer than NumPy takes from strangers.
        return True
    return bool(dtype.hasobject)
