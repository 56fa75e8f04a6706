"""What stands in a block can be typed: its command, its subcommand and its options are there.

tests/e2e/docs types them all; a block that no test runs says so in a comment above it: <!-- not run: why -->. The
commands of install.md are run by tests/integration/charts, those of plugin.md held to the code by tests/unit/cli too.
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
KNOWN = re.compile(r"(?:kubectl|serin|make) ")


def _commands() -> list[tuple[str, str]]:
    """Every command that something can be said of, as (page, words), whether or not a test runs it."""
    pages = [page for page in PAGES if name(page) not in ELSEWHERE]
    lines = [(name(page), line) for page in pages for block in blocks(page) for line in block.commands]
    return [(page, line) for page, line in lines if KNOWN.match(line)]


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
    """Its subcommand is there, and so is each option."""
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


def test_a_block_of_commands_holds_nothing_else() -> None:
    """Each line of a block marked sh or bash is a command, and a program of ours in it is there."""
    for page in PAGES:
        for block in blocks(page):
            for line in block.text.replace("\\\n", " ").splitlines() if block.language in ("sh", "bash") else ():
                module = re.search(r"-m (tests\.\w+)", line)
                if module is not None:
                    assert (ROOT / module[1].replace(".", "/") / "__main__.py").is_file(), line
                else:
                    assert line in block.commands, line


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
