"""`report`: a page that stands by itself."""

from __future__ import annotations

import copy
import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import pytest

from serin.plugin.bands import bands
from serin.plugin.explain import explain
from serin.plugin.history import find_revision, history, record_of
from serin.plugin.objects import Step
from serin.plugin.plot import weight_plot
from serin.plugin.reading import deployment_of, revision_of
from serin.plugin.report import report
from tests.unit.cli.stories import STORIES, Story

SVG = "{http://www.w3.org/2000/svg}"


def page(story: Story, word: str) -> str:
    """The report about a revision."""
    md = deployment_of(story.md)
    entries = history(md, [revision_of(raw) for raw in story.revisions])
    entry = find_revision(entries, word)
    return report(md, record_of(md, entry), explain(md, entry, story.now), story.now)


class Tags(HTMLParser):
    """Every tag with its attributes, and whether they are closed in order."""

    VOID = frozenset({"meta"})

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, Any]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A tag opens."""
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A tag opens and closes at once."""
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        """The last tag that was opened closes."""
        assert self.open.pop() == tag


def tags(text: str) -> list[tuple[str, dict[str, Any]]]:
    """The tags of a page that is well formed."""
    parser = Tags()
    parser.feed(text)
    parser.close()
    assert parser.open == []
    return parser.seen


def plots(text: str) -> list[ET.Element]:
    """The plots of a page."""
    return [ET.fromstring(f"<svg{part.partition('</svg>')[0]}</svg>") for part in text.split("<svg")[1:]]


@pytest.mark.parametrize("name", STORIES)
def test_every_story_makes_a_page_that_loads_nothing(name: str) -> None:
    story = STORIES[name]()
    for raw in story.revisions:
        seen = tags(page(story, raw["metadata"]["name"]))
        assert not {tag for tag, _ in seen} & {"script", "link", "img", "iframe", "object"}
        assert not [attributes for _, attributes in seen if {"src", "href", "onload"} & attributes.keys()]


def test_it_says_why_and_shows_both_arms_numbers() -> None:
    text = page(STORIES["rolled_back"](), "v2")
    for words in ("iris-v2 (version v2) was rolled back", "GateFailed", "9 of 300 (3.00 %)", "3 of 2700 (0.11 %)"):
        assert words in text


def test_a_plot_has_a_point_for_each_decision_with_numbers() -> None:
    text = page(STORIES["paused_after_others"](), "v3")
    weight, errors, slow = plots(text)
    assert weight.attrib["aria-label"] == "the candidate's share of the traffic"
    assert errors.attrib["aria-label"].startswith("errors: ")
    # Four decisions: the first one was made before any request was counted.
    assert [len(list(plot.iter("circle"))) for plot in (errors, slow)] == [3, 3]


def test_a_worse_difference_is_drawn_higher_and_the_margin_between() -> None:
    (_, errors, *_) = plots(page(STORIES["rolled_back"](), "v2"))
    (point,) = errors.iter("circle")
    levels = {line.attrib["class"]: float(line.attrib["y1"]) for line in errors.iter("line") if "class" in line.attrib}
    assert float(point.attrib["cy"]) < levels["margin"] < levels["zero"]  # SVG counts downwards


def stages(plot: ET.Element) -> list[tuple[str, float, float]]:
    """Name, left and right edge of each band."""
    found = []
    for group in plot.iter("g"):
        if group.attrib["class"].startswith("stage"):
            (title,), (rect,) = group.iter("title"), group.iter("rect")
            left = float(rect.attrib["x"])
            found.append((str(title.text).split(",")[0], left, left + float(rect.attrib["width"])))
    return found


def test_stages_are_bands_from_their_decision_to_the_next_on_the_same_axis_in_every_plot() -> None:
    """75, 120 and 120 s of 315, over 630 of 720 points."""
    every = [stages(plot) for plot in plots(page(STORIES["paused_after_others"](), "v3"))]
    assert every[0] == [("stage small", 70.0, 220.0), ("stage half", 220.0, 460.0), ("stage bake", 460.0, 700.0)]
    assert every == [every[0]] * 3


def test_a_stage_that_still_runs_is_drawn_up_to_now() -> None:
    """Its band is at the right edge of the picture; that of a rollout that is over ends with its last decision."""
    assert stages(plots(page(STORIES["in_bake"](), "v2"))[0])[-1][::2] == ("stage bake", 700.0)
    (band,) = stages(plots(page(STORIES["gone_back_by_hand"](), "v2"))[0])[-1:]
    assert band[2] < 300.0, "promoted at 12:07, and nothing ran until somebody went back at 12:20"


def test_a_band_has_its_name_where_there_is_room_and_tells_it_in_any_case() -> None:
    """Beside each other, upright, or only when it is pointed at."""
    at = datetime(2026, 11, 21, 12, tzinfo=UTC)

    def named(seconds: float, name: str) -> list[str | None]:
        times = [(0.0, name, "advance", 10), (seconds, name, "roll back", 0), (1000.0, "later", "advance", 10)]
        steps = [Step(at + timedelta(seconds=s), 1, what, stage, weight, None, "") for s, stage, what, weight in times]
        (plot,) = plots(str(weight_plot(steps)))
        assert stages(plot)[0][0] == f"stage {name}"
        return [text.attrib.get("transform") for text in plot.iter("text") if text.attrib.get("class") == "name"]

    assert named(500.0, "small") == [None]
    ((turned,), none) = named(50.0, "quite-a-long-name"), named(5.0, "small")
    assert str(turned).startswith("rotate(-90 ")
    assert none == []


def test_what_happens_within_a_stage_does_not_end_it_and_another_attempt_does() -> None:
    """Steps of a ramp are one band; an end that is not on record is not made up."""
    at = datetime(2026, 11, 21, 12, tzinfo=UTC)
    decisions = [
        (0, 1, "validate", "holdout"),
        (1, 1, "advance", "ramp"),
        (2, 1, "shield", "ramp"),
        (3, 1, "unshield", "ramp"),
        (4, 1, "advance", "ramp"),
        (5, 1, "skip", "ramp"),
        (6, 1, "advance", "half"),
        (7, 2, "advance", "ramp"),
        (8, 2, "abort", "ramp"),
    ]
    steps = [
        Step(at + timedelta(minutes=m), attempt, what, stage, 1, None, "") for m, attempt, what, stage in decisions
    ]
    found = [(one.name, (one.start - at).seconds // 60, (one.end - at).seconds // 60) for one in bands(steps, None)]
    assert found == [("ramp", 1, 6), ("ramp", 7, 8)]
    running = bands(steps[:-1], at + timedelta(minutes=9))
    assert (running[-1].name, running[-1].end) == ("ramp", at + timedelta(minutes=9))


def test_what_comes_from_the_cluster_is_never_markup() -> None:
    story = STORIES["rolled_back"]()
    evil = "<script>alert(1)</script>"
    raw = copy.deepcopy(story.revisions[1])
    raw["spec"]["model"]["version"] = evil
    raw["status"]["verdictMessage"] = evil
    for entry in raw["status"]["record"]:
        entry |= {"message": evil, "stage": evil, "reason": evil, "event": evil}
        for gate in entry["numbers"]["gates"]:
            gate |= {"name": evil, "message": evil, "kind": evil}
    text = page(Story(story.md | {"status": {}}, [raw], story.now), "iris-v2")
    assert "alert(1)" in text
    assert "script" not in {tag for tag, _ in tags(text)}


def test_a_revision_without_numbers_says_so() -> None:
    assert "No numbers are on record." in page(STORIES["first_deployment"](), "v1")
