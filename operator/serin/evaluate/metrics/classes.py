"""Measures of predicted classes. They need three sums for each class: right, predicted, true."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from serin.evaluate.resampling import Codes, Floats, Resamples, Summed, ratio


def class_measures(
    target: Codes, predicted: Codes, classes: int, positive: int | None, blocks: Codes, resamples: Resamples
) -> Summed:
    """Accuracy and its relatives.

    Definitions are scikit-learn's, with `labels=None`: an average over classes leaves out those that are neither true
    nor predicted. `zero_division` is 0 in averages, as there by default, and NaN in precision, recall, f1 and rates of
    the positive class: of no prediction, none can be right or wrong.

    Args:
        target: The true class of each row, shape [rows], values in [0, classes).
        predicted: The predicted one.
        classes: How many there are.
        positive: The class of precision, recall, f1 and the rates; None leaves them out.
        blocks: The block of each row.
        resamples: How many blocks there are.
    """
    count = resamples.count
    right = target == predicted
    sums = np.concatenate(
        [
            _by_class(blocks[right], target[right], count, classes),
            _by_class(blocks, predicted, count, classes),
            _by_class(blocks, target, count, classes),
        ],
        axis=1,
    )
    support = {name: len(target) for name in _AVERAGED}
    if positive is not None:
        truly, said = int((target == positive).sum()), int((predicted == positive).sum())
        support |= {
            "precision": said,
            "recall": truly,
            "f1": int(((target == positive) | (predicted == positive)).sum()),
            "falsePositiveRate": len(target) - truly,
            "selectionRate": len(target),
        }
    return Summed(sums, lambda found: _values(found, classes, positive), support)


_AVERAGED = (
    "accuracy",
    "balancedAccuracy",
    "precisionMacro",
    "recallMacro",
    "f1Macro",
    "f1Weighted",
    "matthewsCorrelation",
    "cohenKappa",
)


def _by_class(blocks: Codes, codes: Codes, count: int, classes: int) -> Floats:
    cells = blocks.astype(np.int64) * classes + codes
    return np.bincount(cells, minlength=count * classes).reshape(count, classes).astype(np.float64)


def _values(sums: Floats, classes: int, positive: int | None) -> Mapping[str, Floats]:
    right, said, truly = (sums[..., k * classes : (k + 1) * classes] for k in range(3))
    total, hits = truly.sum(axis=-1), right.sum(axis=-1)
    seen = (said + truly) > 0
    recall, precision, f1 = ratio(right, truly), ratio(right, said), ratio(2 * right, said + truly)
    accuracy = ratio(hits, total)
    # Chance agreement, for Cohen's kappa, and the covariances of Gorodkin's correlation of K classes
    # (J. Gorodkin, Comp. Biol. Chem. 28, 2004), which is what scikit-learn computes.
    chance = (said * truly).sum(axis=-1)
    spread_said = total**2 - (said**2).sum(axis=-1)
    spread_true = total**2 - (truly**2).sum(axis=-1)
    root = np.sqrt(spread_said * spread_true)
    covariance = hits * total - chance
    found: dict[str, Floats] = {
        "accuracy": accuracy,
        "balancedAccuracy": ratio(_filled(recall, truly > 0), (truly > 0).sum(axis=-1)),
        "precisionMacro": ratio(_filled(precision, seen), seen.sum(axis=-1)),
        "recallMacro": ratio(_filled(recall, seen), seen.sum(axis=-1)),
        "f1Macro": ratio(_filled(f1, seen), seen.sum(axis=-1)),
        "f1Weighted": ratio((np.nan_to_num(f1) * truly).sum(axis=-1), total),
        # Of one class alone there is no correlation; scikit-learn says 0.
        "matthewsCorrelation": np.where(total > 0, np.nan_to_num(ratio(covariance, root)), np.nan),
        "cohenKappa": ratio(covariance, total**2 - chance),
    }
    if positive is not None:
        hit, named, true = right[..., positive], said[..., positive], truly[..., positive]
        found |= {
            "precision": ratio(hit, named),
            "recall": ratio(hit, true),
            "f1": ratio(2 * hit, named + true),
            "falsePositiveRate": ratio(named - hit, total - true),
            "selectionRate": ratio(named, total),
        }
    return found


def _filled(values: Floats, where: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> Floats:
    return np.asarray(np.where(where, np.nan_to_num(values), 0.0).sum(axis=-1))
