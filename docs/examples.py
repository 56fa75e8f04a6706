"""Runs the examples of docs/gates.md and docs/stages.md: python docs/examples.py [--check].

A page says in a comment what happens, and the block below it holds what the decision core then does:

    <!-- run: traffic bad=0.1%/3%; deploy v2; tick 12 -->
    ```text
    ...
    ```

The policy is the YAML block before it. The commands are those of tests/unit/rollout/transcript.py: version v1 serves,
one tick is 15 seconds, 50 requests/s unless it says otherwise. Without --check the blocks are written anew.
"""  # noqa: INP001 - a script, not a package

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

import yaml

from tests.unit.rollout.transcript import _Player

DOCS = Path(__file__).parent
PAGES = ("gates.md", "stages.md")
WIDTH = 100

_RUN = re.compile(r"<!-- run: (?P<commands>.*?) -->\n```text\n(?P<output>.*?)```\n", re.DOTALL)
_YAML = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LOOK = re.compile(r"(?P<at>\d\d:\d\d:\d\d) .*; (?:a \d+ b (?P<weight>\d+)|untouched); pods .*")


def ran(page: str) -> str:
    """A page with the output that the decision core gives now."""

    def rerun(found: re.Match[str]) -> str:
        policy = _YAML.findall(page, 0, found.start())[-1]
        output = "\n".join(_run(yaml.safe_load(policy)["spec"], found["commands"].split(";")))
        return f"<!-- run: {found['commands']} -->\n```text\n{output}\n```\n"

    return _RUN.sub(rerun, page)


def _run(policy: dict[str, object], commands: Sequence[str]) -> list[str]:
    player = _Player()
    player.run(["policy", yaml.safe_dump(policy)])
    player.run(["serving v1"])
    begin = player.world.now
    lines: list[str] = []
    for command in commands:
        words = command.strip()
        if words == "gates":
            lines += [_wrapped("", line) for line in player.run(["status"]) if line.startswith("gate ")]
            continue
        at = weight = ""
        for line in player.run([words]):
            if found := _LOOK.fullmatch(line):
                hours, minutes, seconds = (int(one) for one in found["at"].split(":"))
                passed = hours * 3600 + minutes * 60 + seconds - _seconds_of_day(begin)
                at, weight = f"{passed // 60}:{passed % 60:02}", f"{found['weight'] or 0} %"
            elif line.startswith("    ") and not line.startswith("    event") and at:
                lines.append(_wrapped(f"{at:>6} {weight:>6}  ", line.strip()))
    # The same standing at a later look is no news.
    return [line for index, line in enumerate(lines) if not index or line[6:] != lines[index - 1][6:]]


def _seconds_of_day(at: object) -> int:
    return int(f"{at:%H}") * 3600 + int(f"{at:%M}") * 60 + int(f"{at:%S}")


def _wrapped(head: str, text: str) -> str:
    return textwrap.fill(
        text,
        WIDTH,
        initial_indent=head,
        subsequent_indent=" " * (len(head) or 4),
        break_long_words=False,
        break_on_hyphens=False,
    )


def main(arguments: Sequence[str]) -> int:
    """Write the outputs, or with --check say whether they are current."""
    stale = 0
    for name in PAGES:
        path = DOCS / name
        before = path.read_text(encoding="utf-8")
        after = ran(before)
        if before != after and "--check" in arguments:
            sys.stderr.write(f"docs/{name}: an example gives another output now; run `make docs`\n")
            stale = 1
        elif before != after:
            path.write_text(after, encoding="utf-8")
    return stale


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
