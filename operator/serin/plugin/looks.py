"""How things look on a terminal: plain tables as kubectl's, colours for verdicts, bars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from serin.plugin.figures import UNKNOWN
from serin.plugin.objects import Verdict

if TYPE_CHECKING:
    from rich.table import Table

BAR_CELLS = 16
GAP = 3


def table(*columns: str, last_wraps: bool = False) -> Table:
    """A table as kubectl draws it. The last column may wrap, all others never do."""
    from rich.table import Table  # `get` needs none, and has to be fast

    made = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), header_style="bold")
    for index, column in enumerate(columns):
        wraps = last_wraps and index == len(columns) - 1
        made.add_column(column, no_wrap=not wraps, overflow="fold" if wraps else "ignore")
    return made


def lines(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Text:
    """A table with a line for each row, however long. rich's own takes two milliseconds a row, this a fiftieth."""
    laid = [cells(row) for row in rows]
    widths = [
        max([len(column), *(line[index].cell_len for line in laid)]) + GAP for index, column in enumerate(columns)
    ]
    made = Text()
    for line in [[Text(column, "bold") for column in columns], *laid]:
        made.append("\n" if made else "")
        for found, width in zip(line[:-1], widths[:-1], strict=True):
            made.append(found.plain, found.style).append(" " * (width - found.cell_len))
        made.append(line[-1].plain, line[-1].style)
    return made


def cell(value: object, style: str = "") -> Text:
    """A cell; what is not known is a dash. User text is never read as markup."""
    return Text(UNKNOWN if value is None or value == "" else str(value), style=style)


def cells(values: Sequence[object]) -> list[Text]:
    """A row of cells; a Text keeps its style."""
    return [value if isinstance(value, Text) else cell(value) for value in values]


def verdict_style(verdict: Verdict) -> str:
    """The colour of a verdict."""
    match verdict:
        case "pass":
            return "green"
        case "fail":
            return "bold red"
        case "undecided":
            return "yellow"
        case "unknown":
            return "magenta"


def bar(share: float) -> str:
    """A bar of sixteen cells; a share from 0 to 1. It is full only when all is done."""
    full = min(int(max(share, 0.0) * BAR_CELLS), BAR_CELLS)
    return "█" * full + "░" * (BAR_CELLS - full)
