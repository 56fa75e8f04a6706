"""What a status code says about a request, in HTTP and in gRPC.

Server errors are what a worse model or a worse pod causes: 5xx, and the gRPC codes of the same meaning.
Client errors are requests that were refused: after a schema change they are THE regression of a model, so
they are a gate of their own. A caller who went away (HTTP 499, gRPC CANCELLED, Envoy's 0) is neither.

| gRPC code                            | counted as   | because                    |
|--------------------------------------|--------------|----------------------------|
| 0 OK                                 | ok           |                            |
| 1 CANCELLED                          | cancelled    | the caller's doing         |
| 2 UNKNOWN, 13 INTERNAL, 15 DATA_LOSS | server error | 500                        |
| 4 DEADLINE_EXCEEDED                  | server error | 504; a slow server's doing |
| 12 UNIMPLEMENTED                     | server error | 501; a build that lacks it |
| 14 UNAVAILABLE                       | server error | 503                        |
| 3, 5, 6, 7, 8, 9, 10, 11, 16         | client error | 4xx; 8 is a 429            |

8 RESOURCE_EXHAUSTED counts as the client's, like 429: quotas are per caller and do not depend on the
revision. A model server that says it when its queue is full should be judged by a query gate.
"""

from __future__ import annotations

from serin.metrics.presets.base import Outcome

__all__ = ["GRPC_NAMES", "grpc_outcome", "http_outcome"]

GRPC_NAMES = {
    "OK": 0,
    "CANCELLED": 1,
    "CANCELED": 1,
    "UNKNOWN": 2,
    "INVALID_ARGUMENT": 3,
    "DEADLINE_EXCEEDED": 4,
    "NOT_FOUND": 5,
    "ALREADY_EXISTS": 6,
    "PERMISSION_DENIED": 7,
    "RESOURCE_EXHAUSTED": 8,
    "FAILED_PRECONDITION": 9,
    "ABORTED": 10,
    "OUT_OF_RANGE": 11,
    "UNIMPLEMENTED": 12,
    "INTERNAL": 13,
    "UNAVAILABLE": 14,
    "DATA_LOSS": 15,
    "UNAUTHENTICATED": 16,
}
_GRPC_SERVER = frozenset({2, 4, 12, 13, 14, 15})


def http_outcome(code: str) -> Outcome:
    """What an HTTP status says: exact ("404"), by class ("4xx"), or Envoy's class digit ("4").

    A text that is no status counts as a server error: no server means to answer so.
    """
    if code in {"499", "0"}:
        return "cancelled"
    match code[:1]:
        case "1" | "2" | "3":
            return "ok"
        case "4":
            return "client-error"
        case _:
            return "server-error"


def grpc_outcome(code: str) -> Outcome:
    """What a gRPC status says, as a number ("14") or by name ("UNAVAILABLE")."""
    number = int(code) if code.isdecimal() else GRPC_NAMES.get(code.upper(), 2)
    if number == 0:
        return "ok"
    if number == 1:
        return "cancelled"
    return "server-error" if number in _GRPC_SERVER or number > 16 else "client-error"
