"""kopf's memory of each object, for an operator whose handlers remember nothing.

kopf keeps a record for every object that it has ever seen: a memo, a throttler, a book on daemons. Ours are eight
thousand objects for a thousand ModelDeployments, and what there is to know about them is in `controller.cache`.
"""

from __future__ import annotations

from typing import Any

# Not exported by kopf, though `kopf.spawn_tasks` takes one.
from kopf._core.reactor.inventory import ResourceMemories, ResourceMemory

__all__ = ["Forgetful"]


class Forgetful(ResourceMemories):
    """Every event finds its object for the first time."""

    async def recall(self, raw_body: Any, **known: Any) -> ResourceMemory:
        """Return a new record, and do not keep it."""
        return await super().recall(raw_body, **{**known, "ephemeral": True})
