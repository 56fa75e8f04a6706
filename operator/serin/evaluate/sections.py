"""What all sections of configuration and report share, and the quantities in them."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer
from pydantic.alias_generators import to_camel

CONFIDENCE = 0.95
"""Of intervals, where the configuration does not say another."""


class Section(BaseModel):
    """camelCase outside, snake_case inside; a field that nobody knows is an error, because it is a misspelt one."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        allow_inf_nan=False,
    )


_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_DURATION_SECONDS_MAX = 100 * 365 * 86400.0
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def _read_duration(value: Any) -> Any:
    """`90s`, `1h30m`, `30d`; a bare number has no unit and is refused."""
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str) or not re.fullmatch(rf"(?:{_DURATION.pattern})+", value):
        raise ValueError("must be a duration such as 30s, 1h30m or 30d")
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in _DURATION.findall(value))
    if seconds > _DURATION_SECONDS_MAX:
        raise ValueError("must be a duration of a hundred years at most")
    return timedelta(seconds=seconds)


def _write_duration(value: timedelta) -> str:
    return f"{value.total_seconds():g}s"


Duration = Annotated[
    timedelta,
    BeforeValidator(_read_duration, json_schema_input_type=str),
    PlainSerializer(_write_duration, return_type=str),
]
"""A length of time with its unit."""

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,62}[A-Za-z0-9])?$")]
"""What data sets, slices and gates are called: it is said in messages and in names of files."""

Label = bool | int | str
"""A class as it stands in the data."""

Value = bool | int | float | str
"""A value of a column."""
