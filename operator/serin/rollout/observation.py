"""Everything that a decision may depend on.

If a decision needs one more fact, the fact is added here and read in serin.controller.observe; a client is
never passed down.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from serin.api.names import Slot
from serin.api.reasons import Reason
from serin.metrics.reading import Outage, Reading
from serin.rollout.acts import Act
from serin.rollout.plan import Plan
from serin.rollout.state import State
from serin.traffic.state import RouteState
from serin.traffic.status import ACCEPTED, Acceptance
from serin.workloads.fetching import Fetching
from serin.workloads.jobs import JobState
from serin.workloads.pods import ArmHealth
from serin.workloads.resolve import Artifact


@dataclass(frozen=True, slots=True)
class Target:
    """The revision that the spec asks for."""

    revision: str
    version: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Why nothing can be made of the spec: a closed reason, the field, and what to do.

    own: whether it is about the ModelDeployment's own words, which is said even when nothing is to be rolled out.
    """

    reason: Reason
    message: str
    own: bool = False


class Past(StrEnum):
    """What became of a revision that has existed before."""

    UNTRIED = "Untried"
    STABLE = "Stable"
    """It was promoted or adopted once: going back to it needs no new trial."""
    REJECTED = "Rejected"
    """It was rolled back on evidence; the same content is not tried again by itself."""


@dataclass(frozen=True, slots=True)
class Occupant:
    """A revision with pods in a slot that neither stable nor the candidate owns."""

    revision: str
    slot: Slot
    replicas: int
    pods: int


@dataclass(frozen=True, slots=True)
class Polling:
    """A uri that is to be asked about again and again.

    of: the revision of the spec as it is written; what a poll finds belongs to it.
    pinned: the digest that was found for it before its first pod; None while it was not.
    found: what the Job of the next poll says, None while there is none.
    known: what polls had found before, where other files than the pinned ones were promoted last; None otherwise.
    """

    of: str
    pinned: str | None
    interval_seconds: float
    found: Artifact | Fetching | None = None
    known: Artifact | None = None


Wanted: TypeAlias = Target | Refused


@dataclass(frozen=True, slots=True)
class Observation:
    """One look at one ModelDeployment.

    readings: what the metrics grid gave since the attempt's instant, oldest first; usually one entry, none when
        this look was caused by an event between two instants, several after a restart.
    health: by revision, for every revision that has a Deployment or pods (and an adopted Service).
    attempts: by revision, how often it was tried before, as its record says.
    known_good: revisions that were stable and are not rejected, the one that was promoted last first.
    acts: what people want by hand and nobody has answered yet, oldest first.
    rejected_as: the revision that had the target's content under another version label, and was rejected.
    refusal: the API server's words when it refused the target's Deployment in this very pass.
    jobs: what became of the Jobs of validations, by name. job_refusal: why one could not be made.
    unpinned: revisions whose files nobody has pinned yet, of those that are placed or wanted; with what their resolve
        Job has found, None while it has not.
    polling: None where spec.model.pollInterval is not there.
    replicas: what the spec asks for.
    acceptance: what the gateways say about the route.
    interval_seconds, settle_seconds: of the metrics grid; a reading at t covers what happened until t - settle.
    """

    name: str
    namespace: str
    wanted: Wanted
    policy: Plan | Refused
    state: State
    route: RouteState
    replicas: int = 1
    paused: bool = False
    past: Mapping[str, Past] = field(default_factory=dict)
    attempts: Mapping[str, int] = field(default_factory=dict)
    rejected_as: Target | None = None
    known_good: tuple[Target, ...] = ()
    acts: tuple[Act, ...] = ()
    health: Mapping[str, ArmHealth] = field(default_factory=dict)
    occupants: tuple[Occupant, ...] = ()
    readings: tuple[Reading | Outage, ...] = ()
    adoptable: str | None = None
    refusal: str | None = None
    jobs: Mapping[str, JobState] = field(default_factory=dict)
    job_refusal: str | None = None
    unpinned: Mapping[str, Artifact | None] = field(default_factory=dict)
    polling: Polling | None = None
    acceptance: Acceptance = ACCEPTED
    gateway_reload_seconds: float = 5.0
    interval_seconds: float = 15.0
    settle_seconds: float = 30.0
