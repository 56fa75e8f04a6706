"""How requests reach a model: a route of the Gateway API, Serin's own or one that others keep."""

from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from serin.api.lists import LIST_ATOMIC, LIST_SET, unique_values
from serin.api.resource import ApiModel
from serin.api.rules import Rule, one_of
from serin.api.text import DNS_LABEL, DNS_SUBDOMAIN, HOSTNAME, Shape

Port = Annotated[int, Field(ge=1, le=65535)]
"""A port by its number."""


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
