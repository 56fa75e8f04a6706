"""Lists whose entries have names: list-maps for server-side apply, each name once."""

from collections.abc import Iterable
from typing import Any, TypeVar

from pydantic_core import PydanticCustomError

DUPLICATE = "serin_duplicate"

Item = TypeVar("Item")


def list_map(*keys: str) -> dict[str, Any]:
    """Return the schema of a list-map.

    Its entries merge by key, and the API server refuses a key that is there twice.
    """
    return {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": list(keys)}


LIST_SET: dict[str, Any] = {"x-kubernetes-list-type": "set"}
"""A list of plain values, each once."""
LIST_ATOMIC: dict[str, Any] = {"x-kubernetes-list-type": "atomic"}
"""A list that is replaced as a whole."""


def unique_names(items: list[Item]) -> list[Item]:
    """Refuse a list-map by name with the same name twice."""
    _refuse_twins(getattr(item, "name", None) for item in items)
    return items


def unique_values(items: list[Item]) -> list[Item]:
    """Refuse a set with the same value twice."""
    _refuse_twins(items)
    return items


def _refuse_twins(values: Iterable[Any]) -> None:
    seen = set()
    for value in values:
        if value in seen:
            raise PydanticCustomError(DUPLICATE, "{words}", {"words": f"holds {value} twice; keep one of them"})
        seen.add(value)
