"""Buckets of S3, Google Cloud Storage and Azure: how one is reached, by which credentials, and what its errors mean.

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

from obstore.exceptions import BaseError, PermissionDeniedError, PreconditionError, UnauthenticatedError
from obstore.store import AzureStore, GCSStore, S3Store

from serin.artifacts.errors import Interrupted, denied, not_found, unavailable
from serin.artifacts.limits import Deadline
from serin.artifacts.uri import BucketKind, BucketPlace

_SILENCE = timedelta(seconds=30)

GIVE = {
    "s3": "give credentials by AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, AWS_SHARED_CREDENTIALS_FILE or a web "
    "identity token; AWS_SKIP_SIGNATURE=true for a public bucket",
    "gs": "give credentials by a file that GOOGLE_APPLICATION_CREDENTIALS names or by workload identity",
    "az": "give credentials by AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY or by workload identity",
}
"""How credentials are given to each kind of store."""


def open_store(place: BucketPlace, deadline: Deadline) -> Any:
    """Return the library's store for a bucket, with the credentials of the surroundings.

    Raises:
        ArtifactError: AccessDenied, when they cannot be used at all.
    """
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
        raise denied(f"{place.kind}://{place.bucket} (the credentials cannot be used)", GIVE[place.kind]) from None
    assert_never(place.kind)


@contextmanager
def told(name: str, kind: BucketKind) -> Iterator[None]:
    """Turn the library's errors into ours. Its texts stay out: they hold URLs and parts of requests.

    Raises:
        FileNotFoundError: there is no such object.
        ArtifactError: AccessDenied, ArtifactNotFound for a bucket.
        Interrupted: it may help to ask again.
    """
    try:
        yield
    except FileNotFoundError:
        raise
    except (PermissionDeniedError, UnauthenticatedError):
        raise denied(name, GIVE[kind]) from None
    except PreconditionError:
        raise Interrupted(unavailable(name, "was changed while it was read")) from None
    except BaseError as error:
        if "169.254.169.254" in str(error):
            # Without credentials the library asks the machine that it runs on for some.
            raise denied(f"{name} (no credentials found)", GIVE[kind]) from None
        if "NoSuchBucket" in str(error):
            raise not_found(name) from None
        raise Interrupted(unavailable(name, "does not answer as it should")) from None


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
