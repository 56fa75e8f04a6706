"""The protocol of routers, and which one a deployment asks for.

A router is pure: it reads an object and says what it means, or says what to write. The controller does the
reading and the writing:

    state = router.observe(live, md)          Absent | Routed | Conflict
    own route:        apply router.desired(md, weights) when it differs from the live one
    others' route:    send router.patch(live, md, weights) when it is not empty
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from serin.api.model_deployment import ModelDeployment
from serin.traffic.gateway import Claim
from serin.traffic.grpc_route import GrpcRouter
from serin.traffic.http_route import HttpRouter
from serin.traffic.refs import Slots
from serin.traffic.state import RouteState
from serin.traffic.weights import Weights


class Router(Protocol):
    """One kind of route that can share traffic between two Services."""

    @property
    def group(self) -> str:
        """The API group of the route."""
        ...

    @property
    def version(self) -> str:
        """The API version of the route."""
        ...

    @property
    def kind(self) -> str:
        """The kind of the route."""
        ...

    @property
    def plural(self) -> str:
        """The resource name in the API's paths."""
        ...

    def name(self, md: ModelDeployment) -> str:
        """Return the name of the route in the deployment's namespace."""
        ...

    def owned(self, md: ModelDeployment) -> bool:
        """Say whether the route is ours to make."""
        ...

    def observe(
        self,
        route: Mapping[str, Any] | None,
        md: ModelDeployment,
        *,
        slots: Slots | None = None,
        rivals: Iterable[Claim] = (),
    ) -> RouteState:
        """Say what the live route does for this model."""
        ...

    def desired(self, md: ModelDeployment, weights: Weights, *, slots: Slots | None = None) -> dict[str, Any]:
        """Return our own route, complete, for server-side apply."""
        ...

    def patch(
        self, route: Mapping[str, Any], md: ModelDeployment, weights: Weights, *, slots: Slots | None = None
    ) -> list[dict[str, Any]]:
        """Return the JSON patch for a route of others, empty when nothing is to be changed."""
        ...


HTTP: Router = HttpRouter()
GRPC: Router = GrpcRouter()
ROUTERS: tuple[Router, ...] = (HTTP, GRPC)


def router_for(md: ModelDeployment) -> Router:
    """Return the router that spec.traffic asks for; the API lets exactly one be written."""
    return HTTP if md.spec.traffic.http_route is not None else GRPC
