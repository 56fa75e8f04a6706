"""A report is written at once or not at all, and counts only when it is whole and of the same data."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from serin.cli.report_place import ReportPlace, keep_report
from serin.evaluate import output
from serin.evaluate.page import page
from serin.evaluate.report import Report
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


def kept_at(folder: Path, age: int, files: tuple[str, ...] = (output.REPORT, output.PAGE)) -> Path:
    """A report as it was kept some seconds before a day in 2001."""
    output.keep(folder, dict.fromkeys(files, "x"))
    for name in files:
        os.utime(folder / name, (1e9 - age, 1e9 - age))
    return folder


def test_old_reports_and_leavings_go_and_other_folders_stay(tmp_path: Path) -> None:
    """The newest stay; what is no report is not ours."""
    newest, middle, oldest = (
        output.folder_of(tmp_path, f"iris-{number}", "sha256:" + "a" * 64) for number in (3, 2, 1)
    )
    for age, folder in enumerate((newest, middle, oldest)):
        kept_at(folder, age)
    left = tmp_path / f".{newest.name}-abcd_123"
    left.mkdir()
    (left / output.PAGE).write_text("half")
    (tmp_path / "theirs").mkdir()
    assert set(output.sweep(tmp_path, own=newest, keep_newest=2)) == {left, oldest}
    assert sorted(one.name for one in tmp_path.iterdir()) == [middle.name, newest.name, "theirs"]
    assert output.sweep(tmp_path / "absent", own=tmp_path / "absent" / "r", keep_newest=2) == []


def test_the_own_report_stays_whatever_its_clock_says(tmp_path: Path) -> None:
    """A volume's server may have another clock than the one that wrote the others."""
    own, other = (output.folder_of(tmp_path, name, "sha256:" + "b" * 64) for name in ("own", "other"))
    kept_at(own, 900)
    kept_at(other, 0)
    output.sweep(tmp_path, own=own, keep_newest=1)
    assert [one.name for one in tmp_path.iterdir()] == [own.name]


@pytest.mark.parametrize(
    "theirs",
    [
        pytest.param(".mine/notes", id="hidden"),
        pytest.param(".git/report.json", id="hidden, with a report"),
        pytest.param(".iris-2-0123456789ab-12345678/report.json", id="another run that writes now"),
        pytest.param(".iris-3-0123456789ab-12345678/notes", id="beside ours, with more in it"),
        pytest.param("best/report.json", id="a report of another name"),
        pytest.param("iris-1-0123456789ab/weights.bin", id="beside an old report"),
        pytest.param("iris-1-0123456789ab/plots/report.json", id="below an old report"),
        pytest.param("iris-3-0123456789ab/notes", id="in the own folder"),
    ],
)
def test_nothing_that_is_no_report_is_removed(tmp_path: Path, theirs: str) -> None:
    """Whoever names a folder may have more in it, and another Job may be writing at this moment."""
    mine = tmp_path / theirs
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    if theirs.startswith("iris-1"):
        (tmp_path / "iris-1-0123456789ab" / output.REPORT).write_text("old")
    own = tmp_path / "iris-3-0123456789ab"
    for words in ("old", "new"):
        output.keep(own, {output.REPORT: words, output.PAGE: words})
    output.sweep(tmp_path, own=own, keep_newest=1)
    assert mine.read_text() == "mine"
    assert {(own / name).read_text() for name in (output.REPORT, output.PAGE)} == {"new"}


def test_a_link_is_not_a_report(tmp_path: Path) -> None:
    """What it leads to is somebody's."""
    elsewhere = kept_at(tmp_path / "elsewhere", 9)
    shelf = tmp_path / "shelf"
    own = kept_at(output.folder_of(shelf, "iris-2", "sha256:" + "c" * 64), 0)
    (shelf / "iris-1-0123456789ab").symlink_to(elsewhere, target_is_directory=True)
    assert output.sweep(shelf, own=own, keep_newest=1) == []
    assert (elsewhere / output.REPORT).exists()


def test_a_claim_keeps_what_is_no_report_of_the_deployment(tmp_path: Path) -> None:
    """The promise of docs/validation.md, as for a bucket: nothing else under the uri is touched."""
    folder = tmp_path / "claims" / "kept" / "f" / "ml" / "iris"
    kept_at(folder / "iris-1.1.holdout", 9)
    # Named as --output would name it, which is no name on a claim.
    for name in ("best", "iris-1-0123456789ab", "iris-1.1", "Iris-1.1.holdout"):
        kept_at(folder / name, 9)
    for stranger in (".mine/notes", "best/weights.bin", ".iris-9.1.holdout-12345678/report.html"):
        (folder / stranger).parent.mkdir(exist_ok=True)
        (folder / stranger).write_text("mine")
    before = {path for path in folder.rglob("*") if "iris-1.1.holdout" not in str(path)}
    place = ReportPlace("pvc://kept/f", "ml/iris/iris-2.1.holdout", 1, tmp_path / "claims", 20.0)
    kept = keep_report(place, {output.REPORT: "new", output.PAGE: "new"})
    own = folder / "iris-2.1.holdout"
    assert kept.trouble is None
    assert set(folder.rglob("*")) == before | {own, own / output.REPORT, own / output.PAGE}


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
