"""Measures of ordered lists: the rows of a query, by the model's scores. The unit is the query, not the row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from serin.evaluate.resampling import Codes, Floats, Resamples, Summed, block_sums, ratio

NAMES = ("ndcg", "meanReciprocalRank", "meanAveragePrecision", "precisionAtCutoff", "recallAtCutoff")


@dataclass(frozen=True, slots=True)
class Lists:
    """Each measure of each query, shape [queries]; NaN where a query has nothing relevant."""

    ndcg: Floats
    reciprocal: Floats
    average: Floats
    precision: Floats
    recall: Floats


def order_measures(lists: Lists, chosen: NDArray[np.intp], blocks: Codes, resamples: Resamples) -> Summed:
    """Means over queries with something relevant; a query without says nothing about an order.

    Args:
        lists: Of all queries.
        chosen: The queries that count, shape [chosen].
        blocks: The block of each chosen query.
        resamples: How many blocks there are.
    """
    columns = [one[chosen] for one in (lists.ndcg, lists.reciprocal, lists.average, lists.precision, lists.recall)]
    defined = ~np.isnan(columns[0])
    sums = block_sums(
        blocks, resamples.count, defined.astype(np.float64), *(np.where(defined, column, 0.0) for column in columns)
    )

    def values(found: Floats) -> Mapping[str, Floats]:
        return {name: ratio(found[..., 1 + place], found[..., 0]) for place, name in enumerate(NAMES)}

    return Summed(sums, values, dict.fromkeys(NAMES, int(defined.sum())))


def lists_of(relevance: Floats, scores: Floats, queries: Codes, count: int, cutoff: int) -> Lists:
    """Measure each query's list.

    ndcg is scikit-learn's `ndcg_score(k=cutoff)`: gains are the relevances, the discount of rank r is 1/log2(r + 1),
    and rows with equal scores share their mean discount (F. McSherry, M. Najork, ECIR 2008).
    meanAveragePrecision is its `label_ranking_average_precision_score` of relevance > 0 over the whole list: ties take
    the worst rank. The other three rank ties as scikit-learn does there, by the worst rank, so that a model that gives
    all rows one score is not lucky.

    Args:
        relevance: At least 0, shape [rows].
        scores: The model's, shape [rows]; higher comes first.
        queries: The query of each row, shape [rows], values in [0, count).
        count: How many queries there are.
        cutoff: The length k of the list.
    """
    order = np.lexsort((-scores, queries))
    query, score, gain = queries[order], scores[order], relevance[order]
    sizes = np.bincount(query, minlength=count)
    first = np.r_[0, np.cumsum(sizes)[:-1]]
    rank = np.arange(len(query)) - first[query]
    discount = np.where(rank < cutoff, 1.0 / np.log2(rank + 2.0), 0.0)

    changes = np.r_[True, (query[1:] != query[:-1]) | (score[1:] != score[:-1])] if len(query) else np.zeros(0, bool)
    starts = np.flatnonzero(changes)
    tie = np.cumsum(changes) - 1
    lengths = np.bincount(tie)
    reached = np.bincount(tie, weights=gain) / lengths * np.bincount(tie, weights=discount)
    dcg = np.bincount(query[starts], weights=reached, minlength=count)
    by_gain = np.lexsort((-gain, query))
    ideal = np.bincount(query, weights=gain[by_gain] * discount, minlength=count)

    relevant = (gain > 0).astype(np.float64)
    total = np.bincount(query, weights=relevant, minlength=count)
    worst = (rank[starts] + lengths)[tie].astype(np.float64)
    hits_by_tie = np.bincount(tie, weights=relevant)
    before = np.cumsum(hits_by_tie) - hits_by_tie
    hits_before_query = np.r_[0.0, np.cumsum(total)[:-1]]
    hits = (before + hits_by_tie)[tie] - hits_before_query[query]
    average = np.bincount(query, weights=relevant * hits / worst, minlength=count)
    best = np.full(count, np.inf)
    np.minimum.at(best, query[relevant > 0], worst[relevant > 0])
    shown = np.bincount(query, weights=relevant * (worst <= cutoff), minlength=count)
    return Lists(
        ratio(dcg, ideal),
        np.where(total > 0, 1.0 / best, np.nan),
        ratio(average, total),
        np.where(total > 0, ratio(shown, np.minimum(sizes, cutoff).astype(np.float64)), np.nan),
        ratio(shown, total),
    )
