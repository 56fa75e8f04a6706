"""What a rollout remembers from one look to the next.

        stable (slot a)                    candidate (slot b)
    1   revision 1 serves 100 %            -
    2   revision 1 serves  90 %            revision 2 on trial at 10 %     an Attempt runs
    3a  -                                  revision 2 serves 100 %         promoted: it is stable, in slot b
    3b  revision 1 serves 100 %            -                               rolled back: an Outcome is left
    4   the tenant of the other slot, without weight, drains and is scaled down; then the slot is free

Everything here but `drains` and `carried` is stored in the ModelDeployment's status in one write, so stage,
instant and evidence can never disagree; those two only make a wait exact or an edit by others visible, and begin
anew after a restart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from serin.api.names import Slot
from serin.api.reasons import Reason
from serin.rollout.acts import Acted, Approved, Instead, Order, Retrying
from serin.rollout.clumping import ASSUMED
from serin.rollout.plan import Approval, Plan
from serin.stats import Counts, Overdispersion
from serin.stats.constant import ConstantTest
from serin.stats.rate import RateTest
from serin.traffic.weights import Weights
from serin.workloads.resolve import Artifact

# Sixteen stages, their ends and a few holds; the revision's record keeps the last hundred over all attempts.
STEPS_MAX = 24


class Kind(StrEnum):
    """Why an attempt runs, and so how it is judged."""

    FIRST = "First"
    """Nothing proven serves: the revision takes all traffic when ready; pods decide, metrics inform."""
    COMPARED = "Compared"
    """On trial against stable, stage by stage."""
    GO_BACK = "GoBack"
    """A revision that was stable before: pods ready, then one write."""


class End(StrEnum):
    """How an attempt ended. Closed: a rollout that still runs has no End."""

    PROMOTED = "Promoted"
    ROLLED_BACK = "RolledBack"
    SUPERSEDED = "Superseded"
    """Another revision was asked for before the verdict; says nothing about this one."""
    ABORTED = "Aborted"
    """A person ended it and said nothing about the revision."""
    EXPIRED = "Expired"
    """The deadline, or that of an approval, came first; not remembered as rejected."""
    REFUSED = "Refused"
    """Never ran: the template was refused, or the revision was rejected before."""


@dataclass(frozen=True, slots=True)
class Placed:
    """A revision in its slot.

    proven: it was promoted once, or adopted; an unproven one serves only because nothing better does.
    adopted: the name of the running Service whose pods are this revision, when Serin did not make them.
    """

    revision: str
    version: str
    slot: Slot
    proven: bool = True
    adopted: str | None = None


@dataclass(frozen=True, slots=True)
class GateState:
    """One gate's memory: its sequential test, or what was counted before its margin could be frozen.

    test: None until the margin is frozen (fewer than 1,000 stable requests), and for hard gates.
    history: stable's requests before the attempt; they feed the margin and the first guess only.
    overdispersion: how much stable's bad requests clump, measured before first traffic; the test is held to it.
    stable, candidate: totals since first traffic.
    missing: why the newest reading had nothing for this gate; None when it had.
    """

    name: str
    test: RateTest | ConstantTest | None = None
    history: Counts = Counts()
    stable: Counts = Counts()
    candidate: Counts = Counts()
    missing: tuple[Reason, str] | None = None
    overdispersion: Overdispersion = ASSUMED


@dataclass(frozen=True, slots=True)
class KeptReport:
    """Where the report of a validation is kept, with the digest of its JSON; None when it could not be stored.

    trouble: what went wrong with storing it, in a sentence. It never touches the verdict.
    """

    place: str | None = None
    digest: str | None = None
    trouble: str | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """One entry of the decision record: what was decided when, on which numbers, and by which person if one did.

    report, measured: of a validation's answer, where there are such.
    """

    instant: float
    at: str
    stage: str
    weight: int
    decision: str
    reason: Reason
    message: str
    gates: tuple[Mapping[str, Any], ...] = ()
    actor: str | None = None
    report: KeptReport | None = None
    measured: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class Validated:
    """How far a validation is. verdict: None while it is asked for; then message says why its pod cannot start, if so.

    digest: what was asked; another one is another question. tries: how often it was asked before.
    stalled: undecided, and only a person can change that. at: when the answer came, by the cluster's clock.
    report: what the answer says of its report; None when it says nothing.
    """

    name: str
    digest: str
    tries: int = 0
    verdict: Literal["pass", "fail", "undecided"] | None = None
    stalled: bool = False
    message: str = ""
    at: float = 0.0
    report: KeptReport | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One rollout of a candidate, from its start to the verdict.

    Instants are seconds since the epoch on the metrics grid (Prometheus's own clock); 0 means: none yet.
    active_seconds and soaked_seconds grow only by instants at which the metrics answered and nobody held the
    rollout, so that an outage or a pause can end neither a soak nor a deadline.

    plan: the policy as it was when the first traffic came; until then it follows the policy.
    history_since: stable's requests before this instant belong to an earlier attempt; 0: there was none.
    stage: index into plan.stages; -1 while the candidate gets ready at weight 0.
    active_seconds: since first traffic, towards the deadline.
    effect_since: the first instant at which the stage's weight was read back and the candidate was ready; 0 while
        that is not so. Without a comparison it is the cluster's clock at which the route first carried the weights.
    warm_since: the first instant at which the candidate had traffic after having had none; 0 while it has none.
    silent_seconds: how long neither arm has seen a request.
    unready_seconds: measured time for which the candidate has not had the pods it needs, though they found a node.
    expected, seen: the candidate's requests expected from stable's count and the weights, and those counted,
        since the two last agreed; they find a candidate whose requests hang and are never counted.
    reached: since the candidate's weight left 0, a request surely went to it: answered, or given up by its caller.
    requests, stage_requests: the candidate's requests since first traffic, and within this stage.
    requests_per_second: of both arms, the higher of now and the last minutes; for planning only.
    stable_restarts: restarts of stable's containers from before the attempt; only later ones are a shared incident.
    placed_at: seconds since the epoch by the cluster's clock: since when no pod has waited for a node.
    shielded: the candidate has weight 0 although its stage says more, for it cannot answer.
    outage: why the newest instant had no reading at all; None when it had one.
    awaiting_since: seconds since the epoch by the cluster's clock: since when people are waited for; 0 while none are.
    approvals: of the running approval stage.
    order: what a person has told it to do.
    validated: what was judged on data before the first traffic, and what is being judged.
    """

    number: int
    kind: Kind
    plan: Plan
    started_at: str
    history_since: float = 0.0
    stage: int = -1
    instant: float = 0.0
    first_traffic: float = 0.0
    stage_since: float = 0.0
    active_seconds: float = 0.0
    soaked_seconds: float = 0.0
    effect_since: float = 0.0
    warm_since: float = 0.0
    silent_seconds: float = 0.0
    unready_seconds: float = 0.0
    expected: float = 0.0
    seen: float = 0.0
    reached: bool = False
    requests: int = 0
    stage_requests: int = 0
    requests_per_second: float = 0.0
    stable_restarts: int = 0
    placed_at: float = 0.0
    shielded: bool = False
    stable_seen: bool = False
    candidate_seen: bool = False
    outage: tuple[Reason, str] | None = None
    awaiting_since: float = 0.0
    approvals: tuple[Approved, ...] = ()
    order: Order | None = None
    validated: tuple[Validated, ...] = ()
    gates: tuple[GateState, ...] = ()
    steps: tuple[Step, ...] = ()

    @property
    def approved(self) -> bool:
        """Whether no people are waited for: the stage is no approval, or enough have approved it."""
        stage = self.plan.stages[self.stage] if self.stage >= 0 else None
        return not isinstance(stage, Approval) or len(self.approvals) >= stage.approvers


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the last attempt ended, kept until the next one starts.

    unseen: a first revision that no request could reach, so that nothing has to drain.
    """

    revision: str
    version: str
    end: End
    reason: Reason
    message: str
    at: str
    attempt: int
    steps: tuple[Step, ...] = ()
    gates: tuple[Mapping[str, Any], ...] = ()
    unseen: bool = False


QUIET_INSTANTS = 2
DRAIN_SECONDS_MAX = 300.0


@dataclass(frozen=True, slots=True)
class Drain:
    """A slot whose tenant lost its traffic and is not yet scaled down.

    Its weight was read back as 0 at `weightless_at` (seconds since the epoch); `quiet` counts the instants of
    the metrics grid since then at which none of its counters moved.
    """

    revision: str
    slot: Slot
    weightless_at: float = 0.0
    quiet: int = 0

    def finished(self, now: float, reload_seconds: float) -> bool:
        """Whether nothing can be under way to the slot any more.

        Two instants without a moving counter, after the gateway had time to load the weights. Where the metrics
        are away, five minutes without weight: a route's time-out is shorter, and pods end gracefully besides.
        """
        if not self.weightless_at:
            return False
        waited = now - self.weightless_at
        return waited >= DRAIN_SECONDS_MAX or (self.quiet >= QUIET_INSTANTS and waited >= reload_seconds)


@dataclass(frozen=True, slots=True)
class Poll:
    """What polls of a uri have found.

    of: the revision of the spec as it is written, whose uri it is. pinned: its digest.
    number: how many were answered. at: when the last one was, or when waiting for the first one began.
    artifact: what the uri meant the last time that somebody could say it; None while that is `pinned`.
    message: why the last one has no answer.
    """

    of: str
    pinned: str
    number: int
    at: str
    artifact: Artifact | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class State:
    """All that is remembered of one ModelDeployment's rollouts.

    instead, retrying: what a person wants of the revision that the spec asks for.
    poll: what polls of the spec's uri have found.
    acted: acts that were taken up, the last ones and all whose answer may not be written yet.
    drains: slots that lost their traffic and are not yet scaled down.
    carried: the weights that the last look wanted and saw in the route; None when it saw others. What the route
        shows instead of them was written by somebody else, for we write only what a look wants.
    """

    stable: Placed | None = None
    candidate: Placed | None = None
    attempt: Attempt | None = None
    outcome: Outcome | None = None
    instead: Instead | None = None
    retrying: Retrying | None = None
    poll: Poll | None = None
    acted: tuple[Acted, ...] = ()
    drains: tuple[Drain, ...] = field(default=(), compare=False)
    carried: Weights | None = field(default=None, compare=False)
