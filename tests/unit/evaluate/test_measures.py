"""Measures are scikit-learn's and fairlearn's own on whole data, and every measure that a gate may name is computed."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import sklearn.metrics as sk
from fairlearn import metrics as fl
from sklearn.calibration import calibration_curve

from serin.evaluate.estimates import estimates
from serin.evaluate.measures import COMPARISONS, DRIFT, FAIRNESS, MEASURES, measure_of, measures_of
from serin.evaluate.metrics.classes import class_measures
from serin.evaluate.metrics.fairness import fairness_measures
from serin.evaluate.metrics.flips import flip_measures
from serin.evaluate.metrics.numbers import number_measures
from serin.evaluate.metrics.orders import NAMES, lists_of, order_measures
from serin.evaluate.metrics.scores import area_measures, calibration_measures, loss_measures, reliability
from serin.evaluate.resampling import Resamples, Summed

EXACT = 1e-9
ROWS = 5000
"""More than there are blocks, so that sums by block are what is tested."""


def values(summed: Summed, resamples: Resamples) -> dict[str, float]:
    """Each measure on the data as they are."""
    return {name: one.value for name, one in estimates(summed, resamples).items()}


class Data:
    """Random rows of K classes; some classes may be neither true nor predicted."""

    def __init__(
        self, seed: int, classes: int, rows: int = ROWS, *, absent: int | None = None, ties: bool = True
    ) -> None:
        random = np.random.default_rng(seed)
        self.classes = classes
        self.target = random.integers(0, classes, rows).astype(np.int32)
        raw = random.gamma(1.0, size=(rows, classes)) + 1.5 * np.eye(classes)[self.target] * random.random((rows, 1))
        if ties:
            raw = np.round(raw, 1) + 0.05
        if absent is not None:
            self.target[self.target == absent] = (absent + 1) % classes
            raw[:, absent] = 1e-3
        self.scores = raw / raw.sum(axis=1, keepdims=True)
        self.predicted = self.scores.argmax(axis=1).astype(np.int32)
        self.groups = random.integers(0, 3, rows).astype(np.int32)
        self.resamples = Resamples.of(rows, 200, f"sha256:{seed}")


DATA = [
    pytest.param(Data(1, 2), id="two classes"),
    pytest.param(Data(2, 2, 400, ties=False), id="fewer rows than blocks"),
    pytest.param(Data(3, 5), id="five classes"),
    pytest.param(Data(4, 4, absent=2), id="a class that is neither true nor predicted"),
]


@pytest.mark.parametrize("data", DATA)
def test_measures_of_classes_are_scikit_learns(data: Data) -> None:
    """To 1e-9."""
    y, p = data.target, data.predicted
    found = values(class_measures(y, p, data.classes, 1, data.resamples.blocks, data.resamples), data.resamples)
    confusion = sk.multilabel_confusion_matrix(y, p, labels=[1])[0]
    assert found == pytest.approx(
        {
            "accuracy": sk.accuracy_score(y, p),
            "balancedAccuracy": sk.balanced_accuracy_score(y, p),
            "precision": sk.precision_score(y == 1, p == 1),
            "recall": sk.recall_score(y == 1, p == 1),
            "f1": sk.f1_score(y == 1, p == 1),
            "falsePositiveRate": confusion[0, 1] / confusion[0].sum(),
            "selectionRate": fl.selection_rate(y, p, pos_label=1),
            "precisionMacro": sk.precision_score(y, p, average="macro"),
            "recallMacro": sk.recall_score(y, p, average="macro"),
            "f1Macro": sk.f1_score(y, p, average="macro"),
            "f1Weighted": sk.f1_score(y, p, average="weighted"),
            "matthewsCorrelation": sk.matthews_corrcoef(y, p),
            "cohenKappa": sk.cohen_kappa_score(y, p),
        },
        abs=EXACT,
    )


@pytest.mark.parametrize("data", DATA)
def test_losses_are_scikit_learns(data: Data) -> None:
    """Of two classes and of more, with a class that has no row."""
    labels = list(range(data.classes))
    found = values(loss_measures(data.target, data.scores, data.resamples.blocks, data.resamples), data.resamples)
    scores = data.scores[:, 1] if data.classes == 2 else data.scores
    brier = sk.brier_score_loss(data.target, scores, **({} if data.classes == 2 else {"labels": labels}))
    assert found["logLoss"] == pytest.approx(sk.log_loss(data.target, data.scores, labels=labels), abs=EXACT)
    assert found["brierScore"] == pytest.approx(brier, abs=EXACT)


def test_a_certain_and_wrong_answer_has_scikit_learns_finite_log_loss() -> None:
    """A probability of 0 for the true class is cut off where scikit-learn cuts it."""
    target, scores = np.array([0, 1], np.int32), np.array([[0.0, 1.0], [0.0, 1.0]])
    resamples = Resamples.of(2, 200, "")
    found = values(loss_measures(target, scores, resamples.blocks, resamples), resamples)
    assert found["logLoss"] == pytest.approx(sk.log_loss(target, scores), abs=EXACT)


@pytest.mark.parametrize("classes", [2, 3])
def test_losses_reach_both_ends_of_their_ranges_and_no_further(classes: int) -> None:
    """scikit-learn's own numbers for a model that is sure: of each wrong answer, and of each right one."""
    target = np.arange(60, dtype=np.int32) % classes
    resamples = Resamples.of(60, 200, "")
    right = np.eye(classes)[target]
    wrong = np.roll(right, 1, axis=1)
    for scores, end in ((right, "low"), (wrong, "high")):
        found = estimates(loss_measures(target, scores, resamples.blocks, resamples), resamples)
        brier = found["brierScore"]
        asked = scores[:, 1] if classes == 2 else scores
        assert brier.value == sk.brier_score_loss(target, asked) == getattr(brier, end)
        assert (brier.low, brier.high) == (0.0, measure_of("brierScore", classes).high)
    certain = estimates(loss_measures(target, right, resamples.blocks, resamples), resamples)["logLoss"]
    assert certain.value == pytest.approx(sk.log_loss(target, right), rel=EXACT, abs=0)
    assert certain.value == pytest.approx(certain.low, rel=EXACT, abs=0)
    assert certain.low > 0


@pytest.mark.parametrize("data", [one for one in DATA if one.id != "a class that is neither true nor predicted"])
def test_areas_are_scikit_learns_with_ties(data: Data) -> None:
    """Scores with one digit have many ties."""
    found = values(area_measures(data.target, data.scores, data.resamples.blocks, data.resamples), data.resamples)
    if data.classes == 2:
        roc = sk.roc_auc_score(data.target, data.scores[:, 1])
        average = sk.average_precision_score(data.target, data.scores[:, 1])
    else:
        roc = sk.roc_auc_score(data.target, data.scores, multi_class="ovr")
        average = sk.average_precision_score(np.eye(data.classes)[data.target], data.scores)
    assert found == pytest.approx({"rocAuc": roc, "averagePrecision": average}, abs=EXACT)


def test_an_area_without_positives_is_not_known() -> None:
    """NaN, which no gate takes for a pass; scikit-learn warns and gives NaN or 0."""
    data = Data(4, 4, absent=2)
    found = values(area_measures(data.target, data.scores, data.resamples.blocks, data.resamples), data.resamples)
    assert all(math.isnan(one) for one in found.values())


def test_the_reliability_curve_is_scikit_learns() -> None:
    """calibration_curve with ten bins of equal width; the error is the mean distance, by rows."""
    data = Data(1, 2)
    came, said = calibration_curve(data.target, data.scores[:, 1], n_bins=10)
    bins = reliability(data.target, data.scores)
    assert [one.came for one in bins] == pytest.approx(list(came), abs=EXACT)
    assert [one.said for one in bins] == pytest.approx(list(said), abs=EXACT)
    found = values(
        calibration_measures(data.target, data.scores, data.resamples.blocks, data.resamples), data.resamples
    )
    naive = sum(abs(one.came - one.said) * one.rows for one in bins) / ROWS
    assert found["calibrationError"] == pytest.approx(naive, abs=EXACT)


@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_measures_of_numbers_are_scikit_learns(offset: float) -> None:
    """Also far from 0, where a variance by sums of squares would have no digit left."""
    random = np.random.default_rng(5)
    y = random.normal(size=ROWS) + offset
    p = y + random.normal(size=ROWS) * 0.3 + 0.1
    resamples = Resamples.of(ROWS, 200, "")
    found = values(number_measures(y, p, resamples.blocks, resamples), resamples)
    wanted = {
        "meanAbsoluteError": sk.mean_absolute_error(y, p),
        "meanSquaredError": sk.mean_squared_error(y, p),
        "rootMeanSquaredError": sk.root_mean_squared_error(y, p),
        "meanAbsolutePercentageError": sk.mean_absolute_percentage_error(y, p),
        "meanError": float(np.mean(p - y)),
        "r2": sk.r2_score(y, p),
    }
    assert found == pytest.approx(wanted, rel=EXACT, abs=EXACT)


def test_r2_of_a_constant_target_is_not_known() -> None:
    """scikit-learn says 0 or 1; there is nothing to explain."""
    resamples = Resamples.of(3, 200, "")
    found = values(number_measures(np.full(3, 7.0), np.array([7.0, 7.0, 7.1]), resamples.blocks, resamples), resamples)
    assert math.isnan(found["r2"])
    assert found["meanAbsoluteError"] == pytest.approx(0.1 / 3)


@pytest.mark.parametrize("cutoff", [1, 3, 100])
def test_measures_of_lists_are_scikit_learns(cutoff: int) -> None:
    """Query by query, lists of several lengths, ties in scores and in relevance, rows of a query scattered."""
    random = np.random.default_rng(6)
    queries = random.integers(0, 300, 3000).astype(np.int32)
    relevance = random.integers(0, 4, 3000) * (random.random(3000) < 0.4)
    scores = np.round(relevance + random.normal(size=3000) * 2, 0)
    relevance = relevance.astype(float)
    found = lists_of(relevance, scores, queries, 300, cutoff)
    useful = [query for query in range(120) if relevance[queries == query].sum() > 0 and (queries == query).sum() > 1]
    assert len(useful) > 80
    for query in useful:
        y, s = relevance[queries == query][None], scores[queries == query][None]
        assert found.ndcg[query] == pytest.approx(sk.ndcg_score(y, s, k=cutoff), abs=EXACT)
        wanted = sk.label_ranking_average_precision_score(y > 0, s)
        assert found.average[query] == pytest.approx(wanted, abs=EXACT)
        worst = np.array([(s[0] >= one).sum() for one in s[0]])
        hits = ((y[0] > 0) & (worst <= cutoff)).sum()
        assert found.reciprocal[query] == pytest.approx(1 / worst[y[0] > 0].min())
        assert found.precision[query] == pytest.approx(hits / min(cutoff, len(worst)))
        assert found.recall[query] == pytest.approx(hits / (y > 0).sum())


def test_a_query_without_anything_relevant_says_nothing() -> None:
    """It is left out of the mean instead of counting as 0 or 1."""
    lists = lists_of(np.array([1.0, 0.0, 0.0]), np.array([2.0, 1.0, 1.0]), np.array([0, 0, 1], np.int32), 2, 10)
    resamples = Resamples.of(2, 200, "")
    found = estimates(order_measures(lists, np.arange(2), resamples.blocks, resamples), resamples)
    assert (found["ndcg"].value, found["ndcg"].rows) == (1.0, 1)


@pytest.mark.parametrize("seed", [7, 8, 9])
def test_fairness_is_fairlearns(seed: int) -> None:
    """The four measures, of three groups."""
    data = Data(seed, 2)
    y, p, g = data.target, data.predicted, data.groups
    found = values(fairness_measures(y, p, 1, g, 3, data.resamples.blocks, data.resamples), data.resamples)
    named: dict[str, Any] = {"sensitive_features": g}
    wanted = {
        "demographicParityDifference": fl.demographic_parity_difference(y, p, **named),
        "demographicParityRatio": fl.demographic_parity_ratio(y, p, **named),
        "equalizedOddsDifference": fl.equalized_odds_difference(y, p, **named),
        "equalizedOddsRatio": fl.equalized_odds_ratio(y, p, **named),
    }
    assert found == pytest.approx(wanted, abs=EXACT)


def test_a_group_without_positives_has_unknown_odds_and_a_known_selection_rate() -> None:
    """By fairlearn it is 0 that it selects of its positives, the worst of all; nobody knows."""
    y, p = np.array([1, 0, 0, 0], np.int32), np.array([1, 0, 0, 1], np.int32)
    resamples = Resamples.of(4, 200, "")
    found = values(
        fairness_measures(y, p, 1, np.array([0, 0, 1, 1], np.int32), 2, resamples.blocks, resamples), resamples
    )
    assert found["demographicParityDifference"] == 0
    assert math.isnan(found["equalizedOddsDifference"])


def test_flips_are_counted_row_by_row() -> None:
    """Right before and wrong now; wrong before and right now; the change of accuracy is the second less the first."""
    data, other = Data(1, 5), Data(1, 5, ties=False)
    y, new, old = data.target, data.predicted, other.predicted
    found = values(flip_measures(y, new, old, data.resamples.blocks, data.resamples), data.resamples)
    negative = sum(1 for a, b, c in zip(y, new, old, strict=True) if c == a != b) / ROWS
    gain = sk.accuracy_score(y, new) - sk.accuracy_score(y, old)
    assert found["negativeFlipRate"] == pytest.approx(negative)
    assert found["positiveFlipRate"] - found["negativeFlipRate"] == pytest.approx(gain)
    assert found["agreement"] == pytest.approx(sk.accuracy_score(new, old))


def test_every_measure_that_a_gate_may_name_is_computed() -> None:
    """And nothing is computed that no gate may name."""
    data = Data(1, 2)
    y, p, r = data.target, data.predicted, data.resamples
    classification = {
        *class_measures(y, p, 2, 1, r.blocks, r).support,
        *loss_measures(y, data.scores, r.blocks, r).support,
        *area_measures(y, data.scores, r.blocks, r).support,
        *calibration_measures(y, data.scores, r.blocks, r).support,
    }
    numbers = {*number_measures(y * 1.0, p * 1.0, r.blocks, r).support}
    assert measures_of("classification") == classification | {*COMPARISONS, *FAIRNESS, DRIFT}
    assert measures_of("regression") == numbers | {DRIFT}
    assert measures_of("ranking") == {*NAMES, DRIFT}
    assert classification | numbers | {*NAMES, *COMPARISONS, *FAIRNESS, DRIFT} == MEASURES.keys()
