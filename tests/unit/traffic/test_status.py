"""What the gateways say about a route."""

from __future__ import annotations

from typing import Any

import pytest

from serin.traffic import accepted
from tests.unit.traffic.builders import route

Json = dict[str, Any]


def condition(kind: str, status: str, *, generation: int = 7, reason: str = "", message: str = "") -> Json:
    return {
        "type": kind,
        "status": status,
        "observedGeneration": generation,
        "reason": reason,
        "message": message,
    }


def parent(*conditions: Json, name: str = "gw", **ref: Any) -> Json:
    return {"parentRef": {"name": name, **ref}, "conditions": list(conditions)}


ACCEPTED = condition("Accepted", "True", reason="Accepted")
RESOLVED = condition("ResolvedRefs", "True", reason="ResolvedRefs")


@pytest.mark.parametrize(
    ("parents", "want", "words"),
    [
        pytest.param([], None, "no gateway has answered", id="nobody has looked"),
        pytest.param([parent(ACCEPTED, RESOLVED)], True, "accepted by Gateway gw", id="all is well"),
        pytest.param(
            [parent(condition("Accepted", "True", generation=6))],
            None,
            "present generation",
            id="an answer for an older generation is none",
        ),
        pytest.param(
            [parent(condition("Accepted", "False", reason="NoMatchingParent", message="no listener"))],
            False,
            "does not accept the route (NoMatchingParent: no listener)",
            id="refused",
        ),
        pytest.param(
            [
                parent(
                    ACCEPTED,
                    condition("ResolvedRefs", "False", reason="BackendNotFound", message="service iris-b"),
                )
            ],
            False,
            "does not find a backend (BackendNotFound: service iris-b)",
            id="a backend is missing",
        ),
        pytest.param(
            [
                parent(ACCEPTED, RESOLVED),
                parent(condition("Accepted", "False", reason="X"), name="gw2", sectionName="tls"),
            ],
            False,
            "Gateway gw2, listener tls",
            id="one of two gateways refuses",
        ),
        pytest.param([{}], None, "has not answered", id="a parent without any field"),
    ],
)
def test_acceptance(parents: list[Json], want: bool | None, words: str) -> None:
    """True only when every gateway that looked at the present generation takes route and backends."""
    state = accepted({**route(), "status": {"parents": parents}})
    assert state.accepted is want
    assert words in state.message


def test_a_route_without_status_is_not_refused() -> None:
    """Not knowing is no refusal."""
    assert accepted(route()).accepted is None
