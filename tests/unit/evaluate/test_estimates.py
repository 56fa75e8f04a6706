"""Intervals cover what they say, are the same every time, and know what too few rows cannot tell."""

from __future__ import annotations

import math

import numpy as np
import pytest

from serin.evaluate.estimates import Estimate, drop, estimates
from serin.evaluate.measures import MEASURES
from serin.evaluate.metrics.classes import class_measures
from serin.evaluate.metrics.fairness import fairness_measures
from serin.evaluate.metrics.numbers import number_measures
from serin.evaluate.metrics.scores import area_measures
from serin.evaluate.resampling import BLOCKS, Floats, Resamples, blocks_of


def _accuracy(right: Floats, digest: str, resamples: int = 1000) -> Estimate:
    """An accuracy of rows that are right (1) or wrong (0)."""
    drawn = Resamples.of(len(right), resamples, digest)
    target = np.ones(len(right), np.int32)
    return estimates(class_measures(target, right.astype(np.int32), 2, None, drawn.blocks, drawn), drawn)["accuracy"]


def test_the_same_data_give_the_same_interval_and_other_data_another() -> None:
    """The resamples hang on the digest alone."""
    right = (np.random.default_rng(1).random(3000) < 0.9).astype(float)
    one, again, other = (_accuracy(right, digest).interval(0.95) for digest in ("a", "a", "b"))
    assert one == again
    assert one != other


def test_blocks_are_drawn_at_random_and_not_in_the_files_order() -> None:
    """In a file sorted by class, blocks in order would each hold one class, or all the same share of each."""
    rows = BLOCKS * 50
    blocks = blocks_of(rows, 7)
    first_half = np.bincount(blocks[: rows // 2], minlength=BLOCKS)
    # A row falls into the first half's count of its block with probability 1/2048, 51,200 times: mean 25, variance 25.
    assert first_half.var() == pytest.approx(25, rel=0.2)
    assert np.bincount(blocks, minlength=BLOCKS).min() > 0


@pytest.mark.parametrize("rows", [500, 30_000])
def test_the_spread_is_that_of_resampling_rows(rows: int) -> None:
    """By blocks or not: sqrt(p (1 - p) / n) for a share.

    The relative error of a standard deviation of 1000 resamples is 2.2 %, of 2048 blocks 1.6 %; 12 % is over four of
    their sum.
    """
    right = np.sort((np.random.default_rng(2).random(rows) < 0.8).astype(float))
    spread = _accuracy(right, "x").drawn.std()
    share = right.mean()
    assert spread == pytest.approx(math.sqrt(share * (1 - share) / rows), rel=0.12)


def test_areas_spread_as_they_do_when_rows_are_resampled() -> None:
    """The first-order expansion against whole resamples of rows, which is slow and obvious.

    200 naive resamples: 5 % of error, with 2.2 % of ours; 22 % is four of both.
    """
    from sklearn.metrics import average_precision_score, roc_auc_score

    random = np.random.default_rng(3)
    target = (random.random(800) < 0.3).astype(np.int32)
    score = np.clip(random.normal(size=800) * 0.2 + 0.3 + 0.2 * target, 0.001, 0.999)
    drawn = Resamples.of(800, 1000, "x")
    found = estimates(area_measures(target, np.stack([1 - score, score], axis=1), drawn.blocks, drawn), drawn)
    naive = []
    for _ in range(200):
        rows = random.integers(0, 800, 800)
        naive.append((roc_auc_score(target[rows], score[rows]), average_precision_score(target[rows], score[rows])))
    spreads = np.std(naive, axis=0)
    assert found["rocAuc"].drawn.std() == pytest.approx(spreads[0], rel=0.22)
    assert found["averagePrecision"].drawn.std() == pytest.approx(spreads[1], rel=0.22)


@pytest.mark.parametrize(("rows", "share"), [(50, 0.9), (200, 0.98)])
def test_intervals_of_shares_cover_the_truth(rows: int, share: float) -> None:
    """100 samples: were the coverage 93 %, fewer than 84 would happen with probability 1/1000."""
    random = np.random.default_rng(5)
    covered = 0
    for sample in range(100):
        low, high = _accuracy((random.random(rows) < share).astype(float), f"{sample}", 200).interval(0.95)
        covered += low <= share <= high
    assert covered >= 84


def test_intervals_of_a_mean_error_cover_the_truth() -> None:
    """Errors with a long tail, 300 of them: the percentiles' worst case among ours; the same reckoning as above."""
    random = np.random.default_rng(6)
    truth = math.exp(0.5)
    covered = 0
    for sample in range(100):
        errors = random.lognormal(size=300)
        drawn = Resamples.of(300, 200, f"{sample}")
        found = estimates(number_measures(np.zeros(300), errors, drawn.blocks, drawn), drawn)["meanAbsoluteError"]
        low, high = found.interval(0.95)
        covered += low <= truth <= high
    assert covered >= 84


def test_rows_without_an_error_do_not_prove_that_there_is_none() -> None:
    """5 of 5 right is compatible with 48 % right, 150 of 150 with 97.6 % (Clopper, Pearson); resamples see nothing."""
    assert _accuracy(np.ones(5), "x").interval(0.95)[0] == pytest.approx(0.025 ** (1 / 5))
    assert _accuracy(np.ones(150), "x").interval(0.95) == (pytest.approx(0.025 ** (1 / 150)), 1.0)


def test_equal_answers_of_both_arms_do_not_prove_that_they_never_differ() -> None:
    """The difference is 0 in every resample, and still could be 0.03 of the rows."""
    one = _accuracy(np.r_[np.ones(90), np.zeros(10)], "x")
    low, high = drop(one, one).interval(0.95)
    assert low < 0 < high
    assert 0.03 < high < 0.08


def test_a_difference_is_paired() -> None:
    """Arms that are wrong on the same rows differ by less than their intervals do."""
    right = (np.random.default_rng(8).random(4000) < 0.7).astype(float)
    worse = right.copy()
    worse[np.flatnonzero(right)[:40]] = 0
    stable, candidate = _accuracy(right, "x"), _accuracy(worse, "x")
    low, high = drop(candidate, stable).interval(0.95)
    assert drop(candidate, stable).value == pytest.approx(0.01)
    assert 0 < low < 0.01 < high < 0.015


def test_worse_is_above_zero_in_either_direction() -> None:
    """A lower accuracy and a higher error are both a drop; of a rate any distance is."""
    drawn = Resamples.of(100, 200, "x")
    random = np.random.default_rng(9)
    y = random.normal(size=100)
    near, far = (estimates(number_measures(y, y + off, drawn.blocks, drawn), drawn) for off in (0.1, 0.5))
    assert drop(far["meanAbsoluteError"], near["meanAbsoluteError"]).value == pytest.approx(0.4)
    assert drop(near["meanAbsoluteError"], far["meanAbsoluteError"]).value == pytest.approx(-0.4)
    assert drop(near["meanError"], far["meanError"]).value == pytest.approx(0.4)


def test_what_is_not_defined_has_an_interval_of_all_there_is() -> None:
    """So no limit is kept, and none is broken."""
    nothing = Estimate(MEASURES["accuracy"], math.nan, 0, np.full(200, math.nan), 0.0, 1.0)
    assert nothing.interval(0.95) == (0.0, 1.0)
    assert nothing.p_value(0.5, above=True) == 1.0


def test_resamples_without_a_value_count_against_either_side() -> None:
    """A measure that is not defined in a tenth of the resamples could be anything."""
    drawn = np.r_[np.full(100, math.nan), np.full(900, 0.8)]
    assert Estimate(MEASURES["accuracy"], 0.8, 500, drawn, 0.0, 1.0).interval(0.95) == (0.0, 1.0)


def test_p_and_interval_agree() -> None:
    """A limit is outside of the interval exactly when p is below half of what the confidence leaves."""
    one = _accuracy((np.random.default_rng(10).random(2000) < 0.9).astype(float), "x")
    for confidence in (0.8, 0.95, 0.999):
        low, high = one.interval(confidence)
        tail = (1 - confidence) / 2
        assert one.p_value(low - 1e-6, above=True) <= tail < one.p_value(low + 1e-6, above=True)
        assert one.p_value(high + 1e-6, above=False) <= tail < one.p_value(high - 1e-6, above=False)


def test_intervals_grow_with_confidence_beyond_what_resamples_resolve() -> None:
    """1000 resamples do not hold a 1e-6 tail; it is extended and never shrinks."""
    one = _accuracy((np.random.default_rng(11).random(2000) < 0.9).astype(float), "x")
    lows = [one.interval(confidence)[0] for confidence in (0.5, 0.9, 0.95, 0.99, 0.9999, 0.999999)]
    assert lows == sorted(lows, reverse=True)
    assert lows[-1] < lows[-2]


def test_equal_groups_are_not_proved_unequal_by_noise() -> None:
    """A difference between groups is never below 0 in a resample; its interval reaches 0 all the same."""
    random = np.random.default_rng(12)
    false_alarms = 0
    for sample in range(80):
        y, p, g = ((random.random(600) < 0.5).astype(np.int32) for _ in range(3))
        drawn = Resamples.of(600, 200, f"{sample}")
        found = estimates(fairness_measures(y, p, 1, g, 2, drawn.blocks, drawn), drawn)
        false_alarms += found["demographicParityDifference"].interval(0.95)[0] > 0.005
    # 5 % would be 4 of 80; 12 and more would happen with probability 1/1000.
    assert false_alarms < 12
