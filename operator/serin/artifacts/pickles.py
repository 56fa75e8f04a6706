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
from collections.abc import Iterable
from pathlib import Path
from typing import IO

from serin.artifacts.errors import ArtifactError, Reason
from serin.artifacts.opcodes import runs_code
from serin.artifacts.zips import open_zip

_NAMES = (
    *(".pkl", ".pickle", ".pck", ".p", ".dill", ".cloudpickle"),
    *(".joblib", ".joblib.gz", ".pkl.gz", ".pt", ".pth", ".ckpt", ".mar"),
)
_HEAD_BYTES = 6
_ARRAY = b"\x93NUMPY"
_ZIP_MEMBERS_MAX = 100_000
_UNREADABLE = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, ArtifactError),
    *(NotImplementedError, RuntimeError, OSError, EOFError, ValueError, OverflowError),
    IndexError,  # a member without a name, up to Python 3.11
)
"""What zipfile raises of a zip that is damaged, or not for it."""


def is_pickle_by_name(path: str) -> bool:
    """Say whether files of this name usually are or hold pickles."""
    return path.lower().endswith(_NAMES)


def is_pickle(path: Path) -> bool:
    """Say whether a file on this machine is or holds a pickle, by its name or its content."""
    if is_pickle_by_name(path.name):
        return True
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        if head[:2] == b"PK" and head[2:4] in {b"\x03\x04", b"\x05\x06"}:
            return _zip_holds_pickle(path)
        file.seek(0)
        return _is_pickle_by_content(file, path.stat().st_size)


def refuse_pickles(paths: Iterable[str]) -> None:
    """Refuse an artifact in which these files are pickles; none is fine.

    Raises:
        ArtifactError: Unsafe.
    """
    found = sorted(paths)
    if found:
        more = f" and {len(found) - 1} more" if len(found) > 1 else ""
        raise ArtifactError(
            Reason.UNSAFE,
            f"{found[0][:200]!r}{more} can run code when it is loaded, and nobody has pinned the source; give "
            f"spec.model.digest, store the model without pickles (safetensors, ONNX, skops), or let an administrator "
            f"set artifacts.allowPickles in the operator's configuration",
            field="spec.model.digest",
        )


def _is_pickle_by_content(file: IO[bytes], size: int, *, packed: bool = False) -> bool:
    head = file.read(_HEAD_BYTES)
    file.seek(0)
    # An array of objects is stored as a pickle behind the header. Its first byte is an opcode that wants two more.
    return _has_objects(file) if head == _ARRAY else runs_code(file, size, packed=packed)


def _zip_holds_pickle(path: Path) -> bool:
    try:
        with open_zip(path, _ZIP_MEMBERS_MAX) as archive:
            return any(_member_is_pickle(archive, member) for member in archive.infolist())
    except _UNREADABLE:
        # It calls itself a zip and cannot be looked into; another program may read what we cannot.
        return True


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
