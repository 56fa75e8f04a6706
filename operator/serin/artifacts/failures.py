"""What the volume does to us, in our own words: no room, no rights."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from serin.artifacts.errors import ArtifactError, Interrupted, Reason

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NOT_ALLOWED = {errno.EACCES, errno.EPERM, errno.EROFS}


@contextmanager
def local_failures() -> Iterator[None]:
    """Turn errors of files on this machine into errors of the closed set.

    Raises:
        ArtifactError: TooLarge for a full volume, AccessDenied for one that may not be written.
    """
    try:
        yield
    except Interrupted as interrupted:
        raise interrupted.cause from None
    except OSError as error:
        what = f"{error.filename!s:.200}" if error.filename else "the volume"
        if error.errno in _FULL:
            raise ArtifactError(
                Reason.TOO_LARGE,
                f"{what}: there is no room left; give a larger volume or remove what is old",
                field="--into",
            ) from None
        if error.errno in _NOT_ALLOWED:
            raise ArtifactError(
                Reason.ACCESS_DENIED,
                f"{what} may not be read or written by this user; set fsGroup or the volume's rights",
                field="--into",
            ) from None
        raise ArtifactError(
            Reason.SOURCE_UNAVAILABLE,
            f"{what}: {error.strerror or type(error).__name__}; see the volume",
            field="--into",
        ) from None
