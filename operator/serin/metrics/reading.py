"""The values between Prometheus and a decision: what to count, what was counted, why something was not.

A `Reading` is what one rollout learns at one instant of the grid; an `Outage` is an instant at which it
learns nothing and after which time has not passed either. Both are plain values, so that a rollout can be
replayed from text.

Pure values: imports nothing that could do input or output.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from serin.api.reasons import Reason
from serin.stats import Counts

__all__ = [
    "ArmRef",
    "Arms",
    "CompareNeed",
    "Counted",
    "Missing",
    "Need",
    "Outage",
    "QueryNeed",
    "Reading",
    "SlowNeed",
    "StableHistory",
    "What",
]

What = Literal["serverErrors", "clientErrors", "slowerThan"]


@dataclass(frozen=True, slots=True)
class ArmRef:
    """One arm, by both names that metrics may know it by.

    namespace: of the ModelDeployment, its Services and pods.
    service: the slot Service; data planes count by it.
    revision: the value of the pods' label serin.dev/revision; model servers and queries are told apart by it.
    """

    namespace: str
    service: str
    revision: str


@dataclass(frozen=True, slots=True)
class Arms:
    """The two arms of a rollout; a first deployment has no stable."""

    stable: ArmRef | None
    candidate: ArmRef


@dataclass(frozen=True, slots=True)
class CompareNeed:
    """A gate that wants requests and those of them that failed with errors of the server or of the client."""

    gate: str
    what: Literal["serverErrors", "clientErrors"]


@dataclass(frozen=True, slots=True)
class SlowNeed:
    """A gate that wants requests and those of them that took longer than `objective_seconds`."""

    gate: str
    objective_seconds: float


@dataclass(frozen=True, slots=True)
class QueryNeed:
    """A gate over a user's own counters: two query templates with `${arm}`.

    policy_key: names the policy the templates come from; rollouts of one policy share its queries.
    """

    gate: str
    total: str
    bad: str
    policy_key: str


Need = CompareNeed | SlowNeed | QueryNeed


@dataclass(frozen=True, slots=True)
class Counted:
    """What both arms served between two instants. Without a stable arm its counts are 0 of 0."""

    stable: Counts
    candidate: Counts


@dataclass(frozen=True, slots=True)
class Missing:
    """A gate without counts at this instant: neither good nor bad news. `message` says what to do."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class StableHistory:
    """What stable alone did before an attempt, for one gate.

    total: all of it.
    windows: in windows of equal time, oldest first; 0 of 0 where nothing is known.
    pods: for each of stable's pods the same windows; empty where pods cannot be told apart.
    """

    total: Counts
    windows: tuple[Counts, ...] = ()
    pods: tuple[tuple[Counts, ...], ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """What one rollout learns at one instant.

    instant: t_k, seconds since the epoch by Prometheus's clock.
    seconds: from the instant of the last reading to this one. The counts are of this span.
    gates: by gate name; every need that was asked for is in it.
    stable_requests, candidate_requests: all answered requests of the arm in the span, whatever the answer.
    candidate_given_up: the candidate's requests whose callers went away before there was an answer.
    stable_seen, candidate_seen: the data plane or server knows a series of this arm now.
    outage_seconds: the part of `seconds` that had no reading of its own. Counts of that time are in here, but
        time without metrics is not soak time: `seconds - outage_seconds` is.
    skipped_seconds: not 0 when the last reading is too long ago to count what came in between (over an hour).
        Then there are no counts and this instant is the new baseline.
    history: by gate name, of the one reading that takes stable's last hour in one go; empty in all others.
    """

    instant: float
    seconds: float
    gates: Mapping[str, Counted | Missing] = field(default_factory=dict)
    stable_requests: int = 0
    candidate_requests: int = 0
    stable_seen: bool = False
    candidate_seen: bool = False
    outage_seconds: float = 0.0
    skipped_seconds: float = 0.0
    candidate_given_up: int = 0
    history: Mapping[str, StableHistory] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outage:
    """An instant without a reading: Prometheus cannot be asked, or what it has is too old.

    Whoever reads on keeps the meter as it was, so that the counts of the outage fall into the first reading
    after.
    """

    instant_missed: float
    reason: Reason
    message: str
