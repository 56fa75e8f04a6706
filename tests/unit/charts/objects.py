"""Where the installation is written down, and how to read it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[3]
CHART = ROOT / "charts" / "serin"
INSTALL = ROOT / "manifests" / "install" / "serin.yaml"
MONITORING = ROOT / "manifests" / "monitoring"

Json = dict[str, Any]
Id = tuple[str, str]


def load(path: Path) -> Any:
    """One YAML document."""
    return yaml.safe_load(path.read_text())


def documents(text: str) -> list[Any]:
    """A stream, by the parser in C: the CRDs alone are some thousand lines."""
    return list(yaml.load_all(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))


def objects(text: str) -> dict[Id, Json]:
    """The documents of a stream by kind and name."""
    found = [one for one in documents(text) if one]
    return {(one["kind"], one["metadata"]["name"]): one for one in found}


def installed() -> dict[Id, Json]:
    """What `kubectl apply -f manifests/install` makes: all but the CRDs."""
    return objects(INSTALL.read_text())


def rights(rules: list[Json]) -> set[tuple[str, str, str]]:
    """Rules of RBAC as (group, resource, verb)."""
    return {
        (group, resource, verb)
        for rule in rules
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
