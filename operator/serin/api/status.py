"""The status of a ModelDeployment: what Serin says, and what it needs to remember across a restart.

For people: phase, stable, candidate, rollout, outcome. For tools: conditions and observedGeneration. For
Serin alone: `evidence`, `plan` and `drain`, open objects whose shape belongs to the packages that write them.
"""

from typing import Annotated, Any, Literal

from pydantic import Field

from serin.api.artifact import PinnedArtifact
from serin.api.conditions import Condition
from serin.api.lists import LIST_ATOMIC, list_map
from serin.api.names import Slot
from serin.api.resource import ApiModel, Timestamp

Verdict = Literal["pass", "fail", "undecided"]


class Serves(ApiModel):
    """A revision and the slot that it stands in."""

    revision: str
    """The name of the ModelRevision."""
    version: str
    """The model's version."""
    slot: Slot
    """The Service that leads to it: <deployment>-a or <deployment>-b."""
    proven: bool | None = None
    """False for a revision that serves only because nothing better does: it was never promoted."""
    adopted: str | None = None
    """The Service whose pods these are, when Serin did not make them (spec.serving.existing)."""


class ArmCounts(ApiModel):
    """What a gate counted of one arm."""

    total: float = 0
    """All cases."""
    bad: float = 0
    """The bad ones among them."""


class GateStatus(ApiModel):
    """What one gate has seen since the candidate's first request."""

    name: str
    """The gate's name."""
    kind: str
    """Its sort: compare, limit, query or hard."""
    required: bool = True
    """Whether the gate decides."""
    verdict: Verdict = "undecided"
    """What the evidence says so far: pass, fail or undecided."""
    reason: str | None = None
    """Why it is undecided or failed, in one word."""
    message: str = ""
    """The same in a sentence, with the numbers."""
    stable: ArmCounts | None = None
    """Stable's counts."""
    candidate: ArmCounts | None = None
    """The candidate's counts."""
    difference: float | None = None
    """The candidate's rate minus stable's, from -1 to 1."""
    interval: Annotated[list[float], Field(max_length=2, json_schema_extra=LIST_ATOMIC)] | None = None
    """Lower and upper bound of the difference, at 95 %, valid at every look."""
    margin: float | None = None
    """The difference up to which the candidate is promoted, frozen for this rollout."""
    overdispersion: float | None = None
    """By how much the bad requests scatter more than independent ones would; all evidence is divided by it."""
    overdispersion_source: str | None = None
    """Where it comes from: stable's own pods before the rollout, windows of time, or assumed."""


class RolloutStatus(ApiModel):
    """The rollout under way."""

    attempt: int = 1
    """Which attempt of this revision it is."""
    kind: str | None = None
    """What sort of rollout: an ordinary one, the first deployment, or a way back to a known revision."""
    stage: str | None = None
    """The stage's name."""
    stage_index: int | None = None
    """The stage's place in the plan, from 0."""
    weight: int | None = None
    """The candidate's share of the traffic in percent, as read back from the route."""
    verdict: Verdict | None = None
    """All required gates together: pass, fail or undecided."""
    reason: str | None = None
    """Why the rollout stands where it stands, in one word."""
    started_at: Timestamp | None = None
    """When the rollout began."""
    first_traffic_at: Timestamp | None = None
    """When the candidate got its first request; evidence and deadline count from here."""
    since: Timestamp | None = None
    """When the stage began."""
    instant: float | None = None
    """The instant of the last reading of the metrics, in seconds since 1970 by Prometheus' clock."""
    active_seconds: float | None = None
    """Time since the first request that counts for the deadline: without outages of the metrics."""
    soaked_seconds: float | None = None
    """Time in this stage that counts for its soak."""
    deadline: Timestamp | None = None
    """When timeouts.progress ends."""
    expected_finish: Timestamp | None = None
    """When the rollout will probably end, if the candidate is as good as stable."""
    waiting_for: str | None = None
    """What the next step waits for, in a sentence."""
    gates: Annotated[list[GateStatus], Field(json_schema_extra=list_map("name"))] = Field(default_factory=list)
    """What each gate has seen."""
    steps: Annotated[list[dict[str, Any]], Field(json_schema_extra=LIST_ATOMIC)] = Field(default_factory=list)
    """The steps so far, oldest first."""
    evidence: dict[str, Any] | None = None
    """The state of the tests. Serin's own: do not edit."""
    plan: dict[str, Any] | None = None
    """The policy as it was when the rollout started, and what was reckoned from it. Serin's own: do not
    edit."""


class Outcome(ApiModel):
    """How the last rollout ended."""

    revision: str
    """The candidate of that rollout."""
    version: str | None = None
    """Its model version."""
    attempt: int | None = None
    """Which attempt of this revision it was."""
    kind: str
    """How it ended: Promoted, RolledBack, Aborted, Superseded, Expired or Refused."""
    reason: str
    """Why, in one word."""
    message: str = ""
    """Why, in a sentence, with the numbers."""
    at: Timestamp
    """When."""
    stage: str | None = None
    """The stage that it ended in."""
    unseen: bool | None = None
    """True for a first revision that no request could reach."""
    gates: Annotated[list[GateStatus], Field(json_schema_extra=list_map("name"))] = Field(default_factory=list)
    """What each gate had seen."""
    steps: Annotated[list[dict[str, Any]], Field(json_schema_extra=LIST_ATOMIC)] = Field(default_factory=list)
    """The steps of that rollout, until they stand in the revision's record."""


class Acted(ApiModel):
    """A RolloutAction that was taken up; so that it is done once, whenever the operator is killed."""

    uid: str
    """The RolloutAction's uid."""
    phase: str
    """Done, Refused or Expired."""
    reason: str
    """What was done, or why not, in one word."""
    message: str = ""
    """The same in a sentence."""
    at: Timestamp
    """When."""


class Instead(ApiModel):
    """A person has rolled back the revision that the spec asks for, although it was stable."""

    of: str
    """The revision that the spec asks for."""
    revision: str
    """The one that serves instead, until the spec asks for another one or a Retry."""
    version: str
    """Its model version."""
    message: str = ""
    """Who did it, and why."""


class Retrying(ApiModel):
    """A person has asked for another attempt, which begins when its slot is free."""

    revision: str
    """The revision that is tried again."""
    actor: str
    """Who asked for it."""
    message: str = ""
    """Why."""


class Poll(ApiModel):
    """What polls of spec.model.uri have found (spec.model.pollInterval)."""

    of: str
    """The revision of the spec as it is written."""
    pinned: str
    """The digest of its files."""
    number: int
    """How many polls were answered."""
    at: Timestamp
    """When the last one was, or when waiting for the first one began."""
    artifact: PinnedArtifact | None = None
    """What the uri meant then."""
    message: str | None = None
    """Why the last one has no answer."""


class Status(ApiModel):
    """What serves, and how far a rollout is."""

    observed_generation: int = -1
    """The metadata.generation that this status is about; -1 until Serin has seen the object."""
    phase: str | None = None
    """One word for people. Tools read conditions."""
    url: str | None = None
    """Where clients reach the model from outside."""
    address: str | None = None
    """Where clients reach the stable revision from inside the cluster."""
    replicas: int | None = None
    """Pods of both arms; the scale subresource reads it."""
    selector: str | None = None
    """The label selector of both arms' pods; the scale subresource reads it."""
    stable: Serves | None = None
    """The revision that serves by default."""
    candidate: Serves | None = None
    """The revision on trial."""
    rollout: RolloutStatus | None = None
    """The rollout under way."""
    outcome: Outcome | None = None
    """How the last rollout ended."""
    instead: Instead | None = None
    """What a person has put in place of the revision that the spec asks for."""
    retrying: Retrying | None = None
    """The other attempt that a person has asked for."""
    poll: Poll | None = None
    """Where spec.model.uri led when it was polled last."""
    acted: Annotated[list[Acted], Field(json_schema_extra=LIST_ATOMIC)] = Field(default_factory=list)
    """The last RolloutActions that were taken up."""
    conditions: Annotated[list[Condition], Field(json_schema_extra=list_map("type"))] = Field(default_factory=list)
    """Ready and Promoted always; Reconciling or Stalled only while true."""
