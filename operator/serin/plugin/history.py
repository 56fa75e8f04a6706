"""`history`: the revisions of a ModelDeployment and what became of each, and the record of one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from serin.plugin.figures import age, stamp
from serin.plugin.gates import sentence
from serin.plugin.looks import cell, cells, table
from serin.plugin.objects import Deployment, Revision, Step
from serin.plugin.status import seen

_BAD = frozenset({"Rejected", "Failed", "Aborted"})


@dataclass(frozen=True, slots=True)
class Entry:
    """A revision and its part in the ModelDeployment: stable, candidate or none."""

    revision: Revision
    role: str | None


@dataclass(frozen=True, slots=True)
class Record:
    """All decisions about one revision that are still on record, oldest first."""

    revision: Revision
    role: str | None
    steps: tuple[Step, ...]


class NoSuchRevision(ValueError):
    """No revision, or more than one, is meant; the text lists those that there are."""


def history(md: Deployment, revisions: Sequence[Revision]) -> tuple[Entry, ...]:
    """The revisions of a ModelDeployment, the newest first."""
    return tuple(Entry(one, _role(md, one)) for one in seen(md, revisions).revisions)


def find_revision(entries: Sequence[Entry], word: str) -> Entry:
    """The revision that a word means: its name, the end of its name, its version, 'stable' or 'candidate'.

    Raises:
        NoSuchRevision: none is meant, or several.
    """
    exact = [one for one in entries if word in {one.revision.name, one.role}]
    like = [one for one in entries if one.revision.version == word or one.revision.name.endswith(f"-{word}")]
    match exact or like:
        case [one]:
            return one
        case []:
            names = ", ".join(one.revision.name for one in entries) or "none"
            raise NoSuchRevision(f"there is no revision {word}; there are: {names}")
        case several:
            names = ", ".join(one.revision.name for one in several)
            raise NoSuchRevision(f"{word} may be any of {names}; give the whole name")


def record_of(md: Deployment, entry: Entry) -> Record:
    """The record of a revision; what its running rollout has decided so far stands in the ModelDeployment."""
    steps = entry.revision.record
    if entry.role == "candidate" and md.rollout is not None:
        steps += md.rollout.steps
    return Record(entry.revision, entry.role, steps)


def render_history(entries: Sequence[Entry], now: datetime) -> RenderableType:
    """One line a revision."""
    made = table("REVISION", "VERSION", "ROLE", "VERDICT", "REASON", "ATTEMPTS", "AGE", "WHY", last_wraps=True)
    for entry in entries:
        one = entry.revision
        verdict = cell(one.verdict, "red" if one.verdict in _BAD else "")
        row = [one.name, one.version, entry.role, verdict, one.reason, one.attempts, age(one.created, now), one.message]
        made.add_row(*cells(row))
    return made


def render_record(record: Record, now: datetime, *, wide: bool = False) -> RenderableType:
    """The decisions about one revision. wide: with the numbers of every gate behind each."""
    one = record.revision
    head = Text.assemble((one.name, "bold"), f"  version {one.version}  ", (one.verdict, ""))
    head.append(f" ({one.reason})" if one.reason else "").append(f"  {record.role}" if record.role else "")
    blocks: list[RenderableType] = [head, Text()]
    if one.forgotten:
        blocks.append(Text(f"{one.forgotten} older decisions are no longer on record", "dim"))
    if not record.steps:
        return Group(*blocks, Text("nothing was decided about it yet"))
    for step in record.steps:
        weight = f"{step.weight} %" if step.weight is not None else "weight not known"
        line = Text.assemble(f"{stamp(step.at, now)}  ", (step.decision, "bold"), f"  {step.stage}, {weight}  ")
        blocks.append(line.append(f"{step.reason}: {step.message}" if step.reason else step.message))
        if wide:
            blocks += [Padding(Text(sentence(gate), "dim"), (0, 0, 0, 4)) for gate in step.gates]
    return Group(*blocks)


def _role(md: Deployment, revision: Revision) -> str | None:
    if md.stable is not None and md.stable.revision == revision.name:
        return "stable"
    return "candidate" if md.candidate is not None and md.candidate.revision == revision.name else None
