"""Wait until the API server serves and announces the kinds that we watch.

kopf looks for kinds when it starts, and without cluster-wide rights never again. An API server that has just
started answers before it knows its CRDs, and announces a CRD a moment after it serves it. Whoever looks then is
told of fewer kinds, and would stay deaf for all others until the process starts anew.

Our own kinds have to be there; a route's kind may be missing for good.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from serin.api.names import GROUP
from serin.controller.kube import Kind, Kube, KubeError, NotFound

logger = logging.getLogger(__name__)

WAIT_SECONDS_MIN = 0.2
WAIT_SECONDS_MAX = 5.0


async def until_served(kube: Kube, kinds: Sequence[Kind], namespace: str | None) -> None:
    """Return when every kind is announced, or surely not installed. namespace: one that we may read; None for all."""
    wait_seconds = WAIT_SECONDS_MIN
    while True:
        try:
            missing = [kind.name for kind in kinds if not await _settled(kube, kind, namespace)]
            why = f"not announced yet: {', '.join(missing)}; are the CRDs installed?" if missing else None
        except KubeError as error:
            why = str(error)
        if why is None:
            return
        logger.warning("the API server is not ready, trying again", extra={"why": why})
        await asyncio.sleep(wait_seconds)
        wait_seconds = min(2 * wait_seconds, WAIT_SECONDS_MAX)


async def _settled(kube: Kube, kind: Kind, namespace: str | None) -> bool:
    """Whether a kind is there for kopf to find, or may be left out."""
    if not await kube.announces(kind):
        try:
            await kube.probe(kind, namespace)
        except NotFound:
            return kind.group != GROUP
        return False
    return True
