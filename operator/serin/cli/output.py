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


class CardFormat(StrEnum):
    """What `-o` of `card` may be."""

    MARKDOWN = "markdown"
    HTML = "html"
    JSON = "json"


def show(form: Format, value: Any, render: Callable[[bool], RenderableType], *, lines: bool = False) -> None:
    """Print a record.

    render: makes what people see; it is told whether that may be wide. lines: it has a line for each object, which is
    never broken.
    """
    from serin.plugin.plain import as_json, as_yaml

    match form:
        case Format.JSON:
            print(as_json(value))
        case Format.YAML:
            print(as_yaml(value))
        case Format.TABLE | Format.WIDE:
            made = console()
            if made.is_terminal:
                made.print(render(form is Format.WIDE), soft_wrap=lines)
                return
            with made.capture() as printed:
                made.print(render(form is Format.WIDE), soft_wrap=lines)
            # rich fills every line of a table and of what is indented up to the width.
            print("\n".join(line.rstrip() for line in printed.get().splitlines()))


def console() -> Console:
    """Standard output."""
    from rich.console import Console

    made = Console(highlight=False, emoji=False, markup=False)
    if not made.is_terminal and "COLUMNS" not in os.environ:
        made.width = PIPE_COLUMNS  # rich says 80 of a pipe; whoever reads it would rather have whole lines
    return made


def warn(message: str, remedy: str = "") -> None:
    """Say to standard error what is wrong and what to do."""
    print(f"error: {message}", file=sys.stderr)
    if remedy:
        print(f"  {remedy}", file=sys.stderr)


def note(message: str) -> None:
    """Say something to standard error that is no fault."""
    print(message, file=sys.stderr)
