"""Three verdicts: the interval decides, many scopes are corrected for, and too few rows say how many it takes."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from serin.evaluate.answers import Answers
from serin.evaluate.config import Config
from serin.evaluate.faults import Arm
from serin.evaluate.gates import judge, rows_needed
from serin.evaluate.gathered import Gathered, Partition
from serin.evaluate.reading import Source
from serin.evaluate.report import GateResult
from serin.evaluate.resampling import Resamples
from serin.evaluate.scopes import evaluate
from serin.evaluate.survey import survey
from tests.unit.evaluate.builders import NOW, config, dataset, write

ENDPOINT = {"url": "http://127.0.0.1:1", "model": "iris"}
TWO = {"candidate": ENDPOINT, "stable": ENDPOINT}


def right_and_wrong(rows: int, wrong: int) -> np.ndarray[Any, np.dtype[np.int32]]:
    """Predictions for a target of ones, so many of them wrong, spread evenly."""
    found = np.ones(rows, np.int32)
    if wrong:
        found[np.linspace(0, rows - 1, wrong).astype(int)] = 0
    return found


def decided(
    folder: Path, gate: dict[str, Any], candidate: Any, stable: Any = None, codes: Any = None, target: Any = None
) -> GateResult:
    """A gate's result on predictions; `codes` are the slices of the rows, and groups of the same name."""
    rows = len(candidate)
    whole: Config = config(
        datasets=[dataset(path="rows.parquet")],
        endpoints=TWO,
        slices=[{"name": "part", "column": "length", "everyValue": True}],
        groups=[{"name": "sex", "column": "width"}],
        gates=[{"name": "gate", "metric": "accuracy"} | gate],
    )
    path = write(
        folder / "rows.parquet", {"length": [0.0] * 3, "width": [0.0] * 3, "species": ["setosa"] * 3, "x": [1] * 3}
    )
    seen = survey(whole.model_copy(update={"groups": []}), whole.datasets[0], Source(path, "parquet"), NOW)

    seen = dataclasses.replace(seen, rows=rows)
    codes = np.zeros(rows, np.int16) if codes is None else np.asarray(codes, np.int16)
    names = [f"part={code}" for code in range(int(codes.max()) + 1)]
    arms: dict[Arm, Answers] = {"candidate": Answers(np.asarray(candidate, np.int32), None)}
    if stable is not None:
        arms["stable"] = Answers(np.asarray(stable, np.int32), None)
    gathered = Gathered(
        seen,
        np.ones(rows, np.int32) if target is None else np.asarray(target, np.int32),
        arms,
        {"part": Partition(names, codes)},
        {"sex": Partition([name.replace("part", "sex") for name in names], codes)},
        Resamples.of(rows, 1000, "sha256:7"),
    )
    return judge(whole, whole.gates[0], {"holdout": evaluate(whole, gathered, None)})


def test_a_slice_without_a_row_is_undecided_by_its_name(tmp_path: Path) -> None:
    """Whatever the others say: somebody asked for it, and nobody knows."""
    nobody = np.full(1000, -1)
    for gate, name in (({"perSlice": True}, "part"), ({"perGroup": True}, "sex")):
        found = decided(tmp_path, {"min": 0.5} | gate, right_and_wrong(1000, 0), codes=nobody)
        assert found.verdict == "undecided"
        assert found.message == f"accuracy ? [?, ?] it is not known: no row is in it (holdout: {name})"


@pytest.mark.parametrize(
    ("gate", "rows", "wrong", "want"),
    [
        pytest.param({"min": 0.9}, 1000, 40, "pass", id="0.96 of 1000 is at least 0.9"),
        pytest.param({"min": 0.9}, 1000, 95, "undecided", id="0.905 of 1000 may be either"),
        pytest.param({"min": 0.9}, 1000, 100, "undecided", id="exactly at the limit"),
        pytest.param({"min": 0.9}, 1000, 160, "fail", id="0.84 of 1000 is not"),
        pytest.param({"min": 0.9}, 40, 0, "pass", id="40 of 40: Clopper and Pearson begin at 0.912"),
        pytest.param({"min": 0.9}, 35, 0, "undecided", id="35 of 35: they begin at 0.899"),
        pytest.param({"min": 0.1}, 29, 0, "undecided", id="fewer than rowsMin decide nothing, however clear"),
        pytest.param({"min": 0.9}, 29, 29, "undecided", id="neither against the candidate"),
        pytest.param({"max": 0.9}, 1000, 160, "pass", id="at most"),
        pytest.param({"max": 0.9}, 1000, 40, "fail", id="not at most"),
    ],
)
def test_the_interval_decides(tmp_path: Path, gate: dict[str, Any], rows: int, wrong: int, want: str) -> None:
    """Pass when all of it keeps the limit, fail when none of it does, else undecided."""
    found = decided(tmp_path, gate, right_and_wrong(rows, wrong))
    assert found.verdict == want, found.message
    assert (found.scopes[0].rows_needed is not None) == (want == "undecided" and wrong != 100), found.message


def test_undecided_says_how_many_rows_would_tell(tmp_path: Path) -> None:
    """And with as many rows and the same share it is decided."""
    first = decided(tmp_path, {"min": 0.9}, right_and_wrong(1000, 90))
    assert first.verdict == "undecided"
    needed = first.scopes[0].rows_needed
    assert needed is not None
    assert f"about {needed:,} rows" in first.message
    # Share 0.91, spread sqrt(0.91 x 0.09 / n) = 0.01 / 1.96 at n = 3146; the bootstrap's own error is 5 % in n.
    assert needed == pytest.approx(3146, rel=0.25)
    again = decided(tmp_path, {"min": 0.9}, right_and_wrong(needed * 3 // 2, needed * 3 // 2 * 9 // 100))
    assert again.verdict == "pass", again.message


def test_rows_without_an_error_need_fewer_more_than_a_square_root_says(tmp_path: Path) -> None:
    """What nobody has seen falls with the rows: 150 times (0.0243 / 0.001)^2 would be 88,000 rows."""
    first = decided(tmp_path, {"min": 0.999}, right_and_wrong(150, 0))
    assert first.scopes[0].rows_needed == 3688
    assert decided(tmp_path, {"min": 0.999}, right_and_wrong(3687, 0)).verdict == "undecided"
    assert decided(tmp_path, {"min": 0.999}, right_and_wrong(3688, 0)).verdict == "pass"


def test_a_value_at_the_limit_is_not_told_by_any_number_of_rows(tmp_path: Path) -> None:
    """So no number is made up."""
    found = decided(tmp_path, {"min": 0.9}, right_and_wrong(1000, 100)).scopes[0]
    assert found.rows_needed is None
    assert "hardly" in found.message


def test_worse_than_stable_is_told_on_the_same_rows(tmp_path: Path) -> None:
    """A candidate that is wrong where stable is, and on 40 of 4000 rows more, is worse by 1 point: not by 2."""
    stable = right_and_wrong(4000, 1200)
    candidate = stable.copy()
    candidate[np.flatnonzero(stable)[:40]] = 0
    assert decided(tmp_path, {"maxDropVersusStable": 0.02}, candidate, stable).verdict == "pass"
    assert decided(tmp_path, {"maxDropVersusStable": 0.005}, candidate, stable).verdict == "fail"
    assert decided(tmp_path, {"maxDropVersusStable": 0.0}, stable, stable).verdict == "undecided"
    assert decided(tmp_path, {"maxDropVersusStable": 0.02}, candidate).verdict == "undecided"


def test_more_right_answers_do_not_hide_negative_flips(tmp_path: Path) -> None:
    """A higher score, with 4 % of rows that were right and are wrong now, is stopped."""
    stable = right_and_wrong(4000, 1200)
    candidate = np.ones(4000, np.int32)
    candidate[np.flatnonzero(stable)[:160]] = 0
    assert decided(tmp_path, {"min": 0.9}, candidate, stable).verdict == "pass"
    assert decided(tmp_path, {"maxDropVersusStable": 0.0}, candidate, stable).verdict == "pass"
    flips = decided(tmp_path, {"metric": "negativeFlipRate", "max": 0.02}, candidate, stable)
    assert (flips.verdict, flips.scopes[0].figure.value) == ("fail", pytest.approx(0.04))


def test_one_bad_slice_fails_the_gate_and_is_named(tmp_path: Path) -> None:
    """The whole is at 0.93 and one of four slices at 0.75."""
    candidate, codes = right_and_wrong(4000, 40), np.repeat([0, 1, 2, 3], 1000)
    candidate[3000:3250] = 0
    assert decided(tmp_path, {"min": 0.9}, candidate).verdict == "pass"
    found = decided(tmp_path, {"min": 0.9, "perSlice": True}, candidate, codes=codes)
    assert [one.verdict for one in found.scopes] == ["pass", "pass", "pass", "fail"]
    assert "part=3; 1 of 4 fail" in found.message


def test_a_slice_that_cannot_tell_keeps_the_gate_undecided(tmp_path: Path) -> None:
    """Passing on the others says nothing about it."""
    codes = np.r_[np.zeros(2000), np.ones(20)]
    found = decided(tmp_path, {"min": 0.9, "perSlice": True}, right_and_wrong(2020, 10), codes=codes)
    assert [one.verdict for one in found.scopes] == ["pass", "undecided"]
    assert found.verdict == "undecided"


def test_many_slices_raise_no_false_alarm(tmp_path: Path) -> None:
    """31 wrong of 200 fail alone against 0.9; among fifty slices one such is what chance brings."""
    alone = decided(tmp_path, {"min": 0.9}, right_and_wrong(200, 31))
    assert alone.verdict == "fail"
    candidate = np.concatenate([right_and_wrong(200, 31), *(right_and_wrong(200, 20) for _ in range(49))])
    found = decided(tmp_path, {"min": 0.9, "perSlice": True}, candidate, codes=np.repeat(np.arange(50), 200))
    assert {one.verdict for one in found.scopes} == {"undecided"}
    assert (found.scopes[0].figure.interval.high or 1) < 0.9
    assert 0.025 < (found.scopes[0].adjusted_p or 0) < 1


def test_adjusted_p_rises_with_rank_and_is_holms(tmp_path: Path) -> None:
    """The least p times the number of slices, the next times one less, never below the one before."""
    candidate = np.concatenate([right_and_wrong(300, wrong) for wrong in (60, 50, 40)])
    found = decided(tmp_path, {"min": 0.9, "perSlice": True}, candidate, codes=np.repeat([0, 1, 2], 300))
    adjusted = [one.adjusted_p for one in found.scopes]
    single = [
        decided(tmp_path, {"min": 0.9}, right_and_wrong(300, wrong)).scopes[0].adjusted_p for wrong in (60, 50, 40)
    ]
    assert single == [None, None, None]
    assert all(one is not None for one in adjusted)
    assert adjusted == sorted(adjusted, key=float)  # type: ignore[arg-type]


def test_bias_against_a_group_fails(tmp_path: Path) -> None:
    """Selected at 70 % and 40 %: a difference of 0.3, and the limit is 0.1."""
    groups = np.tile([0, 1], 2000)
    random = np.random.default_rng(4)
    candidate = (random.random(4000) < np.where(groups == 0, 0.7, 0.4)).astype(np.int32)
    target = (random.random(4000) < 0.5).astype(np.int32)
    gate = {"metric": "demographicParityDifference", "max": 0.1, "group": "sex"}
    assert decided(tmp_path, gate, candidate, codes=groups, target=target).verdict == "fail"
    fair = (random.random(4000) < 0.5).astype(np.int32)
    assert decided(tmp_path, gate, fair, codes=groups, target=target).verdict == "pass"
    per_group = {"metric": "selectionRate", "min": 0.5, "perGroup": True, "group": "sex"}
    assert decided(tmp_path, per_group, candidate, codes=groups, target=target).verdict == "fail"


def test_what_the_model_does_not_say_is_undecided(tmp_path: Path) -> None:
    """A gate on log loss, and a model without probabilities; fairness of one group alone."""
    found = decided(tmp_path, {"metric": "logLoss", "max": 9.0}, right_and_wrong(1000, 0))
    assert (found.verdict, found.scopes[0].figure.value) == ("undecided", None)
    gate = {"metric": "equalizedOddsRatio", "min": 0.1, "group": "sex"}
    assert decided(tmp_path, gate, right_and_wrong(1000, 0)).verdict == "undecided"


def test_slices_without_a_row_decide_nothing(tmp_path: Path) -> None:
    """A gate on slices that nothing falls into is not a pass."""
    found = decided(tmp_path, {"min": 0.1, "perSlice": True}, right_and_wrong(1000, 0), codes=np.full(1000, -1))
    assert found.verdict == "undecided"


def test_the_example_of_rows_needed_is_right() -> None:
    """400 rows, 0.92 [0.88, 0.95] against 0.9: four times as many."""
    from serin.evaluate.estimates import Estimate
    from serin.evaluate.measures import MEASURES

    class Fixed(Estimate):
        def resampled(self, confidence: float) -> tuple[float, float]:  # noqa: ARG002
            return 0.88, 0.95

    found = Fixed(MEASURES["accuracy"], 0.92, 400, np.full(200, 0.92), 0.0, 1.0)
    assert rows_needed(found, 0.9, 0.95, 30) == pytest.approx(1600, abs=1)
