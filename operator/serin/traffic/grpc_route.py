"""GRPCRoute, gateway.networking.k8s.io/v1: the router of models that speak gRPC."""

from __future__ import annotations

from typing import Any, ClassVar

from serin.api.model_deployment import GrpcRoute, ModelDeployment
from serin.traffic.gateway import GatewayRoute


class GrpcRouter(GatewayRoute):
    """Weights in the backendRefs of a GRPCRoute."""

    kind: ClassVar[str] = "GRPCRoute"
    plural: ClassVar[str] = "grpcroutes"
    field: ClassVar[str] = "grpcRoute"

    def wanted(self, md: ModelDeployment) -> GrpcRoute:
        """Return spec.traffic.grpcRoute."""
        if md.spec.traffic.grpc_route is None:
            raise ValueError(f"{md.metadata.name} has no spec.traffic.grpcRoute")
        return md.spec.traffic.grpc_route

    def matches(self, md: ModelDeployment) -> dict[str, Any]:  # noqa: ARG002
        """Return no match: a rule without one takes every service and method of its hostnames."""
        return {}
