"""ModelDeployment: the one resource that a user has to write."""

from typing import Annotated, Literal

from pydantic import Field

from serin.api.gates import Gates
from serin.api.model import Card, Lineage, Model
from serin.api.names import API_VERSION, DEPLOYMENT_NAME_MAX
from serin.api.pod_template import PodTemplate
from serin.api.quantities import SecondsOrZero
from serin.api.resource import ApiModel, ObjectMeta
from serin.api.rollout_policy import MetricsOverride, OnStableDown, RiskOverride, TimeoutsOverride
from serin.api.rules import Rule
from serin.api.stages import STAGE_RULES, Stages
from serin.api.status import Status
from serin.api.text import DNS_LABEL, DNS_SUBDOMAIN, Shape
from serin.api.traffic import GrpcRoute, HttpRoute, ParentRef, Port, Route, RouteRef, Traffic

__all__ = [
    "Card",
    "Existing",
    "GrpcRoute",
    "HttpRoute",
    "Lineage",
    "Model",
    "ModelDeployment",
    "ModelDeploymentSpec",
    "ParentRef",
    "PolicyRef",
    "Port",
    "Protocol",
    "Rollout",
    "Route",
    "RouteRef",
    "Serving",
    "Traffic",
]

Protocol = Literal["open-inference", "kserve-v1", "mlflow", "http", "grpc"]


class Existing(ApiModel):
    """Something that already serves and was not made by Serin."""

    service: Annotated[str, DNS_LABEL]
    """The name of a Service in the same namespace. It becomes the first stable and stays whoever's it is;
    Serin stops using it at the first promotion."""


class Serving(ApiModel):
    """How the model is served."""

    replicas: Annotated[int, Field(ge=0, le=10_000)] = 1
    """Pods of the stable revision; a candidate gets what its weight needs. This is what `kubectl scale` and
    autoscalers set."""
    port: Port
    """The port of the container that answers inference requests."""
    protocol: Protocol = "open-inference"
    """What the server speaks: open-inference (also called V2), kserve-v1, mlflow, http (anything else over
    HTTP) or grpc."""
    template: PodTemplate | None = None
    """The pod template. It is an ordinary one: every field of a pod is allowed, and checked by the API server
    when the revision's Deployment is created, before any traffic moves."""
    existing: Existing | None = None
    """A Service that already serves the model, taken over as the first stable."""

    RULES = (
        Rule(
            cel="has(self.template) || has(self.existing)",
            message="serving needs a template (the pods of the model), or existing (a Service that already serves it)",
            holds=lambda serving: serving.template is not None or serving.existing is not None,
        ),
    )


class PolicyRef(ApiModel):
    """A RolloutPolicy by name."""

    name: Annotated[str, DNS_SUBDOMAIN]
    """The name of a RolloutPolicy in the same namespace."""


class Rollout(ApiModel):
    """How a new revision is tried: by a policy, by words of its own, or both.

    What stands here goes before the policy; without either, the built-in policy holds.
    """

    policy_ref: PolicyRef | None = None
    """The policy to go by. Changing it, or the policy, changes the next rollout, not one under way."""
    metrics: MetricsOverride | None = None
    """Where the numbers come from; each field before the policy's."""
    risk: RiskOverride | None = None
    """How often a rollout may end wrongly; each field before the policy's."""
    gates: Gates | None = None
    """What is measured, instead of all gates of the policy."""
    stages: Stages | None = None
    """The way to full traffic, instead of all stages of the policy."""
    timeouts: TimeoutsOverride | None = None
    """How long a rollout may take; each field before the policy's. A later deadline counts for a rollout
    under way."""
    on_stable_down: OnStableDown | None = None
    """When stable has no ready endpoint in the middle of a rollout: Hold, or Promote a candidate that is
    ready."""
    warm_in: SecondsOrZero | None = None
    """How long a freshly started arm is left out of latency gates."""
    paused: bool = False
    """Whether the rollout stays where it is. It can still roll back."""

    RULES = STAGE_RULES


class ModelDeploymentSpec(ApiModel):
    """What should serve, and how it gets there."""

    model: Model
    """Which model, and which version of it."""
    serving: Serving
    """How it is served."""
    traffic: Traffic
    """How requests reach it."""
    rollout: Rollout = Field(default_factory=Rollout)
    """How a new revision is tried."""
    revision_history_limit: Annotated[int, Field(ge=0, le=100)] = 10
    """How many ModelRevisions are kept besides stable and candidate. The oldest go first, with their records and with
    the memory that they were rejected; the one that was stable before goes last."""
    retain: bool = False
    """Whether the ModelRevisions, with their records and verdicts, stay when this object is deleted. They are then
    nobody's: delete them by their label when they are no longer needed."""
    deletion_policy: Literal["Delete", "Orphan"] = "Delete"
    """What happens to the running model when this object is deleted: Delete it, or Orphan it (stable's
    Deployment and Service stay)."""

    RULES = (
        Rule(
            cel="self.serving.protocol != 'grpc' || has(self.traffic.grpcRoute)",
            message="serving.protocol grpc needs traffic.grpcRoute: to an HTTPRoute every gRPC error is a 200",
            holds=lambda spec: spec.serving.protocol != "grpc" or spec.traffic.grpc_route is not None,
            field="traffic",
        ),
        Rule(
            cel="!has(self.traffic.grpcRoute) || self.serving.protocol in ['grpc', 'open-inference']",
            message="traffic.grpcRoute needs serving.protocol grpc or open-inference; use "
            "traffic.httpRoute for the others",
            holds=lambda spec: spec.traffic.grpc_route is None or spec.serving.protocol in ("grpc", "open-inference"),
            field="serving.protocol",
        ),
    )


_NAME = Shape(r"^[a-z]([-a-z0-9]*[a-z0-9])?$", "", DEPLOYMENT_NAME_MAX)


class ModelDeployment(ApiModel):
    """A ModelDeployment serves a machine-learning model and rolls out its new versions.

    Each version becomes a revision of its own, gets real traffic in stages, and is promoted or rolled back on
    evidence.
    """

    api_version: str = API_VERSION
    kind: Literal["ModelDeployment"] = "ModelDeployment"
    metadata: ObjectMeta
    spec: ModelDeploymentSpec
    """What should serve, and how it gets there."""
    status: Status = Status()
    """What serves, and how far a rollout is. Written by Serin."""

    RULES = (
        Rule(
            cel=f"self.metadata.name.size() <= {DEPLOYMENT_NAME_MAX} && self.metadata.name.matches('{_NAME.pattern}')",
            message=f"metadata.name must be at most {DEPLOYMENT_NAME_MAX} characters: lower-case letters, "
            f"digits and '-', starting "
            "with a letter, because Services and revisions are named after it",
            holds=lambda md: _NAME.accepts(md.metadata.name),
            field="metadata.name",
            in_schema=False,
        ),
    )
