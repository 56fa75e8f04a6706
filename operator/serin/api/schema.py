"""Pydantic models in, structural OpenAPI schemas out.

Kubernetes wants a subset of OpenAPI v3: no references, no titles, no `anyOf` with null, one type at every
place, and its own extensions for lists, unknown fields and rules. Everything that is not understood here is
an error, not a guess: a keyword that the API server would ignore is a check that nobody makes.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

Schema = dict[str, Any]

# Keywords that mean the same in pydantic's JSON schema and in a structural schema.
_KEPT = (
    "type",
    "description",
    "format",
    "enum",
    "default",
    "pattern",
    "minLength",
    "maxLength",
    "minimum",
    "maximum",
    "minItems",
    "maxItems",
    "maxProperties",
    "required",
    "x-kubernetes-list-type",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-preserve-unknown-fields",
    "x-kubernetes-validations",
)
_HANDLED = (
    "properties",
    "items",
    "additionalProperties",
    "$ref",
    "$defs",
    "anyOf",
    "allOf",
    "title",
    "const",
)


class NotStructural(TypeError):
    """A model has something that a structural schema cannot say."""


def structural_schema(model: type[BaseModel]) -> Schema:
    """Return the structural schema of a model."""
    schema = model.model_json_schema(by_alias=True, mode="validation")
    return _Converter(schema.get("$defs", {})).convert(schema, at=model.__name__)


def unknown_fields(schema: Schema, value: Any, at: str = "") -> list[str]:
    """Return the paths that the schema does not know: what the API server would prune without a word."""
    if isinstance(value, list):
        items = schema.get("items", {})
        return [path for index, item in enumerate(value) for path in unknown_fields(items, item, f"{at}[{index}]")]
    if not isinstance(value, dict):
        return []
    known, values = schema.get("properties", {}), schema.get("additionalProperties")
    open_to_all = schema.get("x-kubernetes-preserve-unknown-fields", False)
    paths: list[str] = []
    for name, item in value.items():
        path = f"{at}.{name}".removeprefix(".")
        if name in known:
            paths += unknown_fields(known[name], item, path)
        elif values is not None:
            paths += unknown_fields(values, item, path)
        elif not open_to_all:
            paths.append(path)
    return paths


class _Converter:
    def __init__(self, definitions: Mapping[str, Schema]) -> None:
        self._definitions = definitions

    def convert(self, schema: Schema, at: str) -> Schema:
        """Return one node; `at` is its path, for errors."""
        node = self._flat(schema)
        unknown = [key for key in node if key not in _KEPT and key not in _HANDLED]
        if unknown or "anyOf" in node:
            raise NotStructural(f"{at}: cannot say {unknown or node['anyOf']}")
        result: Schema = {key: node[key] for key in _KEPT if key in node}
        if "description" in result:
            result["description"] = _paragraphs(result["description"])
        if "const" in node:
            result["enum"] = [node["const"]]
        if result.get("default") is None:
            result.pop("default", None)
        else:
            result["default"] = _without_empty(result["default"])
        if "items" in node:
            result["items"] = self.convert(node["items"], f"{at}[]")
        if "properties" in node:
            result["properties"] = {
                name: self.convert(child, f"{at}.{name}") for name, child in node["properties"].items()
            }
        match node.get("additionalProperties"):
            case None:
                pass
            case True:
                result["x-kubernetes-preserve-unknown-fields"] = True
            case dict() as values:
                result["additionalProperties"] = self.convert(values, f"{at}.*")
            case other:
                raise NotStructural(f"{at}: additionalProperties {other}")
        if "type" not in result:
            raise NotStructural(f"{at}: no type")
        return result

    def _flat(self, schema: Schema) -> Schema:
        """Resolve the reference or the option that a node is, keeping what is said beside it."""
        node = dict(schema)
        if "anyOf" in node:
            options = [option for option in node["anyOf"] if option != {"type": "null"}]
            if len(options) == 1:
                del node["anyOf"]
                return self._flat(_beside(options[0], node))
        if "$ref" in node:
            name = node.pop("$ref").rsplit("/", 1)[-1]
            return self._flat(_beside(self._definitions[name], node))
        return node


def _beside(target: Schema, beside: Schema) -> Schema:
    """Return a type with the words of the field that has it.

    The field's own description goes first; of the type's, all but its first paragraph follows, because that
    one says the same.
    """
    words = [beside["description"]] if "description" in beside else []
    about = target.get("description", "")
    words.append(about.partition("\n\n")[2] if words else about)
    joined = {**target, **beside}
    description = "\n\n".join(word for word in words if word)
    return {**joined, "description": description} if description else joined


def _paragraphs(text: str) -> str:
    """Undo the line breaks of the source, keep those between paragraphs."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


def _without_empty(value: Any) -> Any:
    """Drop what a default need not say."""
    if isinstance(value, dict):
        return {key: _without_empty(item) for key, item in value.items() if item not in (None, [], {})}
    return value
