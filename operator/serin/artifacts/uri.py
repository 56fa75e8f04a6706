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
_WEB = frozenset({"https", "http"})
_WITH_LOGIN = _WEB | {"s3", "gs", "az", "oci"}
_FILE_NAME_BYTES_MAX = 255


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
    if any(character.isspace() or ord(character) < 0x20 for character in uri):
        raise _unreadable("it holds a space or a control character; a space in a name is written %20")
    try:
        parts = urlsplit(uri)
    except ValueError:
        raise _unreadable("it is not a URI") from None
    _refuse_credentials(parts)
    if parts.fragment and parts.scheme not in _WEB:
        raise _unreadable("what is behind a '#' would not be looked at; write %23 where a name has one")
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
        case "mlflow":
            raise ArtifactError(
                Reason.UNSUPPORTED_SCHEME,
                "the scheme 'mlflow' is not supported; a model of an MLflow registry is models:/name/3 or "
                "models:/name@champion",
            )
        case "":
            raise ArtifactError(Reason.UNSUPPORTED_SCHEME, f"it has no scheme; supported are {SUPPORTED}")
        case other:
            raise ArtifactError(
                Reason.UNSUPPORTED_SCHEME, f"the scheme {other[:40]!r} is not supported; supported are {SUPPORTED}"
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
    _check_port(parts)
    if not parts.hostname:
        raise _unreadable("it names no host")
    if "@" in parts.netloc:
        raise _unreadable("there is nobody before the '@'; leave it out")
    return HttpPlace(parts._replace(fragment="").geturl())


def _check_port(parts: SplitResult) -> None:
    try:
        _ = parts.port
    except ValueError:
        raise _unreadable("a port is a number from 0 to 65535") from None


def _bucket(parts: SplitResult) -> BucketPlace:
    key = unquote(parts.path).lstrip("/")
    query = parse_qsl(parts.query, keep_blank_values=True)
    version = dict(query).get("versionId")
    if not re.fullmatch(r"[A-Za-z0-9$][A-Za-z0-9._-]*", parts.netloc) or not key:
        raise _unreadable(
            f"write {parts.scheme}://bucket/key, for all objects under a prefix {parts.scheme}://bucket/prefix/"
        )
    if query and (len(query) > 1 or not version):
        raise _unreadable("behind a '?' there may be versionId=... and nothing else; a '?' in a key is written %3F")
    # The library takes none of these. Slashes at the end only say that it is a prefix.
    if not {"", ".", ".."}.isdisjoint(key.rstrip("/").split("/")) or re.search(r"[\x00-\x1f\x7f]", key):
        raise _unreadable("a key must not have empty parts, '.', '..' or control characters")
    kind: BucketKind = "s3" if parts.scheme == "s3" else "gs" if parts.scheme == "gs" else "az"
    return BucketPlace(kind, parts.netloc, key, version)


def _oci(parts: SplitResult) -> OciPlace:
    _check_port(parts)
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
    found = re.fullmatch(r"(?i:models):/+([^/@?#]+)(?:/([0-9]{1,18})|@([^/@?#]+))", uri)
    if found is None:
        raise _unreadable("write models:/name/3 for a version or models:/name@champion for an alias")
    name, version, alias = found.groups()
    return ModelPlace(unquote(name), version, alias)


def _claim(parts: SplitResult) -> ClaimPlace:
    path = unquote(parts.path).strip("/")
    if not re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", parts.netloc) or not path or parts.query:
        raise _unreadable("write pvc://claim/path")
    _refuse_odd_parts("pvc", path)
    if any(len(part.encode()) > _FILE_NAME_BYTES_MAX for part in path.split("/")):
        raise _unreadable(f"no file has a name of more than {_FILE_NAME_BYTES_MAX} bytes")
    return ClaimPlace(parts.netloc, path)


def _hub(parts: SplitResult) -> HubPlace:
    rest = unquote(f"{parts.netloc}{parts.path}").strip("/")
    # A pull request's revision first: it has slashes, which else begin the path.
    found = re.fullmatch(r"([\w.-]+/[\w.-]+)(?:@(refs/pr/[0-9]+|[\w.-]+))?(?:/(.*))?", rest, re.ASCII)
    if found is None or parts.query:
        raise _unreadable("write hf://org/name, hf://org/name@revision or hf://org/name@revision/path")
    repository, revision, path = found.groups()
    for one in (repository, revision, path):
        if one:
            _refuse_odd_parts("hf", one)
    return HubPlace(repository, revision or "main", path or "")


def _refuse_odd_parts(scheme: str, path: str) -> None:
    if any(part in {"", ".", ".."} for part in path.split("/")) or re.search(r"[\x00-\x1f\x7f]", path):
        raise ArtifactError(
            Reason.UNSAFE, f"the path of a {scheme} uri must not have empty parts, '.', '..' or control characters"
        )


def _refuse_credentials(parts: SplitResult) -> None:
    names = {name.lower() for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
    user, _, host = parts.netloc.rpartition("@")
    # Where nobody logs in, and where nothing follows, an '@' has another meaning: a revision, an alias, a misspelt one.
    login = bool(user) and (":" in user or (bool(host) and parts.scheme in _WITH_LOGIN))
    if login or names & _SECRET_PARAMETERS:
        raise ArtifactError(
            Reason.UNSAFE,
            "it holds a credential, which everybody who may read the resource can read; take it out of the uri and "
            "give it by a Secret",
        )


def _unreadable(why: str) -> ArtifactError:
    return ArtifactError(Reason.UNSUPPORTED_SCHEME, f"the uri cannot be read: {why}")
