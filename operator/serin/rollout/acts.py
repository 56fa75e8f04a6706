"""What people do by hand, as the decision core sees it: acts that come in, orders that stand, answers that go out.

An act is a RolloutAction that nobody has answered yet. What it does is stored in the ModelDeployment's status in the
same write as its uid, and only then is the answer written on the RolloutAction: killed anywhere, it is done once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from serin.api.rollout_action import ActionKind, Answer


@dataclass(frozen=True, slots=True)
class Act:
    """One RolloutAction without an answer.

    actor: who made it; `unverified` where nothing keeps people from writing another's name.
    created_at: seconds since the epoch by the API server's clock.
    """

    uid: str
    action: ActionKind
    revision: str
    actor: str
    verified: bool
    created_at: float
    stage: str | None = None
    reason: str = ""

    @property
    def words(self) -> str:
        """Who, and why: 'by ann: looks odd'."""
        return f"by {self.actor}{f': {self.reason}' if self.reason else ''}"


@dataclass(frozen=True, slots=True)
class Acted:
    """An act that was taken up, and the answer to it."""

    uid: str
    phase: Literal["Done", "Refused", "Expired"]
    answer: Answer
    message: str
    at: str


@dataclass(frozen=True, slots=True)
class Approved:
    """One person's approval of the running stage."""

    actor: str
    at: str


@dataclass(frozen=True, slots=True)
class Order:
    """What a person has told a running attempt to do, until it is done."""

    action: Literal["Abort", "Promote", "Rollback"]
    actor: str
    words: str


@dataclass(frozen=True, slots=True)
class Instead:
    """A revision that was stable and is still asked for by the spec was rolled back: this one is to serve."""

    of: str
    revision: str
    version: str
    message: str


@dataclass(frozen=True, slots=True)
class Retrying:
    """Another attempt of a revision that failed, as soon as its slot is free."""

    revision: str
    actor: str
    message: str
