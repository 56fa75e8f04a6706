"""Serving skew: the same rows through the endpoint and through the artifact itself.

A model whose preprocessing differs between training and serving scores well where it was trained and badly where it
serves; on a few rows both ways must say the same.

skops keeps a scikit-learn model without code that runs on loading, and says which types it holds; a pickle runs
whatever it holds, so it is taken only when the configuration says so.
"""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from serin.evaluate.answers import Answers
from serin.evaluate.columns import Coder, kind_of, numbers
from serin.evaluate.config import Config, Skew
from serin.evaluate.faults import Fault, Unfit
from serin.evaluate.gathered import Gathered
from serin.evaluate.report import SkewReport, Verdict
from serin.evaluate.resampling import Floats


def check_skew(config: Config, skew: Skew, folder: Path, gathered: Gathered) -> SkewReport:
    """Ask the artifact the sampled rows, and compare with the candidate's answers.

    Raises:
        Unfit: ArtifactUnusable: it cannot be loaded, holds types that are not trusted, or cannot be asked these rows.
    """
    path = folder / skew.artifact
    model = load_artifact(path, skew)
    rows = np.asarray(gathered.sampled)
    served = gathered.arms["candidate"]
    try:
        differing, worst = _compared(config, skew, model, _frame(model, gathered.sample), served, rows)
    except Unfit:
        raise
    except Exception as error:
        # The user's own code ran: it may raise anything, and all of it means that the artifact cannot be asked.
        raise Unfit(Fault.ARTIFACT_UNUSABLE, f"{path.name}: {type(error).__name__}: {error}") from error
    named = rows[differing][: config.limits.named_rows_max].tolist()
    count = int(differing.sum())
    verdict: Verdict = "fail" if count else "pass"
    words = f"{count} of {len(rows)} rows differ" if count else f"all {len(rows)} rows agree"
    return SkewReport(
        artifact="sha256:" + hashlib.sha256(path.read_bytes()).hexdigest(),
        rows=len(rows),
        differing=count,
        worst=worst,
        tolerance=skew.tolerance,
        verdict=verdict,
        named=named,
        message=f"endpoint and artifact: {words}" + (f", by {worst:.3g} at most" if worst is not None else ""),
    )


def load_artifact(path: Path, skew: Skew) -> Any:
    """The model.

    Raises:
        Unfit: ArtifactUnusable.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise Unfit(Fault.ARTIFACT_UNUSABLE, f"{path.name} cannot be read: {error.strerror}") from error
    if path.suffix in {".pkl", ".pickle", ".joblib"}:
        if not skew.pickle:
            raise Unfit(
                Fault.ARTIFACT_UNUSABLE,
                f"{path.name} is a pickle, which runs whatever it holds: keep the model with skops, or set skew.pickle",
            )
        return _unpickled(path, content)
    from skops.io import get_untrusted_types, loads

    try:
        foreign = sorted(set(get_untrusted_types(data=content)) - set(skew.trusted))
        model = loads(content, trusted=skew.trusted) if not foreign else None
    except Exception as error:
        # A file from outside: whatever its parsing raises, it cannot be loaded.
        raise Unfit(Fault.ARTIFACT_UNUSABLE, f"{path.name} cannot be loaded: {error}") from error
    if foreign:
        words = ", ".join(foreign[:5])
        raise Unfit(Fault.ARTIFACT_UNUSABLE, f"{path.name} holds types that skew.trusted does not name: {words}")
    return model


def _unpickled(path: Path, content: bytes) -> Any:
    try:
        return pickle.loads(content)  # noqa: S301 - allowed by the configuration
    except Exception as error:
        raise Unfit(Fault.ARTIFACT_UNUSABLE, f"{path.name} cannot be loaded: {error}") from error


def _frame(model: Any, batches: list[pa.RecordBatch]) -> Any:
    """Rows as scikit-learn takes them, shape [rows, features].

    A pandas frame in the order of training for a model that was trained on one, because it may choose columns by name;
    else an array: numbers, or objects when a column holds none.
    """
    table = pa.Table.from_batches(batches).combine_chunks()
    trained = list(getattr(model, "feature_names_in_", ()))
    if trained and set(trained) <= set(table.column_names):
        return pa.table({name: _plain(table.column(name)) for name in trained}).to_pandas()
    columns = [(name, table.column(name).combine_chunks()) for name in table.column_names]
    if all(kind_of(name, column.type) in {"number", "boolean"} for name, column in columns):
        return np.stack([numbers(name, column) for name, column in columns], axis=1)
    return np.array([column.to_pylist() for _, column in columns], dtype=object).T


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Without what only a file is interested in: how a column is packed."""
    if pa.types.is_dictionary(column.type):
        return column.cast(column.type.value_type)
    return column.cast(pa.float64()) if pa.types.is_decimal(column.type) else column


def _compared(
    config: Config, skew: Skew, model: Any, frame: Any, served: Answers, rows: NDArray[Any]
) -> tuple[NDArray[np.bool_], float | None]:
    """Which rows differ, and the largest difference of a number, relative to 1 + its size."""
    said = _one_a_row(np.asarray(model.predict(frame)), len(rows))
    if config.classes is None:
        return _apart(said.astype(np.float64)[:, None], served.predicted[rows][:, None], skew.tolerance)
    predicted = pa.array(said.tolist())
    labels: list[Any] = list(config.classes)
    codes = Coder(labels, closed=True).codes(predicted)
    if (codes < 0).any() and config.endpoints.candidate.answer.prediction_is == "index":
        # Who serves places mostly trained on places.
        labels = list(range(len(labels)))
        codes = Coder(labels, closed=True).codes(predicted)
    if (codes < 0).any():
        first = said.tolist()[int(np.argmax(codes < 0))]
        raise Unfit(Fault.ARTIFACT_UNUSABLE, f"the artifact predicts {first!r}, none of classes")
    differing = codes != served.predicted[rows]
    if served.scores is None or not hasattr(model, "predict_proba"):
        return differing, None
    known = model.classes_.tolist()
    scores = np.asarray(model.predict_proba(frame))
    if scores.shape != (len(rows), len(known)):
        raise _misshapen("probabilities", scores, f"{len(rows)} rows and {len(known)} classes")
    order = [known.index(one) for one in labels]
    far, worst = _apart(scores[:, order], served.scores[rows], skew.tolerance)
    return differing | far, worst


def _one_a_row(said: NDArray[Any], rows: int) -> NDArray[Any]:
    """Predictions, shape [rows]; NumPy would hold a single one against all rows, as if it had been said of each.

    Some libraries answer with a column, shape [rows, 1].
    """
    if said.shape not in {(rows,), (rows, 1)}:
        raise _misshapen("predictions", said, f"{rows} rows")
    return said.reshape(rows)


def _misshapen(what: str, found: NDArray[Any], asked: str) -> Unfit:
    return Unfit(Fault.ARTIFACT_UNUSABLE, f"the artifact answers {asked} with {what} of shape {list(found.shape)}")


def _apart(own: Floats, served: Floats, tolerance: float) -> tuple[NDArray[np.bool_], float]:
    distance = (np.abs(own - served) / (1 + np.abs(own))).max(axis=1)
    # A NaN of the artifact's is no agreement.
    distance = np.where(np.isnan(distance), np.inf, distance)
    return distance > tolerance, float(min(distance.max(), np.finfo(np.float64).max))
