"""HTTPRoute, gateway.networking.k8s.io/v1: the router of models that speak REST."""

from __future__ import annotations

from typing import Any, ClassVar

from serin.api.model_deployment import HttpRoute, ModelDeployment
from serin.traffic.gateway import GatewayRoute


class HttpRouter(GatewayRoute):
    """Weights in the backendRefs of an HTTPRoute."""

    kind: ClassVar[str] = "HTTPRoute"
    plural: ClassVar[str] = "httproutes"
    field: ClassVar[str] = "httpRoute"

    def wanted(self, md: ModelDeployment) -> HttpRoute:
        """Return spec.traffic.httpRoute."""
        if md.spec.traffic.http_route is None:
            raise ValueError(f"{md.metadata.name} has no spec.traffic.httpRoute")
        return md.spec.traffic.http_route

    def matches(self, md: ModelDeployment) -> dict[str, Any]:
        """Return one match on the path prefix."""
        return {"matches": [{"path": {"type": "PathPrefix", "value": self.wanted(md).path}}]}
