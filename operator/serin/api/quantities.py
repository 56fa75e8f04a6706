"""Quantities with a unit: durations, percentages and percentage points.

Each is a string that keeps what the user wrote, so that it goes back into YAML unchanged, and knows its
number: `Seconds("1h30m").seconds`, `Fraction("1%").fraction`, `Points("0.2pp").fraction`. A plain number is
refused: `5` of what?

The accept set is written once, as a pattern and bounds, and used twice: here, and in the CRDs as `pattern`
with CEL rules for the words. `pattern` alone would tell a user only that their text "should match" a regular
expression.
"""

import re
from collections.abc import Iterator
from typing import Any, ClassVar, Self

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

TEXT_MAX = 32
"""Characters of a quantity; a bound that the API server needs to price a rule."""

_NOT_ZERO = "[1-9]"


class Quantity(str):
    """Text with a unit; see the subclasses for what each accepts."""

    __slots__ = ()

    PATTERN: ClassVar[str]
    """The format, for Python's `re` and for RE2 alike, anchored at both ends."""
    POSITIVE: ClassVar[bool] = False
    ACCEPTS: ClassVar[str]
    """What a message tells the user to write."""

    def __new__(cls, text: str) -> Self:
        """Take a text.

        Raises:
            ValueError: it is not such a quantity; the message says what is accepted.
        """
        if not cls.accepts(text):
            raise ValueError(cls.message())
        return super().__new__(cls, text)

    @classmethod
    def accepts(cls, text: str) -> bool:
        """Say whether a text is such a quantity."""
        if len(text) > TEXT_MAX or re.fullmatch(cls.PATTERN.removeprefix("^").removesuffix("$"), text) is None:
            return False
        return not cls.POSITIVE or re.search(_NOT_ZERO, text) is not None

    @classmethod
    def message(cls) -> str:
        """Return the sentence for a text that is not accepted."""
        return f"must be {cls.ACCEPTS}"

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        """Accept any string (a plain one or one of ours) that the constructor accepts."""
        return core_schema.no_info_after_validator_function(
            cls,
            core_schema.str_schema(strict=False),
            serialization=core_schema.plain_serializer_function_ser_schema(str, return_schema=core_schema.str_schema()),
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, _core: CoreSchema, _handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Return the structural schema: the same accept set, and the same words."""
        cel = f"self.matches('{cls.PATTERN}')".replace("\\", "\\\\")
        if cls.POSITIVE:
            cel += f" && self.matches('{_NOT_ZERO}')"
        return {
            "type": "string",
            "maxLength": TEXT_MAX,
            "pattern": cls.PATTERN,
            "x-kubernetes-validations": [{"rule": cel, "message": cls.message()}],
        }


class SecondsOrZero(Quantity):
    """A duration, possibly none: "0s", "300ms", "1.2s", "2m", "1h30m"."""

    __slots__ = ()

    # GEP-2257 (durations in Gateway API) and decimals, because latency objectives are written as 1.2s.
    PATTERN = r"^([0-9]{1,5}(\.[0-9]{1,3})?(h|m|s|ms)){1,4}$"
    ACCEPTS = "a duration such as 0s, 300ms, 1.2s, 2m or 1h30m"

    _SECONDS: ClassVar = {"h": 3600_000, "m": 60_000, "s": 1000, "ms": 1}

    @property
    def seconds(self) -> float:
        """The duration in seconds."""
        return sum(self._milliseconds()) / 1000

    def _milliseconds(self) -> Iterator[float]:
        for number, unit in re.findall(r"([0-9.]+)(ms|h|m|s)", self):
            yield float(number) * self._SECONDS[unit]

    @classmethod
    def of(cls, seconds: float) -> Self:
        """Return the shortest text for a number of seconds, to the millisecond.

        >>> Seconds.of(5400), Seconds.of(1.2), Seconds.of(0.3)
        ('1h30m', '1.2s', '300ms')
        """
        total = round(seconds * 1000)
        if 0 < total < 1000:
            return cls(f"{total}ms")
        hours, rest = divmod(total, 3600_000)
        minutes, rest = divmod(rest, 60_000)
        parts = [
            f"{hours}h" if hours else "",
            f"{minutes}m" if minutes else "",
            f"{rest / 1000:g}s" if rest else "",
        ]
        return cls("".join(parts) or "0s")


class Seconds(SecondsOrZero):
    """A duration above zero: "300ms", "1.2s", "2m", "1h30m"."""

    __slots__ = ()

    POSITIVE = True
    ACCEPTS = "a duration above zero such as 300ms, 1.2s, 2m or 1h30m"


class FractionOrZero(Quantity):
    """A share of something, 0 % to 100 %: "25%", "0.5%"."""

    __slots__ = ()

    PATTERN = r"^(100(\.0{1,4})?|[0-9]{1,2}(\.[0-9]{1,4})?)%$"
    ACCEPTS = "a percentage from 0% to 100% such as 25% or 0.5%"

    @property
    def fraction(self) -> float:
        """The share as a number from 0 to 1."""
        return float(self[:-1]) / 100


class Fraction(FractionOrZero):
    """A share of something, above 0 % and up to 100 %."""

    __slots__ = ()

    POSITIVE = True
    ACCEPTS = "a percentage above 0% and up to 100% such as 1% or 0.5%"


class PointsOrZero(Quantity):
    """A difference between two shares in percentage points: "0.2pp" is 1.0 % against 1.2 %."""

    __slots__ = ()

    PATTERN = r"^(100(\.0{1,4})?|[0-9]{1,2}(\.[0-9]{1,4})?)pp$"
    ACCEPTS = "percentage points from 0pp to 100pp such as 0.2pp or 1pp"

    @property
    def fraction(self) -> float:
        """The difference as a number from 0 to 1: 0.002 for "0.2pp"."""
        return float(self[:-2]) / 100


class Points(PointsOrZero):
    """A difference between two shares in percentage points, above zero."""

    __slots__ = ()

    POSITIVE = True
    ACCEPTS = "percentage points above 0pp and up to 100pp such as 0.2pp or 1pp"
