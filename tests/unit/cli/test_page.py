"""docs/plugin.md says what the commands are and take, and nothing that they do not."""

from __future__ import annotations

import inspect
import re
import shlex
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import pytest
import typer

from serin.api.rollout_action import ActionPhase
from serin.cli.kubectl import app
from serin.plugin.acts import answer_of
from serin.plugin.acts import exit_code as act_code
from serin.plugin.ending import Ending, exit_code
from tests.unit.docs.pages import ROOT, blocks

PAGE = ROOT / "docs" / "plugin.md"
TEXT = PAGE.read_text()
COMMANDS = {one.callback.__name__: one.callback for one in app.registered_commands if one.callback is not None}
SHOWN = [line for block in blocks(PAGE) for line in block.text.splitlines() if line.startswith("$ kubectl serin")]


def options_of(command: str) -> set[str]:
    """Every option of a command, long and short."""
    hints: dict[str, Any] = get_type_hints(COMMANDS[command], include_extras=True)
    found: set[str] = set()
    for name in inspect.signature(COMMANDS[command]).parameters:
        if get_origin(hints[name]) is Annotated:
            (about,) = get_args(hints[name])[1:]
            words = [about.default, *(about.param_decls or ())]  # typer keeps the first one as the default
            # A switch has two words: --wait/--no-wait.
            options = [word.split("/") for word in words if isinstance(word, str) and word.startswith("-")]
            found |= {word for both in options for word in both}
    return found


def test_every_command_is_on_the_page() -> None:
    assert set(re.findall(r"`([a-z]+)(?: [\[A-Z][^`]*)?`", _table("command"))) == set(COMMANDS)


def test_every_option_is_on_the_page_and_none_else() -> None:
    named = set(re.findall(r"`(--?[a-zA-Z-]+)`", _table("option")))
    assert named == set().union(*(options_of(command) for command in COMMANDS))


@pytest.mark.parametrize("line", SHOWN)
def test_what_is_typed_on_the_page_can_be_typed(line: str) -> None:
    command, *words = shlex.split(line)[3:]
    assert {word for word in words if word.startswith("-")} <= options_of(command)


def test_exit_codes_are_those_of_the_ends() -> None:
    made = {exit_code(end(*[""] * len(end.__dataclass_fields__))) for end in get_args(Ending)}
    assert _codes("In a pipeline") == made | {1, 2}


def test_exit_codes_of_acts_are_those_of_their_answers() -> None:
    answers = [answer_of({"status": {"phase": phase}}) for phase in get_args(ActionPhase)]
    assert _codes("Acts") == {act_code(answer) for answer in answers} | {1, 2}


def test_help_of_every_command_ends_within_a_line() -> None:
    """And says what the page says: each has words of its own."""
    helps = [(one.callback.__doc__ or "").strip() for one in app.registered_commands if one.callback is not None]
    assert all(helps)
    assert len(set(helps)) == len(helps)
    assert isinstance(app, typer.Typer)


def _codes(section: str) -> set[int]:
    """The exit codes in the table of a section."""
    text = TEXT.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    return {int(code) for code in re.findall(r"(?m)^\| (\d+) \|", text)}


def _table(head: str) -> str:
    found = re.search(rf"(?ms)^\| {head} \|.*?\n\n", TEXT)
    assert found is not None
    return "\n".join(line.split("|")[1] for line in found[0].splitlines()[2:] if "|" in line)
