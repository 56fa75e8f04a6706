"""models: a version of an MLflow registry, by number or alias.

mlflow-skinny asks the registry (MLFLOW_TRACKING_URI, MLFLOW_REGISTRY_URI, MLFLOW_TRACKING_TOKEN and so on) which
version an alias means and where its files are, and lists them. The files are read here: through the tracking server
when it serves artifacts, or from the bucket that they are in. A tracking server has no ranges, so there a broken
file is read from its start; files that are whole stay.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

from serin.artifacts.errors import ArtifactError, Interrupted, Reason, denied, not_found, unavailable
from serin.artifacts.limits import Deadline, Limits
from serin.artifacts.source import Body, Offer, RemoteFile, Source
from serin.artifacts.uri import ModelPlace, parse_bucket
from serin.artifacts.web import Web

_GIVE = "give credentials by MLFLOW_TRACKING_TOKEN or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"

T = TypeVar("T")


class MlflowSource:
    """A model version."""

    def __init__(self, place: ModelPlace, deadline: Deadline, limits: Limits) -> None:
        """Take a place; nothing is asked yet."""
        # Read by the library on import or at each call; a user's own settings win.
        for key, value in _SETTINGS.items():
            os.environ.setdefault(key, value)
        self._place = place
        self._deadline = deadline
        self._limits = limits
        self._name = f"models:/{place.name}" + (f"/{place.version}" if place.version else f"@{place.alias}")
        self._files: Source | None = None

    def look(self) -> Offer:
        """Ask for the version, then list its files."""
        if not (os.environ.get("MLFLOW_TRACKING_URI") or os.environ.get("MLFLOW_REGISTRY_URI")):
            raise ArtifactError(
                Reason.SOURCE_UNAVAILABLE,
                "no MLflow server is known here; name it in the environment variable MLFLOW_TRACKING_URI",
                field="MLFLOW_TRACKING_URI",
            )
        from mlflow import MlflowClient

        client = MlflowClient()
        place = self._place
        version = place.version or str(
            self._asked(lambda: client.get_model_version_by_alias(place.name, str(place.alias))).version
        )
        where = self._asked(lambda: client.get_model_version_download_uri(place.name, version))
        self._files = self._at(str(where))
        offer = self._files.look()
        # A registry can give a version's folder new content, so its number is a name and pins nothing.
        return Offer(f"models:/{quote(place.name)}/{version}", offer.files, offer.single, "directory")

    def open(self, file: RemoteFile, offset: int) -> AbstractContextManager[Body]:
        """Read from an offset on."""
        if self._files is None:
            raise AssertionError("look comes first")
        return self._files.open(file, offset)

    def _at(self, where: str) -> Source:
        match urlsplit(where).scheme:
            case "s3" | "gs":
                from serin.artifacts.sources.bucket import BucketSource

                return BucketSource(parse_bucket(where.rstrip("/") + "/"), self._deadline, self._limits)
            case "mlflow-artifacts" | "http" | "https":
                return _Served(where, self._name, self._deadline, self._limits, self._asked)
            case scheme:
                raise ArtifactError(
                    Reason.UNSUPPORTED_SCHEME,
                    f"{self._name} is stored under {scheme or 'a path'!s}, which cannot be read from here; let the "
                    f"tracking server serve artifacts (mlflow server --serve-artifacts) or store them in a bucket",
                )

    def _asked(self, ask: Callable[[], T]) -> T:
        """Ask the registry, with its errors turned into ours."""
        from mlflow.exceptions import MlflowException, RestException

        self._deadline.remaining()
        try:
            return ask()
        except RestException as error:
            match error.error_code:
                case "RESOURCE_DOES_NOT_EXIST" | "INVALID_PARAMETER_VALUE":
                    raise not_found(self._name) from None
                case "PERMISSION_DENIED" | "UNAUTHENTICATED":
                    raise denied(self._name, _GIVE) from None
                case _:
                    raise Interrupted(unavailable(self._name, "is refused by the registry")) from None
        except MlflowException as error:
            status = error.get_http_status_code()
            if status in {401, 403} or "error code 401" in str(error) or "error code 403" in str(error):
                raise denied(self._name, _GIVE) from None
            raise Interrupted(unavailable("the MLflow server", "does not answer")) from None


class _Served:
    """Files that a tracking server passes on from its own store."""

    def __init__(
        self, where: str, name: str, deadline: Deadline, limits: Limits, asked: Callable[[Callable[[], Any]], Any]
    ) -> None:
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
        from mlflow.utils.credentials import get_default_host_creds

        self._repository = get_artifact_repository(where)
        self._base = str(self._repository.artifact_uri).rstrip("/")
        self._name = name
        self._limits = limits
        self._asked = asked
        creds = get_default_host_creds(self._base)
        self._web = Web(deadline, authorization=_authorization(creds), give=_GIVE)
        self._web.session.verify = creds.server_cert_path or not creds.ignore_tls_verification

    def look(self) -> Offer:
        files = tuple(
            RemoteFile(found.path, f"{self._base}/{quote(found.path)}", found.file_size) for found in self._walk("")
        )
        if not files:
            raise not_found(f"{self._name} has no files; a file of it")
        return Offer(self._name, files, single=False, media="directory")

    def open(self, file: RemoteFile, offset: int) -> AbstractContextManager[Body]:
        return self._web.body(file.location, offset, None)

    def _walk(self, folder: str) -> Iterator[Any]:
        count = 0
        folders = [folder]
        while folders:
            here = folders.pop()
            for found in self._asked(partial(self._repository.list_artifacts, here or None)):
                count += 1
                self._limits.check_files(count)
                if found.is_dir:
                    folders.append(found.path)
                else:
                    yield found


def _authorization(creds: Any) -> str | None:
    if creds.token:
        return f"Bearer {creds.token}"
    if creds.username and creds.password:
        return "Basic " + base64.b64encode(f"{creds.username}:{creds.password}".encode()).decode()
    return None


_SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
}
