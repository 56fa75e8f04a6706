"""s3, gs and az: an object, or all objects under a prefix.

obstore (Rust's object_store) speaks to all three in one wheel without dependencies; it reads credentials from the
environment and from the token files that a service account gets. The endpoint is the environment's, too
(AWS_ENDPOINT_URL), so a resource cannot choose it. gs and az are not tested against the real services.
"""

from __future__ import annotations

import configparser
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, assert_never
from urllib.parse import quote

import obstore
from obstore.exceptions import BaseError, GenericError, PermissionDeniedError, PreconditionError, UnauthenticatedError
from obstore.store import AzureStore, GCSStore, S3Store

from serin.artifacts.errors import Interrupted, denied, not_found, unavailable
from serin.artifacts.limits import Deadline, Limits
from serin.artifacts.source import Body, Offer, RemoteFile
from serin.artifacts.sources.http import strong
from serin.artifacts.uri import BucketPlace

_CHUNK_BYTES = 2 << 20
_SILENCE = timedelta(seconds=30)

_GIVE = {
    "s3": "give credentials by AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_SHARED_CREDENTIALS_FILE or a web "
    "identity token; AWS_SKIP_SIGNATURE=true for a public bucket",
    "gs": "give credentials by a file that GOOGLE_APPLICATION_CREDENTIALS names or by workload identity",
    "az": "give credentials by AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY or by workload identity",
}


class BucketSource:
    """Objects of a bucket."""

    def __init__(self, place: BucketPlace, deadline: Deadline, limits: Limits) -> None:
        """Take a place; nothing is opened yet."""
        self._place = place
        self._limits = limits
        self._name = f"{place.kind}://{place.bucket}/{place.key}"
        self._uri = f"{place.kind}://{place.bucket}/{quote(place.key)}"
        self._store = _store(place, deadline)

    def look(self) -> Offer:
        """Find the object, or list what is under the prefix."""
        key = self._place.key
        with self._told():
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
        with self._told():
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
        with self._told():
            for chunk in result.stream(min_chunk_size=_CHUNK_BYTES):
                yield bytes(chunk)

    def _object(self, key: str) -> Offer:
        options: dict[str, Any] = {"head": True}
        if self._place.version:
            options["version"] = self._place.version
        result = obstore.get(self._store, key, options=options)  # type: ignore[arg-type]
        meta = result.meta
        version = self._place.version or _version(meta.get("version"))
        file = RemoteFile(
            key.rpartition("/")[2], key, meta["size"], validator=version or strong(_quoted(meta.get("e_tag")))
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

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn the library's errors into ours. Its texts stay out: they hold URLs and parts of requests."""
        try:
            yield
        except FileNotFoundError:
            raise
        except (PermissionDeniedError, UnauthenticatedError):
            raise denied(self._name, _GIVE[self._place.kind]) from None
        except PreconditionError:
            raise Interrupted(unavailable(self._name, "was changed while it was read")) from None
        except BaseError as error:
            if "169.254.169.254" in str(error):
                # Without credentials the library asks the machine that it runs on for some.
                raise denied(f"{self._name} (no credentials found)", _GIVE[self._place.kind]) from None
            if "NoSuchBucket" in str(error):
                raise not_found(self._name) from None
            raise Interrupted(unavailable(self._name, "does not answer as it should")) from None


def _quoted(etag: str | None) -> str | None:
    # Some servers leave the quotes out in listings, and want them in conditions.
    return f'"{etag}"' if etag and not etag.endswith('"') else etag


def _version(text: str | None) -> str | None:
    # A bucket without versioning says "null".
    return text if text and text != "null" else None


def _store(place: BucketPlace, deadline: Deadline) -> Any:
    # No retries inside: the transfer tries again itself, goes on from where it was and keeps the deadline.
    client: Any = {
        "timeout": timedelta(seconds=deadline.remaining()),
        "connect_timeout": timedelta(seconds=10),
        "read_timeout": _SILENCE,
    }
    retries: Any = {"max_retries": 0, "retry_timeout": timedelta(seconds=30)}
    try:
        match place.kind:
            case "s3":
                endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
                if endpoint:
                    client["allow_http"] = endpoint.startswith("http://")
                config: Any = _aws_profile() | ({"endpoint": endpoint} if endpoint else {})
                return S3Store(place.bucket, config=config, client_options=client, retry_config=retries)
            case "gs":
                return GCSStore(place.bucket, client_options=client, retry_config=retries)
            case "az":
                return AzureStore(place.bucket, client_options=client, retry_config=retries)
    except (BaseError, ValueError, OSError):
        raise denied(f"{place.kind}://{place.bucket} (the credentials cannot be used)", _GIVE[place.kind]) from None
    assert_never(place.kind)


def _aws_profile() -> dict[str, str]:
    """Return the credentials of the file that AWS_SHARED_CREDENTIALS_FILE names; the library does not read it."""
    name = os.environ.get("AWS_SHARED_CREDENTIALS_FILE")
    if not name or "AWS_ACCESS_KEY_ID" in os.environ:
        return {}
    profiles = configparser.RawConfigParser()
    profiles.read_string(Path(name).read_text())
    profile = os.environ.get("AWS_PROFILE", "default")
    keys = {"aws_access_key_id": "access_key_id", "aws_secret_access_key": "secret_access_key"}
    keys["aws_session_token"] = "session_token"  # noqa: S105  the name of a field
    return {ours: profiles[profile][theirs] for theirs, ours in keys.items() if profiles.has_option(profile, theirs)}
