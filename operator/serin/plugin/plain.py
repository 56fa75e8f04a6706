"""Records as JSON and YAML: field names in camelCase as in the API, times in UTC, without what is not known."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum
from typing import Any


def plain(value: Any) -> Any:
    """A record, or a tuple or mapping of them, as JSON knows it."""
    match value:
        case Enum():
            return plain(value.value)
        case datetime():
            return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        case list() | tuple():
            return [plain(one) for one in value]
        case Mapping():
            return {str(key): plain(one) for key, one in value.items()}
        case _ if dataclasses.is_dataclass(value):
            fields = ((field.name, getattr(value, field.name)) for field in dataclasses.fields(value))
            return {_camel(name): plain(one) for name, one in fields if one is not None}
        case _:
            return value


def as_json(value: Any) -> str:
    """The record as JSON text. NaN would not be JSON, and is refused.

    Raises:
        ValueError: a number is not finite.
    """
    return json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False)


def as_yaml(value: Any) -> str:
    """The record as YAML text."""
    import yaml

    text: str = yaml.safe_dump(plain(value), sort_keys=False, allow_unicode=True, width=120)
    return text.rstrip("\n")


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)
