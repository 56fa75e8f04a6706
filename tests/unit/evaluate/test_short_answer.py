"""The short answer fits into a termination message, and what fits its published schema is taken at its word."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from serin.cli.evaluate import _say_fault
from serin.evaluate import output
from serin.evaluate.faults import Fault, Unfit
from serin.evaluate.short_answer import SCHEMA_FILE, schema_text, short_answer
from serin.rollout.answer import read_answer
from serin.rollout.state import KeptReport
from serin.workloads.jobs import Ended
from tests.unit.evaluate.test_output import report

REVISION = "iris-2"
SCHEMA = Draft202012Validator(json.loads(SCHEMA_FILE.read_text()))


def fits(text: str) -> bool:
    """Whether it is what the published schema asks for."""
    return bool(SCHEMA.is_valid(json.loads(text)))


def test_the_published_schema_is_that_of_the_models() -> None:
    """Run `python -m serin.evaluate.short_answer` anew when this fails."""
    assert schema_text() == SCHEMA_FILE.read_text()


WORDS = st.none() | st.text(max_size=20)
NUMBERS = st.none() | st.floats(allow_nan=False, allow_infinity=False) | st.integers()
VERDICTS = st.sampled_from(["pass", "fail", "undecided", "good"])
GATES = st.fixed_dictionaries(
    {"name": st.text(max_size=5), "verdict": VERDICTS},
    optional={"message": WORDS, "metric": WORDS, "value": NUMBERS, "low": NUMBERS, "more": NUMBERS},
)
FAULTS = st.none() | st.fixed_dictionaries(
    {"reason": st.text(max_size=5), "effect": st.sampled_from(["hold", "stalled", "reject", "none"])},
    optional={"message": WORDS},
)
ANSWERS = st.fixed_dictionaries(
    {"verdict": VERDICTS},
    optional={
        "gates": st.lists(GATES, max_size=3),
        "gatesLeftOut": st.integers(-1, 5),
        "fault": FAULTS,
        "revision": st.sampled_from([None, REVISION]),
        "report": WORDS,
        "digest": WORDS,
        "reportTrouble": WORDS,
    },
)


@given(ANSWERS)
def test_what_fits_the_schema_is_taken_at_its_word(answer: dict[str, Any]) -> None:
    """And what is taken for a pass or a fail says so itself."""
    text = json.dumps(answer)
    found = read_answer(Ended(text), REVISION).verdict
    assert found == answer["verdict"] if fits(text) else found in (answer["verdict"], "undecided")


@pytest.mark.parametrize(
    "answer",
    [
        {"verdict": "pass"},
        {"verdict": "pass", "gates": []},
        {"verdict": "pass", "gates": [{"name": "good", "verdict": "undecided"}]},
        {"verdict": "pass", "gates": [{"name": "", "verdict": "pass"}]},
        {"verdict": "pass", "gates": [{"verdict": "pass"}]},
        {"verdict": "pass", "gates": [{"name": "good", "verdict": "pass"}], "fault": {"reason": "x", "effect": "hold"}},
        {"verdict": "fail", "fault": {"reason": "x", "effect": "hold"}},
        {"verdict": "fail", "fault": {"reason": "x", "effect": "stalled"}},
        {"gates": [{"name": "good", "verdict": "pass"}]},
        {"verdict": "good"},
    ],
)
def test_what_is_no_verdict_does_not_fit_the_schema_either(answer: dict[str, Any]) -> None:
    assert not fits(json.dumps(answer))
    assert read_answer(Ended(json.dumps(answer)), REVISION).verdict == "undecided"


def test_a_fault_before_anything_was_read_fits_it(tmp_path: Any) -> None:
    """The configuration is wrong, and there is no report."""
    log = tmp_path / "termination-log"
    _say_fault(Unfit(Fault.INVALID_CONFIG, "task: guessing is none"), log)
    assert fits(log.read_text())
    assert read_answer(Ended(log.read_text()), REVISION).verdict == "undecided"


LONG_PLACE = f"s3://{'r' * 195}/{'n' * 63}/{'d' * 40}/{'v' * 63}.1000.{'s' * 63}/report.json"


@pytest.mark.parametrize("character", ["x", "\u00fc", "\U0001f600"])
@pytest.mark.parametrize("verdict", ["pass", "fail"])
def test_the_short_answer_fits_with_a_gate_whatever_is_said_of_the_report(verdict: str, character: str) -> None:
    """A pass whose gates had no room would be none: a long place or a long trouble must not undo a verdict."""
    gate = json.loads(report().to_json())["gates"][0]
    gates = [gate | {"name": f"g{place}", "verdict": verdict, "message": character * 400} for place in range(64)]
    made = report(gates=gates, verdict=verdict)
    kept = output.Kept(LONG_PLACE, "sha256:" + "0" * 64, "t" * 2000)
    text = short_answer(made, kept)
    said = json.loads(text)
    assert len(text.encode()) <= 4096
    assert (said["verdict"], said["report"]) == (verdict, LONG_PLACE)
    assert said["gates"]
    assert said["reportTrouble"].startswith("ttt")
    assert fits(text)
    ended = read_answer(Ended(text), "iris-2")
    assert (ended.verdict, ended.report) == (verdict, KeptReport(LONG_PLACE, kept.digest, said["reportTrouble"]))


@pytest.mark.parametrize("character", ["x", "\U0001f600"])
def test_the_short_answer_fits_with_a_slice_that_is_called_by_a_long_text(character: str) -> None:
    """A slice of each value of a column is called by the value; the evaluation is over when this is found."""
    gate = json.loads(report().to_json())["gates"][0]
    scopes = [{**gate["scopes"][0], "scope": f"text={character * 5000}{place}"} for place in range(2)]
    text = short_answer(report(gates=[gate | {"scopes": scopes}]), output.Kept(LONG_PLACE, None, "t" * 2000))
    assert len(text.encode()) <= 4096
    assert json.loads(text)["gates"][0]["scope"].startswith(f"text={character}")


def test_the_short_answer_fits_beside_a_fault_in_any_alphabet() -> None:
    """The message of a fault holds names from data."""
    fault = {"reason": "DatasetStale", "effect": "hold", "message": "\U0001f600" * 1000, "dataset": "holdout"}
    made = report(gates=[], datasets=[], verdict="undecided", fault=fault)
    text = short_answer(made, output.Kept(LONG_PLACE, "sha256:" + "0" * 64, "t" * 2000))
    assert len(text.encode()) <= 4096
    assert json.loads(text)["fault"]["reason"] == "DatasetStale"
    assert fits(text)


def test_an_answer_that_is_nested_without_end_is_no_answer() -> None:
    """A program of somebody's own may write it, and the look at the deployment goes on."""
    assert read_answer(Ended("[" * 4000), "iris-2").verdict == "undecided"
