"""The weights: one write moves all rules of a route together."""

from __future__ import annotations

from typing import Any

from serin.controller.cache import Cache
from serin.controller.ensuring import Ensurer
from serin.controller.kube import ROUTE_KINDS, Kube
from serin.controller.observe import View
from serin.rollout.decision import Desired
from serin.traffic.router import ROUTERS
from serin.traffic.state import Routed
from serin.workloads.ownership import owned_by

Json = dict[str, Any]


class Routes:
    """Writes them: a route of our own by server-side apply, two weights in somebody else's by a patch."""

    def __init__(self, kube: Kube, cache: Cache, ensurer: Ensurer) -> None:
        """One for the whole operator."""
        self._kube, self._cache, self._ensurer = kube, cache, ensurer

    async def weights(self, view: View, desired: Desired) -> Json | None:
        """Return the route as this leaves it; None when there is nothing to write it into."""
        if desired.weights is None:
            return None
        kind = ROUTE_KINDS[view.router.kind]
        namespace, name = view.md.metadata.namespace, view.router.name(view.md)
        if view.router.owned(view.md):
            route = view.router.desired(view.md, desired.weights)
            if view.route is not None:
                # A leader that lost its Lease and does not know it yet must not write old weights over new ones.
                route["metadata"]["resourceVersion"] = view.route["metadata"]["resourceVersion"]
            written = await self._ensurer.ensure(view, kind, route)
            await self._retire(view)
            return written
        if view.route is None or not isinstance(view.seen.route, Routed):
            return None
        written = view.route
        patch = view.router.patch(view.route, view.md, desired.weights)
        if patch:
            written = await self._kube.patch(kind, namespace, name, patch)
            self._cache.put(kind.name, written)
        await self._retire(view)
        return written

    async def _retire(self, view: View) -> None:
        """Routes of our own that the spec no longer asks for: their weights would never move again."""
        namespace, name = view.md.metadata.namespace, view.md.metadata.name
        for router in ROUTERS:
            if router.kind == view.router.kind and view.router.owned(view.md):
                continue
            live = self._cache.get(router.kind, namespace, name)
            if live is not None and owned_by(live, view.md):
                await self._kube.delete(ROUTE_KINDS[router.kind], namespace, name)
                self._cache.forget(router.kind, (namespace, name))
