"""What the process remembers of one ModelDeployment between two looks, and may lose at any time.

The state is in the resource's status; here is only what makes the next look cheap or exact: the state with the
evidence since the last write, the reading position in the metrics, and when the status was last written.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from serin.api.reasons import Reason
from serin.metrics.reading import Outage, Reading
from serin.rollout.observation import Refused
from serin.rollout.plan import Plan
from serin.rollout.state import State

Key = tuple[str, str]
"""(namespace, name) of a ModelDeployment."""


class Obstacle(Protocol):
    """Something of somebody else's that stands in the way of what the spec asks for."""

    @property
    def refused(self) -> Refused:
        """What it means for the spec."""
        ...

    @property
    def still(self) -> Callable[[], Awaitable[bool]]:
        """Asks whether it is still there."""
        ...


@dataclass(slots=True)
class Memory:
    """For one ModelDeployment.

    state: newer than the status by the evidence since the last write; None before the first look.
    stored: the landmark that the status had when `state` was last in step with it.
    pending: readings that were taken and are in no remembered state yet.
    unread: why the spec's own stages cannot be read, None when they can.
    written_at: monotonic seconds of the last write of the status.
    plan: what an attempt that starts now would go by, and of which generation and policy version that is.
    refusal: what the API server said when it refused the candidate's Deployment.
    job_refusal: why the Job of a validation cannot be made.
    unwritten: by revision, why its Deployment could not be made what it should be; a quota, or a right that we lack.
    hold: what the last look held for, and when that was, in monotonic seconds; None when it did not hold.
    verified: by uid of an action without an answer, whether nobody can have written its actor but the actor.
    obstacle: something of somebody else's that stands in the way; it is asked about again at each look.
    """

    uid: str = ""
    state: State | None = None
    stored: tuple[object, ...] | None = None
    pending: tuple[Reading | Outage, ...] = ()
    plan: tuple[tuple[int, int], Plan | Refused] | None = None
    unread: Refused | None = None
    written_at: float = field(default=float("-inf"))
    verified: dict[str, bool] = field(default_factory=dict)
    refusal: str | None = None
    job_refusal: str | None = None
    unwritten: Mapping[str, str] = field(default_factory=dict)
    hold: tuple[Reason, float] | None = None
    obstacle: Obstacle | None = None

    def remember(self, state: State) -> None:
        """Go on from this state; it holds all pending readings."""
        self.state = state
        self.pending = ()
