"""One leader: a Lease with client-go's semantics, released on exit.

The client library's own election has no release, so that a stopped leader would be missed for its whole lease
duration, and it measures by the wall clock. kopf's peering is no election: two peers of one priority both act.

    renew every retry_seconds; give up leading when no renewal succeeded for renew_seconds
    take over when the holder has not renewed for its lease duration, by OUR monotonic clock from when we saw
    the last change: clocks of two machines are never compared
    on exit write an empty holder, so that a stand-by takes over at its next try
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from serin.controller.kube import LEASE, Conflict, Kube, KubeError, NotFound

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Terms:
    """Times in seconds; client-go's defaults are 15, 10 and 2. A stand-by tries each second: it must be fast."""

    lease_seconds: float = 15.0
    renew_seconds: float = 10.0
    retry_seconds: float = 2.0
    standby_seconds: float = 1.0


class Leadership:
    """Runs a task for as long as this process holds the Lease."""

    def __init__(self, kube: Kube, namespace: str, name: str, identity: str, terms: Terms) -> None:
        """`identity` must differ between processes."""
        self._kube, self._namespace, self._name = kube, namespace, name
        self._identity, self._terms = identity, terms
        self._seen: tuple[Any, ...] | None = None
        self._seen_at = 0.0
        self._taken = False
        """Whether somebody else was the holder when the Lease was last read."""
        self.leading = False

    async def run(self, lead: Callable[[], Awaitable[None]]) -> None:
        """Wait for the Lease, run `lead`, and stop it when the Lease is lost. Ends when `lead` ends.

        Raises:
            LostLease: leadership was lost; the process should exit and start anew, with nothing remembered.
        """
        said = False
        while not await self._try():
            if not said:
                said = True
                logger.info(
                    "standing by", extra={"lease": f"{self._namespace}/{self._name}", "identity": self._identity}
                )
            await asyncio.sleep(self._terms.standby_seconds)
        self.leading = True
        logger.info("leading", extra={"lease": f"{self._namespace}/{self._name}", "identity": self._identity})
        work = asyncio.ensure_future(lead())
        renew = asyncio.ensure_future(self._renew())
        try:
            await asyncio.wait({work, renew}, return_when=asyncio.FIRST_COMPLETED)
            if renew.done():
                raise LostLease(f"the lease {self._namespace}/{self._name} could not be renewed")
            await work
        finally:
            self.leading = False
            for task in (work, renew):
                task.cancel()
            await asyncio.gather(work, renew, return_exceptions=True)
            await self._release()

    async def _renew(self) -> None:
        loop = asyncio.get_running_loop()
        renewed = loop.time()
        while loop.time() - renewed < self._terms.renew_seconds:
            await asyncio.sleep(self._terms.retry_seconds)
            if await self._try():
                renewed = loop.time()
            elif self._taken:
                return

    async def _try(self) -> bool:
        try:
            async with asyncio.timeout(self._terms.renew_seconds / 2):
                return await self._acquire_or_renew()
        except (KubeError, TimeoutError) as error:
            logger.warning("lease not renewed", extra={"error": str(error)})
            return False

    async def _acquire_or_renew(self) -> bool:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        try:
            lease = await self._kube.get(LEASE, self._namespace, self._name)
        except NotFound:
            metadata = {"name": self._name, "namespace": self._namespace}
            body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata}
            await self._kube.create(LEASE, body | {"spec": self._spec(now, now, 0)})
            return True
        spec = lease.get("spec") or {}
        holder = spec.get("holderIdentity") or ""
        self._taken = holder not in ("", self._identity)
        if self._taken and (self.leading or not self._expired(spec)):
            return False
        acquired = spec.get("acquireTime") or now if holder == self._identity else now
        transitions = int(spec.get("leaseTransitions") or 0) + (holder != self._identity)
        try:
            # At the resourceVersion that was read: of two stand-bys that see an empty holder one gets a 409.
            await self._kube.replace(LEASE, lease | {"spec": self._spec(now, acquired, transitions)})
        except Conflict:
            return False
        return True

    def _expired(self, spec: dict[str, Any]) -> bool:
        loop_now = asyncio.get_running_loop().time()
        record = (spec.get("holderIdentity"), spec.get("renewTime"))
        if record != self._seen:
            self._seen, self._seen_at = record, loop_now
        return loop_now - self._seen_at > float(spec.get("leaseDurationSeconds") or self._terms.lease_seconds)

    def _spec(self, now: str, acquired: str, transitions: int) -> dict[str, Any]:
        return {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": int(self._terms.lease_seconds),
            "acquireTime": acquired,
            "renewTime": now,
            "leaseTransitions": transitions,
        }

    async def _release(self) -> None:
        try:
            async with asyncio.timeout(2.0):
                lease = await self._kube.get(LEASE, self._namespace, self._name)
                spec = lease.get("spec") or {}
                if spec.get("holderIdentity") == self._identity:
                    await self._kube.replace(LEASE, lease | {"spec": spec | {"holderIdentity": ""}})
        except (KubeError, TimeoutError) as error:
            logger.warning("lease not released; it expires by itself", extra={"error": str(error)})


class LostLease(Exception):
    """Somebody else may lead now."""
