"""Fairness between the groups of a protected attribute, as fairlearn defines it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from serin.evaluate.resampling import Codes, Floats, Resamples, Summed, ratio


def fairness_measures(
    target: Codes, predicted: Codes, positive: int, groups: Codes, count: int, blocks: Codes, resamples: Resamples
) -> Summed:
    """Demographic parity and equalized odds, between groups.

    fairlearn's `demographic_parity_difference`, `_ratio`, `equalized_odds_difference`, `_ratio` with
    method="between_groups" and agg="worst_case": the largest selection rate less the smallest, or the smallest by the
    largest; for odds the worse of true and false positive rates (M. Hardt, E. Price, N. Srebro, NeurIPS 2016).

    One thing differs on purpose: a group without a positive (negative) row has no true (false) positive rate. fairlearn
    takes 0 for it; here the measure is then not defined, because nobody knows.

    Args:
        target: True classes, shape [rows].
        predicted: Predicted ones.
        positive: The class that is selected.
        groups: The group of each row, values in [0, count).
        count: How many groups there are.
        blocks: The block of each row.
        resamples: How many blocks there are.
    """
    truly, selected = target == positive, predicted == positive
    kind = groups.astype(np.int64) * 4 + truly * 2 + selected
    cells = blocks.astype(np.int64) * (4 * count) + kind
    sums = np.bincount(cells, minlength=resamples.count * 4 * count).reshape(resamples.count, 4 * count)
    by_kind = np.bincount(kind, minlength=4 * count).reshape(count, 2, 2)
    rows = int(by_kind.sum(axis=(1, 2)).min(initial=len(target)))
    rarest = int(by_kind.sum(axis=2).min(initial=rows))
    names = ("demographicParityDifference", "demographicParityRatio")
    support = dict.fromkeys(names, rows) | dict.fromkeys(("equalizedOddsDifference", "equalizedOddsRatio"), rarest)
    return Summed(sums.astype(np.float64), lambda found: _values(found, count), support)


def _values(sums: Floats, count: int) -> Mapping[str, Floats]:
    cells = sums.reshape(*sums.shape[:-1], count, 2, 2)
    selected = ratio(cells[..., 1].sum(axis=-1), cells.sum(axis=(-1, -2)))
    odds = ratio(cells[..., 1], cells.sum(axis=-1))
    false, true = odds[..., 0], odds[..., 1]
    return {
        "demographicParityDifference": _difference(selected),
        "demographicParityRatio": _ratio(selected),
        "equalizedOddsDifference": np.maximum(_difference(true), _difference(false)),
        "equalizedOddsRatio": np.minimum(_ratio(true), _ratio(false)),
    }


def _difference(rates: Floats) -> Floats:
    return np.asarray(rates.max(axis=-1) - rates.min(axis=-1))


def _ratio(rates: Floats) -> Floats:
    return ratio(rates.min(axis=-1), rates.max(axis=-1))
