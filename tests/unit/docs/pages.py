"""The pages that people read, and what can be taken out of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
TOP = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
PAGES = sorted([*(ROOT / name for name in TOP), *(ROOT / "docs").rglob("*.md")])

_FENCE = re.compile(r"^(?: *<!-- not run: ([^\n]+) -->\n)?( *)```(\w*)\n(.*?)^\2```$", re.MULTILINE | re.DOTALL)
_PROGRAM = re.compile(r"(?:[A-Z]+=\S+ )*(?:kubectl|serin|helm|make|docker|kind|sha256sum|cd|\.venv/bin/python) ")
_LINK = re.compile(r"\[[^\]\n]*(?:\n[^\]\n]*)?\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block. not_run: why no test runs it, as the comment above it says; empty without one."""

    page: Path
    language: str
    text: str
    not_run: str

    @property
    def commands(self) -> list[str]:
        """What somebody would type, each in one line; a block that shows output begins its commands with a dollar."""
        if self.language not in ("", "sh", "bash"):
            return []
        lines = self.text.replace("\\\n", " ").splitlines()
        shown = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
        return [line for line in shown or lines if _PROGRAM.match(line)]


def name(page: Path) -> str:
    """A page's path in the repository."""
    return str(page.relative_to(ROOT))


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page, without their indentation."""
    for not_run, indent, language, text in _FENCE.findall(page.read_text()):
        yield Block(page, language, "\n".join(line.removeprefix(indent) for line in text.splitlines()), not_run)


def links(page: Path) -> list[str]:
    """Where a page points to, blocks of code aside."""
    return _LINK.findall(_FENCE.sub("", page.read_text()))


def anchors(page: Path) -> set[str]:
    """What can stand behind # in a link to the page: its headings, as GitHub writes them."""
    headings = _HEADING.findall(_FENCE.sub("", page.read_text()))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
