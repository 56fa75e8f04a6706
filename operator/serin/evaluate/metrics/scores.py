"""Measures of predicted probabilities: losses, calibration, areas under curves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from serin.evaluate.resampling import Codes, Floats, Resamples, Summed, block_sums, ratio

BINS = 10
"""Bins of the reliability curve and of the calibration error, of equal width."""


AREAS = frozenset({"rocAuc", "averagePrecision"})
"""Measures that sort the rows."""


def loss_measures(target: Codes, scores: Floats, blocks: Codes, resamples: Resamples) -> Summed:
    """Log loss and Brier score.

    logLoss is scikit-learn's `log_loss`: -ln of the true class's probability, cut off at the type's epsilon. brierScore
    is its `brier_score_loss` with `scale_by_half="auto"`: for two classes (p - y)^2 of one of them, in [0, 1]; else the
    sum over classes, in [0, 2].

    Args:
        target: True classes, shape [rows].
        scores: Probabilities, shape [rows, classes].
        blocks: The block of each row.
        resamples: How many blocks there are.
    """
    of_true = scores[np.arange(len(target)), target]
    epsilon = np.finfo(scores.dtype).eps
    log_loss = -np.log(np.clip(of_true, epsilon, 1 - epsilon))
    squares = np.einsum("ij,ij->i", scores, scores) - of_true**2 + (1 - of_true) ** 2
    brier = squares / 2 if scores.shape[1] == 2 else squares
    sums = block_sums(blocks, resamples.count, np.ones(len(target)), log_loss, brier)

    def values(found: Floats) -> Mapping[str, Floats]:
        return {"logLoss": ratio(found[..., 1], found[..., 0]), "brierScore": ratio(found[..., 2], found[..., 0])}

    return Summed(sums, values, dict.fromkeys(("logLoss", "brierScore"), len(target)), scores.shape[1])


def area_measures(target: Codes, scores: Floats, blocks: Codes, resamples: Resamples) -> Summed:
    """Areas under the ROC curve and the precision-recall curve; of more than two classes the mean of one against rest.

    scikit-learn's `roc_auc_score` (multi_class="ovr", average="macro") and `average_precision_score` (macro). Not
    defined when a class has no row, or all.

    An area is a mean over pairs of rows and no sum over rows; resamples use its first-order expansion in the rows'
    weights, whose variance is that of E. DeLong et al., Biometrics 44 (1988), for the ROC area.
    """
    considered = [1] if scores.shape[1] == 2 else list(range(scores.shape[1]))
    curves = [_curve(target == one, scores[:, one], blocks, resamples.count) for one in considered]
    roc = np.array([one.roc for one in curves])
    precision = np.array([one.precision for one in curves])
    sums = np.concatenate(
        [np.bincount(blocks, minlength=resamples.count)[:, None], *(one.sums for one in curves)], axis=1
    )

    def values(found: Floats) -> Mapping[str, Floats]:
        parts = found[..., 1:].reshape(*found.shape[:-1], len(curves), 4)
        true, above, below, influence = (parts[..., place] for place in range(4))
        total = found[..., :1]
        # At the data's own weights both sums are 0 and the value is exact.
        areas = roc + ratio(above, true) + ratio(below, total - true)
        return {
            "rocAuc": np.clip(areas, 0, 1).mean(axis=-1),
            "averagePrecision": np.clip(precision + ratio(influence, true), 0, 1).mean(axis=-1),
        }

    # An area rests on the rarer side of each class: a thousand negatives do not make up for three positives.
    rarest = min((min(one.positives, len(target) - one.positives) for one in curves), default=0)
    return Summed(sums, values, {"rocAuc": rarest, "averagePrecision": rarest})


@dataclass(frozen=True, slots=True)
class _Curve:
    """One class against the rest.

    Attributes:
        roc: The area under the ROC curve; NaN when the class has no row, or all.
        precision: The area under the precision-recall curve.
        positives: The rows of the class.
        sums: By block, shape [count, 4]: those rows, and the parts of rows in the first-order expansions, for the ROC
            area of the class's rows and of the others, and for the other area of all.
    """

    roc: float
    precision: float
    positives: int
    sums: Floats


def _curve(is_true: NDArray[np.bool_], score: Floats, blocks: Codes, count: int) -> _Curve:
    positives = int(np.count_nonzero(is_true))
    negatives = len(is_true) - positives
    true = np.bincount(blocks, weights=is_true, minlength=count)
    if positives == 0 or negatives == 0:
        return _Curve(np.nan, np.nan, positives, np.stack([true, *np.zeros((3, count))], axis=1))
    order = np.argsort(-score)
    truth, ranked, block = is_true[order].astype(np.float64), score[order], blocks[order]
    # Equal scores are one threshold. From here to `wide`, arrays have an element for each threshold, highest first.
    starts = np.append(0, np.flatnonzero(ranked[1:] != ranked[:-1]) + 1)
    ends = np.append(starts[1:], len(ranked))
    hits = np.add.reduceat(truth, starts)
    hits_end = np.cumsum(hits)
    hits_start = hits_end - hits
    # Share of negatives below a positive, and of positives above a negative; ties count half.
    won = (negatives - (starts - hits_start + ends - hits_end) / 2) / negatives
    beaten = (hits_start + hits_end) / 2 / positives
    roc = float((won * hits).sum() / positives)
    at = hits_end / ends
    average = float((at * hits).sum() / positives)
    # d(average precision)/d(weight of row j), for rows i of the positive class ranked at or below j:
    #   [y_j (P_j - AP) + sum_i (y_j - P_i) / N_i] / positives,    N_i the rows ranked at or above i.
    below = np.cumsum((hits / ends)[::-1])[::-1]
    below_at = np.cumsum((hits * at / ends)[::-1])[::-1]

    def wide(values: Floats) -> Floats:
        return np.repeat(values, ends - starts)

    parts = (
        truth * wide(won - roc),
        (1 - truth) * wide(beaten - roc),
        truth * wide(at - average + below) - wide(below_at),
    )
    return _Curve(roc, average, positives, np.concatenate([true[:, None], block_sums(block, count, *parts)], axis=1))


def calibration_measures(target: Codes, scores: Floats, blocks: Codes, resamples: Resamples) -> Summed:
    """The expected calibration error: how far shares and probabilities are apart, in [0, 1].

    Sum over ten bins of equal width of |share of the true - mean probability| x share of rows (M. Naeini, G. Cooper,
    M. Hauskrecht, AAAI 2015). Of two classes: the second one's probability. Of more: the probability of the predicted
    one (C. Guo et al., ICML 2017). The bins are those of scikit-learn's `calibration_curve(strategy="uniform")`.
    """
    said, came = _confidence(target, scores)
    place = bin_of(said)
    count = resamples.count
    cells = blocks.astype(np.int64) * BINS + place
    sums = np.concatenate(
        [
            np.bincount(cells, weights=column, minlength=count * BINS).reshape(count, BINS)
            for column in (np.ones(len(said)), said, came)
        ],
        axis=1,
    )

    def values(found: Floats) -> Mapping[str, Floats]:
        rows, probability, truth = (found[..., k * BINS : (k + 1) * BINS] for k in range(3))
        return {"calibrationError": ratio(np.abs(truth - probability).sum(axis=-1), rows.sum(axis=-1))}

    return Summed(sums, values, {"calibrationError": len(target)})


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Rows with probabilities of a bin: how many, what was said, what came."""

    rows: int
    said: float
    came: float


def reliability(target: Codes, scores: Floats) -> tuple[ReliabilityBin, ...]:
    """The reliability curve, empty bins left out; see `calibration_measures` for what is binned."""
    said, came = _confidence(target, scores)
    place = bin_of(said)
    rows = np.bincount(place, minlength=BINS)
    sums = [np.bincount(place, weights=column, minlength=BINS) for column in (said, came)]
    return tuple(
        ReliabilityBin(int(rows[k]), float(sums[0][k] / rows[k]), float(sums[1][k] / rows[k]))
        for k in range(BINS)
        if rows[k]
    )


def bin_of(said: Floats) -> NDArray[np.int64]:
    """The bin of each probability, shape [rows], values in [0, 10)."""
    return np.searchsorted(np.linspace(0.0, 1.0, BINS + 1)[1:-1], said)


def _confidence(target: Codes, scores: Floats) -> tuple[Floats, Floats]:
    if scores.shape[1] == 2:
        return scores[:, 1], (target == 1).astype(np.float64)
    best = scores.argmax(axis=1)
    return scores[np.arange(len(best)), best], (best == target).astype(np.float64)
