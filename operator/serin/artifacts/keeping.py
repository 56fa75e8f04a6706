"""What a Job made, kept in a bucket: groups of files under one folder, of which the newest stay.

    s3://reports/serin/ml/iris/iris-2-x7k2p.1.holdout/report.html
                              iris-2-x7k2p.1.holdout/report.json     written last: with it the group is whole

A group's name says whose it is, so a Job that was killed and runs again writes over its own. Only files that a group
may have are ever removed, in groups whose name is one of ours; what else lies in the bucket is nobody's business here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import obstore

from serin.artifacts.buckets import open_store, told
from serin.artifacts.errors import ArtifactError, Reason
from serin.artifacts.limits import Deadline
from serin.artifacts.transfer import persistently
from serin.artifacts.uri import BucketPlace

_MEDIA = {".json": "application/json", ".html": "text/html; charset=utf-8"}


@dataclass(frozen=True, slots=True)
class Shelf:
    """A folder of a bucket, and what a group in it may be called and hold.

    names: what a group's name looks like. files: the names of its files, in the order in which they are written.
    """

    place: BucketPlace
    names: re.Pattern[str]
    files: Sequence[str]

    def key(self, group: str, file: str) -> str:
        """The key of a file."""
        return f"{self.place.key.rstrip('/')}/{group}/{file}"

    def uri(self, group: str, file: str) -> str:
        """Where a file is, for people."""
        return f"{self.place.kind}://{self.place.bucket}/{self.key(group, file)}"


def keep_group(shelf: Shelf, group: str, content: Mapping[str, bytes], deadline: Deadline) -> None:
    """Write a group's files, one after another; what was there under its name is replaced.

    Raises:
        ArtifactError: AccessDenied, ArtifactNotFound for a bucket that is not there, SourceUnavailable, TimedOut.
    """
    store = open_store(shelf.place, deadline)
    for file in shelf.files:
        key = shelf.key(group, file)
        media = _MEDIA.get(f".{file.rpartition('.')[2]}", "application/octet-stream")
        persistently(deadline, partial(_put, store, shelf, key, content[file], media))


def drop_groups(shelf: Shelf, group: str, deadline: Deadline, *, keep_newest: int) -> int:
    """Remove all groups but the newest ones; `group` is one of them whatever its age. Returns how many were removed.

    A removal that breaks off leaves a group with its last file, and that is found again.

    Raises:
        ArtifactError: as `keep_group`; some groups may be removed.
    """
    store = open_store(shelf.place, deadline)
    found = persistently(deadline, lambda: _ages(store, shelf, deadline))
    found.pop(group, None)
    others = sorted(found, key=lambda name: (found[name], name), reverse=True)
    for old in (doomed := others[keep_newest - 1 :]):
        for file in shelf.files:
            persistently(deadline, partial(_delete, store, shelf, shelf.key(old, file)))
    return len(doomed)


def _put(store: Any, shelf: Shelf, key: str, content: bytes, media: str) -> None:
    with _told(shelf):
        obstore.put(store, key, content, attributes={"Content-Type": media})


def _ages(store: Any, shelf: Shelf, deadline: Deadline) -> dict[str, datetime]:
    """When each group was written last."""
    found: dict[str, datetime] = {}
    prefix = shelf.place.key.rstrip("/") + "/"
    with _told(shelf):
        for page in obstore.list(store, prefix):
            deadline.remaining()
            for meta in page:
                group, _, file = meta["path"].removeprefix(prefix).partition("/")
                if file in shelf.files and shelf.names.fullmatch(group):
                    at = meta["last_modified"]
                    found[group] = max(found.get(group, at), at)
    return found


def _delete(store: Any, shelf: Shelf, key: str) -> None:
    with _told(shelf):
        try:
            obstore.delete(store, key)
        except FileNotFoundError:
            return  # another Job of the same deployment was faster


@contextmanager
def _told(shelf: Shelf) -> Iterator[None]:
    bucket = f"{shelf.place.kind}://{shelf.place.bucket}"
    try:
        with told(bucket, shelf.place.kind):
            yield
    except (FileNotFoundError, ArtifactError) as error:
        if isinstance(error, ArtifactError) and error.reason is not Reason.ARTIFACT_NOT_FOUND:
            raise
        # Whatever is written is made by that; only the bucket itself can be missing.
        raise ArtifactError(Reason.ARTIFACT_NOT_FOUND, f"{bucket} is not there; make it, or correct the uri") from None
