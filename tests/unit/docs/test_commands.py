"""What stands in a block can be typed: its command, its subcommand and its options are there.

A block that no test runs says so in a comment above it: <!-- not run: why -->. The commands of install.md are run by
tests/integration/charts, those of plugin.md held to the code by tests/unit/cli.
"""

from __future__ import annotations

import argparse
import functools
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from serin.cli.main import _parser
from tests.unit.cli.test_page import options_of
from tests.unit.docs.pages import PAGES, ROOT, blocks, name

KUBECTL = Path(sys.executable).with_name("kubectl")
"""The locked one, of the development tools."""
ELSEWHERE = {"docs/install.md", "docs/plugin.md"}
_FENCE = re.compile(r"^(<!-- not run: .+ -->\n)?```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def _commands() -> list[tuple[str, str]]:
    """Every command in the blocks, as (page, words); a block that shows output begins its commands with a dollar."""
    found = []
    for page in PAGES:
        if name(page) in ELSEWHERE or "decisions" in name(page):
            continue
        for skip, language, text in _FENCE.findall(page.read_text()):
            if skip or language not in ("", "sh"):
                continue
            lines = text.replace("\\\n", " ").splitlines()
            shown = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
            found += [(name(page), line) for line in shown or lines if re.match(r"(?:kubectl|serin|helm|make) ", line)]
    return found


@functools.cache
def _options() -> str:
    """The options that every command of kubectl takes."""
    return subprocess.run([KUBECTL, "options"], capture_output=True, text=True, check=True).stdout


COMMANDS = sorted(set(_commands()))


@functools.cache
def _help(*words: str) -> str:
    return subprocess.run([KUBECTL, *words, "--help"], capture_output=True, text=True, check=False).stdout


@pytest.mark.parametrize(("page", "command"), COMMANDS, ids=lambda text: text)
def test_a_command_can_be_typed(page: str, command: str) -> None:
    program, *words = shlex.split(re.sub(r"\[.*?\]|\.\.\.|\s+#.*", "", command).replace("<", "_").replace(">", "_"))
    options = {word.partition("=")[0] for word in words if word.startswith("-")}
    verbs = [word for word in words if not word.startswith("-")]
    match program:
        case "make":
            assert re.search(rf"^{verbs[0]}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
        case "kubectl" if verbs[0] == "serin":
            assert options <= options_of(verbs[1])
        case "kubectl":
            verb = next(word for word in verbs if f"kubectl {word}" in _help(word))
            known = _help(verb) + _options()
            assert [one for one in sorted(options) if not re.search(rf"(?<![\w-]){one}\b", known)] == []
        case "serin":
            (commands,) = [one for one in _parser()._actions if isinstance(one, argparse._SubParsersAction)]
            assert options <= set(commands.choices[verbs[0]]._option_string_actions)
        case _:
            pytest.fail(f"{page}: nothing checks {program}; say <!-- not run: why --> above the block")


def test_a_block_of_commands_holds_nothing_else() -> None:
    """Each line of a block marked sh is checked above or is a program of ours, or the block says why not."""
    for page in PAGES:
        for skip, language, text in _FENCE.findall(page.read_text()):
            for line in text.replace("\\\n", " ").splitlines() if language == "sh" and not skip else ():
                module = re.search(r"-m (tests\.\w+)", line)
                if module is not None:
                    assert (ROOT / module[1].replace(".", "/") / "__main__.py").is_file(), line
                else:
                    assert (name(page), line) in COMMANDS, line


def test_values_on_pages_are_those_of_the_chart() -> None:
    """A block that begins with # values.yaml."""
    values = yaml.safe_load((ROOT / "charts" / "serin" / "values.yaml").read_text())
    for page in PAGES:
        for block in blocks(page):
            if block.text.startswith("# values.yaml"):
                assert yaml.safe_load(block.text).keys() <= values.keys(), name(page)


def test_pages_have_commands() -> None:
    """The pattern finds them."""
    assert len(COMMANDS) > 20
