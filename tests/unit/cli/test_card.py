"""`card`: what a model card says, and that nobody's text becomes markup in it."""

from __future__ import annotations

import copy
import dataclasses
import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from serin.plugin.card import Card, card
from serin.plugin.card_pages import NOT_STATED, escaped, markdown, one_line, page
from serin.plugin.figures import UNKNOWN
from serin.plugin.history import find_revision, history, record_of
from serin.plugin.objects import Measured, Step
from serin.plugin.reading import deployment_of, revision_of
from tests.unit.cli.api_server import ApiServer
from tests.unit.cli.conftest import Run, hold
from tests.unit.cli.stories import STORIES, Raw, Story
from tests.unit.cli.test_report import tags

PAGE = Path(__file__).parents[3] / "docs" / "model-cards.md"


def made(story: Story, word: str) -> Card:
    """The card of a revision of a story."""
    md = deployment_of(story.md)
    entry = find_revision(history(md, [revision_of(raw) for raw in story.revisions]), word)
    (raw,) = (one for one in story.revisions if one["metadata"]["name"] == entry.revision.name)
    return card(md, record_of(md, entry), raw)


def described(story: Story, index: int, words: str) -> Story:
    """The story with a revision whose author wrote the same words everywhere."""
    revisions: list[Raw] = copy.deepcopy(story.revisions)
    about = {"intendedUse": words, "limitations": words, "owners": [words], "runbook": words}
    lineage = {"data": words, "code": words, "run": words, "parameters": {words: words}}
    revisions[index]["spec"]["model"] |= {"card": about, "lineage": lineage, "uri": words, "digest": words}
    return Story(story.md, revisions, story.now)


def test_it_has_the_nine_points_of_the_annex() -> None:
    sections = made(STORIES["rolled_back"](), "v2").sections
    assert [one.title.partition(".")[0] for one in sections] == [str(number) for number in range(1, 10)]


def test_what_nobody_wrote_is_not_stated() -> None:
    text = markdown(made(STORIES["rolled_back"](), "v2"))
    for name in ("Intended use", "Owners", "Limitations", "Training data", "Risk management system"):
        assert f"- {name}: {NOT_STATED}" in text


@pytest.mark.parametrize(
    "status", [{}, {"status": None}, {"status": {"artifact": {}, "record": [{}], "verdict": None}}]
)
def test_of_a_revision_of_which_nearly_nothing_is_known_there_is_a_card(status: Raw) -> None:
    """Nobody has decided anything of it yet, and its author has given a name and a version."""
    metadata = {"name": "iris-1-ab", "namespace": "ml"}
    revision = {
        "metadata": metadata,
        "spec": {"deployment": "iris", "model": {"name": "iris", "version": "1"}},
    } | status
    md = {"metadata": {"name": "iris", "namespace": "ml"}, "spec": {"model": {"name": "iris", "version": "1"}}}
    found = made(Story(md, [revision], datetime(2026, 11, 28, tzinfo=UTC)), "1")
    for text in (markdown(found), page(found)):
        assert "Model card: iris 1" in text
        assert "Pending" in text
        assert "None" not in text


def test_it_shows_both_arms_numbers_and_why_it_ended() -> None:
    text = markdown(made(STORIES["rolled_back"](), "v2"))
    for words in ("9 of 300 (3.00 %)", "3 of 2700 (0.11 %)", "Rejected (GateFailed)"):
        assert words in text


def test_a_uri_that_was_pinned_by_a_job_shows_what_it_was_pinned_to() -> None:
    story = STORIES["rolled_back"]()
    revisions: list[Raw] = copy.deepcopy(story.revisions)
    for raw in revisions:
        raw["status"] |= {"artifact": {"digest": f"sha256:{'0' * 64}", "sizeBytes": 2_000_000}}
    text = markdown(made(Story(story.md, revisions, story.now), "v2"))
    assert f"- Artifact's digest: sha256:{'0' * 64}" in text
    assert "- Artifact's size: 2,000,000 bytes" in text


def before_the_first_request(story: Story) -> tuple[tuple[str, ...], ...]:
    (table,) = (one for one in made(story, "v2").sections[1].tables if one.name == "Before the first request")
    return table.rows


def test_it_shows_what_was_judged_on_data_and_where_the_report_is() -> None:
    """While the rollout runs, and from the record when it is over; a report that was not stored says why."""
    kept = f"s3://reports/ml/ml/iris/iris-v2.1.holdout/report.json sha256:{'5e' * 32}"
    assert before_the_first_request(STORIES["warming_up"]()) == (
        ("holdout", "evaluate", "pass", kept),
        ("warm", "warmup", "asked", UNKNOWN),
    )
    ((stage, verdict, report),) = before_the_first_request(STORIES["judged_on_data"]())
    assert (stage, verdict) == ("holdout", "pass")
    assert report.startswith("the report was not stored: AccessDenied: s3://reports refused access")


def measured_on_data(story: Story) -> tuple[tuple[str, ...], ...]:
    tables = made(story, "v2").sections[3].tables
    (measured,) = (one.rows for one in tables if one.name == "On data, before the first request")
    return measured


def test_it_shows_what_was_measured_on_data() -> None:
    """Of each stage the last answer, with measure, interval and limit."""
    found = measured_on_data(STORIES["judged_on_data"]())
    assert found == (("holdout", "good", "pass", "accuracy", "0.96", "[0.941, 0.978]", "at least 0.9"),)


@pytest.mark.parametrize(
    ("ends", "shown"),
    [
        ({"low": 0, "high": 0}, "[0, 0]"),
        ({"low": -0.1, "high": 0}, "[-0.1, 0]"),
        ({"low": 0}, "[0, -]"),
        ({"high": 0}, "[-, 0]"),
        ({}, UNKNOWN),
    ],
)
def test_an_end_at_zero_is_an_end(ends: Raw, shown: str) -> None:
    """A regression whose errors are all 0 has an interval of no width; only what was not said is unknown."""
    story = STORIES["judged_on_data"]()
    revisions: list[Raw] = copy.deepcopy(story.revisions)
    (gate,) = next(one["measured"] for one in revisions[-1]["status"]["record"] if "measured" in one)
    for name in ("low", "high"):
        del gate[name]
    gate |= ends
    assert [row[5] for row in measured_on_data(Story(story.md, revisions, story.now))] == [shown]


def _validated(attempt: int, verdict: str, measured: tuple[Measured, ...] = ()) -> Step:
    return Step(None, attempt, "validate", "holdout", 0, None, f"{verdict}: words", measured=measured)


GOOD = Measured("good", "pass", "accuracy", "at least 0.9", None, 0.96, (0.0, None))


def _tables(*steps: Step) -> dict[str, tuple[tuple[str, ...], ...]]:
    """Tables of a card whose record holds these steps, by name."""
    story = STORIES["rolled_back"]()
    md = deployment_of(story.md)
    entry = find_revision(history(md, [revision_of(raw) for raw in story.revisions]), "v2")
    (raw,) = (one for one in story.revisions if one["metadata"]["name"] == entry.revision.name)
    record = dataclasses.replace(record_of(md, entry), steps=steps)
    return {one.name: one.rows for section in card(md, record, raw).sections for one in section.tables}


def test_numbers_of_an_earlier_attempt_do_not_stand_for_the_last_one() -> None:
    """Its pass would stand beside 'undecided', which is what is known."""
    tables = _tables(_validated(1, "pass", (GOOD,)), _validated(2, "undecided"))
    assert tables["Before the first request"] == (("holdout", "undecided", UNKNOWN),)
    assert "On data, before the first request" not in tables


def test_going_back_forgets_nothing_that_was_measured() -> None:
    """It asks nobody, and what was measured before is still what is known; an interval with one end is shown."""
    back = Step(None, 2, "promote", None, 100, None, "went back")
    tables = _tables(_validated(1, "pass", (GOOD,)), back)
    assert tables["Before the first request"] == (("holdout", "pass", UNKNOWN),)
    assert tables["On data, before the first request"][0][-2] == "[0, -]"


def test_it_names_who_acted() -> None:
    (acts,) = made(STORIES["aborted"](), "v2").sections[2].tables
    assert "ann@example.com" in {row[1] for row in acts.rows}


@given(st.text())
def test_an_escaped_text_reads_as_it_is(words: str) -> None:
    """Held against a CommonMark parser with tables: one paragraph, no markup, the same letters."""
    parser = MarkdownIt("commonmark").enable("table").enable("strikethrough")
    inline = [one for one in parser.parse(f"- Name: {escaped(words)}") if one.type == "inline"]
    assert len(inline) == 1
    children = inline[0].children or []
    assert {one.type for one in children} <= {"text", "text_special"}
    assert "".join(one.content for one in children) == f"Name: {one_line(words) or NOT_STATED}"


@given(st.text(alphabet="<>&\"'|`*_[]()\\\n~#!ab"))
def test_a_users_text_adds_no_row_no_cell_and_no_tag(words: str) -> None:
    """Of the Markdown and of the page."""
    story = STORIES["rolled_back"]()
    plain, evil = made(described(story, 1, "plain"), "v2"), made(described(story, 1, words or "-"), "v2")
    parser = MarkdownIt("commonmark").enable("table")
    assert [one.type for one in parser.parse(markdown(evil))] == [one.type for one in parser.parse(markdown(plain))]
    assert tags(page(evil)) == tags(page(plain))


@pytest.mark.parametrize("name", STORIES)
def test_every_story_has_a_card_for_each_revision(name: str) -> None:
    story = STORIES[name]()
    for raw in story.revisions:
        one = made(story, raw["metadata"]["name"])
        assert raw["metadata"]["name"] in markdown(one)
        assert not {tag for tag, _ in tags(page(one))} & {"script", "link", "img", "iframe", "object"}


def test_the_example_of_the_documentation_is_what_is_made() -> None:
    """SERIN_REWRITE=1 writes it anew."""
    story = copy.deepcopy(STORIES["rolled_back"]())
    story.revisions[1]["spec"]["model"] |= {
        "uri": "s3://models/iris/2",
        "card": {"intendedUse": "Names the species of an iris by four lengths.", "owners": ["team-botany"]},
        "lineage": {"code": "https://git.example/iris@4f2a91c", "parameters": {"max_depth": "4"}},
    }
    head, mark, rest = PAGE.read_text(encoding="utf-8").partition("<!-- card -->\n````markdown\n")
    tail = rest.rpartition("````\n")[2]
    found = f"{head}{mark}{markdown(made(story, 'v2'))}````\n{tail}"
    if os.environ.get("SERIN_REWRITE"):
        PAGE.write_text(found, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == found


def test_the_command_writes_a_file_in_the_form_that_was_asked_for(run: Run, api: ApiServer, tmp_path: Path) -> None:
    hold(api, "rolled_back")
    file = tmp_path / "card.html"
    assert run("card", "iris", "v2", "-n", "ml", "-o", "html", "--file", str(file)) == 0
    assert file.read_text().startswith("<!doctype html>")
