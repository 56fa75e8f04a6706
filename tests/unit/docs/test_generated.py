"""Pages that are made from code are current, and hold what they promise. `make docs` writes them."""

from __future__ import annotations

import re
from collections import Counter

import pytest
import yaml

from serin.api.reasons import FOUND_LATER, Reason
from tests.unit.docs.pages import ROOT, anchors, blocks
from tests.unit.docs.scripts import script

API = ROOT / "docs" / "api"
REASONS = ROOT / "docs" / "reasons"
CRDS = sorted((ROOT / "crds").glob("*.yaml"))


@pytest.mark.parametrize("name", ["reasons_page", "api_pages", "examples"])
def test_generated_pages_are_current(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Run `make docs` after a change of a reason, a field, or what is decided in an example."""
    assert (script(name).main(["--check"]), capsys.readouterr().err) == (0, "")


def test_every_reason_has_a_page_of_its_name() -> None:
    """A message, an Event or a runbook names the reason; the list leads to its page."""
    assert {path.stem for path in REASONS.glob("*.md")} == set(Reason)
    listed = re.findall(r"\]\(reasons/(\w+)\.md\)", (ROOT / "docs" / "reasons.md").read_text())
    assert Counter(listed) == Counter(Reason) + Counter(one.reason for one in FOUND_LATER)


def test_words_by_hand_are_about_reasons_that_there_are() -> None:
    """And their examples come from transcripts that there are, which name the reason."""
    pages = script("reasons_page")
    guides = pages.guides()
    assert set(guides) <= set(Reason)
    for reason in Reason:
        guide = guides.get(reason, pages.Guide())
        assert guide.transcript is None or pages._example(reason, guide.transcript), reason


@pytest.mark.parametrize("path", CRDS, ids=lambda path: path.stem)
def test_every_field_of_a_resource_is_on_its_page(path: object) -> None:
    """With a description, below the heading of the object that it is in; and no two headings are alike."""
    crd = yaml.safe_load((ROOT / "crds" / str(path)).read_text())
    page = API / f"{crd['spec']['names']['singular']}.md"
    text = page.read_text()
    headings = re.findall(r"(?m)^##+ (.+)$", text)
    assert len(anchors(page)) == len(headings) + 1
    rows = dict.fromkeys(re.findall(r"(?m)^\| \[?`(\w+)`[^|]*\|[^|]*\|[^|]*\| (.*) \|$", text))
    named = {name for name, words in rows if words}
    assert _fields(crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]) - named <= {"metadata"}


def _fields(schema: dict[str, object]) -> set[str]:
    """The names of all fields below the root."""
    found: set[str] = set()
    for part in ("spec", "status"):
        waiting = [schema["properties"][part]] if part in schema["properties"] else []  # type: ignore[operator,index]
        while waiting:
            one = waiting.pop()
            found |= set(one.get("properties", {}))
            waiting += list(one.get("properties", {}).values())
            waiting += [one[key] for key in ("items", "additionalProperties") if isinstance(one.get(key), dict)]
    return found


def test_commands_on_reasons_pages_name_what_to_fill_in() -> None:
    """In angle brackets, and always by the same words."""
    used = {
        word for page in REASONS.glob("*.md") for block in blocks(page) for word in re.findall(r"<(\w+)>", block.text)
    }
    assert used <= {"name", "revision", "pod", "file", "uri"}
