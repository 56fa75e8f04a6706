"""Writes docs/reasons.md and docs/reasons/ from `serin.api.reasons`: python docs/reasons_page.py [--check].

The list is docs/reasons.md; each reason has a page of its name. What is written by hand stands in
docs/reasons/guide.in, and the examples are messages out of the transcripts that the decision core is tested with. With
--check it only says whether all of them are current.
"""  # noqa: INP001 - a script, not a package

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from serin.api.reasons import FOUND_LATER, Kind, Reason

DOCS = Path(__file__).parent
PAGE = DOCS / "reasons.md"
FOLDER = DOCS / "reasons"
GUIDE = FOLDER / "guide.in"
TRANSCRIPTS = DOCS.parent / "tests" / "unit" / "rollout" / "testdata"

MARK = "<!-- Generated from operator/serin/api/reasons.py by docs/reasons_page.py. Do not edit. -->\n"

HEAD = """\
Why a ModelDeployment stands where it stands, in one word: the column REASON, the conditions' `reason`, the gates and
the Events. The list is closed; `kubectl describe md` shows the word with a sentence and the numbers behind it. Each
word leads to a page that says what to do.
"""

KINDS: dict[Kind, tuple[str, str]] = {
    "progress": ("Progress", "Things go their way."),
    "hold": (
        "Hold",
        (
            "The candidate stays at its weight. Not knowing is never a pass and never a failure, so each way of not "
            "knowing has a reason of its own."
        ),
    ),
    "failure": ("Failure", "The candidate was judged, and the weight goes back to stable."),
    "stalled": ("Stalled", "Waiting will not help: somebody has to change something. Stable serves on."),
}

LATER = """\
## Faults that show only in the cluster

What can be refused when you apply is refused then. These cannot be seen before; stable is not touched by any of them.

| fault | reason | look at |
|---|---|---|
"""


@dataclass(frozen=True, slots=True)
class Guide:
    """What is written by hand about a reason."""

    words: str = ""
    transcript: str | None = None


@cache
def guides() -> dict[str, Guide]:
    """The sections of guide.in."""
    _, *sections = re.split(r"^## (\w+)(?: \((\w+)\))?\n", GUIDE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    found = zip(sections[::3], sections[1::3], sections[2::3], strict=True)
    return {name: Guide(words.strip(), transcript) for name, transcript, words in found}


def pages() -> dict[Path, str]:
    """All pages: the list, and one for each reason."""
    return {PAGE: _list()} | {FOLDER / f"{reason}.md": _about(reason) for reason in Reason}


def _list() -> str:
    parts = ["# Reasons\n", MARK, HEAD]
    for kind, (title, words) in KINDS.items():
        rows = [f"| {_link(one)} | {one.about.meaning} |" for one in Reason if one.about.kind == kind]
        parts.append(f"## {title}\n\n{words}\n\n| reason | what it means |\n|---|---|\n" + "\n".join(rows) + "\n")
    later = [f"| {one.fault} | {_link(one.reason)} | `{one.field}` |" for one in FOUND_LATER]
    parts.append(LATER + "\n".join(later) + "\n")
    return "\n".join(parts)


def _link(reason: Reason) -> str:
    return f"[{reason}](reasons/{reason}.md)"


def _about(reason: Reason) -> str:
    about, guide = reason.about, guides().get(reason, Guide())
    title, words = KINDS[about.kind]
    parts = [f"# {reason}\n", MARK, f"{about.meaning}\n", f"**{title}.** {words}\n"]
    parts.append(f"## What to do\n\n{about.remedy}\n")
    if guide.words:
        parts.append(f"{guide.words}\n")
    faults = [f"- {one.fault}: look at `{one.field}`\n" for one in FOUND_LATER if one.reason is reason]
    if faults:
        parts.append(f"## What is behind it\n\n{''.join(faults)}")
    carried = ", ".join(f"`{one}`" for one in about.conditions)
    seen = f"In the conditions {carried}." if carried else "In an Event only; no condition carries it."
    parts.append(f"## How it shows\n\n{seen}\n")
    example = _example(reason, guide.transcript)
    if example:
        parts.append(f"For example, out of the tests:\n\n```text\n{example}\n```\n")
    return "\n".join([*parts, "[All reasons](../reasons.md)\n"])


def _example(reason: Reason, transcript: str | None) -> str | None:
    """The first message with the reason in a transcript, as `Reason: message`."""
    path = TRANSCRIPTS / f"{transcript}.txt"
    if transcript is None or not path.is_file():
        return None
    for line in path.read_text(encoding="utf-8").splitlines():
        # A message of a look, of an Event, of a condition (with its time behind it), or of a rollback for the reason.
        found = re.search(rf"(?<!\d )(?:\b{reason}|RolledBack: .*\({reason}\)): .*", line)
        if found and "gate " not in line[: found.start()]:
            return re.sub(r" \(\d\d:\d\d:\d\d\)$", "", found[0])
    return None


def main(arguments: Sequence[str]) -> int:
    """Write the pages, or with --check say whether they are current."""
    wanted = pages()
    found = {path: path.read_text(encoding="utf-8") for path in [PAGE, *FOLDER.glob("*.md")] if path.is_file()}
    stale = sorted(path for path in wanted.keys() | found.keys() if wanted.get(path) != found.get(path))
    if "--check" in arguments:
        for path in stale:
            sys.stderr.write(f"docs/{path.relative_to(DOCS)} is stale; run `make docs`\n")
        return 1 if stale else 0
    for path in stale:
        if path in wanted:
            path.write_text(wanted[path], encoding="utf-8")
        else:
            path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
