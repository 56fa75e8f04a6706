"""What the API server's audit log says of one account: the rights that its requests asked for, and every refusal.

    request                                       rights asked for
    GET, POST, PUT, DELETE, watch                 the verb of the entry
    PATCH that was answered with 201              patch and create: the API server asks for both where a
                                                  server-side apply finds nothing, and writes down the one

An entry is about one resource or a path without one (/apis, for discovery); of the latter only refusals matter.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Json = dict[str, Any]
Right = tuple[str, str, str]
"""Group, resource with its subresource, verb: as in `tests.unit.charts.objects.rights`."""

_DECISION = "authorization.k8s.io/decision"
_CREATED = 201
_REFUSED = (401, 403)


@dataclass(frozen=True, slots=True)
class Log:
    """The entries of one account."""

    entries: tuple[Json, ...]

    @staticmethod
    def of(path: Path, user: str) -> Log:
        """Read those of a user."""
        entries = (json.loads(line) for line in path.read_text().splitlines())
        return Log(tuple(entry for entry in entries if entry["user"].get("username") == user))

    @property
    def asked(self) -> dict[Right, Json]:
        """Every right that a request was allowed by, with the first such request."""
        found: dict[Right, Json] = {}
        for entry in self.entries:
            if _decision(entry) == "allow":
                for right in _rights(entry):
                    found.setdefault(right, entry)
        return found

    @property
    def places(self) -> set[tuple[str, str]]:
        """Where it asked: namespace, and resource without its subresource. The namespace of all of them is empty."""
        about = [entry.get("objectRef") or {} for entry in self.entries]
        return {(one.get("namespace", ""), one["resource"]) for one in about if one.get("resource")}

    @property
    def lacking(self) -> list[Json]:
        """Requests that a right was missing for, whoever said no: admission plugins ask for rights as well."""
        return [entry for entry in self.entries if _lacks(entry)]

    @property
    def probes(self) -> list[Json]:
        """Dry runs that were made in order to be refused."""
        return [entry for entry in self.entries if _code(entry) in _REFUSED and _is_dry_run(entry)]


async def until_lacking(path: Path, user: str) -> None:
    """Return at the first request that a right is missing for: nothing that comes after it is worth waiting for."""
    read = 0
    while True:
        with path.open("rb") as log:
            log.seek(read)
            *lines, _ = log.read().split(b"\n")
        read += sum(len(line) + 1 for line in lines)
        entries = (json.loads(line) for line in lines if user.encode() in line)
        if any(_lacks(entry) for entry in entries if entry["user"].get("username") == user):
            return
        await asyncio.sleep(1)


def words(entries: Iterable[Json]) -> list[str]:
    """Requests in words, each once."""
    return sorted({f"{entry['verb']} {entry['requestURI'].partition('?')[0]}: {_code(entry)}" for entry in entries})


def _rights(entry: Json) -> list[Right]:
    about = entry.get("objectRef") or {}
    if not about.get("resource"):
        return []
    resource = "/".join(part for part in (about["resource"], about.get("subresource")) if part)
    verbs = [entry["verb"]]
    if entry["verb"] == "patch" and _code(entry) == _CREATED:
        verbs.append("create")
    return [(about.get("apiGroup", ""), resource, verb) for verb in verbs]


def _lacks(entry: Json) -> bool:
    return _decision(entry) != "allow" or (_code(entry) in _REFUSED and not _is_dry_run(entry))


def _is_dry_run(entry: Json) -> bool:
    return "dryRun=All" in entry["requestURI"]


def _decision(entry: Json) -> str:
    return str((entry.get("annotations") or {}).get(_DECISION, ""))


def _code(entry: Json) -> int:
    return int((entry.get("responseStatus") or {}).get("code", 0))
