"""A model card as Markdown and as a page of its own. All that came from the cluster is escaped."""

from __future__ import annotations

import html
import re
import unicodedata

from serin.plugin.card import Card, Rows

NOT_STATED = "not stated"

_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%}"
    "th,td{text-align:left;padding:.25rem .75rem .25rem 0;border-bottom:1px solid #8884;vertical-align:top}"
)
_BACKSLASHED = re.compile(r"([\\`*_\[\]])")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;", "~": "&#126;", "$": "&#36;"}
"""Entities and not backslashes: Markdown's dialects do not agree on which of these a backslash escapes."""


def markdown(card: Card) -> str:
    """The card as Markdown, with tables as GitHub has them."""
    lines = [f"# {escaped(card.title)}", ""]
    for section in card.sections:
        lines += [f"## {section.title}", ""]
        lines += [f"- {fact.name}: {escaped(fact.value)}" for fact in section.facts]
        lines += [""] * bool(section.facts)
        for table in section.tables:
            lines += [f"### {table.name}", "", _row(table.heads), _row(("---",) * len(table.heads))]
            lines += [_row(tuple(escaped(cell) for cell in row)) for row in table.rows]
            lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def page(card: Card) -> str:
    """The card as HTML: no script, nothing loaded."""
    title = html.escape(card.title)
    body = [f"<h1>{title}</h1>"]
    for section in card.sections:
        body.append(f"<h2>{html.escape(section.title)}</h2>")
        rows = tuple((fact.name, one_line(fact.value) or NOT_STATED) for fact in section.facts)
        body += [_table(Rows("", (), rows))] if rows else []
        for table in section.tables:
            body += [f"<h3>{html.escape(table.name)}</h3>", _table(table)]
    head = f'<meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
    return f'<!doctype html>\n<html lang="en"><head>{head}</head><body>\n' + "\n".join(body) + "\n</body></html>\n"


def escaped(value: str | None) -> str:
    """A text within a line of Markdown, so that it reads as it is; an empty one is not stated."""
    text = _BACKSLASHED.sub(r"\\\1", one_line(value))
    return "".join(_ENTITIES.get(letter, letter) for letter in text) or NOT_STATED


def one_line(value: str | None) -> str:
    """A text in one line, without control characters: a line break would begin a block of Markdown."""
    letters = (" " if unicodedata.category(one) in {"Cc", "Zl", "Zp"} else one for one in value or "")
    return " ".join("".join(letters).split())


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


def _table(table: Rows) -> str:
    head = "".join(f"<th>{html.escape(one)}</th>" for one in table.heads)
    body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in table.rows)
    return f"<table>{f'<thead><tr>{head}</tr></thead>' if head else ''}<tbody>{body}</tbody></table>"
