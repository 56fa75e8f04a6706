"""Many gates in one go: the same arithmetic as one gate, on a matrix with a row for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from serin.stats import process, serial
from serin.stats.constant import ONE_ARM, ConstantTest
from serin.stats.constant import parameters_of as parameters_of_constant
from serin.stats.counts import Counts, checked_number
from serin.stats.process import Floats
from serin.stats.rate import TWO_ARMS, RateTest
from serin.stats.rate import parameters_of as parameters_of_rate

__all__ = ["Block", "update_many"]

_CHUNK = 128  # rows at a time: 43 bets x 128 gates x 8 bytes = 44 KB an array, so that the work stays in the cache

AnyTest = TypeVar("AnyTest", RateTest, ConstantTest, RateTest | ConstantTest)


@dataclass(frozen=True, slots=True)
class Block:
    """One update of one gate: the requests since the last one, and the time they cover.

    A `ConstantTest` takes no notice of `stable`.

    Raises:
        ValueError: if seconds is negative or not finite.
    """

    stable: Counts
    candidate: Counts
    seconds: float

    def __post_init__(self) -> None:
        """Check the seconds; the counts checked themselves."""
        object.__setattr__(self, "seconds", checked_number("seconds", self.seconds, 0.0, serial.SECONDS_MAX))


def update_many(tests: Sequence[AnyTest], blocks: Sequence[Block]) -> list[AnyTest]:
    """Return each test updated with the block at its place, equal to what its own `update` returns.

    Raises:
        ValueError: if there are not as many blocks as tests, or counts overflow; then nothing is updated.
    """
    if len(tests) != len(blocks):
        raise ValueError(f"blocks must be as many as tests, got {len(blocks)} for {len(tests)}")
    for test, block in zip(tests, blocks, strict=True):
        serial.check_totals(test.row[process.TOTAL], block.stable, block.candidate)
    result: list[AnyTest] = list(tests)
    two_arms = [i for i, test in enumerate(tests) if isinstance(test, RateTest)]
    one_arm = [i for i, test in enumerate(tests) if isinstance(test, ConstantTest)]
    for kind, places in ((TWO_ARMS, two_arms), (ONE_ARM, one_arm)):
        for start in range(0, len(places), _CHUNK):
            chunk = places[start : start + _CHUNK]
            members = [tests[i] for i in chunk]
            parameters = (
                parameters_of_rate(members)  # type: ignore[arg-type]
                if kind is TWO_ARMS
                else parameters_of_constant(members)  # type: ignore[arg-type]
            )
            counts, seconds = _arrays([blocks[i] for i in chunk], kind.needs_stable)
            rows = process.advance(np.stack([test.row for test in members]), parameters, counts, seconds, kind)
            for i, test, row in zip(chunk, members, rows, strict=True):
                result[i] = test.with_row(row.copy())  # a view would keep the whole chunk alive
    return result


def _arrays(blocks: list[Block], with_stable: bool) -> tuple[Floats, Floats]:
    counts = np.array(
        [
            (b.stable.total, b.stable.bad, b.candidate.total, b.candidate.bad)
            if with_stable
            else (0, 0, b.candidate.total, b.candidate.bad)
            for b in blocks
        ],
        dtype=np.float64,
    )
    return counts, np.array([b.seconds for b in blocks])
