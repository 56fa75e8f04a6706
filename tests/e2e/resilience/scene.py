"""All that is there of one ModelDeployment, in words that are equal for two with the same history."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tests.demo.stage import NotReached
from tests.e2e.resilience.stub_stage import StubStage

Json = dict[str, Any]

_REST_SECONDS = 8.0
"""After this long without a change nothing more is expected: draining takes about five."""
_LISTS = {
    "ModelRevision": "/apis/serin.dev/v1alpha1/namespaces/{}/modelrevisions",
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
    "Service": "/api/v1/namespaces/{}/services",
    "HTTPRoute": "/apis/gateway.networking.k8s.io/v1/namespaces/{}/httproutes",
    "Job": "/apis/batch/v1/namespaces/{}/jobs",
    "ConfigMap": "/api/v1/namespaces/{}/configmaps",
    "Pod": "/api/v1/namespaces/{}/pods",
}


@dataclass(frozen=True, slots=True)
class Scene:
    """What is there, a line for each object, and the pairs of weights that the route had, in order."""

    lines: tuple[str, ...]
    walk: tuple[tuple[int, int], ...]

    def differs(self, wanted: Scene) -> str:
        """Say in what it is not the other; "" when they are equal."""
        here, there = Counter(self.lines), Counter(wanted.lines)
        missing = [f"missing: {line}" for line in (there - here).elements()]
        surplus = [f"surplus: {line}" for line in (here - there).elements()]
        walk = [f"weights {self.walk}, wanted {wanted.walk}"] * (self.walk != wanted.walk)
        return "\n".join(missing + surplus + walk)


async def at_rest(stage: StubStage, *, seconds: float) -> Scene:
    """Wait until nothing has changed and nothing was written for a while, and return what is there.

    Raises:
        NotReached: It goes on changing.
    """
    deadline = time.monotonic() + seconds
    before, since = await _present(stage), time.monotonic()
    written = _size(stage)
    while time.monotonic() - since < _REST_SECONDS:
        if time.monotonic() > deadline:
            raise NotReached(f"{stage.name} is not at rest after {seconds:.0f} s\n{stage.tail()}")
        await asyncio.sleep(0.5)
        now = await _present(stage)
        if now != before or _size(stage) != written:
            before, written, since = now, _size(stage), time.monotonic()
    return before


async def until_like(stage: StubStage, wanted: Scene, *, seconds: float) -> Scene:
    """Wait until all is as it was in peace, and see that it stays so; return what is there, like it or not."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if await _present(stage) == wanted:
            break
        await asyncio.sleep(0.5)
    await asyncio.sleep(2.0)
    return await _present(stage)


def _size(stage: StubStage) -> int:
    return stage.writes.stat().st_size if stage.writes.exists() else 0


async def _present(stage: StubStage) -> Scene:
    found = {kind: await _ours(stage, path) for kind, path in _LISTS.items()}
    lines = [_deployment(stage.deployment)] if stage.deployment else []
    for kind, items in found.items():
        # What belongs to something that is gone goes when the garbage collector comes to it.
        lines += [f"{kind} {_WORDS[kind](one)}" for one in items if stage.deployment or not _has_owner(one)]
    return Scene(
        tuple(sorted(_without_names(line, stage.name) for line in lines)),
        tuple((shares.a, shares.b) for shares in stage.shares),
    )


async def _ours(stage: StubStage, path: str) -> list[Json]:
    items: list[Json] = (await stage.get(path.format(stage.namespace)))["items"]
    return [one for one in items if _belongs(one, stage.name)]


def _belongs(one: Json, name: str) -> bool:
    # A route of somebody else has the ModelDeployment's name here, and no label.
    metadata = one["metadata"]
    return name in (metadata["name"], (metadata.get("labels") or {}).get("serin.dev/deployment"))


def _without_names(line: str, name: str) -> str:
    # A revision is called name-version-digest, a Job name-v-digest or name-r-digest; the digests have the name in them.
    line = re.sub(rf"\b{name}-(\d+)-[a-z0-9]{{5}}\b", r"<revision \1>", line)
    line = re.sub(rf"\b{name}-([vr])-[a-z0-9]{{10}}\b", r"<Job \1>", line)
    return line.replace(name, "<name>")


def _deployment(md: Json) -> str:
    status = md["status"]
    conditions = [f"{one['type']}={one['status']} {one['reason']}" for one in status.get("conditions", [])]
    outcome = {key: (status.get("outcome") or {}).get(key) for key in ("kind", "reason", "version")}
    kept = {key: (status.get(key) or {}).get("version") for key in ("stable", "previous", "candidate")}
    slot = (status.get("stable") or {}).get("slot")
    return f"ModelDeployment {_joined(conditions)} {outcome} {kept} {slot} {md['metadata'].get('finalizers')}"


def _revision(one: Json) -> str:
    status = one.get("status") or {}
    record = [(entry.get("stage"), entry.get("weight"), entry["event"]) for entry in status.get("record", [])]
    kept = {key: status.get(key) for key in ("verdict", "attempts", "wasStable", "recordTotals", "artifact")}
    return f"{one['metadata']['name']} {json.dumps(kept, sort_keys=True)} {record} {_owned(one)}"


def _replicas(one: Json) -> str:
    return f"{one['metadata']['name']} wants {one['spec']['replicas']} {_owned(one)}"


def _service(one: Json) -> str:
    return f"{one['metadata']['name']} {json.dumps(one['spec'].get('selector'), sort_keys=True)} {_owned(one)}"


def _route(one: Json) -> str:
    weights = [(ref["name"], ref.get("weight")) for rule in one["spec"]["rules"] for ref in rule["backendRefs"]]
    return f"{one['metadata']['name']} {weights} {_owned(one)}"


def _asked(one: Json) -> str:
    return f"{one['metadata']['name']} {_owned(one)}"


def _pod(one: Json) -> str:
    labels = one["metadata"]["labels"]
    return f"of slot {labels.get('serin.dev/slot')} {one['status'].get('phase')}"


def _owned(one: Json) -> str:
    return "owned" if _has_owner(one) else "not owned"


def _has_owner(one: Json) -> bool:
    return bool(one["metadata"].get("ownerReferences"))


def _joined(words: Iterable[str]) -> str:
    return ", ".join(sorted(words))


_WORDS = {
    "ModelRevision": _revision,
    "Deployment": _replicas,
    "Service": _service,
    "HTTPRoute": _route,
    "Job": _asked,
    "ConfigMap": _asked,
    "Pod": _pod,
}
