"""Strings with a shape of their own: pattern for editors, a CEL rule for the words.

A failed `pattern` tells a user only that a text "should match" a regular expression, so each of these says it
again in a rule.
"""

from dataclasses import dataclass
from re import compile as compile_pattern

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

SHAPE_BROKEN = "serin_shape"


@dataclass(frozen=True, slots=True)
class Shape:
    """For `Annotated[str, Shape(...)]`: what a string must look like."""

    pattern: str
    """For Python's `re` and for RE2 alike, anchored at both ends."""
    message: str
    """What to write: "must be ..."."""
    max_length: int = 253

    def accepts(self, text: str) -> bool:
        """Say whether a text has the shape."""
        matcher = compile_pattern(self.pattern.removeprefix("^").removesuffix("$"))
        return len(text) <= self.max_length and matcher.fullmatch(text) is not None

    def _check(self, text: str) -> str:
        if not self.accepts(text):
            raise PydanticCustomError(SHAPE_BROKEN, "{words}", {"words": self.message})
        return text

    def __get_pydantic_core_schema__(self, source: type, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Check after the type."""
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Return the structural schema: the same accept set, and the same words."""
        escaped = self.pattern.replace("\\", "\\\\").replace("'", "\\'")
        return handler(core) | {
            "maxLength": self.max_length,
            "pattern": self.pattern,
            "x-kubernetes-validations": [{"rule": f"self.matches('{escaped}')", "message": self.message}],
        }


DNS_LABEL = Shape(
    r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
    "must be lower-case letters, digits and '-', at most 63, with a letter or digit at both ends",
    63,
)
DNS_SUBDOMAIN = Shape(
    r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
    "must be the name of a Kubernetes object: lower-case letters, digits, '-' and '.'",
)
HOSTNAME = Shape(
    r"^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
    "must be a host name such as iris.example.com or *.example.com, without scheme, port or path",
)
