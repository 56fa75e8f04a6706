"""What the plugin knows of ModelDeployments and ModelRevisions: small frozen records, made by `reading`.

None stands for what the object does not say.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Verdict = Literal["pass", "fail", "undecided", "unknown"]


@dataclass(frozen=True, slots=True)
class Counted:
    """What a gate counted of one arm."""

    total: float
    bad: float

    @property
    def rate(self) -> float | None:
        """The share of bad ones, from 0 to 1; None without any case."""
        return self.bad / self.total if self.total > 0 else None


@dataclass(frozen=True, slots=True)
class Gate:
    """What one gate has seen. Rates, difference, interval and margin are fractions: 0.01 is one point."""

    name: str
    kind: str
    required: bool
    verdict: Verdict
    reason: str | None
    message: str
    stable: Counted | None
    candidate: Counted | None
    difference: float | None
    interval: tuple[float, float] | None
    margin: float | None
    overdispersion: float | None = None
    overdispersion_source: str | None = None


@dataclass(frozen=True, slots=True)
class KeptReport:
    """Where a validation's report is, with the digest of its JSON, and what went wrong with storing it."""

    place: str | None
    digest: str | None
    trouble: str | None

    @property
    def words(self) -> str:
        """All of it in a line."""
        where = " ".join(one for one in (self.place, self.digest) if one is not None)
        return "; ".join(one for one in (where, self.trouble) if one)


@dataclass(frozen=True, slots=True)
class Measured:
    """What a gate of a validation has measured, where it was decided."""

    name: str
    verdict: Verdict
    metric: str | None
    limit: str | None
    scope: str | None
    value: float | None
    interval: tuple[float | None, float | None]


@dataclass(frozen=True, slots=True)
class Step:
    """One decision: when, at which stage and weight (percent), why, on which numbers."""

    at: datetime | None
    attempt: int | None
    decision: str
    stage: str | None
    weight: int | None
    reason: str | None
    message: str
    gates: tuple[Gate, ...] = ()
    actor: str | None = None
    report: KeptReport | None = None
    measured: tuple[Measured, ...] = ()


@dataclass(frozen=True, slots=True)
class Placed:
    """A revision in its slot."""

    revision: str
    version: str | None
    slot: str | None
    proven: bool | None = None
    adopted: str | None = None


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of the plan; weight is the candidate's share in percent.

    An approval has no soak, it waits for people.
    """

    name: str
    kind: Literal["canary", "approval", "bake"]
    weight: int
    soak_seconds: float


@dataclass(frozen=True, slots=True)
class Check:
    """A stage before the first request: what its Job does, and how far it is; None before it is asked."""

    name: str
    program: str
    verdict: Literal["asked", "pass", "fail", "undecided"] | None
    report: KeptReport | None = None


@dataclass(frozen=True, slots=True)
class Rollout:
    """The rollout under way."""

    attempt: int | None
    kind: str | None
    stage: str | None
    stage_index: int | None
    checks: tuple[Check, ...]
    stages: tuple[Stage, ...]
    weight: int | None
    verdict: Verdict
    reason: str | None
    waiting_for: str | None
    started_at: datetime | None
    first_traffic_at: datetime | None
    since: datetime | None
    soaked_seconds: float | None
    deadline: datetime | None
    expected_finish: datetime | None
    gates: tuple[Gate, ...]
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the last rollout ended."""

    revision: str
    version: str | None
    attempt: int | None
    kind: str | None
    reason: str | None
    message: str
    at: datetime | None
    stage: str | None
    gates: tuple[Gate, ...]
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Polled:
    """What a poll of the spec's uri has found last; message: why the last one has no answer."""

    at: datetime | None
    digest: str | None
    uri: str | None
    message: str | None


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition; status is the word that stands there."""

    type: str
    status: str
    reason: str | None
    message: str
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Deployment:
    """A ModelDeployment.

    observed: whether the status is about the spec as it is now. instead_of: the revision that the spec asks for, where
    a person has put another one in its place.
    """

    namespace: str
    name: str
    created: datetime | None
    version: str | None
    paused: bool
    deleting: bool
    observed: bool
    phase: str | None
    url: str | None
    address: str | None
    replicas: int | None
    stable: Placed | None
    candidate: Placed | None
    rollout: Rollout | None
    outcome: Outcome | None
    conditions: tuple[Condition, ...]
    instead_of: str | None = None
    polled: Polled | None = None

    @property
    def key(self) -> str:
        """Namespace and name: 'ml/iris'."""
        return f"{self.namespace}/{self.name}"

    def condition(self, kind: str) -> Condition | None:
        """The condition of a type, if there is one."""
        return next((one for one in self.conditions if one.type == kind), None)

    def holds(self, kind: str) -> bool:
        """Whether a condition is there and True."""
        found = self.condition(kind)
        return found is not None and found.status == "True"

    def reason_of(self, kind: str) -> str | None:
        """The reason of a condition, if it is there."""
        found = self.condition(kind)
        return found.reason if found is not None else None


@dataclass(frozen=True, slots=True)
class Revision:
    """A ModelRevision: what became of it, and the record of its decisions."""

    namespace: str
    name: str
    deployment: str | None
    version: str | None
    created: datetime | None
    verdict: str
    was_stable: bool
    attempts: int | None
    reason: str | None
    message: str
    record: tuple[Step, ...]
    forgotten: int
    """Entries that the record no longer holds."""
