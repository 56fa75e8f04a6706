"""What need not be compared again: a decision that was in place, over objects that have not changed since.

Every instant of the metrics brings a look, and nearly all of them change only numbers. Comparing eight objects
field by field with what they should be took a third of such a look.
"""

from __future__ import annotations

from typing import TypeAlias

from serin.controller.cache import Cache
from serin.controller.observe import View
from serin.rollout.decision import Decision
from serin.rollout.state import State

Mark: TypeAlias = tuple[object, ...]


class Settled:
    """Remembers a mark for each ModelDeployment: everything that what is to be written depends on."""

    def __init__(self, cache: Cache) -> None:
        """`cache` tells when an object has changed."""
        self._cache = cache
        self._marks: dict[str, Mark] = {}

    def holds(self, view: View, decision: Decision) -> bool:
        """Whether nothing can differ."""
        known = self._marks.get(view.md.metadata.uid)
        return known is not None and known == self.mark(view, decision)

    def mark(self, view: View, decision: Decision) -> Mark:
        """What the writes of this look depend on, as it is now."""
        metadata = view.md.metadata
        return (
            metadata.generation,
            tuple(metadata.finalizers),
            decision.desired,
            tuple(
                (placed.revision, placed.adopted) if placed is not None else None
                for placed in (decision.state.stable, decision.state.candidate)
            ),
            self._ended(view.seen.state),
            self._ended(decision.state),
            tuple(tenant.revision for tenant in view.seen.occupants),
            self._cache.changes(metadata.namespace, metadata.name),
            self._cache.version(view.router.kind, metadata.namespace, view.router.name(view.md)),
        )

    def settle(self, view: View, decision: Decision, before: Mark) -> None:
        """Everything is in its place; if that took no write, it is so until a mark differs.

        before: the mark from when the look began. A write since then, ours or somebody's, makes another one.
        """
        waits = bool(decision.desired.adopted) or view.md.spec.serving.existing is not None
        if not waits and before == self.mark(view, decision):
            # An adopted Service carries no label of ours, so nothing tells when it changes.
            self._marks[view.md.metadata.uid] = before
        else:
            self.forget(view.md.metadata.uid)

    def forget(self, uid: str) -> None:
        """Compare everything at the next look."""
        self._marks.pop(uid, None)

    @staticmethod
    def _ended(state: State) -> tuple[object, ...] | None:
        outcome = state.outcome
        return (outcome.revision, outcome.attempt, outcome.end, outcome.reason) if outcome is not None else None
