"""A recording stand-in for the API server, for what a real one cannot be told to do: to fail at a chosen write."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from serin.api.rollout_action import ACTOR_WORDS
from serin.controller.kube import Conflict, Forbidden, Invalid, Kind, NotFound

Json = dict[str, Any]


class FakeKube:
    """Objects by kind and name, and every write in order: ["create ModelRevision iris-1-xxxxx", ...].

    `policy_in_force`: whether an act in another's name is refused; `tried` counts who asked.
    `fail` maps the beginning of such a line to what is raised instead of writing.
    """

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str], Json] = {}
        self.writes: list[str] = []
        self.reads: list[str] = []
        self.fail: dict[str, Exception] = {}
        self.policy_in_force = True
        self.tried = 0
        self._version = 100

    def put(self, obj: Json) -> Json:
        """Have an object there, as somebody else made it."""
        return self._keep(obj)

    async def get(self, kind: Kind, _namespace: str, name: str) -> Json:
        """Read it."""
        self.reads.append(f"{kind.name} {name}")
        if (kind.name, name) not in self.objects:
            raise NotFound(f"{kind.name} {name}")
        return copy.deepcopy(self.objects[kind.name, name])

    async def create(self, kind: Kind, obj: Json, *, dry_run: bool = False) -> Json:
        """Make it."""
        if dry_run:
            self.tried += 1
            if self.policy_in_force:
                raise Forbidden(f"ValidatingAdmissionPolicy 'x' denied request: {ACTOR_WORDS} (kubectl auth whoami)")
            return dict(obj)
        self._write("create", kind, obj["metadata"]["name"])
        if (kind.name, obj["metadata"]["name"]) in self.objects:
            raise Conflict("already there")
        return self._keep(obj)

    async def apply(self, kind: Kind, obj: Json) -> Json:
        """Keep what is applied as it is."""
        self._write("apply", kind, obj["metadata"]["name"])
        return self._keep(obj)

    async def replace(self, kind: Kind, obj: Json, subresource: str | None = None) -> Json:
        """Keep it."""
        self._write(subresource or "replace", kind, obj["metadata"]["name"])
        return self._keep(obj)

    async def patch(self, kind: Kind, _namespace: str, name: str, patch: Sequence[Mapping[str, Any]]) -> Json:
        """Note the paths that are changed; only those of metadata are carried out."""
        changes = [str(step["path"]) for step in patch if step["op"] != "test"]
        self._write(f"patch {' '.join(changes)} of", kind, name)
        obj = self.objects[kind.name, name]
        for step in patch:
            _, place, *field = step["path"].split("/")
            if place == "metadata" and step["op"] != "test":
                obj["metadata"][field[0]] = step["value"]
        return self._keep(obj)

    async def delete(self, kind: Kind, _namespace: str, name: str) -> None:
        """Take it away."""
        self._write("delete", kind, name)
        self.objects.pop((kind.name, name), None)

    def _write(self, verb: str, kind: Kind, name: str) -> None:
        line = f"{verb} {kind.name} {name}"
        for beginning, error in self.fail.items():
            if line.startswith(beginning):
                raise error
        self.writes.append(line)

    def _keep(self, obj: Mapping[str, Any]) -> Json:
        self._version += 1
        kept = copy.deepcopy(dict(obj))
        kept["metadata"] = {"generation": 1, **kept["metadata"], "resourceVersion": str(self._version)}
        self.objects[str(kept["kind"]), str(kept["metadata"]["name"])] = kept
        return copy.deepcopy(kept)


def refusing(words: str) -> Exception:
    """What a write of a bad template raises."""
    return Invalid(words)
