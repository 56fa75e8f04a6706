"""Server-side apply of one object, if it differs from what is there."""

from __future__ import annotations

from typing import Any

from serin.controller.cache import Cache
from serin.controller.claims import Claims, NotOurs, Stop
from serin.controller.kube import Kind, Kube, NotFound
from serin.controller.observe import View
from serin.workloads.differences import differs

Json = dict[str, Any]


class Ensurer:
    """Applies what differs, and puts what comes back into the cache."""

    def __init__(self, kube: Kube, cache: Cache, claims: Claims) -> None:
        """One for the whole operator."""
        self._kube, self._cache, self._claims = kube, cache, claims

    async def ensure(self, view: View, kind: Kind, desired: Json) -> Json:
        """Return the object as it is there. One that is new to us is looked up first: it may be somebody else's.

        Raises:
            Stop: it is somebody else's, or the API server does not know its kind.
            KubeError: the write failed.
        """
        metadata = desired["metadata"]
        live = await self._claims.ours(view, kind, metadata["name"])
        if live is None or differs(desired, live):
            try:
                live = await self._kube.apply(kind, desired)
            except NotFound as error:
                words = f"the API server does not know {kind.name} ({error}); is the Gateway API installed?"
                raise Stop(NotOurs(words, self._claims.unknown(kind, metadata["namespace"]))) from error
        self._cache.put(kind.name, live)
        return live
