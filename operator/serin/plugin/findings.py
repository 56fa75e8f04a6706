"""The findings of `lint`: in order, for a terminal, and as an exit code."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from rich.text import Text

from serin.plugin.manifests import Finding, Level


@dataclass(frozen=True, slots=True)
class Lint:
    """How many objects were checked, and what was found."""

    objects: int
    findings: tuple[Finding, ...]


def exit_code(lint: Lint, *, strict: bool) -> int:
    """1 when something would be refused; with `strict` when there is a warning as well."""
    failing: set[Level] = {"error", "warning"} if strict else {"error"}
    return int(any(one.level in failing for one in lint.findings))


def render_findings(lint: Lint) -> Text:
    """A line for each, in the order of files and lines, and a sum."""
    shown = Text()
    for one in sorted(lint.findings, key=lambda one: (one.file, one.line, _ORDER.index(one.level))):
        shown.append(f"{one.file}:{one.line}: ").append(one.level, _style(one.level))
        said = f"{one.object}: {one.field}: {one.message}" if one.object else one.message
        shown.append(f": {said}\n")
    return shown.append(summed_up(lint))


def summed_up(lint: Lint) -> str:
    """'3 objects: 1 error, 2 warnings'."""
    counts = Counter(one.level for one in lint.findings)
    words = [f"{counts[level]} {_words(level, counts[level])}" for level in _ORDER if counts[level]]
    return f"{lint.objects} object{'s' * (lint.objects != 1)}: {', '.join(words) or 'nothing to say'}"


_ORDER: tuple[Level, ...] = ("error", "warning", "advice")


def _words(level: Level, number: int) -> str:
    return level if level == "advice" or number == 1 else f"{level}s"


def _style(level: Level) -> str:
    match level:
        case "error":
            return "bold red"
        case "warning":
            return "yellow"
        case "advice":
            return "cyan"
