"""kopf: watching only. An event puts the object into the cache and the keys it concerns into the queue.

No kopf handler that decides or patches: no annotations, no kopf finalizers, nothing written at start-up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import kopf

from serin.api.names import GROUP, LABEL_DEPLOYMENT
from serin.controller.cache import Cache, owner_of
from serin.controller.kube import (
    DEPLOYMENT,
    GRPC_ROUTE,
    HTTP_ROUTE,
    JOB,
    MODEL_DEPLOYMENT,
    MODEL_REVISION,
    POD,
    ROLLOUT_ACTION,
    ROLLOUT_POLICY,
    SERVICE,
    Kind,
)
from serin.controller.memory import Key
from serin.controller.nothing_stored import NoDiffBase, NoProgress

Json = dict[str, Any]

OWNED: tuple[Kind, ...] = (MODEL_REVISION, DEPLOYMENT, SERVICE, POD, JOB)
"""Kinds that carry the ModelDeployment's label; the API server sends us no others of them."""

WHOLE: tuple[Kind, ...] = (MODEL_DEPLOYMENT, ROLLOUT_POLICY, ROLLOUT_ACTION, HTTP_ROUTE, GRPC_ROUTE)
"""Watched whole: policies, actions and routes of others carry no label of ours."""


KOPF_FINALIZER = f"{GROUP}/kopf"


def register(registry: kopf.OperatorRegistry, cache: Cache, add: Callable[[Key], None]) -> None:
    """Watch everything that a look may depend on."""
    for kind in (*WHOLE, *OWNED):
        kopf.on.event(kind.group, kind.version, kind.plural, registry=registry, id=f"watch-{kind.plural}")(
            _watcher(kind.name, cache, add)
        )


def configure(settings: kopf.OperatorSettings, *, namespaced: bool) -> None:
    """Settings that differ from kopf's defaults, each with its reason."""
    # Never set by kopf here, but taken off: kopf removes the finalizer of this name wherever no handler of its own
    # needs it. So it must not be the one that `controller.deletion` relies on.
    settings.persistence.finalizer = KOPF_FINALIZER
    settings.persistence.progress_storage = NoProgress()
    settings.persistence.diffbase_storage = NoDiffBase()
    settings.posting.enabled = False  # our Events are written by controller.events, one per transition
    settings.posting.loggers = False
    settings.scanning.disabled = namespaced  # listing namespaces and CRDs needs cluster-wide rights
    settings.watching.chunk_size = 50  # what is in memory at once at the start leaves holes in the heap for ever
    settings.networking.request_timeout = 30.0
    settings.networking.connect_timeout = 5.0
    settings.watching.server_timeout = 300  # a connection that died in silence is found after five minutes
    settings.watching.connect_timeout = 5.0
    # A worker per object is only a queue, and holds the object for as long as it waits for more: let it go. At a start
    # with 8,000 objects a second of waiting is a thousand of them in memory.
    settings.queueing.idle_timeout = 0.05
    settings.peering.standalone = True  # leadership is a Lease, see controller.lease
    for kind in OWNED:
        settings.watching.label_selectors[kind.group, kind.version, kind.plural] = LABEL_DEPLOYMENT


def keys_of(kind: str, obj: Json, cache: Cache) -> Iterable[Key]:
    """The ModelDeployments that an object concerns."""
    metadata = obj["metadata"]
    namespace = metadata.get("namespace", "")
    if kind == "ModelDeployment":
        # A deployment that appears or goes may settle a conflict about a route it shares.
        yield (namespace, metadata["name"])
        if _route_name(obj) is not None:
            yield from _others(cache, namespace, lambda other: _route_name(other) == _route_name(obj))
        return
    owner = owner_of(kind, obj)
    if owner:
        yield (namespace, owner)
    elif kind == "RolloutPolicy":
        yield from _others(cache, namespace, lambda other: _policy_name(other) == metadata["name"])
    if kind in ("HTTPRoute", "GRPCRoute"):
        # By name and not only by label: a stranger's route may have the name of one of ours, and one that we left
        # behind (deletionPolicy Orphan) still carries the label. Ours, by far the most, need no search.
        known = cache.get("ModelDeployment", namespace, owner) if owner else None
        if known is None or _wanted_route(known) != metadata["name"]:
            yield from _others(cache, namespace, lambda other: _wanted_route(other) == metadata["name"])


def _watcher(kind: str, cache: Cache, add: Callable[[Key], None]) -> Callable[..., Any]:
    async def watch(event: Json, **_: Any) -> None:
        obj = event["object"]
        changed = cache.remove(kind, obj) if event["type"] == "DELETED" else cache.put(kind, dict(obj))
        if changed:
            for key in keys_of(kind, obj, cache):
                add(key)

    return watch


def _others(cache: Cache, namespace: str, concerned: Callable[[Json], bool]) -> Iterable[Key]:
    for raw in cache.in_namespace("ModelDeployment", namespace):
        if concerned(raw):
            yield (namespace, raw["metadata"]["name"])


def _policy_name(raw: Json) -> str | None:
    return (((raw.get("spec") or {}).get("rollout") or {}).get("policyRef") or {}).get("name")


def _route_name(raw: Json) -> str | None:
    traffic = (raw.get("spec") or {}).get("traffic") or {}
    for route in (traffic.get("httpRoute"), traffic.get("grpcRoute")):
        name = ((route or {}).get("ref") or {}).get("name")
        if name is not None:
            return str(name)
    return None


def _wanted_route(raw: Json) -> str:
    return _route_name(raw) or str(raw["metadata"]["name"])
