"""Which artifacts are loaded, and which are not."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from skops.io import dump

from serin.evaluate.answers import Answers
from serin.evaluate.config import Skew
from serin.evaluate.faults import Fault, Unfit
from serin.evaluate.gathered import gather
from serin.evaluate.reading import Source
from serin.evaluate.report import SkewReport
from serin.evaluate.skew import check_skew, load_artifact
from serin.evaluate.survey import survey
from tests.unit.evaluate.builders import NOW, config


def _skew(name: str, **changes: Any) -> Skew:
    return Skew.model_validate({"artifact": name} | changes)


class Mine(LinearRegression):  # type: ignore[misc]
    """A type that skops does not know."""


def test_a_skops_file_of_scikit_learn_is_loaded(tmp_path: Path) -> None:
    """And predicts as it did."""
    model = LinearRegression().fit([[0.0], [1.0]], [1.0, 3.0])
    dump(model, tmp_path / "m.skops")
    loaded = load_artifact(tmp_path / "m.skops", _skew("m.skops"))
    assert loaded.predict(np.array([[2.0]])) == pytest.approx([5.0])


def test_a_type_that_nobody_trusts_is_not_loaded(tmp_path: Path) -> None:
    """It is named, so that it can be."""
    dump(Mine().fit([[0.0], [1.0]], [1.0, 3.0]), tmp_path / "m.skops")
    with pytest.raises(Unfit, match="Mine") as caught:
        load_artifact(tmp_path / "m.skops", _skew("m.skops"))
    assert caught.value.fault is Fault.ARTIFACT_UNUSABLE


def test_a_pickle_is_not_even_opened_unless_allowed(tmp_path: Path) -> None:
    """Loading one runs what it holds."""
    ran = tmp_path / "ran"

    class Trap:
        def __reduce__(self) -> Any:
            return Path.touch, (ran,)

    (tmp_path / "m.pkl").write_bytes(pickle.dumps(Trap()))
    with pytest.raises(Unfit, match="skops"):
        load_artifact(tmp_path / "m.pkl", _skew("m.pkl"))
    assert not ran.exists()
    load_artifact(tmp_path / "m.pkl", _skew("m.pkl", pickle=True))
    assert ran.exists()


@pytest.mark.parametrize("name", ["m.skops", "m.pkl"])
def test_a_file_that_is_no_model_has_a_named_fault(tmp_path: Path, name: str) -> None:
    """Broken, or not there."""
    for write in (False, True):
        if write:
            (tmp_path / name).write_bytes(b"not a model")
        with pytest.raises(Unfit) as caught:
            load_artifact(tmp_path / name, _skew(name, pickle=True))
        assert caught.value.fault is Fault.ARTIFACT_UNUSABLE


X = np.arange(8.0)[:, None]


def _against(folder: Path, targets: list[Any], **answer: str) -> SkewReport:
    """An artifact of such targets, against an endpoint that says the same."""
    model = LogisticRegression().fit(X, targets)
    columns = {"x": pa.array(X[:, 0]), "species": ["setosa"] * 8}
    return _compared(folder, model, columns, model.predict_proba(X), np.repeat([0, 1], 4), **answer)


def _compared(
    folder: Path, model: Any, columns: Mapping[str, Any], scores: Any, predicted: Any, **answer: str
) -> SkewReport:
    """An artifact, rows of a data set, and what the endpoint says of them."""
    dump(model, folder / "m.skops")
    named = {"url": "http://127.0.0.1:1", "model": "iris", "answer": {"prediction": "species"} | answer}
    whole = config(endpoints={"candidate": named})
    path = folder / "rows.parquet"
    pyarrow.parquet.write_table(pa.table(dict(columns)), path)
    seen = survey(whole, whole.datasets[0].model_copy(update={"path": path}), Source(path, "parquet"), NOW)
    asker = _Served(Answers(np.asarray(predicted, dtype=np.int32), scores))
    found = asyncio.run(gather(whole, seen, {"candidate": asker}, None, lambda *_: None, sample_rows=8))  # type: ignore[dict-item]
    return check_skew(whole, _skew("m.skops"), folder, found)


class _Served:
    """Answers as it was told."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers

    async def ask(self, _rows: pa.RecordBatch) -> Answers:
        return self._answers


def test_an_endpoint_that_says_places_is_held_against_a_model_of_places_or_of_names(tmp_path: Path) -> None:
    """Who serves the place of a class has mostly trained on places; a server may make them of names, too."""
    names = ["setosa"] * 4 + ["virginica"] * 4
    for targets in ([0] * 4 + [1] * 4, names):
        assert _against(tmp_path, targets, predictionIs="index").verdict == "pass"
    assert _against(tmp_path, names).verdict == "pass"


def test_a_model_of_places_behind_an_endpoint_that_says_names_is_not_guessed_at(tmp_path: Path) -> None:
    """Nobody has said what its numbers mean."""
    with pytest.raises(Unfit, match="the artifact predicts 0, none of classes"):
        _against(tmp_path, [0] * 4 + [1] * 4)


SEX = ["f", "m"] * 4
SPECIES = ["setosa"] * 4 + ["virginica"] * 4


def _by_name() -> tuple[Any, Any, Any]:
    """A pipeline that chooses columns by name, and what it says of eight rows."""
    frame = pd.DataFrame({"sex": SEX, "x": X[:, 0]})
    chosen = ColumnTransformer([("coded", OneHotEncoder(), ["sex"]), ("as it is", "passthrough", ["x"])])
    model = make_pipeline(chosen, LogisticRegression()).fit(frame, SPECIES)
    predicted = [["setosa", "virginica"].index(one) for one in model.predict(frame)]
    return model, model.predict_proba(frame), predicted


@pytest.mark.parametrize("packed", [False, True], ids=["text", "categories"])
def test_a_pipeline_that_chooses_columns_by_name_is_asked_by_name(tmp_path: Path, *, packed: bool) -> None:
    """Whatever order the file has them in, and however it packs them."""
    model, scores, predicted = _by_name()
    sex = pa.array(SEX).dictionary_encode() if packed else pa.array(SEX)
    columns = {"x": pa.array(X[:, 0]), "species": SPECIES, "sex": sex}
    assert _compared(tmp_path, model, columns, scores, predicted).verdict == "pass"
    swapped = {**columns, "sex": pa.array(SEX[::-1])}
    assert _compared(tmp_path, model, swapped, scores, predicted).verdict == "fail"


def test_a_pipeline_whose_columns_the_data_do_not_have_cannot_be_asked(tmp_path: Path) -> None:
    """Its own words say why."""
    model, scores, predicted = _by_name()
    columns = {"x": pa.array(X[:, 0]), "species": SPECIES, "gender": pa.array(SEX)}
    with pytest.raises(Unfit, match="dataframes") as caught:
        _compared(tmp_path, model, columns, scores, predicted)
    assert caught.value.fault is Fault.ARTIFACT_UNUSABLE


class Says:
    """A model of somebody's own, whose answer does not depend on the rows."""

    def __init__(self, predictions: Any) -> None:
        self._predictions = predictions

    def predict(self, _rows: Any) -> Any:
        """What it was made with."""
        return np.array(self._predictions)


class SaysShares(Says):
    """With probabilities."""

    def __init__(self, predictions: Any, shares: Any) -> None:
        super().__init__(predictions)
        self.classes_ = np.array(["setosa", "virginica"])
        self._shares = shares

    def predict_proba(self, _rows: Any) -> Any:
        """What it was made with."""
        return np.array(self._shares)


def _says(folder: Path, model: Says) -> SkewReport:
    """Such a model, against an endpoint that says setosa of eight rows; numbers against one that says 0.5."""
    says_numbers = np.array(model.predict(None)).dtype.kind == "f"
    changes = {"task": "regression", "classes": None, "gates": [{"name": "g", "metric": "r2", "min": 0.5}]}
    whole = config(**(changes if says_numbers else {}))
    target, scores = ([0.5] * 8, None) if says_numbers else (["setosa"] * 8, np.array([[0.9, 0.1]] * 8))
    served = Answers(np.full(8, 0.5) if says_numbers else np.zeros(8, np.int32), scores)
    path = folder / "rows.parquet"
    pyarrow.parquet.write_table(pa.table({"x": X[:, 0], "species": target}), path)
    (folder / "m.pkl").write_bytes(pickle.dumps(model))
    seen = survey(whole, whole.datasets[0].model_copy(update={"path": path}), Source(path, "parquet"), NOW)
    asker = _Served(served)
    found = asyncio.run(gather(whole, seen, {"candidate": asker}, None, lambda *_: None, sample_rows=8))  # type: ignore[dict-item]
    return check_skew(whole, _skew("m.pkl", pickle=True), folder, found)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (Says(["setosa"]), "answers 8 rows with predictions of shape [1]"),
        (Says("setosa"), "answers 8 rows with predictions of shape []"),
        (Says(["setosa"] * 16), "answers 8 rows with predictions of shape [16]"),
        (Says([["setosa"] * 8]), "answers 8 rows with predictions of shape [1, 8]"),
        (Says([0.5]), "answers 8 rows with predictions of shape [1]"),
        (Says([0.5] * 16), "answers 8 rows with predictions of shape [16]"),
        (Says([[0.5, 0.5]] * 8), "answers 8 rows with predictions of shape [8, 2]"),
        (SaysShares(["setosa"] * 8, [[0.9, 0.1]]), "8 rows and 2 classes with probabilities of shape [1, 2]"),
        (SaysShares(["setosa"] * 8, [0.9, 0.1]), "8 rows and 2 classes with probabilities of shape [2]"),
        (SaysShares(["setosa"] * 8, [[0.9, 0.1, 0]] * 8), "8 rows and 2 classes with probabilities of shape [8, 3]"),
    ],
)
def test_an_artifact_has_to_answer_each_row(tmp_path: Path, model: Says, words: str) -> None:
    """One answer for all rows is none: held against each of them it would agree with an endpoint that says the same."""
    with pytest.raises(Unfit) as caught:
        _says(tmp_path, model)
    assert caught.value.fault is Fault.ARTIFACT_UNUSABLE
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("model", "want"),
    [
        (Says(["setosa"] * 8), "pass"),
        (Says([["setosa"]] * 8), "pass"),
        (Says([["setosa"]] * 7 + [["virginica"]]), "fail"),
        (Says([[0.5]] * 8), "pass"),
        (Says([0.5] * 7 + [0.6]), "fail"),
        (SaysShares(["setosa"] * 8, [[0.9, 0.1]] * 8), "pass"),
        (SaysShares(["setosa"] * 8, [[0.9, 0.1]] * 7 + [[0.8, 0.2]]), "fail"),
    ],
)
def test_a_column_of_answers_is_one_for_each_row(tmp_path: Path, model: Says, want: str) -> None:
    """Some libraries answer so."""
    assert _says(tmp_path, model).verdict == want
