"""Model URIs: text in, one of a closed set of places out; nothing is opened here.

| form                                   | place      | moves under its name?        |
|----------------------------------------|------------|------------------------------|
| https://host/path                      | HttpPlace  | yes                          |
| s3://bucket/key, gs://, az://          | BucketPlace| yes, unless ?versionId=      |
| oci://registry/repository:tag          | OciPlace   | yes, unless @sha256:...      |
| models:/name/3, models:/name@champion  | ModelPlace | an alias yes; a version's files can be changed, too |
| pvc://claim/path                       | ClaimPlace | yes                          |
| hf://org/name@revision/path            | HubPlace   | yes, unless a whole commit   |
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, assert_never
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from serin.artifacts.errors import ArtifactError, Reason

_COMMIT = re.compile(r"[0-9a-f]{40}")
_SECRET_PARAMETERS = frozenset(
    {
        *("x-amz-signature", "x-amz-credential", "x-amz-security-token", "x-goog-signature", "x-goog-credential"),
        *("sig", "signature", "token", "access_token", "auth", "apikey", "api_key", "key", "secret", "password"),
    }
)


@dataclass(frozen=True, slots=True)
class HttpPlace:
    """One file on a web server."""

    url: str

    @property
    def file_name(self) -> str:
        """What the file is called, if it is one."""
        return unquote(urlsplit(self.url).path).rpartition("/")[2] or "model"


BucketKind = Literal["s3", "gs", "az"]


@dataclass(frozen=True, slots=True)
class BucketPlace:
    """An object, or all objects under a prefix."""

    kind: BucketKind
    bucket: str
    key: str
    version: str | None = None

    @property
    def file_name(self) -> str:
        """What the file is called, if it is one."""
        return self.key.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class OciPlace:
    """A manifest in a registry."""

    registry: str
    repository: str
    reference: str
    """A tag, or sha256: and 64 digits."""

    @property
    def pinned(self) -> bool:
        """Whether the reference names content."""
        return self.reference.startswith("sha256:")


@dataclass(frozen=True, slots=True)
class ModelPlace:
    """A model version of an MLflow registry; exactly one of version and alias is there."""

    name: str
    version: str | None
    alias: str | None


@dataclass(frozen=True, slots=True)
class ClaimPlace:
    """A file or folder of a PersistentVolumeClaim."""

    claim: str
    path: str

    @property
    def file_name(self) -> str:
        """What the file is called, if it is one."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class HubPlace:
    """A repository on the Hugging Face Hub, or a file or folder in it."""

    repository: str
    revision: str
    path: str

    @property
    def file_name(self) -> str:
        """What the file is called, if it is one."""
        return self.path.rpartition("/")[2]

    @property
    def pinned(self) -> bool:
        """Whether the revision is a commit."""
        return _COMMIT.fullmatch(self.revision) is not None


Place = HttpPlace | BucketPlace | OciPlace | ModelPlace | ClaimPlace | HubPlace

SUPPORTED = "https, s3, gs, az, oci, models, pvc and hf"


def parse_uri(uri: str, *, plain_http: bool = False) -> Place:
    """Say which place a URI means.

    Args: uri: as in spec.model.uri. plain_http: whether http:// is good enough.

    Raises:
        ArtifactError: UnsupportedScheme for what cannot be read, Unsafe for a URI that holds a credential.
    """
    try:
        parts = urlsplit(uri)
        port_is_a_number = parts.port is None or parts.port >= 0
    except ValueError:
        raise _unreadable("it is not a URI") from None
    if not port_is_a_number or any(character.isspace() or ord(character) < 0x20 for character in uri):
        raise _unreadable("it is not a URI")
    if parts.scheme != "models":  # an alias is written with '@' there, and there is no host that could be logged in to
        _refuse_credentials(parts)
    match parts.scheme:
        case "https":
            return _http(parts)
        case "http":
            if plain_http:
                return _http(parts)
            raise ArtifactError(
                Reason.UNSUPPORTED_SCHEME,
                "http:// can be changed on the way; use https, or allow plain http for a store within the cluster",
            )
        case "s3" | "gs" | "az":
            return _bucket(parts)
        case "oci":
            return _oci(parts)
        case "models":
            return _model(uri)
        case "pvc":
            return _claim(parts)
        case "hf":
            return _hub(parts)
        case other:
            raise ArtifactError(
                Reason.UNSUPPORTED_SCHEME, f"the scheme {other!r} is not supported; supported are {SUPPORTED}"
            )


def names_content(place: Place) -> bool:
    """Say whether a place can only ever have one content, so that whoever wrote the URI vouches for it."""
    match place:
        case OciPlace() | HubPlace():
            return place.pinned
        case HttpPlace() | BucketPlace() | ModelPlace() | ClaimPlace():
            return False
    assert_never(place)


def file_name(place: Place) -> str | None:
    """Return what the file is called if the place is a single file; None where only the source can tell."""
    match place:
        case HttpPlace() | BucketPlace() | ClaimPlace() | HubPlace():
            return place.file_name or None
        case OciPlace():
            return None  # its manifest says it
        case ModelPlace():
            return None  # always a folder, also one of one file: its digest is that of a listing, with the name in it
    assert_never(place)


def shown(uri: str) -> str:
    """Return a URI as it may be printed: without user, query and fragment."""
    head = uri.partition("?")[0].partition("#")[0]
    scheme, separator, rest = head.partition("://")
    authority, slash, path = rest.partition("/")
    if separator and scheme != "hf":
        authority = authority.rpartition("@")[2]
    return f"{scheme}{separator}{authority}{slash}{path}"[:300]


def parse_bucket(uri: str) -> BucketPlace:
    """Say which objects a bucket's URI means that did not come from a user.

    Raises:
        ArtifactError: UnsupportedScheme.
    """
    return _bucket(urlsplit(uri))


def _http(parts: SplitResult) -> HttpPlace:
    if not parts.hostname:
        raise _unreadable("it names no host")
    return HttpPlace(parts._replace(fragment="").geturl())


def _bucket(parts: SplitResult) -> BucketPlace:
    key = unquote(parts.path).lstrip("/")
    query = dict(parse_qsl(parts.query))
    version = query.pop("versionId", None)
    if not parts.netloc or not key or query:
        raise _unreadable(
            f"write {parts.scheme}://bucket/key, for all objects under a prefix {parts.scheme}://bucket/prefix/"
        )
    # The library takes none of these. Slashes at the end only say that it is a prefix.
    if not {"", ".", ".."}.isdisjoint(key.rstrip("/").split("/")) or re.search(r"[\x00-\x1f\x7f]", key):
        raise _unreadable("a key must not have empty parts, '.', '..' or control characters")
    kind: BucketKind = "s3" if parts.scheme == "s3" else "gs" if parts.scheme == "gs" else "az"
    return BucketPlace(kind, parts.netloc, key, version)


def _oci(parts: SplitResult) -> OciPlace:
    path, at, digest = parts.path.lstrip("/").partition("@")
    repository, colon, tag = path.partition(":")
    reference = digest if at else tag if colon else "latest"
    good = (
        re.fullmatch(r"[A-Za-z0-9.-]+(:[0-9]{1,5})?", parts.netloc)
        and re.fullmatch(r"[a-z0-9]+([._/-]+[a-z0-9]+)*", repository)
        and re.fullmatch(r"sha256:[0-9a-f]{64}" if at else r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", reference)
    )
    if not good or parts.query:
        raise _unreadable("write oci://registry/repository:tag or oci://registry/repository@sha256:...")
    return OciPlace(parts.netloc, repository, reference)


def _model(uri: str) -> ModelPlace:
    found = re.fullmatch(r"models:/+([^/@?#]+)(?:/([0-9]{1,18})|@([^/@?#]+))", uri)
    if found is None:
        raise _unreadable("write models:/name/3 for a version or models:/name@champion for an alias")
    name, version, alias = found.groups()
    return ModelPlace(unquote(name), version, alias)


def _claim(parts: SplitResult) -> ClaimPlace:
    path = unquote(parts.path).strip("/")
    if not re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", parts.netloc) or not path or parts.query:
        raise _unreadable("write pvc://claim/path")
    if any(part in {"", ".", ".."} for part in path.split("/")):
        raise ArtifactError(Reason.UNSAFE, "the path of a pvc uri must not have empty parts, '.' or '..'")
    return ClaimPlace(parts.netloc, path)


def _hub(parts: SplitResult) -> HubPlace:
    rest = unquote(f"{parts.netloc}{parts.path}").strip("/")
    found = re.fullmatch(r"([\w.-]+/[\w.-]+)(?:@([\w.-]+|refs/pr/[0-9]+))?(?:/(.*))?", rest)
    if found is None or parts.query:
        raise _unreadable("write hf://org/name, hf://org/name@revision or hf://org/name@revision/path")
    repository, revision, path = found.groups()
    return HubPlace(repository, revision or "main", path or "")


def _refuse_credentials(parts: SplitResult) -> None:
    names = {name.lower() for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
    # In an hf URI the '@' is before the revision; there is no user part to hold a secret.
    user = parts.netloc.rpartition("@")[0] if parts.scheme != "hf" else ""
    if user or names & _SECRET_PARAMETERS:
        raise ArtifactError(
            Reason.UNSAFE,
            "it holds a credential, which everybody who may read the resource can read; take it out of the uri and "
            "give it by a Secret",
        )


def _unreadable(why: str) -> ArtifactError:
    return ArtifactError(Reason.UNSUPPORTED_SCHEME, f"the uri cannot be read: {why}")
