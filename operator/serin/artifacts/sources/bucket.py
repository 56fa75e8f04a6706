"""s3, gs and az: an object, or all objects under a prefix.

How they are reached, and by which credentials, is in `serin.artifacts.buckets`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import obstore
from obstore.exceptions import GenericError

from serin.artifacts.buckets import open_store, told
from serin.artifacts.digest import CHUNK_BYTES
from serin.artifacts.errors import not_found
from serin.artifacts.limits import Deadline, Limits
from serin.artifacts.source import Body, Offer, RemoteFile
from serin.artifacts.sources.http import strong
from serin.artifacts.uri import BucketPlace


class BucketSource:
    """Objects of a bucket."""

    def __init__(self, place: BucketPlace, deadline: Deadline, limits: Limits) -> None:
        """Take a place; nothing is opened yet."""
        self._place = place
        self._limits = limits
        self._name = f"{place.kind}://{place.bucket}/{place.key}"
        self._uri = f"{place.kind}://{place.bucket}/{quote(place.key)}"
        self._store = open_store(place, deadline)

    def look(self) -> Offer:
        """Find the object, or list what is under the prefix."""
        key = self._place.key
        with told(self._name, self._place.kind):
            if not key.endswith("/"):
                try:
                    return self._object(key)
                except FileNotFoundError:
                    pass
            files = tuple(self._under(key.rstrip("/") + "/"))
        if not files:
            raise not_found(self._name)
        return Offer(self._uri, files, single=False, media="directory")

    @contextmanager
    def open(self, file: RemoteFile, offset: int) -> Iterator[Body]:
        """Read from an offset on; from 0 when the object has changed meanwhile."""
        options: dict[str, Any] = {"range": {"offset": offset}} if offset else {}
        if self._place.version:
            options["version"] = self._place.version
        elif file.validator:
            options["if_match"] = file.validator
        with told(self._name, self._place.kind):
            try:
                result = obstore.get(self._store, file.location, options=options)  # type: ignore[arg-type]
            except GenericError as error:
                if "non-partial" not in str(error):
                    raise
                # Some servers answer a range with 200, and what they send then cannot be told; from the start it can.
                del options["range"]
                offset = 0
                result = obstore.get(self._store, file.location, options=options)  # type: ignore[arg-type]
            yield Body(offset, self._chunks(result))

    def _chunks(self, result: Any) -> Iterator[bytes]:
        with told(self._name, self._place.kind):
            for chunk in result.stream(min_chunk_size=CHUNK_BYTES):
                yield bytes(chunk)

    def _object(self, key: str) -> Offer:
        options: dict[str, Any] = {"head": True}
        if self._place.version:
            options["version"] = self._place.version
        result = obstore.get(self._store, key, options=options)  # type: ignore[arg-type]
        meta = result.meta
        version = self._place.version or _version(meta.get("version"))
        file = RemoteFile(
            self._place.file_name, key, meta["size"], validator=version or strong(_quoted(meta.get("e_tag")))
        )
        media = str(result.attributes.get("Content-Type", "application/octet-stream"))
        uri = f"{self._uri}?versionId={quote(version, safe='')}" if version else self._uri
        # From here on this version is what is read, even if a newer one is written meanwhile.
        self._place = BucketPlace(self._place.kind, self._place.bucket, key, version)
        return Offer(uri, (file,), single=True, media=media)

    def _under(self, prefix: str) -> Iterator[RemoteFile]:
        count = 0
        for page in obstore.list(self._store, prefix):
            for meta in page:
                if meta["path"].endswith("/") or meta["path"] == prefix.rstrip("/"):
                    continue  # what consoles put there to show a folder
                count += 1
                self._limits.check_files(count)
                name = meta["path"].removeprefix(prefix)
                yield RemoteFile(name, meta["path"], meta["size"], validator=strong(_quoted(meta.get("e_tag"))))


def _quoted(etag: str | None) -> str | None:
    # Some servers leave the quotes out in listings, and want them in conditions.
    return f'"{etag}"' if etag and not etag.endswith('"') else etag


def _version(text: str | None) -> str | None:
    # A bucket without versioning says "null".
    return text if text and text != "null" else None
