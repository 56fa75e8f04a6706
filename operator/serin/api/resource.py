"""What all models share: camelCase outside and snake_case inside, rules, metadata, times.

Unknown fields are ignored on reading: the API server prunes or refuses them at apply (strict validation), and
what a newer operator wrote into a status must not choke an older one. Types are strict, as the API server's
are: "5" is not 5.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    PlainSerializer,
    WithJsonSchema,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from serin.api.rules import Rule

RULE_BROKEN = "serin_rule"
"""The type of the error that a broken rule gives; its context holds `field`."""


class ApiModel(BaseModel):
    """A part of a resource. A string under a field is its description, here and in `kubectl explain`."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="ignore",
        frozen=True,
        strict=True,
        use_attribute_docstrings=True,
    )

    RULES: ClassVar[tuple[Rule, ...]] = ()

    @model_validator(mode="after")
    def _rules_hold(self) -> Self:
        for rule in type(self).RULES:
            if rule.holds is not None and not rule.holds(self):
                raise PydanticCustomError(RULE_BROKEN, "{words}", {"words": rule.message, "field": rule.field})
        return self

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler, /) -> JsonSchemaValue:
        """Add the rules to the schema."""
        schema: JsonSchemaValue = handler(core)
        if cls.RULES:
            target = handler.resolve_ref_schema(schema)
            target["x-kubernetes-validations"] = [rule.as_validation() for rule in cls.RULES]
        return schema

    def to_dict(self) -> dict[str, Any]:
        """Return the plain object as it goes to the API server: camelCase, without what is not set."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


def _read_time(value: Any) -> Any:
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise ValueError("must be a time with its zone such as 2026-11-21T09:30:00Z")
    return value.astimezone(UTC)


def _write_time(value: datetime) -> str:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


Timestamp = Annotated[
    datetime,
    BeforeValidator(_read_time),
    PlainSerializer(_write_time, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
"""An aware time in UTC. Written without a fraction when it has none, and with all of it otherwise: a deadline
that loses its microseconds on the way to the API server and back would differ from the one that was
decided."""


class OwnerReference(ApiModel):
    """Whose garbage an object is."""

    api_version: str
    kind: str
    name: str
    uid: str
    controller: bool | None = None
    block_owner_deletion: bool | None = None


class ObjectMeta(ApiModel):
    """The part of a Kubernetes object's metadata that Serin reads."""

    name: str
    namespace: str = ""
    uid: str = ""
    generation: int = 0
    resource_version: str = ""
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)
    finalizers: list[str] = Field(default_factory=list)
    owner_references: list[OwnerReference] = Field(default_factory=list)
    creation_timestamp: Timestamp | None = None
    deletion_timestamp: Timestamp | None = None
