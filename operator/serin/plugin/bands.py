"""When a revision was in which stage, from its record: bands behind the plots of what was known then.

A stage begins with the decision to go on to it and ends with the next one that goes on or ends the rollout. What
people say meanwhile, a shield and a gap in the metrics leave it as it is. What came before the first request has no
beginning on record and no band.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from serin.plugin.objects import Step

_BEGINS = "advance"
_WITHIN = frozenset({"order", "approve", "shield", "unshield", "skip"})


@dataclass(frozen=True, slots=True)
class Band:
    """A stage and its time."""

    name: str
    start: datetime
    end: datetime


def bands(steps: Sequence[Step], until: datetime | None) -> tuple[Band, ...]:
    """The stages of a record, in order; steps of a ramp are one.

    Args:
        steps: The decisions, the oldest first.
        until: The end of a stage that has none yet; None for a rollout that does not run.
    """
    found: list[Band] = []
    begun: tuple[str, int | None, datetime] | None = None
    for step in steps:
        if step.at is None or (step.decision in _WITHIN and begun is not None and step.attempt == begun[1]):
            continue
        # An attempt whose end is not on record ended before the next one, and nobody knows when.
        if begun is not None and step.attempt == begun[1]:
            _add(found, Band(begun[0], begun[2], step.at))
        begun = (step.stage or "?", step.attempt, step.at) if step.decision == _BEGINS else None
    if begun is not None and until is not None:
        _add(found, Band(begun[0], begun[2], max(begun[2], until)))
    return tuple(found)


def _add(found: list[Band], band: Band) -> None:
    if found and (found[-1].name, found[-1].end) == (band.name, band.start):
        found[-1] = replace(found[-1], end=band.end)
    else:
        found.append(band)
