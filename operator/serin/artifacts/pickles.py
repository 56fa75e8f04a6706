"""Files that run code when they are loaded.

A pickle is a program. From a source that somebody pinned by digest it is that person's program; from one that moves
it is whoever's. Names decide first, content where names say nothing: a torch checkpoint is a zip with a pickle in
it, and `.bin` can be anything.

Not looked for: code that a framework is told to load in other ways (Keras Lambda layers, custom code in a model
repository, joblib files under another name and compressed).
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path

from serin.artifacts.errors import ArtifactError, Reason
from serin.artifacts.zips import open_zip

_NAMES = (
    *(".pkl", ".pickle", ".pck", ".p", ".dill", ".cloudpickle"),
    *(".joblib", ".joblib.gz", ".pkl.gz", ".pt", ".pth", ".ckpt", ".mar"),
)
_HEAD_BYTES = 512
_ZIP_MEMBERS_MAX = 100_000


def is_pickle_by_name(path: str) -> bool:
    """Say whether files of this name usually are or hold pickles."""
    return path.lower().endswith(_NAMES)


def is_pickle(path: Path) -> bool:
    """Say whether a file on this machine is or holds a pickle, by its name or its content."""
    if is_pickle_by_name(path.name):
        return True
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
        if _looks_pickled(head):
            return True
        if head[:2] == b"PK" and head[2:4] in {b"\x03\x04", b"\x05\x06"}:
            return _zip_holds_pickle(path)
        if head[:6] == b"\x93NUMPY":
            return _has_objects(head)
        return False


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


def _looks_pickled(head: bytes) -> bool:
    # Protocols 2 to 5 start with PROTO and their number; 4 and 5 then have a FRAME. Protocols 0 and 1 have no sign of
    # their own; what they start with for a class instance is the name of a module after an opcode.
    if head[:1] == b"\x80" and head[1:2] in {b"\x02", b"\x03", b"\x04", b"\x05"}:
        return True
    return head.startswith((b"ccopy_reg\n", b"(icopy_reg\n", b"c__builtin__\n", b"cos\n", b"cposix\n", b"cbuiltins\n"))


def _zip_holds_pickle(path: Path) -> bool:
    try:
        with open_zip(path, _ZIP_MEMBERS_MAX) as archive:
            return any(_member_is_pickle(archive, member) for member in archive.infolist())
    except (zipfile.BadZipFile, zlib.error, ArtifactError, NotImplementedError, RuntimeError, OSError, ValueError):
        # It calls itself a zip and cannot be looked into; another program may read what we cannot.
        return True


def _member_is_pickle(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bool:
    if is_pickle_by_name(member.filename):
        return True
    if member.is_dir():
        return False
    with archive.open(member) as opened:
        head = opened.read(_HEAD_BYTES)
    return _looks_pickled(head) or _has_objects(head)


def _has_objects(head: bytes) -> bool:
    # An array of objects is stored as a pickle behind the header.
    return head[:6] == b"\x93NUMPY" and b"'descr': '|O" in head
