"""`serin evaluate` refuses what it cannot do in a sentence, with exit code 2 and no traceback."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from serin.cli.main import main
from serin.cli.report_place import ReportPlace, keep_report
from tests.unit.evaluate.builders import dataset, raw_config, write

PLACE = ["--report-uri", "s3://reports/ml", "--report-name", "ml/iris/iris-2.1.holdout"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A configuration with its data."""
    write(tmp_path / "holdout.parquet")
    path = tmp_path / "evaluation.yaml"
    # The data are too old, so nobody is asked.
    stale = dataset(maxAge="1d", asOf="2020-01-01T00:00:00Z")
    path.write_text(yaml.safe_dump(raw_config(datasets=[stale])))
    return path


def ended(file: Path, *arguments: str) -> int:
    """The exit code."""
    return main(["evaluate", "--config", str(file), "--output", str(file.parent / "reports"), *arguments])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(["--keep", "-3"], "--keep must be 1 or more, and is -3", id="a negative number"),
        pytest.param(["--keep", "0"], "--keep must be 1 or more, and is 0", id="none"),
        pytest.param([*PLACE, "--report-seconds", "nan"], "--report-seconds must be above 0", id="NaN"),
        pytest.param([*PLACE, "--report-seconds", "inf"], "--report-seconds must be above 0", id="for ever"),
        pytest.param([*PLACE, "--report-seconds", "-1"], "--report-seconds must be above 0", id="before now"),
    ],
)
def test_an_option_that_means_nothing_is_refused_before_anything_is_done(
    file: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    """By its name, with what it was."""
    assert ended(file, *arguments) == 2
    assert words in capsys.readouterr().err
    assert not (file.parent / "reports").exists()


def test_a_short_answer_that_cannot_be_written_is_said(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The report stands; whoever waits for the answer will not get it, so this is no success."""
    log = file.parent / "absent" / "log"
    assert ended(file, "--termination-log", str(log)) == 2
    assert f"serin: {log} cannot be written: No such file" in capsys.readouterr().err
    file.write_text("task: guessing")
    assert ended(file, "--termination-log", str(log)) == 2
    assert f"serin: {log} cannot be written: No such file" in capsys.readouterr().err


def test_a_snapshot_that_cannot_be_written_is_said(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With its path."""
    file.write_text(yaml.safe_dump(raw_config()))
    path = file.parent / "absent" / "training.json"
    assert ended(file, "--write-snapshot", str(path)) == 2
    assert f"serin: {path} cannot be written: No such file" in capsys.readouterr().err


def test_a_secret_with_a_line_break_is_named_and_not_shown(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that was made from a file often ends with one, and a header cannot."""
    monkeypatch.setenv("TOKEN", "hush\n")
    endpoint = {"url": "http://127.0.0.1:1", "model": "iris", "headers": {"Authorization": "Bearer ${TOKEN}"}}
    file.write_text(yaml.safe_dump(raw_config(endpoints={"candidate": endpoint})))
    assert ended(file, "--exit-code") == 3
    said = capsys.readouterr()
    assert "InvalidConfig: TOKEN of the environment holds a line break" in said.out
    assert "hush" not in said.out + said.err


@pytest.mark.parametrize("path", ["../p", "p/./q", "p//q", "p%00", "%2e%2e/p"])
def test_a_bucket_has_no_path_out_of_it(path: str) -> None:
    """The report is not stored, and the words say what to change."""
    place = ReportPlace(f"s3://reports/{path}", "ml/iris/iris-2.1.holdout", 20, Path("/absent"), 5.0)
    kept = keep_report(place, {"report.json": "{}", "report.html": ""})
    assert kept.place is None
    assert kept.trouble is not None
    assert "UnsupportedScheme" in kept.trouble
    assert "must not have empty parts" in kept.trouble
