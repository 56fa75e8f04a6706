"""Writes docs/api/ from crds/: python docs/api_pages.py [--check].

A page for each CustomResourceDefinition, with every field, its type, bounds and default, and the rules that the API
server asks. With --check it only says whether the pages are current.
"""  # noqa: INP001 - a script, not a package

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
CRDS = ROOT / "crds"
SAMPLES = ROOT / "manifests" / "samples"
FOLDER = ROOT / "docs" / "api"

Schema = Mapping[str, Any]

HEAD = "<!-- Generated from crds/{file} by docs/api_pages.py. Do not edit. -->\n"

INDEX = """\
# API

<!-- Generated from crds/ by docs/api_pages.py. Do not edit. -->

The resources of Serin, every field of each. The group is `{group}`, the version `{version}`; the pages come from the
same CustomResourceDefinitions that the API server checks against, which are in [crds](../../crds). `kubectl explain
{example}.spec --recursive` says the same in a terminal.

kubectl refuses a field that is not listed; a client that does not ask for strictness gets it dropped in silence.
`kubectl serin lint` finds it before you apply.

| kind | short | what it is |
|---|---|---|
"""

TYPES = {"string": "text", "integer": "whole number", "number": "number", "boolean": "true or false"}


def pages() -> dict[str, str]:
    """The folder's files: names and texts."""
    crds = {path.name: yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(CRDS.glob("*.yaml"))}
    texts = {f"{crd['spec']['names']['singular']}.md": _page(file, crd) for file, crd in crds.items()}
    return {"index.md": _index(list(crds.values()))} | texts


def _index(crds: Sequence[Schema]) -> str:
    rows = []
    for crd in crds:
        names = crd["spec"]["names"]
        summary = _root(crd)["description"].strip().splitlines()[0]
        rows.append(f"| [{names['kind']}]({names['singular']}.md) | `{_short(crd)}` | {_inline(summary)} |")
    spec = crds[0]["spec"]
    head = INDEX.format(
        group=spec["group"], version=spec["versions"][0]["name"], example=spec["names"]["shortNames"][0]
    )
    return head + "\n".join(rows) + "\n"


def _page(file: str, crd: Schema) -> str:
    names, root = crd["spec"]["names"], _root(crd)
    version = crd["spec"]["versions"][0]
    parts = [f"# {names['kind']}\n", HEAD.format(file=file), f"{_inline(root['description'], keep=True)}\n"]
    group = f"{crd['spec']['group']}/{version['name']}"
    parts.append(
        f"`apiVersion: {group}`, `kind: {names['kind']}`; `kubectl get {_short(crd)}`. {crd['spec']['scope']}.\n"
    )
    if any(f"\nkind: {names['kind']}\n" in path.read_text(encoding="utf-8") for path in SAMPLES.glob("*.yaml")):
        parts.append("Examples are in [manifests/samples](../../manifests/samples).\n")
    parts += [_rules(root), *(_section(path, one) for path, one in _objects("", root))]
    columns = version.get("additionalPrinterColumns", [])
    if columns:
        parts.append("## Columns of kubectl get\n\n| column | shown | what it says |\n|---|---|---|")
        parts.append("\n".join(_column(one) for one in columns) + "\n")
    return "\n".join(part for part in parts if part)


def _column(one: Schema) -> str:
    shown = "with `-o wide`" if one.get("priority") else "always"
    return f"| {one['name'].upper()} | {shown} | {_inline(one['description'])} |"


def _root(crd: Schema) -> Schema:
    root: Schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return root


def _short(crd: Schema) -> str:
    names = crd["spec"]["names"]
    return str(names.get("shortNames", [names["plural"]])[0])


def _objects(path: str, schema: Schema) -> Iterator[tuple[str, Schema]]:
    """The objects below one, in the order of the schema: depth first, as a manifest is read."""
    for name, field in schema.get("properties", {}).items():
        below, inner = _below(f"{path}.{name}".lstrip("."), field)
        if inner.get("properties"):
            yield below, inner
            yield from _objects(below, inner)


def _below(path: str, field: Schema) -> tuple[str, Schema]:
    """What is inside of a field: an object itself, a list's entries, a map's values."""
    if field.get("type") == "array":
        return f"{path}[]", field.get("items", {})
    values = field.get("additionalProperties")
    return (f"{path}.*", values) if isinstance(values, Mapping) else (path, field)


def _section(path: str, schema: Schema) -> str:
    level = "##" if path in {"spec", "status"} else "###"
    required = set(schema.get("required", ()))
    rows = [_row(path, name, field, required=name in required) for name, field in schema["properties"].items()]
    words = f"{_inline(schema['description'], keep=True)}\n\n" if schema.get("description") else ""
    table = "| field | type | default | what it says |\n|---|---|---|---|\n" + "\n".join(rows) + "\n"
    rules = _rules(schema)
    return f"{level} {path}\n\n{words}{table}" + (f"\n{rules}" if rules else "")


def _row(path: str, name: str, field: Schema, *, required: bool) -> str:
    below, inner = _below(f"{path}.{name}", field)
    title = f"[`{name}`](#{_anchor(below)})" if inner.get("properties") else f"`{name}`"
    default = "required" if required else _default(field)
    words = _inline(field.get("description", ""))
    rules = [] if inner.get("properties") else [one["message"] for one in field.get("x-kubernetes-validations", ())]
    entries = inner.get("x-kubernetes-validations", ()) if inner is not field and not inner.get("properties") else ()
    said = "; ".join(_inline(one) for one in [*rules, *(f"each {entry['message']}" for entry in entries)])
    if said:
        words = f"{words} {said[0].upper()}{said[1:]}.".strip()
    return f"| {title} | {_type(field)} | {default} | {words} |"


def _type(field: Schema) -> str:
    kind = field.get("type")
    if kind == "array":
        return f"list of {_type(field.get('items', {}))}{_sizes(field, 'minItems', 'maxItems', ' entries')}"
    if kind == "object":
        values = field.get("additionalProperties")
        return f"map of {_type(values)}" if isinstance(values, Mapping) else "object"
    if "enum" in field:
        return " or ".join(f"`{one}`" for one in field["enum"])
    if field.get("format") == "date-time":
        return "time"
    bounds = _sizes(field, "minimum", "maximum", "")
    return f"{TYPES.get(str(kind), 'anything')}{bounds}"


def _sizes(field: Schema, least: str, most: str, unit: str) -> str:
    low, high = field.get(least), field.get(most)
    if low is None and high is None:
        return ""
    if low is None:
        return f", up to {high:,}{unit}"
    return f", {low:,} to {high:,}{unit}" if high is not None else f", from {low:,}{unit}"


def _default(field: Schema) -> str:
    if "default" not in field:
        return "none"
    value = field["default"]
    if isinstance(value, Mapping | list):
        return f"`{yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=1000).strip()}`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _rules(schema: Schema) -> str:
    messages = dict.fromkeys(one["message"] for one in schema.get("x-kubernetes-validations", ()))
    return "The API server asks besides:\n\n" + "".join(f"- {_inline(one)}\n" for one in messages) if messages else ""


def _inline(text: str, *, keep: bool = False) -> str:
    """A text inside Markdown: no HTML by accident, no end of a cell; paragraphs only where they may be."""
    safe = text.replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|")
    paragraphs = [" ".join(one.split()) for one in safe.split("\n\n") if one.strip()]
    return ("\n\n" if keep else " ").join(paragraphs)


def _anchor(heading: str) -> str:
    return "".join(one for one in heading.lower() if one.isalnum() or one in "-_ ").replace(" ", "-")


def main(arguments: Sequence[str]) -> int:
    """Write the pages, or with --check say whether they are current."""
    wanted = pages()
    found = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*.md")}
    stale = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
    if "--check" in arguments:
        for name in stale:
            sys.stderr.write(f"docs/api/{name} is stale; run `make docs`\n")
        return 1 if stale else 0
    FOLDER.mkdir(exist_ok=True)
    for name in stale:
        if name in wanted:
            (FOLDER / name).write_text(wanted[name], encoding="utf-8")
        else:
            (FOLDER / name).unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
