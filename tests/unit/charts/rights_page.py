"""The table of rights in docs/security.md: what is granted to the operator, what it is seen to use, and what for.

Two tests hold it: that of the chart compares the column `granted` with the rules, that of a whole run compares the
column `used` with the API server's audit log.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from tests.unit.charts.objects import ROOT

PAGE = ROOT / "docs" / "security.md"
HEAD = "| resource | granted | used | by what |"
EVERYWHERE_ONLY = "not with `namespaces`"

Right = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Table:
    """Rights as (group, resource, verb). everywhere_only: those that an installation for some namespaces lacks."""

    granted: frozenset[Right]
    used: frozenset[Right]
    everywhere_only: frozenset[Right]
    without_reason: tuple[str, ...]


def table() -> Table:
    """Read it."""
    granted, used, everywhere, without = set(), set(), set(), []
    for resource, may, does, why in _rows():
        name, _, group = resource.strip("`").partition(" ")
        group = group.strip("()")
        here = {(group, name, verb) for verb in _verbs(may)}
        granted |= here
        if EVERYWHERE_ONLY in why:
            everywhere |= here
        used |= {(group, name, verb) for verb in (_verbs(may) if does == "all" else _verbs(does))}
        if not why:
            without.append(name)
    return Table(frozenset(granted), frozenset(used), frozenset(everywhere), tuple(without))


def _rows() -> list[list[str]]:
    _, _, rest = PAGE.read_text().partition(HEAD + "\n")
    lines = rest.splitlines()[1:]
    end = next(number for number, line in enumerate(lines) if not line.startswith("|"))
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[:end]]


def _verbs(cell: str) -> list[str]:
    return re.findall(r"[a-z]+", cell)
