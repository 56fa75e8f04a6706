"""List everything and compare: at start, and now and then in case a watch missed something."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Collection

from serin.api.names import LABEL_DEPLOYMENT
from serin.controller.cache import Cache
from serin.controller.handlers import OWNED, WHOLE, keys_of
from serin.controller.heap import give_back_memory
from serin.controller.kube import Kind, Kube, KubeError, NotFound
from serin.controller.memory import Key

logger = logging.getLogger(__name__)


class Sync:
    """Fills the cache by lists and wakes what they change."""

    def __init__(self, kube: Kube, cache: Cache, namespaces: Collection[str], add: Callable[[Key], None]) -> None:
        """`namespaces`: empty for all."""
        self._kube, self._cache, self._namespaces, self._add = kube, cache, namespaces, add
        self.done = False

    async def once(self) -> None:
        """List all kinds. A kind whose CRD is not installed has no objects.

        Raises:
            KubeError: a list failed; what is in the cache stays.
        """
        for kind in (*WHOLE, *OWNED):
            for namespace in self._namespaces or ("",):
                await self._kind(kind, namespace)
        self.done = True
        give_back_memory()

    async def until_done(self) -> None:
        """List until it worked once: an API server that starts, or a CRD that was just made, answers 429 or 503."""
        wait_seconds = 0.2
        while not self.done:
            try:
                await self.once()
            except KubeError as error:
                logger.warning("listing failed, trying again", extra={"why": str(error)})
                await asyncio.sleep(wait_seconds)
                wait_seconds = min(2 * wait_seconds, 10.0)

    async def forever(self, seconds: float) -> None:
        """List again and again, a tenth early or late so that replicas and restarts do not fall into step."""
        while True:
            await asyncio.sleep(seconds * random.uniform(0.9, 1.1))  # noqa: S311 - jitter, not a secret
            try:
                await self.once()
            except KubeError as error:
                logger.warning("resync failed", extra={"why": str(error)})
            self.add_all()

    def add_all(self) -> None:
        """Look at every ModelDeployment."""
        for key in self._cache.keys("ModelDeployment"):
            self._add(key)

    async def _kind(self, kind: Kind, namespace: str) -> None:
        selector = LABEL_DEPLOYMENT if kind in OWNED else None
        try:
            items, version = await self._kube.list(kind, namespace or None, selector)
        except NotFound:
            items, version = [], 0
        present = set()
        for obj in items:
            metadata = obj["metadata"]
            present.add((metadata.get("namespace", ""), metadata["name"]))
            if self._cache.put(kind.name, obj):
                for key in keys_of(kind.name, obj, self._cache):
                    self._add(key)
        scope = [namespace] if namespace else []
        for key in self._cache.forget_absent(kind.name, scope, present, version):
            logger.info("gone unseen", extra={"kind": kind.name, "object": "/".join(key)})
            if kind.name == "ModelDeployment":
                self._add(key)
