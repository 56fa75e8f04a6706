"""Raw objects in, models or `InvalidSpec` out: the controller never sees a validation error of pydantic.

The API server has refused most faults at apply. What arrives here all the same was stored under older rules,
or past them; then the field and the words must be as clear as at apply, because they become the message of
the Stalled condition.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from serin.api.model_deployment import ModelDeployment
from serin.api.model_revision import ModelRevision
from serin.api.reasons import Reason
from serin.api.resource import ApiModel
from serin.api.rollout_action import RolloutAction
from serin.api.rollout_policy import RolloutPolicy


@dataclass(frozen=True, slots=True)
class InvalidSpec:
    """A spec that cannot be acted on."""

    field: str
    """The path of the field: "spec.rollout.stages[1].canary.weight"."""
    message: str
    """What is wrong with it and what to do, to be read after the field."""
    reason: Reason = Reason.INVALID_SPEC
    """The reason of the Stalled condition."""

    def __str__(self) -> str:
        """Return the message of a condition."""
        return f"{self.field}: {self.message}"


def parse_model_deployment(raw: Mapping[str, Any]) -> ModelDeployment | InvalidSpec:
    """Read a ModelDeployment as the API server stores it."""
    return _parse(ModelDeployment, raw)


def parse_rollout_policy(raw: Mapping[str, Any]) -> RolloutPolicy | InvalidSpec:
    """Read a RolloutPolicy as the API server stores it."""
    return _parse(RolloutPolicy, raw)


def parse_model_revision(raw: Mapping[str, Any]) -> ModelRevision | InvalidSpec:
    """Read a ModelRevision as the API server stores it."""
    return _parse(ModelRevision, raw)


def parse_rollout_action(raw: Mapping[str, Any]) -> RolloutAction | InvalidSpec:
    """Read a RolloutAction as the API server stores it."""
    return _parse(RolloutAction, raw)


Resource = TypeVar("Resource", bound=ApiModel)


def parse_part(kind: type[Resource], raw: Any) -> Resource | InvalidSpec:
    """Read a part of a resource that was kept by itself; fields are said from there."""
    return _parse(kind, raw) if isinstance(raw, dict) else InvalidSpec(kind.__name__.lower(), "must be an object")


def _parse(kind: type[Resource], raw: Mapping[str, Any]) -> Resource | InvalidSpec:
    try:
        return kind.model_validate(dict(raw))
    except ValidationError as error:
        faults = error.errors(include_url=False)
    # Pydantic reports them in the order of the fields, so the same object always gives the same words.
    first = faults[0]
    more = f" ({len(faults) - 1} more after it)" if len(faults) > 1 else ""
    return InvalidSpec(_path(first), f"{_words(first)}{more}")


def _path(fault: ErrorDetails) -> str:
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in fault["loc"]).removeprefix(".")
    below = fault.get("ctx", {}).get("field", "")
    return f"{path}.{below}".strip(".") if below else path


def _words(fault: ErrorDetails) -> str:
    words = _WORDS.get(fault["type"])
    if words is None:
        return fault["msg"].removeprefix("Value error, ")
    return words(fault.get("ctx", {}), fault.get("input"))


def _one_of(context: Mapping[str, Any], _given: Any) -> str:
    return f"must be one of {str(context['expected']).replace(' or ', ', ')}".replace("'", "")


def _text(_context: Mapping[str, Any], given: Any) -> str:
    quotable = isinstance(given, bool | int | float)
    return f'must be text; quote it: "{str(given).lower()}"' if quotable else "must be text"


def _bounded(what: str, limit: str, unit: str = "") -> Callable[[Mapping[str, Any], Any], str]:
    return lambda context, _given: f"must {what} {context[limit]}{unit}"


def _always(words: str) -> Callable[[Mapping[str, Any], Any], str]:
    return lambda _context, _given: words


def _object(_context: Mapping[str, Any], given: Any) -> str:
    return "is required" if given is None else "must be an object"


_WORDS: Mapping[str, Callable[[Mapping[str, Any], Any], str]] = {
    "missing": _always("is required"),
    "string_type": _text,
    "int_type": _always("must be a whole number"),
    "int_from_float": _always("must be a whole number"),
    "bool_type": _always("must be true or false"),
    "list_type": _always("must be a list"),
    "dict_type": _object,
    "model_type": _object,
    "model_attributes_type": _object,
    "literal_error": _one_of,
    "greater_than_equal": _bounded("be at least", "ge"),
    "less_than_equal": _bounded("be at most", "le"),
    "too_long": _bounded("hold at most", "max_length", " entries"),
    "too_short": _always("must not be empty"),
    "string_too_long": _bounded("have at most", "max_length", " characters"),
    "string_too_short": _always("must not be empty"),
}
