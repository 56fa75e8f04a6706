"""`approve`, `abort`, `promote`, `retry`, `rollback`: the RolloutAction, and what became of it in words.

What an act is about is found in `aiming`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, assert_never

from serin.api.names import API_VERSION
from serin.plugin.raw import Raw, part, text

if TYPE_CHECKING:  # the resources' models take their time, and what a cluster holds needs none of them
    from serin.api.rollout_action import ActionKind

ANSWERED = frozenset({"Done", "Refused", "Expired"})
"""Phases of an action that has its answer."""
NO_ANSWER = 124
"""The exit code when none came in time."""


@dataclass(frozen=True, slots=True)
class Aim:
    """What an act is about. stage: of an approval. place: where the revision stands, to be read after it."""

    action: ActionKind
    namespace: str
    deployment: str
    revision: str
    version: str | None
    place: str
    stage: str | None = None

    @property
    def words(self) -> str:
        """'ml/iris: approving iris-3-4d9gr, version 3, on trial at stage sign-off with 50 % of the traffic'."""
        version = f", version {self.version}" if self.version is not None else ""
        return f"{self.namespace}/{self.deployment}: {_doing(self.action)} {self.revision}{version}, {self.place}"


@dataclass(frozen=True, slots=True)
class Answered:
    """What became of an action: its phase and reason, the operator's sentence, and what can be done about it."""

    phase: str
    reason: str
    message: str

    @property
    def words(self) -> str:
        """'Refused (GateFailed): iris-3-4d9gr was rolled back: ...'."""
        return f"{self.phase} ({self.reason}): {self.message}" if self.reason else f"{self.phase}: {self.message}"


def manifest(what: Aim, actor: str, reason: str | None) -> dict[str, Any]:
    """The RolloutAction; the API server ends its name."""
    spec = {
        "deployment": what.deployment,
        "action": what.action,
        "revision": what.revision,
        "stage": what.stage,
        "actor": actor,
        "reason": reason,
    }
    return {
        "apiVersion": API_VERSION,
        "kind": "RolloutAction",
        "metadata": {"generateName": f"{what.deployment}-{what.action.lower()}-", "namespace": what.namespace},
        "spec": {name: value for name, value in spec.items() if value is not None},
    }


def answer_of(raw: Raw) -> Answered | None:
    """The answer that an action has; None while it has none."""
    status = part(raw, "status")
    phase = text(status.get("phase"))
    if phase not in ANSWERED:
        return None
    return Answered(phase, text(status.get("reason")) or "", text(status.get("message")) or "")


def exit_code(answer: Answered | None) -> int:
    """0 done, 3 refused, 5 what it was about is over, 124 no answer."""
    match answer:
        case None:
            return NO_ANSWER
        case Answered(phase="Done"):
            return 0
        case Answered(phase="Expired"):
            return 5
        case _:
            return 3


def advice(what: Aim, answer: Answered) -> str:
    """What to do after an answer; empty when there is nothing to do."""
    return ADVICE.get(answer.reason, "").format(name=what.deployment, namespace=what.namespace)


ADVICE: Mapping[str, str] = {
    "Promoting": "`kubectl serin watch {name} -n {namespace}` shows how it goes on",
    "GoingBack": "`kubectl serin watch {name} -n {namespace}` shows how it goes on",
    "Retrying": "`kubectl serin watch {name} -n {namespace}` shows how it goes on",
    "OtherRevision": "`kubectl serin status {name} -n {namespace}` shows what is on trial and what is stable by now",
    "NotAwaited": "`kubectl serin status {name} -n {namespace}` shows the stage that it is at by now",
    "ApprovedBefore": "somebody else has to approve too",
    "GateFailed": "`kubectl serin explain {name} -n {namespace}` has the numbers",
    "NothingToGoBackTo": "apply the version that is to serve",
    "AttemptOver": "`kubectl serin explain {name} -n {namespace}` says how it ended; retry gives it another attempt",
    "Unverified": "whoever runs Serin has to install its ValidatingAdmissionPolicy (Kubernetes 1.30 and newer)",
}
"""By the reason of an answer. The others say it all."""


def missing_right(what: Aim, said: str) -> tuple[str, str] | None:
    """What is wrong and what to do, of the API server's words when it forbids an action; None when they say no right.

    Two are needed: RBAC asks for the one to create RolloutActions, the ValidatingAdmissionPolicy for that to the act.
    """
    act = what.action.lower()
    right = f"create on modeldeployments/{act}"
    # What sends more traffic to a candidate on a person's word is in no role that who writes a ModelDeployment has.
    takes_back = what.action in {"Abort", "Retry", "Rollback"}
    holders = "the roles edit, admin and serin-approver" if takes_back else "the ClusterRole serin-approver"
    told = said.partition("denied request: ")[2] or said
    if 'create resource "rolloutactions"' in said:
        needed = f"create on rolloutactions, and {right}, in namespace {what.namespace}"
        return told, f"it takes {needed}; {holders} can give both (docs/approvals.md)"
    if "spec.action:" in told:
        missing = f"the right {right} in namespace {what.namespace} is missing"
        return told, f"{missing}; {holders} can give it (docs/approvals.md)"
    if "spec.actor" in told:
        return told, "the API server knows you by another name here than when it was asked; is a proxy in between?"
    return None


def _doing(action: ActionKind) -> str:
    match action:
        case "Approve":
            return "approving"
        case "Abort":
            return "aborting"
        case "Promote":
            return "promoting"
        case "Retry":
            return "retrying"
        case "Rollback":
            return "rolling back"
        case _:
            assert_never(action)
