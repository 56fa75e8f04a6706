"""What people see of whole stories: testdata/*.txt holds every view in full.

Only commit a change of these texts if you understand what caused it. To make the objects and the texts anew:
    SERIN_REWRITE=1 pytest tests/unit/cli/test_views.py
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from typing import Any

import pytest
from rich.console import Console, RenderableType

from serin.plugin.explain import explain, render_explanation
from serin.plugin.history import history, record_of, render_history, render_record
from serin.plugin.listing import line_of, listing
from serin.plugin.overview import overview, render_overview
from serin.plugin.reading import deployment_of, revision_of
from serin.plugin.status import render_status, seen
from tests.unit.cli.stories import FOLDER, MAKERS, STORIES, Story, keep, load


def printed(shown: RenderableType, width: int = 140) -> str:
    """What a pipe gets, without blanks at the ends of lines."""
    file = io.StringIO()
    Console(file=file, width=width, highlight=False, emoji=False, markup=False).print(shown)
    return "\n".join(line.rstrip() for line in file.getvalue().rstrip("\n").split("\n"))


def views(story: Story) -> Iterator[tuple[str, RenderableType]]:
    """Every view of a story, behind the command that shows it."""
    md = deployment_of(story.md)
    revisions = [revision_of(raw) for raw in story.revisions]
    entries = history(md, revisions)
    one = seen(md, revisions)
    yield "get", listing([line_of(md)], story.now)
    yield "status", render_overview(overview([md]))
    yield "status iris", render_status(one, story.now)
    yield "status iris -o wide", render_status(one, story.now, wide=True)
    yield "history iris", render_history(entries, story.now)
    yield "explain iris", render_explanation(explain(md, None, story.now))
    for entry in entries:
        name = entry.revision.name
        yield f"history iris {name} -o wide", render_record(record_of(md, entry), story.now, wide=True)
        yield f"explain iris {name}", render_explanation(explain(md, entry, story.now))


def shape(value: Any) -> Any:
    """What a value is made of, without its numbers and texts; lists by their entries' shapes."""
    match value:
        case dict():
            return {key: shape(one) for key, one in value.items()}
        case list():
            return sorted({json.dumps(shape(one), sort_keys=True) for one in value})
        case _:
            return type(value).__name__


@pytest.mark.parametrize("name", MAKERS)
def test_the_objects_that_are_kept_are_made_as_the_decision_core_makes_them(name: str) -> None:
    """Same fields of the same types: a view that is right for these is right for what is in a cluster."""
    fresh = MAKERS[name]()
    if os.environ.get("SERIN_REWRITE"):
        keep(name, fresh)
    kept = load(name)
    assert shape(kept.md) == shape(json.loads(json.dumps(fresh.md)))
    assert shape(kept.revisions) == shape(json.loads(json.dumps(fresh.revisions)))


@pytest.mark.parametrize("name", STORIES)
def test_a_story_looks_as_its_text_says(name: str) -> None:
    """Every view of it, word for word."""
    found = "\n\n".join(f"$ kubectl serin {command}\n{printed(shown)}" for command, shown in views(STORIES[name]()))
    path = FOLDER / f"{name}.txt"
    if os.environ.get("SERIN_REWRITE"):
        path.write_text(f"{found}\n", encoding="utf-8")
    assert path.read_text(encoding="utf-8") == f"{found}\n"


@pytest.mark.parametrize("width", [60, 80, 100])
def test_no_number_is_cut_off_on_a_narrow_terminal(width: int) -> None:
    story = STORIES["in_a_canary_stage"]()
    md = deployment_of(story.md)
    text = printed(render_status(seen(md, [revision_of(raw) for raw in story.revisions]), story.now), width)
    words = " ".join(text.split())
    for number in ("0 of 150 (0.00 %)", "1 of 1350 (0.074 %)", "-0.07", "+1.03"):
        assert number in words
    assert max(len(line) for line in text.splitlines()) <= width


def test_every_text_belongs_to_a_story() -> None:
    """None is left behind by a story that was renamed."""
    assert {path.name for path in FOLDER.iterdir()} == {
        f"{name}.{kind}" for name in MAKERS for kind in ("txt", "jsonl")
    }
