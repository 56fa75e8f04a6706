"""Measures of predicted numbers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from serin.evaluate.resampling import Codes, Floats, Resamples, Summed, block_sums, ratio


def number_measures(target: Floats, predicted: Floats, blocks: Codes, resamples: Resamples) -> Summed:
    """Errors of a regression, in the target's unit; r2 in (-inf, 1].

    scikit-learn's `mean_absolute_error`, `mean_squared_error`, `root_mean_squared_error`, `r2_score`, and
    `mean_absolute_percentage_error` (as a share, the divisor at least the type's epsilon). meanError is the mean of
    predicted - target: above 0 when the model says too much.

    Args:
        target: Right numbers, shape [rows].
        predicted: The model's.
        blocks: The block of each row.
        resamples: How many blocks there are.

    r2 is not defined for fewer than two rows or a constant target, where scikit-learn says 0 or 1.
    """
    error = predicted - target
    # Around the mean: the variance as a difference of sums of squares loses all its digits when the mean is far from 0.
    centred = target - (target.mean() if len(target) else 0.0)
    share = np.abs(error) / np.maximum(np.abs(target), np.finfo(np.float64).eps)
    sums = block_sums(
        blocks, resamples.count, np.ones(len(target)), error, np.abs(error), error**2, share, centred, centred**2
    )

    def values(found: Floats) -> Mapping[str, Floats]:
        rows, total, absolute, squares, shares, first, second = (found[..., place] for place in range(7))
        mean_square = ratio(squares, rows)
        spread = second - ratio(first**2, rows)
        floor = 1e-12 * second
        return {
            "meanAbsoluteError": ratio(absolute, rows),
            "meanSquaredError": mean_square,
            "rootMeanSquaredError": np.sqrt(mean_square),
            "meanAbsolutePercentageError": ratio(shares, rows),
            "meanError": ratio(total, rows),
            "r2": 1 - ratio(squares, np.where(spread > floor, spread, 0.0)),
        }

    names = (
        "meanAbsoluteError",
        "meanSquaredError",
        "rootMeanSquaredError",
        "meanAbsolutePercentageError",
        "meanError",
    )
    return Summed(sums, values, dict.fromkeys((*names, "r2"), len(target)))
