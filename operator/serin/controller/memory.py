"""What the process remembers of one ModelDeployment between two looks, and may lose at any time.

The state is in the resource's status; here is only what makes the next look cheap or exact: the state with the
evidence since the last write, the reading position in the metrics, and when the status was last written.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from serin.metrics.reading import Outage, Reading
from serin.rollout.observation import Refused
from serin.rollout.state import State

Key = tuple[str, str]
"""(namespace, name) of a ModelDeployment."""


@dataclass(slots=True)
class Memory:
    """For one ModelDeployment.

    state: newer than the status by the evidence since the last write; None before the first look.
    pending: readings that were taken and are in no remembered state yet.
    written_at: monotonic seconds of the last write of the status.
    refusal: what the API server said when it refused the candidate's Deployment.
    obstacle: something of somebody else's that stands where an object of ours belongs.
    """

    uid: str = ""
    state: State | None = None
    pending: tuple[Reading | Outage, ...] = ()
    written_at: float = field(default=float("-inf"))
    refusal: str | None = None
    obstacle: Refused | None = None

    def remember(self, state: State) -> None:
        """Go on from this state; it holds all pending readings."""
        self.state = state
        self.pending = ()
