"""Which artifacts are loaded, and which are not."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from skops.io import dump

from serin.evaluate.config import Skew
from serin.evaluate.faults import Fault, Unfit
from serin.evaluate.skew import load_artifact


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
