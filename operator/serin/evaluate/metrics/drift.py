"""How far a feature's distribution is from the training data's."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from serin.evaluate.resampling import Floats, Summed


def drift_measure(counts: Floats, trained: Floats) -> Summed:
    """The population stability index: sum over bins of (p - q) ln(p / q), at least 0.

    p are the shares of the data's bins and q those of training, each with half a row added to every bin, so that an
    empty bin is a rare one and not an infinite distance. It is the symmetrised divergence of Kullback and Leibler (H.
    Jeffreys, Proc. R. Soc. A 186, 1946); the custom to look from 0.1 and to act from 0.25 is N. Siddiqi's, Credit Risk
    Scorecards, 2006. From noise alone it is about (bins - 1) (1/n + 1/m).

    Args:
        counts: Rows by block and bin, shape [blocks, bins].
        trained: Rows of the training data by bin, shape [bins]; taken as known.
    """
    expected = (trained + 0.5) / (trained + 0.5).sum()

    def values(found: Floats) -> Mapping[str, Floats]:
        shares = (found + 0.5) / (found + 0.5).sum(axis=-1, keepdims=True)
        return {"populationStability": ((shares - expected) * np.log(shares / expected)).sum(axis=-1)}

    return Summed(counts, values, {"populationStability": int(counts.sum())})
