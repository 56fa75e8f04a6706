"""What a decision is: a value. Applying it is somebody else's work."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from serin.api.names import Slot
from serin.api.reasons import Reason
from serin.rollout.state import State
from serin.traffic.weights import Weights
from serin.workloads.resolve import Artifact


@dataclass(frozen=True, slots=True)
class Workload:
    """A revision's Deployment as it should be. surplus: it is only to be scaled down, after the weight moved."""

    revision: str
    slot: Slot
    replicas: int
    surplus: bool = False


@dataclass(frozen=True, slots=True)
class JobWork:
    """A Job that has to be there: the question of validation `stage` about a revision.

    attempt: for which time the revision is on trial.
    stable: the slot of what it is compared with; None for a first revision.
    """

    name: str
    stage: str
    revision: str
    attempt: int
    candidate: Slot
    stable: Slot | None


@dataclass(frozen=True, slots=True)
class ResolveWork:
    """A Job that has to be there: which files the uri of a revision means."""

    name: str
    revision: str


@dataclass(frozen=True, slots=True)
class Pin:
    """What a revision's files are, to be written down before its first pod."""

    revision: str
    artifact: Artifact


@dataclass(frozen=True, slots=True)
class Desired:
    """What the cluster should look like.

    weights: None leaves the route alone: nothing serves yet.
    serving: the slot that the Service `<deployment>` selects; None before anything serves.
    polls: questions about uris that were answered before; no pod waits for them.
    adopted: slots whose Service selects the pods of somebody else's Service, by its name.
    """

    workloads: tuple[Workload, ...] = ()
    jobs: tuple[JobWork, ...] = ()
    resolves: tuple[ResolveWork, ...] = ()
    pins: tuple[Pin, ...] = ()
    polls: tuple[ResolveWork, ...] = ()
    weights: Weights | None = None
    serving: Slot | None = None
    adopted: tuple[tuple[Slot, str], ...] = ()


Phase = Literal[
    "Starting", "Validating", "Canary", "Baking", "Serving", "Draining", "RolledBack", "Stalled", "Deleting"
]


@dataclass(frozen=True, slots=True)
class Standing:
    """How things stand, for people and for conditions.

    phase: a word for people. reason and message: what it waits for or why it ended.
    stalled: waiting will not help.
    """

    phase: Phase
    reason: Reason
    message: str
    stalled: bool = False


@dataclass(frozen=True, slots=True)
class Note:
    """A Kubernetes Event: one per transition, never one per look."""

    kind: Literal["Normal", "Warning"]
    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Decision:
    """The new state, what the cluster should look like in it, and what to tell people.

    look_again_seconds: when to look even if nothing happens; None when only an event can change anything.
    """

    state: State
    desired: Desired
    standing: Standing
    notes: tuple[Note, ...] = ()
    look_again_seconds: float | None = None

    def looked_at_within(self, seconds: float) -> Decision:
        """The same with a look in so many seconds at the latest."""
        before = self.look_again_seconds
        return replace(self, look_again_seconds=seconds if before is None else min(before, seconds))
