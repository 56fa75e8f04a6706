"""What training data looked like, and how far other data are from it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from serin.evaluate.answers import Answers
from serin.evaluate.estimates import estimates
from serin.evaluate.faults import Fault, Unfit
from serin.evaluate.gates import judge
from serin.evaluate.gathered import gather
from serin.evaluate.metrics.drift import drift_measure
from serin.evaluate.reading import Source
from serin.evaluate.report import GateResult
from serin.evaluate.resampling import Resamples
from serin.evaluate.scopes import evaluate
from serin.evaluate.snapshot import TrainingSnapshot, findings, load_snapshot, make_snapshot
from serin.evaluate.survey import Survey, survey
from tests.unit.evaluate.builders import NOW, config, write


def look(path: Path, columns: dict[str, list[Any]]) -> Survey:
    """Survey a file of these columns and a class."""
    rows = len(next(iter(columns.values())))
    write(path, {**columns, "species": ["setosa"] * rows})
    whole = config(datasets=[{"name": "holdout", "path": str(path), "target": "species"}])
    return survey(whole, whole.datasets[0], Source(path, "parquet"), NOW)


def test_a_snapshot_counts_every_row_and_is_read_again(tmp_path: Path) -> None:
    """Twenty bins of about equal shares, values by name, and the missing on their own."""
    random = np.random.default_rng(1)
    numbers: list[Any] = random.normal(size=2000).tolist()
    numbers[0] = None
    words = random.choice(["a", "b"], 2000).tolist()
    made = make_snapshot(look(tmp_path / "rows.parquet", {"x": numbers, "word": words}))
    x = made.columns["x"]
    assert (x.rows, x.counts[-1], len(x.edges)) == (2000, 1, 19)
    assert max(x.counts[:-1]) - min(x.counts[:-1]) <= 3
    assert dict(zip(made.columns["word"].values, made.columns["word"].counts, strict=False)) == {
        "a": words.count("a"),
        "b": words.count("b"),
    }
    file = tmp_path / "training.json"
    file.write_text(made.model_dump_json(by_alias=True))
    assert load_snapshot(file) == made


def test_a_constant_feature_and_an_empty_one_have_bins(tmp_path: Path) -> None:
    """No edge between equal values; nothing but missing is a distribution, too."""
    made = make_snapshot(look(tmp_path / "rows.parquet", {"x": [1.0] * 50, "none": [float("nan")] * 50}))
    assert made.columns["x"].rows == made.columns["none"].counts[-1] == 50


@pytest.mark.parametrize("text", ["", "{}", '{"digest": "x", "rows": 0, "columns": {}}'])
def test_a_file_that_is_no_snapshot_has_a_named_fault(tmp_path: Path, text: str) -> None:
    """As one that is not there has."""
    (tmp_path / "training.json").write_text(text)
    for name in ("training.json", "absent.json"):
        with pytest.raises(Unfit) as caught:
            load_snapshot(tmp_path / name)
        assert caught.value.fault is Fault.SNAPSHOT_UNUSABLE


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ({"kind": "number", "edges": [1, 2], "counts": [1, 1]}, "2 counts for 4 bins"),
        ({"kind": "category", "values": ["a"], "counts": [1, 1, 1, 1]}, "4 counts for 3 bins"),
        ({"kind": "number", "edges": [2, 1], "counts": [1, 1, 1, 1]}, "edges have to rise"),
        ({"kind": "number", "counts": [-1, 1]}, "greater than or equal to 0"),
    ],
)
def test_a_snapshot_whose_bins_do_not_fit_is_unusable(tmp_path: Path, column: dict[str, Any], words: str) -> None:
    """It may come from a program of somebody's own; a count too few would be taken from the next block of rows."""
    (tmp_path / "training.json").write_text(json.dumps({"digest": "x", "rows": 3, "columns": {"x": column}}))
    with pytest.raises(Unfit, match=words) as caught:
        load_snapshot(tmp_path / "training.json")
    assert caught.value.fault is Fault.SNAPSHOT_UNUSABLE


def test_a_feature_with_infinite_values_has_a_snapshot(tmp_path: Path) -> None:
    """They are in the outermost bins, and no end of a range."""
    made = make_snapshot(look(tmp_path / "rows.parquet", {"x": [float("inf"), -float("inf"), 1.0, 2.0]}))
    assert (made.columns["x"].low, made.columns["x"].high, made.columns["x"].rows) == (None, None, 4)


def _drifted(folder: Path, trained: dict[str, list[Any]], now: dict[str, list[Any]]) -> GateResult:
    """The drift gate's result on a file, all answers right."""
    snapshot = make_snapshot(look(folder / "trained.parquet", trained))
    path = folder / "now.parquet"
    seen = look(path, now)
    (folder / "training.json").write_text(snapshot.model_dump_json(by_alias=True))
    whole = config(
        datasets=[{"name": "holdout", "path": str(path), "target": "species"}],
        snapshot={"path": "training.json"},
        gates=[{"name": "drift", "metric": "populationStability", "max": 0.5}],
    )
    asker = _Right()
    gathered = asyncio.run(gather(whole, seen, {"candidate": asker}, snapshot, lambda *_: None))  # type: ignore[dict-item]
    return judge(whole, whole.gates[0], {"holdout": evaluate(whole, gathered, snapshot)})


class _Right:
    """Answers setosa."""

    async def ask(self, rows: pa.RecordBatch) -> Answers:
        return Answers(np.zeros(rows.num_rows, np.int32), None)


NUMBERS = np.random.default_rng(3).normal(size=400).tolist()


@pytest.mark.parametrize(
    ("now", "want", "words"),
    [
        ({"x": NUMBERS}, "undecided", "column=y"),
        ({"x": NUMBERS, "y": [str(one) for one in NUMBERS]}, "undecided", "column=y"),
        ({"x": NUMBERS, "y": NUMBERS, "new": NUMBERS}, "undecided", "column=new"),
        ({"x": NUMBERS, "y": pa.nulls(400)}, "fail", "column=y"),
        ({"x": NUMBERS, "y": NUMBERS}, "pass", "at most 0.5"),
    ],
    ids=["lost", "another type", "new", "nothing but missing", "as it was"],
)
def test_a_feature_that_cannot_be_held_against_training_is_no_pass(
    tmp_path: Path, now: dict[str, list[Any]], want: str, words: str
) -> None:
    """The others may be as they were: of this one nobody knows."""
    found = _drifted(tmp_path, {"x": NUMBERS, "y": NUMBERS}, now)
    assert found.verdict == want
    assert words in found.message


def test_what_differs_from_training_is_said_in_words(tmp_path: Path) -> None:
    """Ranges, types, missing values, new features and lost ones."""
    before = {"x": [1.0, 2.0], "kind": ["a", "b"], "same": [1, 2], "lost": [1, 2]}
    trained = make_snapshot(look(tmp_path / "a.parquet", before))
    seen = look(tmp_path / "b.parquet", {"x": [0.5, None, 3.0], "kind": [1, 2, 3], "same": [1, 1, 2], "new": [1, 2, 3]})
    found = findings(seen, trained)
    assert found["x"] == [
        "goes down to 0.5; training ended at 1",
        "goes up to 3; training ended at 2",
        "33.33% are missing, and 0.00% were",
    ]
    assert found["kind"] == ["is a number, and was a category"]
    assert found["new"] == ["is not in the training data"]
    assert found["same"] == []
    assert found["lost"] == ["is not in the data; training had it"]


def test_a_feature_that_is_only_looked_at_for_groups_now_was_one_in_training(tmp_path: Path) -> None:
    """It is in the file, and the model is asked without it."""
    columns = {"x": [1.0, 2.0], "sex": ["f", "m"]}
    trained = make_snapshot(look(tmp_path / "a.parquet", columns))
    path = tmp_path / "b.parquet"
    write(path, {**columns, "species": ["setosa"] * 2})
    whole = config(
        datasets=[{"name": "holdout", "path": str(path), "target": "species"}],
        groups=[{"name": "sex", "column": "sex"}],
    )
    found = findings(survey(whole, whole.datasets[0], Source(path, "parquet"), NOW), trained)
    assert found["sex"] == ["is in the data, but no feature of them; training had it"]


def _index(now: list[float], trained: list[float]) -> tuple[float, tuple[float, float]]:
    resamples = Resamples.of(1, 200, "x")
    summed = drift_measure(np.array([now]), np.array(trained))
    found = estimates(summed, resamples)["populationStability"]
    return found.value, found.interval(0.95)


def test_the_stability_index_is_its_formula() -> None:
    """Sum of (p - q) ln(p / q), half a row in each bin: 0 for the same shares, alike both ways, finite when empty."""
    now, trained = [300.0, 100.0, 0.0], [200.0, 150.0, 50.0]
    p, q = (np.array(one) + 0.5 for one in (now, trained))
    p, q = p / p.sum(), q / q.sum()
    assert _index(now, trained)[0] == pytest.approx(float(((p - q) * np.log(p / q)).sum()))
    assert _index(now, trained)[0] == pytest.approx(_index(trained, now)[0])
    assert _index(now, now)[0] == 0


def test_a_snapshot_without_a_version_of_ours_is_not_taken() -> None:
    """Another format may mean other bins."""
    with pytest.raises(ValueError, match="version"):
        TrainingSnapshot.model_validate({"version": "v9", "digest": "x", "rows": 1, "columns": {}})
