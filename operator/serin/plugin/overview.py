"""`status` of many: how many stand where, and a line for each that is not at rest, the most urgent first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text

from serin.plugin.looks import cell, lines
from serin.plugin.objects import Deployment
from serin.plugin.standing import Standing, standing, style_of, words_of


@dataclass(frozen=True, slots=True)
class Entry:
    """One ModelDeployment in a few words; weight is the candidate's share in percent."""

    namespace: str
    name: str
    standing: Standing
    reason: str | None
    stable: str | None
    candidate: str | None
    stage: str | None
    weight: int | None
    message: str


@dataclass(frozen=True, slots=True)
class Overview:
    """All of them: how many stand where, and each in a few words, the most urgent first."""

    total: int
    counts: dict[str, int]
    entries: tuple[Entry, ...]


_ORDER = {where: index for index, where in enumerate(Standing)}


def overview(mds: Sequence[Deployment]) -> Overview:
    """Sum up ModelDeployments."""
    entries = sorted((_entry(md) for md in mds), key=lambda one: (_ORDER[one.standing], one.namespace, one.name))
    counts = Counter(one.standing for one in entries)
    return Overview(len(entries), {where.value: counts[where] for where in Standing if counts[where]}, tuple(entries))


def render_overview(seen: Overview, *, namespaces: bool = False, wide: bool = False) -> Text:
    """The overview for a terminal. wide: those that are at rest too."""
    head = Text(f"{seen.total} ModelDeployment{'' if seen.total == 1 else 's'}: ")
    for index, (where, number) in enumerate(seen.counts.items()):
        head.append(", " if index else "")
        head.append(f"{number} {where}", style=style_of(Standing(where)))
    shown = [one for one in seen.entries if wide or one.standing is not Standing.PROMOTED]
    if not shown:
        return head
    names = ["NAMESPACE"] if namespaces else []
    rows: list[list[object]] = []
    for one in shown:
        row: list[object] = [one.namespace] if namespaces else []
        row += [one.name, cell(one.standing, style_of(one.standing)), one.stable, one.candidate, one.stage, one.weight]
        rows.append([*row, f"{one.reason}: {one.message}" if one.reason else one.message])
    table = lines([*names, "NAME", "STANDS", "STABLE", "CANDIDATE", "STAGE", "WEIGHT", "WHY"], rows)
    return Text("\n\n").join([head, table])


def _entry(md: Deployment) -> Entry:
    rollout, (reason, message) = md.rollout, words_of(md)
    return Entry(
        namespace=md.namespace,
        name=md.name,
        standing=standing(md),
        reason=reason,
        stable=md.stable.version if md.stable is not None else None,
        candidate=md.candidate.version if md.candidate is not None else None,
        stage=rollout.stage if rollout is not None else None,
        weight=rollout.weight if rollout is not None else None,
        message=message,
    )
