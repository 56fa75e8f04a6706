"""oci: a manifest in a registry, whose layers are the files.

The manifest names every layer by its SHA-256, so the artifact's digest is known before a layer is read. A layer's
path is its title annotation (as ORAS writes it) or its filepath annotation (as ModelPack does); a layer that is a
tar is unpacked at the artifact's root. Container images for running are not artifacts: their layers hide and remove
each other's files.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import requests

from serin.artifacts.digest import Digest
from serin.artifacts.errors import ArtifactError, Interrupted, Reason, unavailable
from serin.artifacts.limits import Deadline
from serin.artifacts.source import Body, Offer, RemoteFile
from serin.artifacts.sources.oci_login import GIVE_OCI, Login
from serin.artifacts.uri import OciPlace
from serin.artifacts.web import Web

_MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_MANIFEST_BYTES_MAX = 4 << 20
_PATHS = ("org.opencontainers.image.title", "org.cncf.model.filepath")
_UNPACK = "io.deis.oras.content.unpack"


class OciSource:
    """A manifest and its layers."""

    def __init__(self, place: OciPlace, deadline: Deadline, *, plain_http: bool) -> None:
        """Take a place; nothing is opened yet.

        Args: plain_http: whether a registry that does not speak TLS will do.
        """
        self._place = place
        self._web = Web(deadline, give=GIVE_OCI)
        self._login = Login(place, self._web)
        self._schemes = ["https", "http"] if plain_http else ["https"]

    def look(self) -> Offer:
        """Read the manifest."""
        place = self._place
        raw = self._manifest()
        digest = "sha256:" + hashlib.sha256(raw).hexdigest()
        if place.pinned and digest != place.reference:
            raise ArtifactError(
                Reason.DIGEST_MISMATCH,
                f"the registry's manifest has the digest {digest} and not the one in the uri; do not use this registry",
            )
        manifest = _parsed(raw)
        name = place.repository.rpartition("/")[2]
        layers = [layer for layer in manifest["layers"] if layer.get("size") != 0 or _path(layer)]
        files = tuple(self._file(layer, name, index, alone=len(layers) == 1) for index, layer in enumerate(layers))
        if not files:
            raise _unusable("has no layers, so it holds no model; push files with a title each")
        single = len(files) == 1
        kind = manifest.get("artifactType") or (manifest.get("config") or {}).get("mediaType") or "directory"
        media = layers[0].get("mediaType", kind) if single else kind
        uri = f"oci://{place.registry}/{place.repository}@{digest}"
        return Offer(uri, files, single, str(media))

    @contextmanager
    def open(self, file: RemoteFile, offset: int) -> Iterator[Body]:
        """Read a layer from an offset on."""
        with self._web.body(self._url(f"blobs/{file.location}"), offset, None) as body:
            yield body

    def _file(self, layer: Mapping[str, Any], name: str, index: int, *, alone: bool) -> RemoteFile:
        media = str(layer.get("mediaType", ""))
        tar = media.endswith((".tar", "+tar", ".tar+gzip", ".tar.gzip", ".tar+zstd"))
        packed = layer.get("annotations", {}).get(_UNPACK) == "true" or (tar and not _is_raw(layer))
        path = _path(layer) or (name if alone else f"layer-{index}")
        if packed:
            # Two folders may be packed under one name, and a packed one may have the name of a file.
            path = f"{path.rstrip('/')}.{index}.tar"
        try:
            return RemoteFile(path, layer["digest"], int(layer["size"]), Digest(layer["digest"]), packed=packed)
        except (KeyError, TypeError, ValueError):
            raise _unusable("names a layer without a sha256 digest and a size; push it anew") from None

    def _manifest(self) -> bytes:
        """Return the manifest as it was pushed; finds out, first, how the registry wants to be spoken to."""
        path = f"manifests/{self._place.reference}"
        for scheme in self._schemes:
            last = scheme == self._schemes[-1]
            self._scheme = scheme
            try:
                return self._read(self._url(path))
            except (Interrupted, ArtifactError) as error:
                cause = error.cause if isinstance(error, Interrupted) else error
                if last or cause.reason is not Reason.SOURCE_UNAVAILABLE:
                    raise
        raise AssertionError("there is at least one scheme")

    def _read(self, url: str) -> bytes:
        for challenged in (False, True):
            with self._web.request("GET", url, {"Accept": ", ".join(_MANIFESTS)}) as response:
                if response.status_code == requests.codes.unauthorized and not challenged:
                    self._login.answer(response)
                    continue
                self._web.check(response, url)
                raw: bytes = response.raw.read(_MANIFEST_BYTES_MAX + 1, decode_content=True)
                if len(raw) > _MANIFEST_BYTES_MAX:
                    raise _unusable(f"has more than {_MANIFEST_BYTES_MAX} bytes")
                return raw
        raise unavailable(f"oci://{self._place.registry}", "asks for a login again after one")

    def _url(self, path: str) -> str:
        return f"{self._scheme}://{self._place.registry}/v2/{self._place.repository}/{path}"


def _parsed(raw: bytes) -> dict[str, Any]:
    try:
        manifest = json.loads(raw)
        layers = manifest.get("layers")
    except (ValueError, AttributeError, RecursionError):
        raise _unusable("is not JSON") from None
    if isinstance(manifest.get("manifests"), list):
        raise _unusable("is an index of several; name one of them by its digest")
    if not isinstance(layers, list) or not all(isinstance(layer, dict) for layer in layers):
        raise _unusable("has no list of layers")
    return dict(manifest)


def _path(layer: Mapping[str, Any]) -> str | None:
    annotations = layer.get("annotations") or {}
    return next((str(annotations[key]) for key in _PATHS if annotations.get(key)), None)


def _is_raw(layer: Mapping[str, Any]) -> bool:
    # A title with an archive's own ending is a file that happens to be a tar: it was pushed as a file.
    return (_path(layer) or "").endswith((".tar", ".tgz", ".tar.gz"))


def _unusable(how: str) -> ArtifactError:
    return ArtifactError(Reason.UNSUPPORTED_SCHEME, f"the manifest that the uri names {how}")
