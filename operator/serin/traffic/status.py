"""What the gateways say about a route: its `status.parents`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple


class Acceptance(NamedTuple):
    """Whether the gateways took a route in."""

    accepted: bool | None
    """None while no gateway has answered for the route's present generation."""
    message: str
    heard: bool = True
    """Whether any gateway has ever answered for the route."""


ACCEPTED = Acceptance(True, "")


def accepted(route: Mapping[str, Any]) -> Acceptance:
    """Say whether every gateway that answered takes the route and finds its backends.

    `ResolvedRefs: False` counts as not accepted: the gateway then answers 500 for the share of a backend that
    it cannot find.
    """
    parents = route.get("status", {}).get("parents") or []
    if not parents:
        return Acceptance(
            None,
            "no gateway has answered for this route yet; do its parentRefs name a Gateway that exists?",
            heard=False,
        )
    generation = route.get("metadata", {}).get("generation", 0)
    refused, waiting, taken = [], [], []
    for parent in parents:
        name = _parent_name(parent)
        current = {
            condition["type"]: condition
            for condition in parent.get("conditions") or []
            if condition.get("type") and condition.get("observedGeneration", generation) >= generation
        }
        if bad := list(_refusals(current)):
            refused.append(f"{name}: {'; '.join(bad)}")
        elif current.get("Accepted", {}).get("status") == "True":
            taken.append(name)
        else:
            waiting.append(name)
    if refused:
        return Acceptance(False, "; ".join(refused))
    if waiting:
        return Acceptance(None, f"{', '.join(waiting)} has not answered for this route's present generation yet")
    return Acceptance(True, f"accepted by {', '.join(taken)}")


def _refusals(conditions: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    for kind, words in (
        ("Accepted", "does not accept the route"),
        ("ResolvedRefs", "does not find a backend"),
    ):
        condition = conditions.get(kind, {})
        if condition.get("status") == "False":
            said = condition.get("message") or "no message"
            yield f"{words} ({condition.get('reason', 'no reason')}: {said})"


def _parent_name(parent: Mapping[str, Any]) -> str:
    ref = parent.get("parentRef") or {}
    name = f"{ref.get('kind', 'Gateway')} {ref.get('name', '?')}"
    return f"{name}, listener {ref['sectionName']}" if ref.get("sectionName") else name
