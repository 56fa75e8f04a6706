"""kopf's storages for an operator that only watches: nothing is built, nothing is stored.

kopf builds the essence of each object for each event, to tell changes from what was last handled; we compare
resourceVersions. Measured on a start with 1,000 ModelDeployments (8,000 objects): a third of all CPU went there.
"""

from __future__ import annotations

from typing import Any

import kopf


class NoDiffBase(kopf.DiffBaseStorage):
    """No essence: every object looks as it was."""

    def build(self, **_: Any) -> Any:
        """Say nothing of the object."""
        return {}

    def fetch(self, **_: Any) -> Any:
        """Know nothing of what was handled."""
        return None

    def store(self, **_: Any) -> None:
        """Keep nothing."""


class NoProgress(kopf.ProgressStorage):
    """No progress: there are no handlers that could be half done."""

    def fetch(self, **_: Any) -> Any:
        """Know nothing."""
        return None

    def store(self, **_: Any) -> None:
        """Keep nothing."""

    def purge(self, **_: Any) -> None:
        """Have nothing to drop."""

    def touch(self, **_: Any) -> None:
        """Touch nothing."""

    def clear(self, *, essence: Any) -> Any:
        """Leave it as it is."""
        return essence
