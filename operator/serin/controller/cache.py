"""The watched objects, and what we wrote ourselves.

One look reads everything from here, so an idle operator reads nothing from the API server. A write puts the
object that came back in at once: without that, a look before the watch has caught up would write again. An
event that is older than what is here is dropped; resourceVersions are comparable numbers since Kubernetes 1.35,
and were in practice before.

Objects are kept as compressed JSON text, an eighth of the memory of dicts: a thousand ModelDeployments have eight
thousand objects around them. Unpacking one takes about 15 microseconds.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import orjson

from serin.api.names import FIELD_MANAGER, LABEL_DEPLOYMENT

Json = dict[str, Any]
Key = tuple[str, str]
"""(namespace, name)"""

TOMBSTONES_MAX = 10_000


class Cache:
    """Objects by kind, namespace and name, with an index by the ModelDeployment that they belong to."""

    def __init__(self) -> None:
        """Start empty."""
        self._objects: dict[str, dict[Key, tuple[int, str, bytes]]] = defaultdict(dict)
        self._owned: dict[tuple[str, str, str], set[str]] = defaultdict(set)
        self._gone: dict[str, int] = {}
        self._changes: dict[Key, int] = defaultdict(int)

    def put(self, kind: str, obj: Mapping[str, Any]) -> bool:
        """Keep an object unless what is here is as new. Whether anything changed."""
        metadata = obj["metadata"]
        key, version = (metadata.get("namespace", ""), metadata["name"]), _version(metadata)
        if self._gone.get(metadata.get("uid", ""), -1) >= version:
            return False
        before = self._objects[kind].get(key)
        if before is not None and before[0] >= version:
            return False
        self.forget(kind, key)
        owner = owner_of(kind, obj)
        self._objects[kind][key] = (version, owner, _packed(_slim(kind, obj)))
        if owner:
            self._owned[kind, key[0], owner].add(key[1])
            self._changes[key[0], owner] += 1
        return True

    def remove(self, kind: str, obj: Mapping[str, Any]) -> bool:
        """Forget a deleted object, and late news of it. Whether it was here."""
        metadata = obj["metadata"]
        key = (metadata.get("namespace", ""), metadata["name"])
        self._gone[metadata.get("uid", "")] = _version(metadata)
        while len(self._gone) > TOMBSTONES_MAX:
            self._gone.pop(next(iter(self._gone)))
        kept = self._objects[kind].get(key)
        if kept is None or _uid(kept[2]) != metadata.get("uid", ""):
            return False  # somebody has made a new one of that name
        self.forget(kind, key)
        return True

    def forget(self, kind: str, key: Key) -> None:
        """Drop an object by its name."""
        kept = self._objects[kind].pop(key, None)
        if kept is not None and kept[1]:
            self._owned[kind, key[0], kept[1]].discard(key[1])
            self._changes[key[0], kept[1]] += 1

    def forget_absent(
        self, kind: str, namespaces: Collection[str], present: Collection[Key], version: int
    ) -> list[Key]:
        """Drop what a list at `version` no longer held; what is newer than the list came by the watch meanwhile.

        namespaces: those that were listed; empty for all.
        """
        absent = [
            key
            for key, (kept, _, _) in self._objects[kind].items()
            if key not in present and kept <= version and (not namespaces or key[0] in namespaces)
        ]
        for key in absent:
            self.forget(kind, key)
        return absent

    def get(self, kind: str, namespace: str, name: str) -> Json | None:
        """One object, as a fresh copy."""
        kept = self._objects[kind].get((namespace, name))
        return _unpacked(kept[2]) if kept is not None else None

    def version(self, kind: str, namespace: str, name: str) -> int:
        """The resourceVersion of an object as a number; 0 when it is not here."""
        kept = self._objects[kind].get((namespace, name))
        return kept[0] if kept is not None else 0

    def changes(self, namespace: str, deployment: str) -> int:
        """How often an object that belongs to a ModelDeployment has changed, come or gone."""
        return self._changes.get((namespace, deployment), 0)

    def owned(self, kind: str, namespace: str, deployment: str) -> list[Json]:
        """All objects of a kind that belong to a ModelDeployment, by name."""
        names = sorted(self._owned.get((kind, namespace, deployment), ()))
        return [obj for name in names if (obj := self.get(kind, namespace, name)) is not None]

    def keys(self, kind: str) -> Iterator[Key]:
        """The names of all objects of a kind."""
        return iter(list(self._objects[kind]))

    def in_namespace(self, kind: str, namespace: str) -> list[Json]:
        """All objects of a kind in a namespace."""
        keys = [key for key in self._objects[kind] if key[0] == namespace]
        return [obj for key in keys if (obj := self.get(kind, *key)) is not None]


def owner_of(kind: str, obj: Mapping[str, Any]) -> str:
    """The ModelDeployment that an object belongs to, "" for none. People write RolloutActions, without our label."""
    if kind == "RolloutAction":
        return str((obj.get("spec") or {}).get("deployment") or "")
    return str((obj["metadata"].get("labels") or {}).get(LABEL_DEPLOYMENT) or "")


def _version(metadata: Mapping[str, Any]) -> int:
    text = str(metadata.get("resourceVersion") or "0")
    return int(text) if text.isdigit() else 0


def _packed(obj: Json) -> bytes:
    return zlib.compress(orjson.dumps(obj), 1)


def _unpacked(packed: bytes) -> Json:
    obj: Json = orjson.loads(zlib.decompress(packed))
    return obj


def _uid(packed: bytes) -> str:
    return str(_unpacked(packed)["metadata"].get("uid", ""))


def _slim(kind: str, obj: Mapping[str, Any]) -> Json:
    """Without what nobody reads: other writers' managedFields, and what a pod repeats."""
    metadata = dict(obj["metadata"])
    ours = [
        entry
        for entry in metadata.pop("managedFields", None) or ()
        if entry.get("manager") == FIELD_MANAGER and entry.get("operation") == "Apply"
    ]
    if ours:
        metadata["managedFields"] = ours
    slim = {**obj, "metadata": metadata}
    if kind == "Pod":
        # Half of a pod is its template again, which its revision has; nobody here asks a pod for it.
        slim.pop("spec", None)
    if kind == "Job":
        slim.pop("spec", None)  # never changed after it was made, and its name says what it asks
    return slim
