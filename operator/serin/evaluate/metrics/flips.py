"""Measures of both arms' answers to the same rows: what was right before and is wrong now, and how often they agree."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from serin.evaluate.resampling import Codes, Floats, Resamples, Summed, block_sums, ratio


def flip_measures(target: Codes, candidate: Codes, stable: Codes, blocks: Codes, resamples: Resamples) -> Summed:
    """Shares of all rows, in [0, 1].

    negativeFlipRate: stable is right and the candidate wrong (S. Yan et al., Positive-Congruent Training, CVPR 2021).
    positiveFlipRate: the other way round; accuracy changes by the second less the first. agreement: both say the same.

    Args:
        target: True classes, shape [rows].
        candidate: The candidate's.
        stable: Stable's.
        blocks: The block of each row.
        resamples: How many blocks there are.
    """
    worse = (stable == target) & (candidate != target)
    better = (stable != target) & (candidate == target)
    columns = [np.asarray(one, dtype=np.float64) for one in (worse, better, candidate == stable)]
    sums = block_sums(blocks, resamples.count, np.ones(len(target)), *columns)
    names = ("negativeFlipRate", "positiveFlipRate", "agreement")

    def values(found: Floats) -> Mapping[str, Floats]:
        return {name: ratio(found[..., 1 + place], found[..., 0]) for place, name in enumerate(names)}

    return Summed(sums, values, dict.fromkeys(names, len(target)))
