"""Printing: tables for people, JSON and YAML for tools.

Colours only on a terminal, and never with NO_COLOR. Into a pipe a line stays a line, however long it is.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

PIPE_COLUMNS = 10_000


class Format(StrEnum):
    """What `-o` may be."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"


def show(form: Format, value: Any, render: Callable[[bool], RenderableType], *, unwrapped: bool = False) -> None:
    """Print a record.

    render: makes what people see; it is told whether that may be wide. unwrapped: a table with a line for each object,
    whose lines are never broken.
    """
    from serin.plugin.plain import as_json, as_yaml

    match form:
        case Format.JSON:
            print(as_json(value))
        case Format.YAML:
            print(as_yaml(value))
        case Format.TABLE | Format.WIDE:
            shown = render(form is Format.WIDE)
            made = console()
            if unwrapped:
                made.print(shown, width=_needed(made, shown), no_wrap=True, crop=False, soft_wrap=True)
            else:
                made.print(shown)


def console() -> Console:
    """Standard output."""
    from rich.console import Console

    made = Console(highlight=False, emoji=False, markup=False)
    # Of a pipe rich says 80 columns; whoever reads it would rather have whole lines.
    return made if made.is_terminal or "COLUMNS" in os.environ else _whole_lines()


def warn(message: str, remedy: str = "") -> None:
    """Say to standard error what is wrong and what to do."""
    print(f"error: {message}", file=sys.stderr)
    if remedy:
        print(f"  {remedy}", file=sys.stderr)


def note(message: str) -> None:
    """Say something to standard error that is no fault."""
    print(message, file=sys.stderr)


def _whole_lines() -> Console:
    from rich.console import Console

    return Console(highlight=False, emoji=False, markup=False, width=PIPE_COLUMNS)


def _needed(made: Console, shown: RenderableType) -> int:
    from rich.measure import Measurement

    options = made.options.update(width=PIPE_COLUMNS)
    return max(made.width, Measurement.get(made, options, shown).maximum)
