"""A report is written at once or not at all, and counts only when it is whole and of the same data."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from serin.evaluate import output
from serin.evaluate.page import page
from serin.evaluate.program import termination_message
from serin.evaluate.report import Report
from serin.rollout.answer import read_answer
from serin.rollout.state import KeptReport
from serin.workloads.jobs import Ended
from tests.unit.evaluate.builders import config

FIGURE = {"value": 0.95, "interval": {"low": 0.92, "high": None}, "rows": 900}


def report(**changes: Any) -> Report:
    """A report that passes."""
    scope = {"dataset": "holdout", "scope": "all", "verdict": "pass", "figure": FIGURE, "message": "0.95"}
    gate = {
        "name": "accuracy",
        "metric": "accuracy",
        "limit": "at least 0.9",
        "verdict": "pass",
        "message": "fine",
        "scopes": [scope],
    }
    dataset = {"name": "holdout", "digest": "sha256:1", "rows": 900, "duplicates": 0, "columns": {}, "scopes": []}
    raw = {
        "revision": "iris-2",
        "configDigest": "sha256:abc",
        "verdict": "pass",
        "gates": [gate],
        "datasets": [dataset],
        "run": {"started": "2026-11-22T00:00:00Z", "seconds": 1.0, "program": "serin 0"},
    }
    return Report.model_validate(raw | changes)


DIGESTS = {"holdout": "sha256:1"}


def test_what_was_kept_is_found_again(tmp_path: Path) -> None:
    """By revision and configuration, with nothing beside it."""
    folder = output.folder_of(tmp_path, "iris-2", "sha256:abc")
    output.keep(folder, {output.REPORT: report().to_json(), output.PAGE: "page"})
    assert output.finished(folder, "sha256:abc", DIGESTS) == report()
    assert [one.name for one in tmp_path.iterdir()] == [folder.name]


@pytest.mark.parametrize(
    ("text", "digest", "digests"),
    [
        pytest.param(report().to_json(), "sha256:other", DIGESTS, id="another configuration"),
        pytest.param(report().to_json(), "sha256:abc", {"holdout": "sha256:2"}, id="other data"),
        pytest.param(report().to_json(), "sha256:abc", {}, id="a data set more"),
        pytest.param(report().to_json()[:-20], "sha256:abc", DIGESTS, id="cut off"),
        pytest.param(
            report(
                gates=[], verdict="undecided", fault={"reason": "DatasetStale", "effect": "hold", "message": "old"}
            ).to_json(),
            "sha256:abc",
            DIGESTS,
            id="ended by a fault",
        ),
    ],
)
def test_what_does_not_count_is_made_anew(tmp_path: Path, text: str, digest: str, digests: dict[str, str]) -> None:
    """What a fault was about may be repaired by now; a part of a report is none."""
    output.keep(tmp_path / "r", {output.REPORT: text})
    assert output.finished(tmp_path / "r", digest, digests) is None
    assert output.finished(tmp_path / "absent", digest, digests) is None


def test_a_write_that_fails_leaves_the_old_report_and_nothing_else(tmp_path: Path) -> None:
    """A disk that is full in the middle of the second file."""
    folder = tmp_path / "r"
    output.keep(folder, {output.REPORT: "old"})
    with pytest.raises(UnicodeEncodeError):
        output.keep(folder, {output.REPORT: "new", output.PAGE: "\ud800"})
    assert (folder / output.REPORT).read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["r"]


def test_a_new_report_replaces_all_files_of_the_old_one(tmp_path: Path) -> None:
    """No page of the one beside the JSON of the other."""
    output.keep(tmp_path / "r", {output.REPORT: "old", output.PAGE: "old"})
    output.keep(tmp_path / "r", {output.REPORT: "new"})
    assert [one.name for one in (tmp_path / "r").iterdir()] == [output.REPORT]


def test_old_reports_and_leavings_go_and_other_folders_stay(tmp_path: Path) -> None:
    """The newest stay; what is no report is not ours."""
    for age, name in enumerate(("newest", "middle", "oldest")):
        output.keep(tmp_path / name, {output.REPORT: "x"})
        os.utime(tmp_path / name / output.REPORT, (1e9 - age, 1e9 - age))
    (tmp_path / ".newest-left").mkdir()
    (tmp_path / "theirs").mkdir()
    output.sweep(tmp_path, own=tmp_path / "newest", keep_newest=2)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["middle", "newest", "theirs"]
    assert output.sweep(tmp_path / "absent", own=tmp_path / "absent" / "r", keep_newest=2) == []


def test_the_own_report_stays_whatever_its_clock_says(tmp_path: Path) -> None:
    """A volume's server may have another clock than the one that wrote the others."""
    for name in ("own", "other"):
        output.keep(tmp_path / name, {output.REPORT: "x"})
    os.utime(tmp_path / "own" / output.REPORT, (1, 1))
    output.sweep(tmp_path, own=tmp_path / "own", keep_newest=1)
    assert [one.name for one in tmp_path.iterdir()] == ["own"]


LONG_PLACE = f"s3://{'r' * 195}/{'n' * 63}/{'d' * 40}/{'v' * 63}.1000.{'s' * 63}/report.json"


@pytest.mark.parametrize("character", ["x", "\u00fc", "\U0001f600"])
@pytest.mark.parametrize("verdict", ["pass", "fail"])
def test_the_short_answer_fits_with_a_gate_whatever_is_said_of_the_report(verdict: str, character: str) -> None:
    """A pass whose gates had no room would be none: a long place or a long trouble must not undo a verdict."""
    gate = json.loads(report().to_json())["gates"][0]
    gates = [gate | {"name": f"g{place}", "verdict": verdict, "message": character * 400} for place in range(64)]
    made = report(gates=gates, verdict=verdict)
    kept = output.Kept(LONG_PLACE, "sha256:" + "0" * 64, "t" * 2000)
    text = termination_message(made, kept)
    said = json.loads(text)
    assert len(text.encode()) <= 4096
    assert (said["verdict"], said["report"]) == (verdict, LONG_PLACE)
    assert said["gates"]
    assert said["reportTrouble"].startswith("ttt")
    ended = read_answer(Ended(text), "iris-2")
    assert (ended.verdict, ended.report) == (verdict, KeptReport(LONG_PLACE, kept.digest, said["reportTrouble"]))


def test_the_short_answer_fits_beside_a_fault_in_any_alphabet() -> None:
    """The message of a fault holds names from data."""
    fault = {"reason": "DatasetStale", "effect": "hold", "message": "\U0001f600" * 1000, "dataset": "holdout"}
    made = report(gates=[], datasets=[], verdict="undecided", fault=fault)
    text = termination_message(made, output.Kept(LONG_PLACE, "sha256:" + "0" * 64, "t" * 2000))
    assert len(text.encode()) <= 4096
    assert json.loads(text)["fault"]["reason"] == "DatasetStale"


def test_the_page_escapes_what_came_from_data() -> None:
    """A slice may be called anything; and nothing is loaded, no script run."""
    raw = json.loads(report().to_json())
    raw["gates"][0]["scopes"][0]["scope"] = "<script>alert(1)</script>"
    raw["gates"][0]["message"] = "<b>"
    found = page(config(), Report.model_validate(raw))
    assert "<script" not in found
    assert "&lt;b&gt;" in found
    assert "<svg" in found
    for loaded in ("src=", "href=", "url(", "@import"):
        assert loaded not in found


def test_the_page_of_a_fault_says_its_reason() -> None:
    """And shows no gate."""
    fault = {"reason": "DatasetStale", "effect": "hold", "message": "31 days", "dataset": "holdout"}
    found = page(config(), report(gates=[], datasets=[], verdict="undecided", fault=fault))
    assert "DatasetStale" in found
    assert "Nothing is decided" in found
    assert "<h2>Gates" not in found
