"""The report's schema, and what is not taken for a report."""

from __future__ import annotations

import json
from typing import Any

import pytest

from serin.evaluate.faults import Fault, Unfit
from serin.evaluate.report import SCHEMA_FILE, Report, read_report, schema_text, worst

FIGURE = {"value": 0.95, "interval": {"low": 0.92, "high": 0.97}, "rows": 900}


def _raw(**changes: Any) -> dict[str, Any]:
    scope = {"dataset": "holdout", "scope": "all", "verdict": "pass", "figure": FIGURE, "message": "0.95"}
    gate = {
        "name": "a",
        "metric": "accuracy",
        "limit": "at least 0.9",
        "verdict": "pass",
        "message": "",
        "scopes": [scope],
    }
    return {
        "revision": "iris-2",
        "configDigest": "sha256:0",
        "verdict": "pass",
        "gates": [gate],
        "run": {"started": "2026-11-22T00:00:00Z", "seconds": 1.0, "program": "mine 1.0"},
    } | changes


def test_the_published_schema_is_that_of_the_models() -> None:
    """`python -m serin.evaluate.report` writes it anew."""
    assert schema_text() == SCHEMA_FILE.read_text()


def test_what_is_written_is_read_again() -> None:
    """And is the same."""
    report = read_report(json.dumps(_raw()))
    assert read_report(report.to_json()) == report


FAULT = {"reason": "DatasetStale", "effect": "hold", "message": "old"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({"gates": []}, "needs a gate", id="a pass without a gate"),
        pytest.param({"verdict": "fail"}, "worst of the gates is pass", id="a verdict that does not follow"),
        pytest.param({"fault": FAULT}, "undecided", id="a pass with a fault"),
        pytest.param({"fault": FAULT, "verdict": "fail"}, "undecided", id="old data against the candidate"),
        pytest.param({"fault": FAULT | {"reason": "BadLuck"}}, "fault.reason", id="a reason that nobody knows"),
        pytest.param({"verdict": "ok"}, "verdict", id="a verdict that nobody knows"),
        pytest.param({"version": "v2"}, "version", id="another version"),
        pytest.param({"score": 1}, "Extra", id="a field that nobody knows"),
        pytest.param({"run": None}, "run", id="no run"),
    ],
)
def test_another_programs_report_is_not_taken_when_it_does_not_fit(changes: dict[str, Any], words: str) -> None:
    """It ends as ReportInvalid, with the field; a missing gate is not a pass."""
    with pytest.raises(Unfit, match=words) as caught:
        read_report(json.dumps(_raw(**changes)))
    assert caught.value.fault is Fault.REPORT_INVALID


@pytest.mark.parametrize(
    "text", ["", "null", "[]", '{"verdict": "pass"}', json.dumps(_raw()).replace("0.95", "NaN", 1)]
)
def test_what_is_no_report_is_not_taken(text: str) -> None:
    """Empty, truncated, or with NaN for a value."""
    with pytest.raises(Unfit):
        read_report(text)


def test_the_worst_verdict_is_that_of_all() -> None:
    """Fail before undecided before pass; nothing at all is undecided."""
    assert worst(["pass", "undecided", "fail"]) == "fail"
    assert worst(["pass", "undecided"]) == "undecided"
    assert worst(["pass"]) == "pass"
    assert worst([]) == "undecided"


def test_a_report_of_a_fault_that_is_the_candidates_is_a_fail() -> None:
    """And one whose fault holds is undecided: neither passes."""
    reject = {"reason": "AnswerNotFinite", "effect": "reject", "arm": "candidate", "message": "NaN"}
    assert Report.model_validate(_raw(gates=[], verdict="fail", fault=reject)).verdict == "fail"
    assert Report.model_validate(_raw(gates=[], verdict="undecided", fault=FAULT)).verdict == "undecided"
