"""Open a zip file that a stranger made.

`zipfile` reads the whole table of contents into memory before the first member can be looked at, so its size is
read from the last bytes of the file beforehand.
"""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

from serin.artifacts.errors import ArtifactError
from serin.artifacts.limits import too_many_files

_END = struct.Struct("<4s4H2LH")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_TAIL_BYTES = 70_000
"""The end record, a comment of 65,535 bytes, and the records of large files before it."""
_BYTES_FOR_EACH_MEMBER = 700
"""A member's row in the table: 46 bytes, its name, times and extras."""


class CrowdedZip(ArtifactError):
    """TooLarge: a zip has more members than may be.

    Attributes:
        how: the same without what to do, as the rest of a sentence about the file.
    """

    def __init__(self, how: str, members_max: int) -> None:
        error = too_many_files(f"a zip in the artifact {how}", members_max)
        super().__init__(error.reason, error.message)
        self.how = how


def open_zip(path: Path, members_max: int) -> zipfile.ZipFile:
    """Open a zip whose table of contents is of a sane size.

    Raises:
        CrowdedZip: it has too many members.
        zipfile.BadZipFile: it is none.
    """
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - _TAIL_BYTES))
        tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) - at < _END.size:
        raise zipfile.BadZipFile("no end record")
    _, _, _, _, members, table_bytes, _, _ = _END.unpack_from(tail, at)
    large = tail.rfind(b"PK\x06\x06", 0, at)
    if large >= 0 and len(tail) - large >= _END_64.size:
        *_, members_64, table_bytes_64, _ = _END_64.unpack_from(tail, large)
        members, table_bytes = max(members, members_64), max(table_bytes, table_bytes_64)
        if members == 0xFFFF or table_bytes == 0xFFFFFFFF:
            members, table_bytes = members_64, table_bytes_64
    if members > members_max:
        raise CrowdedZip(f"has {members} members", members_max)
    if table_bytes > members_max * _BYTES_FOR_EACH_MEMBER:
        how = f"has a table of contents of {table_bytes} bytes, as of more members than may be,"
        raise CrowdedZip(how, members_max)
    return zipfile.ZipFile(path)
