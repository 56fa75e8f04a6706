"""Where a ModelDeployment stands: one of a closed set of words, the worst that is true.

Only what conditions say is told, and only when they are about the present spec: `Promoted=True` of an older spec says
nothing about the one that was just applied.
"""

from __future__ import annotations

from enum import StrEnum
from typing import assert_never

from serin.api.reasons import About, Reason
from serin.plugin.objects import Deployment


class Standing(StrEnum):
    """In the order of attention: what needs a person comes first."""

    DOWN = "not serving"
    """Ready is not True: requests may fail."""
    STALLED = "stalled"
    """Waiting will not help; after a rollback stable serves on."""
    UNKNOWN = "unknown"
    """The conditions say nothing that this plugin understands."""
    UNSEEN = "not seen"
    """The operator has not looked at the present spec yet."""
    DELETING = "deleting"
    HELD = "held"
    """The rollout stays at its weight for a reason that is said."""
    ROLLING_OUT = "rolling out"
    PROMOTED = "promoted"
    """The revision that the spec asks for is stable and serves."""


def standing(md: Deployment) -> Standing:
    """Where it stands."""
    if md.deleting:
        return Standing.DELETING
    if not md.observed:
        return Standing.UNSEEN
    ready = md.condition("Ready")
    starts = md.stable is None and md.holds("Reconciling")  # the first deployment: nothing can serve yet
    if ready is not None and ready.status != "True" and not starts:
        return Standing.DOWN
    if md.holds("Stalled"):
        return Standing.STALLED
    if md.holds("Reconciling"):
        return Standing.HELD if _is_hold(md.reason_of("Reconciling")) else Standing.ROLLING_OUT
    if md.holds("Promoted") and md.holds("Ready"):
        return Standing.PROMOTED
    return Standing.UNKNOWN


def style_of(where: Standing) -> str:
    """Its colour on a terminal. Green is for what is proven and nothing else."""
    match where:
        case Standing.DOWN | Standing.STALLED:
            return "bold red"
        case Standing.UNKNOWN | Standing.UNSEEN | Standing.DELETING:
            return "magenta"
        case Standing.HELD:
            return "yellow"
        case Standing.ROLLING_OUT:
            return "cyan"
        case Standing.PROMOTED:
            return "green"
        case _:
            assert_never(where)


def words_of(md: Deployment) -> tuple[str | None, str]:
    """Why it stands there: the reason in one word, if there is one, and the operator's own sentence."""
    where = standing(md)
    match where:
        case Standing.DELETING:
            return None, "it is being deleted"
        case Standing.UNSEEN:
            return None, "the operator has not looked at this spec yet; if that lasts, see whether it runs"
        case Standing.UNKNOWN:
            return None, "its conditions say nothing that this version of the plugin understands"
        case Standing.DOWN:
            return _said(md, "Ready")
        case Standing.STALLED:
            return _said(md, "Stalled")
        case Standing.HELD | Standing.ROLLING_OUT:
            return _said(md, "Reconciling")
        case Standing.PROMOTED:
            return _said(md, "Promoted")
        case _:
            assert_never(where)


def about(word: str | None) -> About | None:
    """What is written down about a reason; None for one that this version of the plugin does not know."""
    return _ABOUT.get(word or "")


_ABOUT = {reason.value: reason.about for reason in Reason}


def _is_hold(word: str | None) -> bool:
    # A candidate that gets ready is on its way; nothing holds it.
    known = about(word)
    return word != Reason.NOT_READY and known is not None and known.kind == "hold"


def _said(md: Deployment, kind: str) -> tuple[str | None, str]:
    found = md.condition(kind)
    return (found.reason, found.message) if found is not None else (None, "")
