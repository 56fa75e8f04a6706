"""The e-processes of a gate: what one closed block does to them, in every kind of test and in the batch.

A gate's state is one row of floats, so that a thousand gates are a matrix and a single gate is a matrix of
one row: there is one implementation. What differs between kinds of test is only the e-variable of a block; a
`Betting` computes it. What is the same is here:

- when a block closes. Counts are kept open until each arm that the test needs has clip(N1/8, 1, 20) requests,
  N1 being the candidate's requests in closed blocks: by counts only, never by outcomes, so the block's
  e-variable keeps its mean.  N1 = 0: 1 request; N1 = 80: 10; N1 >= 160: 20.
- the rollback process, a mixture over change points: of the starting cash 1, the share w_k is staked before
  block k, w_1 = 1/2, w_k = 1/(2 k (k-1)), so a candidate that breaks late is caught late instead of averaged
  away:
      R_j <- (R_j + w_k) e_j^(1/phi)        E_fail = sum_j pi_j R_j + cash not yet staked
  The shares of the first k blocks sum to 1 - 1/(2k), so the cash left is 1/(2k).
- the promote process, a plain mixture of products:  L_j <- L_j e_j^(1/phi),  E_pass = sum_j pi_j L_j.
- the exponent 1/phi, phi >= 1 the over-dispersion: requests come in bursts that fail together. The mean of
  e^(1/phi) is at most (mean of e)^(1/phi) <= 1, so independent requests lose nothing of the guarantee.
- Ville's inequality: a process that starts at 1 and whose mean never grows ever reaches 1/a with probability
  at most a, whatever the traffic, the weights and however often one looks.

Log capitals are rounded down to millionths after each block and kept in [-700, 700]. Rounding down and the
upper end only give money away; the lower end gives at most e^-700 a block, 10^-300 in all. So a state read
back from JSON is the very state that was written, and a replay of the same blocks ends in the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from serin.stats.interval import BETS, interval_bounds

__all__ = [
    "AT_LEAST",
    "AT_MOST",
    "BLOCKS",
    "FAIL",
    "FAIL_GUESSES",
    "FAIL_WEIGHTS",
    "HISTORY",
    "INTERVAL",
    "LOG_E_FAIL",
    "LOG_E_PASS",
    "LOG_FLOOR",
    "OPEN",
    "PASS",
    "PASS_GUESSES",
    "ROW",
    "SECONDS",
    "SEEN_FAILED",
    "SEEN_PASSED",
    "TOTAL",
    "Betting",
    "BlockBets",
    "Parameters",
    "Rows",
    "advance",
    "derive",
    "log_sum",
    "new_rows",
    "quantised",
    "unstaked",
]  # fmt: skip

Floats = NDArray[np.float64]
Rows = NDArray[np.float64]  # (gates, ROW)

FAIL_GUESSES = 9
PASS_GUESSES = 3
FAIL_WEIGHTS = (0.4, *([0.6 / (FAIL_GUESSES - 1)] * (FAIL_GUESSES - 1)))

# The columns of a row. Four counts are always stable's requests, stable's bad, candidate's requests,
# candidate's bad.
BLOCKS = 0  # closed blocks
TOTAL = slice(1, 5)  # counts since the start
OPEN = slice(5, 9)  # of these, the counts of the block that is still open
HISTORY = slice(9, 11)  # stable's requests and bad ones, older ones forgotten
SECONDS = 11  # since the candidate's first traffic
SECONDS_CLOSED = 12  # the same, when the last block closed
SEEN_PASSED = 13  # 1 once E_pass >= 1/beta was seen after the soak
SEEN_FAILED = 14  # 1 once E_fail >= 1/alpha was seen
FAIL = slice(15, 15 + FAIL_GUESSES)  # log R_j
PASS = slice(FAIL.stop, FAIL.stop + PASS_GUESSES)  # log L_j
AT_MOST = slice(PASS.stop, PASS.stop + BETS)  # log capital of the interval's bets against "at most d"
AT_LEAST = slice(AT_MOST.stop, AT_MOST.stop + BETS)
_STORED = AT_LEAST.stop
# What follows is computed from what precedes, and not stored.
LOG_E_FAIL = _STORED
LOG_E_PASS = _STORED + 1
INTERVAL = slice(_STORED + 2, _STORED + 4)
ROW = _STORED + 4

LOG_FLOOR = -700.0
_STABLE_N, _CANDIDATE_N = 1, 3
_OPEN_STABLE_N, _OPEN_CANDIDATE_N = 5, 7
_BLOCK_LEAST, _BLOCK_MOST, _BLOCK_SHARE = 1.0, 20.0, 8.0
_MEMORY_SECONDS = 3600.0  # stable's history forgets with this time constant


@dataclass(frozen=True, slots=True)
class Parameters:
    """What the gates of a batch are tested at; each an array of shape (gates,) unless said.

    log_fail, log_pass: log 1/alpha and log 1/beta.
    margin, tolerance: the promote null is a difference of at least margin, the rollback null of at most
        tolerance.
    soak_seconds: before it no pass is latched.
    overdispersion: phi, at least 1.
    reference: the known rate of one-sample tests; 0 for two arms.
    grid: shape (gates, 31), the differences of the interval's bets.
    """

    log_fail: Floats
    log_pass: Floats
    margin: Floats
    tolerance: Floats
    soak_seconds: Floats
    overdispersion: Floats
    reference: Floats
    grid: Floats

    def take(self, which: NDArray[np.bool_]) -> Parameters:
        """Return the parameters of the gates selected by `which`."""
        return Parameters(*(getattr(self, name)[which] for name in self.__slots__))


@dataclass(frozen=True, slots=True)
class BlockBets:
    """Log e-variables of a block for each gate: shapes (gates, 9), (gates, 3), (gates, 31), (gates, 31).

    The last two are the interval's; None where nobody asks for one, as in simulations of verdicts.
    """

    fail: Floats
    passing: Floats
    at_most: Floats | None
    at_least: Floats | None


@dataclass(frozen=True, slots=True)
class Betting:
    """A kind of test: which arms it needs, what its pass guesses weigh, and the e-variables of its blocks.

    `bets` gets the rows with the open block in OPEN and must guess from everything else only. Without
    `with_interval` the interval stays (-1, 1).
    """

    needs_stable: bool
    pass_weights: tuple[float, ...]
    bets: Callable[[Rows, Parameters], BlockBets]
    with_interval: bool = True


def new_rows(gates: int) -> Rows:
    """Return the state of `gates` tests that have seen nothing; shape (gates, ROW)."""
    rows = np.zeros((gates, ROW))
    rows[:, FAIL] = LOG_FLOOR  # nothing staked yet: all of E_fail = 1 is cash
    rows[:, INTERVAL] = (-1.0, 1.0)
    return rows


def advance(rows: Rows, parameters: Parameters, blocks: Floats, seconds: Floats, kind: Betting) -> Rows:
    """Return the rows after one update each; the given rows are not changed.

    Args:
        rows: shape (gates, ROW).
        parameters: what they are tested at.
        blocks: shape (gates, 4), the new counts.
        seconds: shape (gates,), the time they cover.
        kind: the test that all of these gates are.
    """
    rows = rows.copy()
    rows[:, TOTAL] += blocks
    rows[:, OPEN] += blocks
    rows[:, SECONDS] += np.where(rows[:, _CANDIDATE_N] > 0, seconds, 0.0)
    closed = rows[:, _CANDIDATE_N] - rows[:, _OPEN_CANDIDATE_N]
    need = np.clip(closed / _BLOCK_SHARE, _BLOCK_LEAST, _BLOCK_MOST)
    full = rows[:, _OPEN_CANDIDATE_N] >= need
    if kind.needs_stable:
        full &= rows[:, _OPEN_STABLE_N] >= need
    if full.any():
        rows[full] = close_blocks(rows[full], parameters.take(full), kind)
    # A pass is looked for only when requests came in: an update without data must never change a verdict.
    seen = (blocks[:, 0] > 0) | (blocks[:, 2] > 0)
    passes = (rows[:, LOG_E_PASS] >= parameters.log_pass) & (rows[:, SECONDS] >= parameters.soak_seconds)
    fails = (rows[:, SEEN_FAILED] > 0) | (rows[:, LOG_E_FAIL] >= parameters.log_fail)
    rows[:, SEEN_FAILED] = np.where(fails, 1.0, 0.0)
    rows[:, SEEN_PASSED] = np.where((rows[:, SEEN_PASSED] > 0) | (seen & passes & ~fails), 1.0, 0.0)
    return rows


def close_blocks(rows: Rows, parameters: Parameters, kind: Betting) -> Rows:
    """Return the rows with their open blocks added to the evidence; every row's block must have requests."""
    rows = rows.copy()
    bets = kind.bets(rows, parameters)
    root = 1.0 / parameters.overdispersion[:, None]
    k = rows[:, BLOCKS] + 1.0
    staked = unstaked(k - 1.0) - unstaked(k)
    rows[:, BLOCKS] = k
    rows[:, FAIL] = quantised(np.logaddexp(rows[:, FAIL], np.log(staked)[:, None]) + bets.fail * root)
    rows[:, PASS] = quantised(rows[:, PASS] + bets.passing * root)
    if bets.at_most is not None and bets.at_least is not None:
        rows[:, AT_MOST] = quantised(rows[:, AT_MOST] + bets.at_most * root)
        rows[:, AT_LEAST] = quantised(rows[:, AT_LEAST] + bets.at_least * root)
    # Stable's history: e^(-900/3600) = .78 of it is left after a quarter of an hour.
    kept = np.exp(-(rows[:, SECONDS] - rows[:, SECONDS_CLOSED]) / _MEMORY_SECONDS)
    rows[:, HISTORY] = rows[:, HISTORY] * kept[:, None] + rows[:, OPEN][:, :2]
    rows[:, SECONDS_CLOSED] = rows[:, SECONDS]
    rows[:, OPEN] = 0.0
    return derive(rows, parameters, kind)


def derive(rows: Rows, parameters: Parameters, kind: Betting) -> Rows:
    """Return the rows with the columns filled in that follow from the stored ones."""
    rows = rows.copy()
    cash = np.log(unstaked(rows[:, BLOCKS]))
    fail = [rows[:, FAIL.start + j] + np.log(FAIL_WEIGHTS[j]) for j in range(FAIL_GUESSES)]
    rows[:, LOG_E_FAIL] = log_sum([*fail, cash])
    passing = [rows[:, PASS.start + j] + np.log(kind.pass_weights[j]) for j in range(PASS_GUESSES)]
    rows[:, LOG_E_PASS] = log_sum(passing)
    if kind.with_interval:
        lower, upper = interval_bounds(parameters.grid, rows[:, AT_MOST], rows[:, AT_LEAST])
        rows[:, INTERVAL.start], rows[:, INTERVAL.start + 1] = lower, upper
    return rows


def unstaked(blocks: Floats) -> Floats:
    """Return the share of the rollback process's starting cash that is not staked after so many blocks, in (0, 1]."""
    left: Floats = 0.5 / np.maximum(blocks, 0.5)
    return left


def log_sum(terms: list[Floats]) -> Floats:
    """Return log(sum of exp) of arrays of one shape, added in order: numpy's own sum depends on the shape."""
    most = terms[0]
    for term in terms[1:]:
        most = np.maximum(most, term)
    total = np.exp(terms[0] - most)
    for term in terms[1:]:
        total = total + np.exp(term - most)
    result: Floats = most + np.log(total)
    return result


def quantised(log_capital: Floats) -> Floats:
    """Return log capitals rounded down to millionths and kept in [-700, 700]."""
    clipped = np.clip(log_capital, LOG_FLOOR, -LOG_FLOOR)
    result: Floats = np.floor(clipped * 1e6) / 1e6
    return result
