"""RolloutAction: one act of one person, done once and kept for the record."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from serin.api.names import API_VERSION
from serin.api.resource import ApiModel, ObjectMeta, Timestamp
from serin.api.rules import Rule
from serin.api.text import DNS_LABEL

ActionKind = Literal["Approve", "Abort", "Promote", "Retry", "Rollback"]
ActionPhase = Literal["Pending", "Done", "Refused", "Expired"]

ACTOR_WORDS = "spec.actor must be your own user name"
"""How the ValidatingAdmissionPolicy begins when it refuses an act in another's name; the operator tries that to see
whether the policy is in force. A test compares it with the chart's."""

UNVERIFIED = "unverified"
"""Stands for the actor where no policy kept anybody from writing another's name."""


class Answer(StrEnum):
    """What became of an action, in one word; closed. docs/approvals.md says what each means."""

    APPROVED = "Approved"
    ABORTED = "Aborted"
    PROMOTING = "Promoting"
    RETRYING = "Retrying"
    ROLLED_BACK = "RolledBack"
    GOING_BACK = "GoingBack"

    UNVERIFIED = "Unverified"
    """The cluster does not keep people from acting in another's name."""
    NO_DEPLOYMENT = "NoDeployment"
    OTHER_REVISION = "OtherRevision"
    """The revision is neither on trial nor what the action could be about."""
    NOT_AWAITED = "NotAwaited"
    """No approval of this stage is waited for."""
    APPROVED_BEFORE = "ApprovedBefore"
    """The same person has approved this stage."""
    GATE_FAILED = "GateFailed"
    """The candidate has failed; nobody promotes past that."""
    UNCOMPARED = "Uncompared"
    """The rollout has no stages that could be skipped or approved."""
    NOTHING_TO_RETRY = "NothingToRetry"
    NOTHING_TO_GO_BACK_TO = "NothingToGoBackTo"
    ATTEMPT_OVER = "AttemptOver"
    """It was about an attempt that has ended."""


class RolloutActionSpec(ApiModel):
    """What to do, to which revision, and who says so. It never changes."""

    deployment: Annotated[str, DNS_LABEL]
    """The ModelDeployment in the same namespace."""
    action: ActionKind
    """What to do. Approve: the running approval stage. Abort: end the rollout, without a verdict about the revision.
    Promote: skip the stages that are left, but never a failed gate. Rollback: end the rollout and remember the
    revision as rejected; of a revision that is stable, go back to the one before. Retry: try a rejected revision
    again, with new evidence."""
    revision: Annotated[str, DNS_LABEL]
    """The ModelRevision that it is about (status.candidate.revision, or status.stable.revision). An action about
    another one than is there now does nothing."""
    stage: Annotated[str, DNS_LABEL] | None = None
    """With Approve: the stage that is approved. The one that waits when not given."""
    actor: Annotated[str, Field(min_length=1, max_length=1024)]
    """Your user name, as `kubectl auth whoami` says it. The API server refuses any other."""
    reason: Annotated[str, Field(max_length=1024)] | None = None
    """Why, for the record."""

    RULES = (
        Rule(
            cel="self == oldSelf",
            message="spec of a RolloutAction never changes; delete it and make another one",
            holds=None,
        ),
        Rule(
            cel="!has(self.stage) || self.action == 'Approve'",
            message="stage goes with action: Approve only; remove it",
            holds=lambda spec: spec.stage is None or spec.action == "Approve",
            field="stage",
        ),
    )


class RolloutActionStatus(ApiModel):
    """What became of the action."""

    observed_generation: int = -1
    """The metadata.generation that this status is about; -1 until Serin has seen the object."""
    phase: str = "Pending"
    """Pending, Done, Refused (it cannot be done; reason says why) or Expired (what it was about is over)."""
    reason: str | None = None
    """What was done, or why not, in one word."""
    message: str = ""
    """The same in a sentence."""
    at: Timestamp | None = None
    """When."""


class RolloutAction(ApiModel):
    """A RolloutAction is one act of one person: approve, abort, promote, retry or roll back.

    It is done once and never changes. The decision record of the revision says who did it. Whoever makes one needs the
    right to create it, and the right to the act: create of modeldeployments/approve, /abort, /promote, /retry or
    /rollback.
    """

    api_version: str = API_VERSION
    kind: Literal["RolloutAction"] = "RolloutAction"
    metadata: ObjectMeta
    spec: RolloutActionSpec
    """What to do. It never changes."""
    status: RolloutActionStatus = RolloutActionStatus()
    """What became of it. Written by Serin."""
