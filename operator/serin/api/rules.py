"""Rules that a type alone cannot say, kept once for both sides.

A `Rule` stands next to the model it is about. The API server gets `cel` and `message`; pydantic runs `holds`
and answers with the same message. Tests feed the same bad resources to both
(tests/unit/api/bad_resources.py).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule about an object."""

    cel: str
    """True when the object is good; `self` is the object, fields in camelCase."""
    message: str
    """Names the field and says what to do. Shown as it is by `kubectl apply` and in the Stalled condition."""
    holds: Callable[[Any], bool] | None
    """The same in Python; None for what only the API server can see, such as the object before an update."""
    field: str = ""
    """The field that the message is about, below the object: "compare.objective"."""
    in_schema: bool = True
    """Whether `field` can be given to the API server, which knows only fields of the schema."""

    def as_validation(self) -> dict[str, str]:
        """Return the entry of x-kubernetes-validations."""
        entry = {"rule": self.cel, "message": self.message}
        if self.field and self.in_schema:
            entry["fieldPath"] = f".{self.field}"
        return entry


def one_of(*fields: str, noun: str) -> Rule:
    """Return the rule that exactly one of some optional fields is there."""
    listing = f"{', '.join(fields[:-1])} and {fields[-1]}"
    return Rule(
        cel=f"[{', '.join(f'has(self.{field})' for field in fields)}].filter(there, there).size() == 1",
        message=f"{noun} has exactly one of {listing}",
        holds=lambda model: sum(getattr(model, name) is not None for name in _names(model, fields)) == 1,
    )


def _names(model: Any, fields: tuple[str, ...]) -> list[str]:
    """The attributes of fields: `validate` is one of pydantic's own names, so the two can differ by more than case."""
    return [name for name, info in type(model).model_fields.items() if info.alias in fields]
