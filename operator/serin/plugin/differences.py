"""`diff`: what two revisions differ in, field by field.

Containers, environment variables, ports and volumes are told apart by name and not by place, so that an entry put in
front of the others is one difference and not many.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from serin.plugin.looks import cells, table
from serin.plugin.raw import Raw, part


@dataclass(frozen=True, slots=True)
class Difference:
    """One field; before or after is None where it is not there."""

    field: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Differences:
    """What must change to come from one revision to another; lineage and card too, though they start no rollout."""

    before: str
    after: str
    fields: tuple[Difference, ...]


_LEFT_OUT = frozenset({"contentHash", "scheme", "deployment"})


def differences(before: Raw, after: Raw) -> Differences:
    """Compare two raw ModelRevisions."""
    specs = [_content(one) for one in (before, after)]
    names = [str(part(one, "metadata").get("name")) for one in (before, after)]
    return Differences(names[0], names[1], tuple(_walk("", specs[0], specs[1])))


def render_differences(found: Differences) -> RenderableType:
    """A table of the fields."""
    head = Text.assemble((found.before, "bold"), " → ", (found.after, "bold"))
    if not found.fields:
        return Group(head, Text("the same in every field"))
    made = table("FIELD", found.before, found.after)
    for one in found.fields:
        made.add_row(*cells([one.field, Text(_shown(one.before), "red"), Text(_shown(one.after), "green")]))
    return Group(head, Text(), made)


def _content(revision: Raw) -> Raw:
    """The spec, with the digest that a Job has found where nobody wrote one: the same uri may mean other files."""
    found = {name: value for name, value in part(revision, "spec").items() if name not in _LEFT_OUT}
    pinned = part(part(revision, "status"), "artifact").get("digest")
    model = part(found, "model")
    if pinned is not None and model.get("digest") is None and found.get("polled") is None:
        found["model"] = {**model, "digest": pinned}
    elif model.get("digest") is None and (polled := part(found, "polled").get("digest")) is not None:
        found["model"] = {**model, "digest": polled}
    return found


def _walk(at: str, before: Any, after: Any) -> Iterator[Difference]:
    before, after = _named(before), _named(after)
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for key in [*before, *(key for key in after if key not in before)]:
            path = f"{at}{key}" if key.startswith("[") else f"{at}.{key}".removeprefix(".")
            yield from _walk(path, before.get(key), after.get(key))
    elif before != after:
        yield Difference(at, _unnamed(before), _unnamed(after))


def _named(value: Any) -> Any:
    """A list as a mapping: by name where every entry has one of its own, else by place."""
    if not isinstance(value, list):
        return value
    names = [one.get("name") for one in value if isinstance(one, Mapping)]
    if value and len(names) == len(value) == len(set(names)) and all(isinstance(name, str) for name in names):
        return {f"[{one['name']}]": one for one in value}
    return {f"[{index}]": one for index, one in enumerate(value)}


def _unnamed(value: Any) -> Any:
    """The list again, where one side has no such field at all."""
    if isinstance(value, Mapping) and value and all(str(key).startswith("[") for key in value):
        return list(value.values())
    return value


def _shown(value: Any) -> str:
    import json

    if value is None:
        return "not there"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
