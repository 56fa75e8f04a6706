"""Every reason that a condition, a gate or an Event of Serin can carry.

The list is closed: nothing else is emitted, and a test says so. Each reason says what it means, which
conditions carry it and with what status, and what a user should do.

Four kinds:

- progress: things go their way.
- hold: the candidate stays at its weight. Not knowing is never a pass and never a failure, so each way of not
  knowing has its own reason.
- failure: the candidate was judged, and the weight goes back to stable.
- stalled: waiting will not help; somebody has to change something. Stable serves on.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Self

Kind = Literal["progress", "hold", "failure", "stalled"]

_READY = "Ready=True"
_NOT_READY = "Ready=False"
_PROMOTED = "Promoted=True"
_NOT_PROMOTED = "Promoted=False"
_RECONCILING = "Reconciling=True"
_STALLED = "Stalled=True"
_HOLDING = (_NOT_PROMOTED, _RECONCILING)
_BLOCKED = (_NOT_PROMOTED, _STALLED)


@dataclass(frozen=True, slots=True)
class About:
    """What is written down about a reason."""

    value: str
    kind: Kind
    meaning: str
    conditions: tuple[str, ...]
    """What carries it, as "Type=Status"; empty for what only Events say."""
    remedy: str
    """What a user should do."""


class Reason(StrEnum):
    """One CamelCase word: `Reason.NO_TRAFFIC == "NoTraffic"`, with `Reason.NO_TRAFFIC.about.remedy`."""

    about: About

    def __new__(cls, about: About) -> Self:
        """Make a member that is its word and knows the rest."""
        member = str.__new__(cls, about.value)
        member._value_ = about.value
        member.about = about
        return member

    # --- progress -----------------------------------------------------------------------------------------
    SERVING = About(
        "Serving",
        "progress",
        meaning="The stable revision has ready endpoints and gets the traffic.",
        conditions=(_READY,),
        remedy="Nothing.",
    )
    ROLLING_OUT = About(
        "RollingOut",
        "progress",
        meaning="A candidate is on trial; status.rollout says at which stage and what it waits for.",
        conditions=_HOLDING,
        remedy="Wait; `kubectl get md -w` shows every step.",
    )
    VALIDATING = About(
        "Validating",
        "progress",
        meaning="The candidate's pods are ready, and a Job judges it on data whose answers are known, or warms it up."
        " No request of a user reaches it yet.",
        conditions=_HOLDING,
        remedy="Wait; the Job's log says how far it is: `kubectl logs -l serin.dev/stage`.",
    )
    PROMOTED = About(
        "Promoted",
        "progress",
        meaning="The revision that the spec asks for passed its gates and is stable.",
        conditions=(_PROMOTED,),
        remedy="Nothing.",
    )
    FIRST_DEPLOYMENT = About(
        "FirstDeployment",
        "progress",
        meaning="There is no stable revision to compare with; the first one takes all traffic when it is "
        "ready and is promoted on readiness and its hard gates.",
        conditions=(_PROMOTED, _NOT_PROMOTED, _RECONCILING, _NOT_READY),
        remedy="Wait until its pods are ready.",
    )
    SUPERSEDED = About(
        "Superseded",
        "progress",
        meaning="The spec changed while a candidate was on trial. Traffic goes back to stable first, then "
        "the new revision starts with no evidence.",
        conditions=_HOLDING,
        remedy="Nothing; the record of the superseded revision says how far it came.",
    )
    REVERTED_BY_SPEC = About(
        "RevertedBySpec",
        "progress",
        meaning="The spec asks for the stable revision again, so the rollout was ended without a verdict.",
        conditions=(_PROMOTED,),
        remedy="Nothing.",
    )
    WENT_BACK = About(
        "WentBack",
        "progress",
        meaning="The spec asks for a revision that was stable before, with the same content: it took the "
        "traffic in one write once its pods were ready, without a trial.",
        conditions=(_PROMOTED,),
        remedy="Nothing. To put it on trial all the same, change its content, for instance an annotation of"
        " the pod template.",
    )
    WEIGHT_RESTORED = About(
        "WeightRestored",
        "progress",
        meaning="Somebody else changed one of our two weights in the route; it was put back.",
        conditions=(),
        remedy="Use spec.rollout.paused to hold a rollout; in a route kept in Git, let the tool ignore the "
        "two weights.",
    )
    DELETING = About(
        "Deleting",
        "progress",
        meaning="The ModelDeployment is being deleted; in a route of others all weight goes to stable's slot first.",
        conditions=(_NOT_READY, _RECONCILING),
        remedy="Wait. If it lasts, the message names what refuses the write.",
    )

    # --- hold: not enough is known ------------------------------------------------------------------------
    NO_TRAFFIC = About(
        "NoTraffic",
        "hold",
        meaning="Neither stable nor the candidate got requests since the last look, so there is nothing to compare.",
        conditions=_HOLDING,
        remedy="Send traffic through the route, and check that its parent accepted it (`kubectl describe httproute`).",
    )
    TOO_FEW_SAMPLES = About(
        "TooFewSamples",
        "hold",
        meaning="Traffic flows, but the evidence is not yet enough for a verdict; the message says about "
        "how many requests are left.",
        conditions=_HOLDING,
        remedy="Wait, raise the stage's weight, or allow a wider margin.",
    )
    STALE_METRICS = About(
        "StaleMetrics",
        "hold",
        meaning="Prometheus answers, but its newest samples of a target are older than three scrapes: it "
        "does not reach the target.",
        conditions=_HOLDING,
        remedy="Look at the target in Prometheus (Status, Targets); the message names the series.",
    )
    METRICS_UNAVAILABLE = About(
        "MetricsUnavailable",
        "hold",
        meaning="Prometheus did not answer, or answered with a warning or in part. Time without metrics "
        "counts for no soak and no deadline.",
        conditions=_HOLDING,
        remedy="Bring the metric source back; the rollout goes on with the evidence it had.",
    )
    NOT_ATTRIBUTABLE = About(
        "NotAttributable",
        "hold",
        meaning="The metrics do not tell stable and candidate apart, or none of an arm's series is found "
        "although it should have had requests.",
        conditions=_HOLDING,
        remedy="Follow the message: another preset, a setting of the gateway, or the pods' own metrics.",
    )
    NO_BUCKET_AT_OBJECTIVE = About(
        "NoBucketAtObjective",
        "hold",
        meaning="The latency histogram has no bucket edge at the gate's objective, and Serin does not interpolate.",
        conditions=_HOLDING,
        remedy="Set the objective to one of the edges in the message, or add an edge where the histogram is made.",
    )
    MARGIN_UNRESOLVED = About(
        "MarginUnresolved",
        "hold",
        meaning="Stable has too short a history (fewer than 1,000 requests) for the margin to be fixed.",
        conditions=_HOLDING,
        remedy="Wait: the margin is fixed once stable has 1,000 requests within the attempt.",
    )
    TRAFFIC_TOO_LOW_FOR_MARGIN = About(
        "TrafficTooLowForMargin",
        "hold",
        meaning="At this traffic the rollout cannot come to a verdict before its deadline.",
        conditions=_HOLDING,
        remedy="Take the margin that the message offers, a higher weight, or a later timeouts.progress.",
    )

    VALIDATION_UNDECIDED = About(
        "ValidationUndecided",
        "hold",
        meaning="A validate stage could not judge the candidate for a reason that may pass: the data are too old, or an"
        " endpoint did not answer. That is not a pass, and nothing against the candidate.",
        conditions=_HOLDING,
        remedy="The message names what was in the way. It is asked again after the stage's retry.",
    )

    # --- hold: the cluster is not there yet ---------------------------------------------------------------
    INSUFFICIENT_CAPACITY = About(
        "InsufficientCapacity",
        "hold",
        meaning="No node takes pods of the candidate, or a quota or a missing right keeps Serin from making them. The "
        "message is the scheduler's or the API server's.",
        conditions=_HOLDING,
        remedy="Free or add capacity, or lower spec.serving.replicas; raise the quota, or give the operator the right "
        "that the message names. It is tried again every 30 seconds.",
    )
    ARTIFACT_UNAVAILABLE = About(
        "ArtifactUnavailable",
        "hold",
        meaning="The files at spec.model.uri cannot be fetched, or pinned, just now: the store does not answer, "
        "refuses access or has no such files, or the volume is full. That says nothing about the model, and the time "
        "does not count.",
        conditions=(_NOT_PROMOTED, _RECONCILING, _NOT_READY),
        remedy="Do what the message says; the pods, or the Job that pins the uri, try again by themselves.",
    )
    NOT_READY = About(
        "NotReady",
        "hold",
        meaning="Pods are not ready yet, or stopped being ready without failing by themselves (an eviction,"
        " a lost node).",
        conditions=(_NOT_PROMOTED, _RECONCILING, _NOT_READY),
        remedy="Look at the pods that the message names.",
    )
    SHARED_INCIDENT = About(
        "SharedIncident",
        "hold",
        meaning="Stable shows the same symptom as the candidate, so it is not the candidate's fault.",
        conditions=_HOLDING,
        remedy="Look for what both share: a node, a dependency, the gateway.",
    )
    STABLE_UNAVAILABLE = About(
        "StableUnavailable",
        "hold",
        meaning="Stable has no ready endpoint: there is nothing to compare with and nothing to go back to.",
        conditions=(_NOT_READY, _NOT_PROMOTED, _RECONCILING),
        remedy="Bring stable back, or promote the candidate by hand; onStableDown: Promote lets a ready "
        "candidate take over by itself.",
    )
    STABLE_DEGRADED = About(
        "StableDegraded",
        "hold",
        meaning="More than 5 % of stable's own requests are bad. The comparison goes on with a capped margin.",
        conditions=(_READY, _NOT_PROMOTED, _RECONCILING),
        remedy="Look at stable first: a candidate that is as bad as a sick stable is not good.",
    )
    PAUSED = About(
        "Paused",
        "hold",
        meaning="spec.rollout.paused is true. The rollout does not advance; it can still roll back.",
        conditions=_HOLDING,
        remedy="Set spec.rollout.paused to false.",
    )
    AWAITING_APPROVAL = About(
        "AwaitingApproval",
        "hold",
        meaning="The stage waits for a person.",
        conditions=_HOLDING,
        remedy="Approve or abort it (`kubectl serin approve`); the message says until when.",
    )
    OUTSIDE_WINDOW = About(
        "OutsideWindow",
        "hold",
        meaning="The stage is over, but the next step waits for one of the policy's windows. The time does not count.",
        conditions=_HOLDING,
        remedy="Wait; the message says when the next window opens. `kubectl serin promote` does not wait for it.",
    )
    FROZEN = About(
        "Frozen",
        "hold",
        meaning="The stage is over, but one of the policy's freezes is on. The time does not count.",
        conditions=_HOLDING,
        remedy="Wait for the end that the message names, or go past it (`kubectl serin promote`).",
    )

    # --- failure: judged, and back to stable --------------------------------------------------------------
    GATE_FAILED = About(
        "GateFailed",
        "failure",
        meaning="The evidence says that the candidate is worse than stable by more than the tolerance, or "
        "above a limit.",
        conditions=_BLOCKED,
        remedy="Read status.outcome for the gate and both arms' numbers; fix the model and apply a new version.",
    )
    VALIDATION_FAILED = About(
        "ValidationFailed",
        "failure",
        meaning="A validate stage says that the candidate is not good enough on data whose answers are known, or that"
        " it answers what cannot be counted; or a warmup stage got no answer, or none within its objective. No user has"
        " seen it.",
        conditions=_BLOCKED,
        remedy="The message names the gates with their numbers, and the report; fix the model and apply a new version.",
    )
    CANDIDATE_UNRESPONSIVE = About(
        "CandidateUnresponsive",
        "failure",
        meaning="The candidate should have answered 50 requests or more by stable's count, but fewer than a"
        " fifth were seen: they hang. While none has surely reached it, it has half a minute: the gateway may be late.",
        conditions=_BLOCKED,
        remedy="Look for a deadlock or an endless load in the candidate; give the route a timeout so that "
        "users do not wait for ever.",
    )
    CRASH_LOOP = About(
        "CrashLoop",
        "failure",
        meaning="The candidate's container restarts more often than its hard gate allows, or was killed for"
        " its memory, and stable's does not.",
        conditions=_BLOCKED,
        remedy="Read the container's last log: kubectl logs --previous.",
    )
    ARTIFACT_REFUSED = About(
        "ArtifactRefused",
        "failure",
        meaning="The files at spec.model.uri are not what spec.model.digest pins, or hold what is refused: an archive "
        "that leaves its folder, a pickle that nobody pinned, more than the limits allow.",
        conditions=(_NOT_READY, _NOT_PROMOTED, _STALLED),
        remedy="Find out who changed the files; correct uri or digest, and apply a new version.",
    )
    DEADLINE_EXCEEDED = About(
        "DeadlineExceeded",
        "failure",
        meaning="There was no verdict within timeouts.progress. The revision is not remembered as rejected.",
        conditions=_BLOCKED,
        remedy="See what it waited for (status.outcome), then retry with more traffic, a wider margin or more time.",
    )
    APPROVAL_EXPIRED = About(
        "ApprovalExpired",
        "failure",
        meaning="Nobody, or too few, approved the stage in time. The revision is not remembered as rejected.",
        conditions=_BLOCKED,
        remedy="Try again (`kubectl serin retry`), or give the stage a later `expires`.",
    )
    ABORTED = About(
        "Aborted",
        "failure",
        meaning="A person ended the rollout (Abort), or judged the revision bad (Rollback).",
        conditions=_BLOCKED,
        remedy="Ask them (the record names them); then `kubectl serin retry`, or apply another version.",
    )

    # --- stalled: somebody has to do something ------------------------------------------------------------
    ROLLED_BACK = About(
        "RolledBack",
        "stalled",
        meaning="The candidate was rolled back and stable serves; the message names the failure behind it.",
        conditions=_BLOCKED,
        remedy="Apply a new version, or the stable one again to clear the condition.",
    )
    PREVIOUSLY_REJECTED = About(
        "PreviouslyRejected",
        "stalled",
        meaning="The spec asks for a revision that failed before, or for the same content under another version "
        "label; it is not tried again by itself.",
        conditions=_BLOCKED,
        remedy="Apply other content, or try this one again (`kubectl serin retry`).",
    )
    VALIDATION_BLOCKED = About(
        "ValidationBlocked",
        "stalled",
        meaning="A validate or warmup stage cannot judge the candidate, and waiting will not help: too few rows to"
        " tell, data, a request or a configuration that cannot be used, a latency that never settles, or a Job that"
        " ended without an answer or cannot be made. That is not a"
        " pass, and nothing against the candidate.",
        conditions=_BLOCKED,
        remedy="The message names what is in the way. Correct the data and apply another version, or correct the stage"
        " in the policy, which asks anew; or promote by hand.",
    )
    ROUTE_CONFLICT = About(
        "RouteConflict",
        "stalled",
        meaning="The route is missing, is not ours, does not list both slots, or another ModelDeployment "
        "uses the same rule (the older one wins).",
        conditions=(_NOT_READY, _NOT_PROMOTED, _STALLED),
        remedy="Change the route or spec.traffic as the message says.",
    )
    SESSION_PERSISTENCE = About(
        "SessionPersistence",
        "stalled",
        meaning="The route pins clients to a backend, so weights do not mean shares: sessions stay even at weight 0.",
        conditions=_BLOCKED,
        remedy="Remove the route's session persistence, or set spec.traffic's allowSticky if you accept that.",
    )
    POLICY_NOT_FOUND = About(
        "PolicyNotFound",
        "stalled",
        meaning="spec.rollout.policyRef names a RolloutPolicy that is not in the namespace.",
        conditions=_BLOCKED,
        remedy="Create it, or correct spec.rollout.policyRef.name.",
    )
    INVALID_SPEC = About(
        "InvalidSpec",
        "stalled",
        meaning="The spec cannot be acted on, and it could not be refused at apply: the fault shows only "
        "together with a policy, the operator's configuration, or was stored under older rules.",
        conditions=(_NOT_READY, _NOT_PROMOTED, _STALLED),
        remedy="Change the field that the message names.",
    )
    INVALID_TEMPLATE = About(
        "InvalidTemplate",
        "stalled",
        meaning="The API server refuses the Deployment of spec.serving.template; stable is not touched.",
        conditions=(_NOT_READY, _NOT_PROMOTED, _STALLED),
        remedy="Correct the field in the message, which is the API server's own.",
    )
    FIRST_REVISION_FAILING = About(
        "FirstRevisionFailing",
        "stalled",
        meaning="The first revision does not become ready or breaks a hard gate, and there is nothing to go back to.",
        conditions=(_NOT_READY, _NOT_PROMOTED, _STALLED),
        remedy="Apply a corrected spec: it replaces the revision without a comparison.",
    )


@dataclass(frozen=True, slots=True)
class FoundLater:
    """A fault of a resource that no schema can see."""

    fault: str
    reason: Reason
    field: str
    """What the message names."""


FOUND_LATER = (
    FoundLater("the policy does not exist", Reason.POLICY_NOT_FOUND, "spec.rollout.policyRef.name"),
    FoundLater("there is no time zone of that name", Reason.INVALID_SPEC, "spec.windows"),
    FoundLater("a stage lists a gate that the policy lacks", Reason.INVALID_SPEC, "spec.rollout.stages"),
    FoundLater("the soaks are longer than the deadline", Reason.INVALID_SPEC, "spec.rollout.timeouts.progress"),
    FoundLater(
        "the metric source is not in the operator's configuration",
        Reason.INVALID_SPEC,
        "spec.rollout.metrics.source",
    ),
    FoundLater("there is no such preset", Reason.INVALID_SPEC, "spec.rollout.metrics.preset"),
    FoundLater("the preset cannot measure what a gate compares", Reason.INVALID_SPEC, "spec.rollout.gates"),
    FoundLater("the operator has no image that fetches models", Reason.INVALID_SPEC, "spec.model.fetch"),
    FoundLater("a query is more than a vector selector", Reason.INVALID_SPEC, "spec.rollout.gates"),
    FoundLater("the API server refuses the pods", Reason.INVALID_TEMPLATE, "spec.serving.template"),
    FoundLater("the existing Service is not there", Reason.INVALID_SPEC, "spec.serving.existing.service"),
    FoundLater("the route of others is not there", Reason.ROUTE_CONFLICT, "spec.traffic"),
    FoundLater("the route of others does not list both slots", Reason.ROUTE_CONFLICT, "spec.traffic"),
    FoundLater("a route of our name belongs to somebody else", Reason.ROUTE_CONFLICT, "spec.traffic"),
    FoundLater("an older deployment has its slots in the same rule", Reason.ROUTE_CONFLICT, "spec.traffic"),
    FoundLater("the route pins sessions", Reason.SESSION_PERSISTENCE, "spec.traffic"),
    FoundLater("the revision was rejected before", Reason.PREVIOUSLY_REJECTED, "spec.model.version"),
    FoundLater("the same content was rejected as another version", Reason.PREVIOUSLY_REJECTED, "spec.model.digest"),
    FoundLater("the first revision never becomes ready", Reason.FIRST_REVISION_FAILING, "spec.serving.template"),
)
"""What shows only in the cluster: the deployment is Stalled, and stable serves on. All else is refused at
apply."""
