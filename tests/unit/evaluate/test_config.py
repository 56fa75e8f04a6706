"""The configuration takes what can be judged and says what is wrong with the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from serin.evaluate.config import Config, load_config
from serin.evaluate.faults import Effect, Fault, Unfit, effect_of
from tests.unit.evaluate.builders import config, dataset, raw_config


def _written(folder: Path, raw: Any) -> Path:
    path = folder / "evaluation.yaml"
    path.write_text(raw if isinstance(raw, str) else yaml.safe_dump(raw))
    return path


def test_the_smallest_configuration_is_complete(tmp_path: Path) -> None:
    """All else has a default."""
    found = load_config(_written(tmp_path, raw_config()))
    assert (found.positive_code, found.asking.batch_rows, found.intervals.rows_min) == (1, 500, 30)


GATE = {"name": "g", "metric": "accuracy"}
STABLE = {"url": "http://127.0.0.1:1", "model": "iris"}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        pytest.param({"gates": []}, "gates", id="nothing would be judged"),
        pytest.param({"gates": [GATE]}, "exactly one of min, max", id="a gate without a limit"),
        pytest.param({"gates": [GATE | {"min": 0.5, "max": 0.9}]}, "exactly one", id="a gate with two"),
        pytest.param({"gates": [GATE | {"min": float("nan")}]}, "finite", id="a limit that is NaN"),
        pytest.param({"gates": [GATE | {"metric": "acuracy", "min": 1}]}, "acuracy is no measure", id="misspelt"),
        pytest.param({"gates": [GATE | {"metric": "r2", "min": 0}]}, "no measure of classification", id="other task"),
        pytest.param({"gates": [GATE | {"maxDropVersusStable": 0.1}]}, "endpoints has none", id="nobody to compare"),
        pytest.param({"gates": [GATE | {"min": 0.5, "perSlice": True}]}, "without slices", id="no slices"),
        pytest.param({"gates": [GATE | {"min": 0.5, "perGroup": True}]}, "without groups", id="no groups"),
        pytest.param({"gates": [GATE | {"min": 0.5, "dataset": "x"}]}, "no data set x", id="another data set"),
        pytest.param(
            {"gates": [GATE | {"metric": "equalizedOddsRatio", "min": 0.8}]}, "it needs group|needs group", id="of whom"
        ),
        pytest.param(
            {"gates": [GATE | {"metric": "populationStability", "max": 0.2}]}, "snapshot", id="drift from what"
        ),
        pytest.param(
            {"classes": ["a", "b", "c"], "gates": [GATE | {"metric": "recall", "min": 0.8}]}, "positive", id="recall of"
        ),
        pytest.param(
            {"datasets": [dataset(features=["x", "y", "x"])]}, "features: x is there twice", id="a feature twice"
        ),
        pytest.param({"classes": None}, "classes is needed", id="no classes"),
        pytest.param({"classes": ["a", "a"]}, "there twice", id="a class twice"),
        pytest.param({"positive": "rose"}, "rose is not one", id="an unknown positive"),
        pytest.param({"task": "regression"}, "not for regression", id="classes of a regression"),
        pytest.param({"datasets": [dataset(), dataset()]}, "holdout is there twice", id="a name twice"),
        pytest.param({"datasets": [dataset(maxAge="30d")]}, "asOf and timeColumn", id="no age to tell"),
        pytest.param({"datasets": [dataset(maxAge="30")]}, "duration", id="a duration without a unit"),
        pytest.param(
            {"datasets": [dataset(maxAge="99999999999d", asOf="2026-11-01T00:00:00Z")]},
            "hundred years",
            id="an age beyond time",
        ),
        pytest.param({"asking": {"requestTimeout": "0s"}}, "requestTimeout must be above 0", id="a wait for ever"),
        pytest.param({"asking": {"deadline": "0s"}}, "deadline must be above 0", id="no time"),
        pytest.param({"asking": {"deadline": "9" * 400 + "s"}}, "hundred years", id="a deadline beyond floats"),
        pytest.param({"endpoints": {"candidate": STABLE | {"url": "http://a:b@x"}}}, "as a header", id="a password"),
        pytest.param({"endpoints": {"candidate": STABLE | {"url": "http://x/y?z=1"}}}, "into path", id="a query"),
        pytest.param({"datasets": [dataset(path="rows.xlsx")]}, "format is needed", id="an unknown ending"),
        pytest.param({"datasets": [dataset(query="q")]}, "query is for ranking", id="queries of a classification"),
        pytest.param({"datasets": [dataset(asOf="2026-11-01T00:00:00")]}, "timezone", id="a time without a zone"),
        pytest.param({"slices": [{"name": "s", "column": "c"}]}, "exactly one of everyValue", id="a slice of what"),
        pytest.param({"retries": 3}, "Extra inputs", id="a field that nobody knows"),
        pytest.param({"endpoints": {"candidate": {"url": "ftp://x"}}}, "URL scheme", id="no HTTP"),
        pytest.param({"endpoints": {"candidate": {"url": "http://x"}}}, "needs model", id="no model"),
        pytest.param(
            {"endpoints": {"candidate": STABLE | {"headers": {"Host": "a\nX-Other: b"}}}},
            "Host holds a line",
            id="a line",
        ),
        pytest.param(
            {"endpoints": {"candidate": STABLE | {"headers": {"a b": "c"}}}}, "'a b' is no name", id="no header's name"
        ),
        pytest.param(
            {"endpoints": {"candidate": {"url": "http://x", "protocol": "custom"}}}, "path and template", id="custom"
        ),
    ],
)
def test_what_could_never_be_judged_is_refused_with_its_field(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    """Before any row is read; and it is somebody's to change, not something to wait for."""
    with pytest.raises(Unfit, match=words) as caught:
        load_config(_written(tmp_path, raw_config(**changes)))
    assert (caught.value.fault, caught.value.effect) == (Fault.INVALID_CONFIG, Effect.STALLED)


@pytest.mark.parametrize(
    ("limit", "words"),
    [
        pytest.param({"min": 90}, r"g: nothing can reach min 90: accuracy is 0 to 1, a fraction", id="a percentage"),
        pytest.param({"min": 1.5}, "nothing can reach min 1.5", id="above all"),
        pytest.param({"min": 0}, "everything reaches min 0", id="at the least"),
        pytest.param({"min": -1}, "everything reaches min -1", id="below all"),
        pytest.param({"max": 1}, "everything stays at max 1", id="at the most"),
        pytest.param({"max": -0.1}, "nothing can stay at max -0.1", id="at most less than all"),
        pytest.param({"maxDropVersusStable": 2}, "no drop is larger", id="a drop of percent"),
        pytest.param({"maxDropVersusStable": 1}, "no drop is larger", id="any drop"),
        pytest.param({"maxDropVersusStable": -5}, "nothing can be better by", id="a gain of percent"),
        pytest.param(
            {"metric": "selectionRate", "maxDropVersusStable": -0.1}, "nothing can be better", id="a distance below 0"
        ),
        pytest.param({"metric": "cohenKappa", "min": -1}, r"cohenKappa is -1 to 1", id="kappa"),
        pytest.param({"metric": "logLoss", "min": 0}, "logLoss is from 2.22e-16 on", id="a loss is never below 0"),
        pytest.param(
            {"metric": "logLoss", "max": 0},
            r"g: nothing can stay at max 0; give a limit such as max 0.001: logLoss is from 2.22e-16 on",
            id="no loss",
        ),
        pytest.param({"metric": "brierScore", "max": 1.5}, "with 2 classes everything .* is 0 to 1", id="half a sum"),
        pytest.param({"metric": "brierScore", "max": 1}, "with 2 classes everything stays at max 1", id="all of it"),
        pytest.param({"metric": "brierScore", "min": 1}, "2 classes no number of rows .* min 0.999", id="the worst"),
        pytest.param({"metric": "brierScore", "maxDropVersusStable": 1}, "2 classes no drop is", id="any Brier drop"),
        pytest.param({"metric": "negativeFlipRate", "max": 5}, "everything stays at max 5", id="flips of percent"),
    ],
)
def test_a_limit_that_tells_no_model_from_another_is_refused(limit: dict[str, Any], words: str) -> None:
    """It would reject every candidate, or none; the text names gate, measure and range."""
    with pytest.raises(ValidationError, match=words):
        config(gates=[GATE | limit], endpoints={"candidate": STABLE, "stable": STABLE})


@pytest.mark.parametrize(
    "limit",
    [
        {"min": 0.999},
        {"max": 0.5},
        {"maxDropVersusStable": 0},
        {"maxDropVersusStable": -0.05},
        {"metric": "cohenKappa", "min": 0},
        {"metric": "cohenKappa", "maxDropVersusStable": 1.5},
        {"metric": "logLoss", "max": 3},
        {"metric": "logLoss", "max": 1e-9},
        {"metric": "brierScore", "max": 0.9},
        {"metric": "logLoss", "maxDropVersusStable": 40},
        {"metric": "negativeFlipRate", "max": 0.001},
        {"metric": "selectionRate", "maxDropVersusStable": 0.001},
    ],
    ids=str,
)
def test_a_limit_within_the_range_is_taken(limit: dict[str, Any]) -> None:
    """Near the end of the range, too, where some model keeps it and another does not."""
    assert config(gates=[GATE | limit], endpoints={"candidate": STABLE, "stable": STABLE}).gates


def test_a_brier_score_of_three_classes_is_no_half() -> None:
    """The sum of squares ends at 2 there, so that 1.5 tells models apart."""
    gate = GATE | {"metric": "brierScore"}
    assert config(classes=["a", "b", "c"], gates=[gate | {"max": 1.5}]).gates
    with pytest.raises(ValidationError, match="everything stays at max 2: brierScore is 0 to 2"):
        config(classes=["a", "b", "c"], gates=[gate | {"max": 2}])


@pytest.mark.parametrize(
    "text", ["", "- a", "a: [", "\0", "asOf: 2026-13-41", "a: " + "9" * 5000, "[" * 3000 + "]" * 3000]
)
def test_a_file_that_is_no_configuration_is_refused(tmp_path: Path, text: str) -> None:
    """Empty, a list, no YAML: a named reason and no traceback."""
    with pytest.raises(Unfit) as caught:
        load_config(_written(tmp_path, text))
    assert caught.value.fault is Fault.INVALID_CONFIG


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """With its name."""
    with pytest.raises(Unfit, match=r"absent\.yaml"):
        load_config(tmp_path / "absent.yaml")


def test_two_files_that_mean_the_same_have_one_digest() -> None:
    """The order of fields and a default that is spelt out change nothing; a limit does."""
    raw = raw_config()
    turned = dict(reversed(raw.items())) | {"cutoff": 10}
    assert Config.model_validate(turned).digest() == config().digest()
    assert config(revision="iris-3").digest() != config().digest()


def test_every_fault_has_a_meaning_and_none_of_stables_is_held_against_the_candidate() -> None:
    """A fault of stable's holds or stalls; only an answer of the candidate's own rejects it."""
    assert {effect_of(fault, "stable") for fault in Fault} == {Effect.HOLD, Effect.STALLED}
    assert {effect_of(fault, None) for fault in Fault} == {Effect.HOLD, Effect.STALLED}
    rejected = {fault for fault in Fault if effect_of(fault, "candidate") is Effect.REJECT}
    assert rejected == {
        Fault.ENDPOINT_REFUSED,
        Fault.ANSWER_MALFORMED,
        Fault.ANSWER_WRONG_SHAPE,
        Fault.ANSWER_NOT_FINITE,
        Fault.ANSWER_UNKNOWN_CLASS,
    }


def test_the_names_of_faults_are_their_own_and_look_like_reasons() -> None:
    """CamelCase, as Kubernetes wants reasons, and none twice."""
    assert len({fault.value for fault in Fault}) == len(Fault)
    for fault in Fault:
        assert fault.value.isalnum()
        assert fault.value[0].isupper()
