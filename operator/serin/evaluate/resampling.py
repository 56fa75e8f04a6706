"""Bootstrap resampling of sums: how far a measure may be off, for all measures, slices and arms by the same resamples.

Rows are put into at most 2048 blocks, at random; with fewer rows each is a block of its own. Every measure is a smooth
function of sums over rows, so a resample is a weighting of blocks, and all resamples of a measure are one product of
matrices [resamples, blocks] @ [blocks, sums]. That is what makes intervals for a million rows and many slices cheap,
and the same weights for both arms make their difference a paired one.

A block is drawn by a hash of the row's number and the data's digest: at random, because blocks in the file's order
would each be alike in a sorted file and the intervals far too narrow; and the same in every run.

Source: B. Efron, R. Tibshirani, An Introduction to the Bootstrap, 1993, chapters 6 and 13; for blocks of independent
rows, P. Hall, On the bootstrap and confidence intervals, Ann. Statist. 14 (1986). A test compares the spread with that
of resampling rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Codes = NDArray[np.int32]

BLOCKS = 2048
"""The standard error's own relative error is 1/sqrt(2 x 2048) = 1.6 %, less than that of 1000 resamples."""


def seed_of(digest: str) -> int:
    """A seed of 64 bits from the data's digest, so that the same data give the same report."""
    return int.from_bytes(hashlib.sha256(f"resampling {digest}".encode()).digest()[:8], "big")


def blocks_of(units: int, seed: int) -> Codes:
    """The block of each unit (a row, or a query), shape [units], values in [0, min(units, 2048)).

    >>> blocks_of(3, seed=1)
    array([0, 1, 2], dtype=int32)
    """
    if units <= BLOCKS:
        return np.arange(units, dtype=np.int32)
    return (mixed(np.arange(units, dtype=np.uint64) + np.uint64(seed)) >> np.uint64(53)).astype(np.int32)


def mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """A bijection that leaves no pattern: splitmix64 (G. Steele, D. Lea, C. Flood, OOPSLA 2014)."""
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


@dataclass(frozen=True, slots=True)
class Resamples:
    """How often each block is drawn in each resample.

    Attributes:
        blocks: The block of each unit, shape [units].
        weights: Shape [resamples, blocks]; each row's sum is the number of blocks.
    """

    blocks: Codes
    weights: Floats

    @classmethod
    def of(cls, units: int, resamples: int, digest: str) -> Resamples:
        """Draw them, the same for the same digest."""
        seed = seed_of(digest)
        count = max(min(units, BLOCKS), 1)
        drawn = np.random.Generator(np.random.PCG64(seed)).integers(0, count, size=(resamples, count))
        drawn += np.arange(resamples)[:, None] * count
        weights = np.bincount(drawn.ravel(), minlength=resamples * count).reshape(resamples, count)
        return cls(blocks_of(units, seed), weights.astype(np.float64))

    @property
    def count(self) -> int:
        """The number of blocks."""
        return int(self.weights.shape[1])


@dataclass(frozen=True, slots=True)
class Summed:
    """What measures need of some rows: sums by block, and the functions of the sums.

    Attributes:
        sums: Shape [blocks, k].
        values: From sums [..., k] to each measure's values [...]; NaN where a measure is not defined.
        support: How many units each measure rests on: those in its denominator.
        classes: How many there are, where a measure's range depends on them.
    """

    sums: Floats
    values: Callable[[Floats], Mapping[str, Floats]]
    support: Mapping[str, int]
    classes: int | None = None


def block_sums(blocks: Codes, count: int, *columns: Floats) -> Floats:
    """Sums of columns [rows] by block, shape [count, columns].

    >>> block_sums(np.array([0, 1, 0], np.int32), 2, np.array([1.0, 2.0, 3.0]))
    array([[4.],
           [2.]])
    """
    return np.stack([np.bincount(blocks, weights=column, minlength=count) for column in columns], axis=1)


def ratio(above: NDArray[Any], below: NDArray[Any]) -> Floats:
    """Above by below, NaN where below is 0: nothing of nothing is not known."""
    out = np.full(np.broadcast_shapes(np.shape(above), np.shape(below)), np.nan)
    np.divide(above, below, out=out, where=np.asarray(below) != 0)
    return out
