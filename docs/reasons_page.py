"""Writes docs/reasons.md from `serin.api.reasons`: python docs/reasons_page.py [--check].

With --check it only says whether the page is current.
"""  # noqa: INP001 - a script, not a package

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from serin.api.reasons import FOUND_LATER, Kind, Reason

PAGE = Path(__file__).with_name("reasons.md")

HEAD = """\
<!-- Generated from operator/serin/api/reasons.py by docs/reasons_page.py. Do not edit. -->

# Reasons

Why a ModelDeployment stands where it stands, in one word: the column REASON, the conditions' `reason`, the gates and
the Events. The list is closed; `kubectl describe md` shows the word with a sentence and the numbers behind it.
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


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    for kind, (title, words) in KINDS.items():
        parts += [f"## {title}\n", f"{words}\n"]
        parts += [_about(reason) for reason in Reason if reason.about.kind == kind]
    rows = [f"| {one.fault} | [{one.reason}](#{one.reason.lower()}) | `{one.field}` |" for one in FOUND_LATER]
    parts.append(LATER + "\n".join(rows) + "\n")
    return "\n".join(parts)


def _about(reason: Reason) -> str:
    about = reason.about
    carried = ", ".join(f"`{one}`" for one in about.conditions) or "Events only"
    return f"### {reason}\n\n{about.meaning}\n\n- **What to do.** {about.remedy}\n- **Seen as.** {carried}\n"


def main(arguments: Sequence[str]) -> int:
    """Write the page, or with --check say whether it is current."""
    if "--check" not in arguments:
        PAGE.write_text(page())
        return 0
    if PAGE.is_file() and PAGE.read_text() == page():
        return 0
    sys.stderr.write(f"docs/{PAGE.name} is stale; run `python docs/reasons_page.py`\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
