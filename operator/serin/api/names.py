"""Names that Serin gives to things in a cluster, once, so that no two packages spell them differently."""

import hashlib
import re
from typing import Literal, assert_never

GROUP = "serin.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

FIELD_MANAGER = "serin"
"""Owner of the fields that server-side apply writes."""
FINALIZER = f"{GROUP}/traffic"
"""Held while a route of others still lists our slots: all weight goes to stable before the deployment
does."""

LABEL_DEPLOYMENT = f"{GROUP}/deployment"
LABEL_REVISION = f"{GROUP}/revision"
LABEL_SLOT = f"{GROUP}/slot"
LABEL_MANAGED = "app.kubernetes.io/managed-by"
"""Its value is `MANAGED_BY`."""
MANAGED_BY = "serin"
ANNOTATION_RETAINED = f"{GROUP}/retained-for"
"""On a ModelRevision without an owner: the uid of the ModelDeployment that made it and left it to outlive it."""

DEPLOYMENT_NAME_MAX = 40
"""Characters of a ModelDeployment's name; a revision's name must still fit a label value, with room for a
Job's suffix."""
REVISION_NAME_MAX = 56
SLUG_MAX = 20

Slot = Literal["a", "b"]
"""One of two permanent Services; revisions take turns in them."""

SLOTS: tuple[Slot, Slot] = ("a", "b")

_HASH_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
"""No vowels and no look-alikes, as Kubernetes does for its own suffixes: no word is ever spelled by
accident."""
_HASH_LENGTH = 5


def other(slot: Slot) -> Slot:
    """Return the slot that is not this one."""
    match slot:
        case "a":
            return "b"
        case "b":
            return "a"
    assert_never(slot)


def slot_service(deployment: str, slot: Slot) -> str:
    """Return the name of a slot's Service: `iris-a`."""
    return f"{deployment}-{slot}"


def stable_service(deployment: str) -> str:
    """Return the name of the in-cluster Service that selects the stable revision: `iris`."""
    return deployment


def revision_name(deployment: str, version: str, content_hash: str) -> str:
    """Return the name of a revision: `<deployment>-<version slug>-<hash5>`.

    The slug is for people and may be cut; the hash tells revisions apart. At most `REVISION_NAME_MAX`
    characters for every deployment name that the API accepts.

    >>> revision_name("iris", "2.1.0-RC1", "sha256:3c6e")
    'iris-2-1-0-rc1-9289x'
    """
    room = min(SLUG_MAX, REVISION_NAME_MAX - len(deployment) - _HASH_LENGTH - 2)
    slug = re.sub(r"[^a-z0-9]+", "-", version.lower()).strip("-")[: max(room, 1)].strip("-")
    return "-".join(part for part in (deployment, slug, _short(content_hash)) if part)


def _short(content_hash: str) -> str:
    number = int.from_bytes(hashlib.sha256(content_hash.encode()).digest())
    letters: list[str] = []
    for _ in range(_HASH_LENGTH):
        number, index = divmod(number, len(_HASH_ALPHABET))
        letters.append(_HASH_ALPHABET[index])
    return "".join(letters)
