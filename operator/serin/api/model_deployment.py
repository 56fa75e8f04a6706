"""ModelDeployment: the one resource that a user has to write."""

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from serin.api.gates import Gates
from serin.api.lists import LIST_ATOMIC, LIST_SET, unique_values
from serin.api.names import API_VERSION, DEPLOYMENT_NAME_MAX
from serin.api.pod_template import PodTemplate
from serin.api.quantities import SecondsOrZero
from serin.api.resource import ApiModel, ObjectMeta
from serin.api.rollout_policy import MetricsOverride, OnStableDown, RiskOverride, TimeoutsOverride
from serin.api.rules import Rule, one_of
from serin.api.stages import STAGE_RULES, Stages
from serin.api.status import Status
from serin.api.text import DNS_LABEL, DNS_SUBDOMAIN, HOSTNAME, Shape

Protocol = Literal["open-inference", "kserve-v1", "mlflow", "http", "grpc"]

_Words = Annotated[str, Field(max_length=4096)]
_Reference = Annotated[str, Field(max_length=2048)]
Port = Annotated[int, Field(ge=1, le=65535)]


class Lineage(ApiModel):
    """Where the model came from, for the record."""

    data: _Reference | None = None
    """The training data: a URI or the name and version of a data set."""
    code: _Reference | None = None
    """The training code: a repository and commit."""
    parameters: Annotated[
        dict[str, Annotated[str, Field(max_length=1024)]],
        Field(max_length=100),
    ] = Field(default_factory=dict)
    """Training parameters worth knowing, as text."""
    run: _Reference | None = None
    """The training run in an experiment tracker: a URI or an id."""


class Card(ApiModel):
    """What people should know about the model. Changing it starts no rollout."""

    intended_use: _Words | None = None
    """What the model is for."""
    limitations: _Words | None = None
    """What it must not be used for, and where it is known to be weak."""
    owners: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=253)]],
        Field(max_length=16, json_schema_extra=LIST_SET),
        AfterValidator(unique_values),
    ] = Field(default_factory=list)
    """Who answers for it: people or teams."""
    runbook: (
        Annotated[str, Shape(r"^https?://[^\s]+$", "must be a link that starts with https:// or http://", 2048)] | None
    ) = None
    """A link to what to do when it misbehaves."""


class Model(ApiModel):
    """Which model, and which version of it."""

    name: Annotated[
        str,
        Shape(
            r"^[A-Za-z0-9]([A-Za-z0-9._/-]*[A-Za-z0-9])?$",
            "must be letters, digits, '.', '_', '/' and '-', with a letter or digit at both ends",
        ),
    ]
    """The model's name. The container gets it as MODEL_NAME."""
    version: Annotated[
        str,
        Shape(
            r"^[A-Za-z0-9]([A-Za-z0-9._+-]*[A-Za-z0-9])?$",
            "must be letters, digits, '.', '_', '+' and '-', at most 63, with a letter or digit at both ends",
            63,
        ),
    ]
    """The version, as text: quote numbers. A new version makes a new revision. The container gets it as
    MODEL_VERSION."""
    uri: (
        Annotated[
            str,
            Shape(
                r"^[a-z][a-z0-9+.-]*:/[^\s]+$",
                "must be a URI with a scheme such as s3://bucket/iris/2 or models:/iris/2",
                2048,
            ),
        ]
        | None
    ) = None
    """Where the model's files are, when the image does not hold them. It is resolved to a digest once per
    revision. The container gets it as MODEL_URI."""
    digest: (
        Annotated[
            str,
            Shape(r"^sha256:[0-9a-f]{64}$", "must be sha256: and 64 hexadecimal digits in lower case", 71),
        ]
        | None
    ) = None
    """The digest that the files at uri must have. Resolved from uri when not given."""
    lineage: Lineage | None = None
    """Where the model came from, for the record."""
    card: Card | None = None
    """What people should know about the model."""

    RULES = (
        Rule(
            cel="!has(self.digest) || has(self.uri)",
            message="digest needs uri: it pins the files at model.uri; pin an image by its own digest in the template",
            holds=lambda model: model.digest is None or model.uri is not None,
            field="digest",
        ),
        Rule(
            cel="!has(self.uri) || !self.uri.matches('^[a-z][a-z0-9+.-]*://[^/@]*:[^/@]*@')",
            message="uri must not hold a password; give the pod's service account the right to read it, or "
            "use a Secret",
            holds=lambda model: model.uri is None or not _holds_password(model.uri),
            field="uri",
        ),
    )


def _holds_password(uri: str) -> bool:
    authority = uri.partition("://")[2].partition("/")[0]
    user, at, _ = authority.partition("@")
    return bool(at) and ":" in user


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
    in a dry run before traffic moves."""
    existing: Existing | None = None
    """A Service that already serves the model, taken over as the first stable."""

    RULES = (
        Rule(
            cel="has(self.template) || has(self.existing)",
            message="serving needs a template (the pods of the model), or existing (a Service that already serves it)",
            holds=lambda serving: serving.template is not None or serving.existing is not None,
        ),
    )


class ParentRef(ApiModel):
    """A Gateway that the route hangs on."""

    group: Annotated[str, Field(max_length=253)] = "gateway.networking.k8s.io"
    """The API group of the parent."""
    kind: Annotated[str, Field(min_length=1, max_length=63)] = "Gateway"
    """The kind of the parent."""
    name: Annotated[str, DNS_SUBDOMAIN]
    """The name of the parent."""
    namespace: Annotated[str, DNS_LABEL] | None = None
    """The namespace of the parent; this one when not given."""
    section_name: Annotated[str, DNS_SUBDOMAIN] | None = None
    """The listener of the Gateway; all of them when not given."""
    port: Port | None = None
    """The port of the listener; all of them when not given."""


class RouteRef(ApiModel):
    """A route that somebody else keeps."""

    name: Annotated[str, DNS_SUBDOMAIN]
    """The name of the route in the same namespace. It must list both Services, <deployment>-a and
    <deployment>-b, in at least one rule; Serin changes their two weights and nothing else."""


_ParentRefs = Annotated[list[ParentRef], Field(min_length=1, max_length=16, json_schema_extra=LIST_ATOMIC)]
_Hostnames = Annotated[
    list[Annotated[str, HOSTNAME]],
    Field(max_length=16, json_schema_extra=LIST_SET),
    AfterValidator(unique_values),
]

_ROUTE_RULES = (
    Rule(
        cel="has(self.ref) != has(self.parentRefs)",
        message="a route has exactly one of ref (a route that others keep) and parentRefs (Serin makes the route)",
        holds=lambda route: (route.ref is not None) != (route.parent_refs is not None),
    ),
    Rule(
        cel="!has(self.ref) || !has(self.hostnames)",
        message="hostnames go with parentRefs; with ref they stand in the route itself, so remove them here",
        holds=lambda route: route.ref is None or route.hostnames is None,
        field="hostnames",
    ),
)


class Route(ApiModel):
    """A route of the Gateway API: Serin's own, or one that others keep."""

    parent_refs: _ParentRefs | None = None
    """The Gateways that the route hangs on. Serin makes the route, named as the deployment."""
    hostnames: _Hostnames | None = None
    """The host names that the route answers to; those of its Gateway's listeners when not given."""
    ref: RouteRef | None = None
    """A route that somebody else keeps, in the same namespace. Serin changes two weights in it and nothing
    else."""
    allow_sticky: bool = False
    """Whether a route with session persistence is accepted. Sessions then stay where they are, even at weight
    0."""

    RULES: ClassVar[tuple[Rule, ...]] = _ROUTE_RULES


class GrpcRoute(Route):
    """A GRPCRoute of the Gateway API: Serin's own, or one that others keep."""


class HttpRoute(Route):
    """An HTTPRoute of the Gateway API: Serin's own, or one that others keep."""

    path: Annotated[str, Shape(r"^/[^\s?#]*$", "must start with / and hold no blank, ? or #", 1024)] = "/"
    """The path prefix that the route answers to."""

    RULES = (
        *_ROUTE_RULES,
        Rule(
            cel="!has(self.ref) || !has(self.path) || self.path == '/'",
            message="path goes with parentRefs; with ref it stands in the route itself, so remove it here",
            holds=lambda route: route.ref is None or route.path == "/",
            field="path",
        ),
    )


class Traffic(ApiModel):
    """How requests reach the model. It has exactly one of httpRoute and grpcRoute."""

    http_route: HttpRoute | None = None
    """Over an HTTPRoute of the Gateway API."""
    grpc_route: GrpcRoute | None = None
    """Over a GRPCRoute of the Gateway API."""

    RULES = (one_of("httpRoute", "grpcRoute", noun="traffic"),)

    @property
    def route(self) -> Route:
        """The one that is there."""
        route = self.http_route or self.grpc_route
        assert route is not None  # noqa: S101  exactly one of them, by the rule above
        return route


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
    """How many ModelRevisions are kept besides stable and candidate. Their records go with them."""
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
