"""Sharing traffic between the two slots of a model, one module per kind of route.

Pure: objects in, objects or patches out. No client, no clock; what is read and written, and when, is the
    controller's business.

    weights.py     percent and the integers that carry them
    state.py       what a route says: Absent, Routed, Conflict
    refs.py        finding the slots in anybody's rules
    gateway.py     what HTTPRoute and GRPCRoute share: own route, or two weights in somebody else's
    http_route.py  grpc_route.py
    status.py      what the gateways say about a route
    router.py      the protocol, and which router a deployment asks for
"""

from serin.traffic.gateway import Claim, TooCoarse, canonical_without_our_weights, contested
from serin.traffic.grpc_route import GrpcRouter
from serin.traffic.http_route import HttpRouter
from serin.traffic.refs import Slots
from serin.traffic.router import GRPC, HTTP, ROUTERS, Router, router_for
from serin.traffic.state import Absent, Conflict, Routed, RouteState, RuleWeights
from serin.traffic.status import Acceptance, accepted
from serin.traffic.weights import Units, Weights, split

__all__ = [
    "GRPC",
    "HTTP",
    "ROUTERS",
    "Absent",
    "Acceptance",
    "Claim",
    "Conflict",
    "GrpcRouter",
    "HttpRouter",
    "RouteState",
    "Routed",
    "Router",
    "RuleWeights",
    "Slots",
    "TooCoarse",
    "Units",
    "Weights",
    "accepted",
    "canonical_without_our_weights",
    "contested",
    "router_for",
    "split",
]
