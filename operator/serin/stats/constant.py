"""One arm against a constant: a `limit` gate, "at most 1 % of requests slower than 1.2 s".

The one-sample version of `rate.py`, with stable's rate known instead of measured: for first deployments, for
objectives, and for comparative gates that must do without a stable. Same surface.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np

from serin.stats import process, serial
from serin.stats.counts import Counts, checked_number
from serin.stats.evidence import Evidence
from serin.stats.interval import LOG_LEVEL, difference_grid
from serin.stats.process import Betting, BlockBets, Floats, Parameters, Rows
from serin.stats.projection import log_e_one

__all__ = ["ONE_ARM", "ConstantSettings", "ConstantTest", "parameters_of"]

_PASS_WEIGHTS = (0.4, 0.3, 0.3)


@dataclass(frozen=True, slots=True)
class ConstantSettings:
    """What one rate is held to. Rates are fractions: 0.01 is 1 %.

    maximum: the largest rate that is allowed; in (0, 1).
    alpha: bound on the probability of ever failing a candidate whose rate is at most `maximum`; in (0, 1).
    beta: bound on the probability of ever passing one whose rate is `maximum + tolerance` or more; in (0, 1).
    tolerance: 0 or more; maximum + tolerance stays below 1. With 0, a candidate at the very maximum is never
        decided.
    soak_seconds, overdispersion: as in `RateSettings`.

    Raises:
        ValueError: for a value out of its range, with its name.
    """

    maximum: float
    alpha: float = 0.01
    beta: float = 0.05
    tolerance: float = 0.0
    soak_seconds: float = 300.0
    overdispersion: float = 1.25

    def __post_init__(self) -> None:
        """Check every field."""
        for name, least, most, open_ends in (
            ("maximum", 0.0, 1.0, True),
            ("alpha", 0.0, 1.0, True),
            ("beta", 0.0, 1.0, True),
            ("tolerance", 0.0, 1.0, False),
            ("soak_seconds", 0.0, math.inf, False),
            ("overdispersion", 1.0, 1e6, False),
        ):
            value = checked_number(name, getattr(self, name), least, most, open_ends=open_ends)
            object.__setattr__(self, name, value)
        if self.maximum + self.tolerance >= 1.0:
            raise ValueError(f"tolerance must leave maximum + tolerance below 1, got {self.tolerance!r}")


@dataclass(frozen=True, slots=True, eq=False, init=False, repr=False)
class ConstantTest:
    """The sequential test of one rate against a maximum, for one gate and one attempt. Immutable.

    `evidence.difference` and `evidence.interval` are of the rate less the maximum: below 0 is good.

    >>> test = ConstantTest(ConstantSettings(maximum=0.01, soak_seconds=0))
    >>> test.update(Counts(1000, 1), seconds=15).evidence.verdict
    'pass'
    """

    settings: ConstantSettings
    row: Floats = field()

    def __init__(self, settings: ConstantSettings) -> None:
        """Start a test that has seen nothing."""
        row = process.new_rows(1)[0]
        known = settings.maximum + difference_grid(np.array([_grid_scale(settings.maximum)]))[0]
        # A rate cannot lie outside [0, 1]: those points of the grid count as refuted from the start.
        refuted = np.ceil(LOG_LEVEL * 1e6) / 1e6
        row[process.AT_MOST] = np.where(known <= 0.0, refuted, 0.0)
        row[process.AT_LEAST] = np.where(known >= 1.0, refuted, 0.0)
        _set(self, settings, row)
        _set(self, settings, _derived(self).row)

    def update(self, candidate: Counts, seconds: float) -> ConstantTest:
        """Return the test after one more block: the requests since the last update and the time they cover.

        Raises:
            ValueError: if seconds is negative or not finite, or the counts overflow.
        """
        seconds = checked_number("seconds", seconds, 0.0, serial.SECONDS_MAX)
        serial.check_totals(self.row[process.TOTAL], Counts(), candidate)
        counts = np.array([[0, 0, candidate.total, candidate.bad]], dtype=np.float64)
        rows = process.advance(self.row[None, :], parameters_of([self]), counts, np.array([seconds]), ONE_ARM)
        return self.with_row(rows[0])

    def with_soak(self, soak_seconds: float) -> ConstantTest:
        """Return the test with the soak of the stage that begins; evidence and a latched pass are kept."""
        new: ConstantTest = _new()
        _set(new, replace(self.settings, soak_seconds=soak_seconds), self.row)
        return new

    @property
    def evidence(self) -> Evidence:
        """What the test has seen so far."""
        return serial.evidence_of(self.row, reference=self.settings.maximum)

    @property
    def seconds(self) -> float:
        """Time since the candidate's first traffic, as the updates told it."""
        return float(self.row[process.SECONDS])

    def to_json(self) -> str:
        """Return the whole state as compact JSON, at most 2 KB; `from_json` gives back an equal test."""
        s = self.settings
        head = [s.maximum, s.alpha, s.beta, s.tolerance, s.soak_seconds, s.overdispersion]
        return serial.dump("constant", head, self.row)

    @classmethod
    def from_json(cls, text: str) -> ConstantTest:
        """Return the test that `to_json` wrote.

        Raises:
            ValueError: for anything that `to_json` of this scheme number cannot have written.
        """
        numbers, row = serial.load("constant", 6, text)
        new: ConstantTest = _new()
        _set(new, ConstantSettings(*numbers), row)
        return _derived(new)

    def with_row(self, row: Floats) -> ConstantTest:
        """Return the test in another state; for `update_many`, not for callers."""
        new: ConstantTest = _new()
        _set(new, self.settings, row)
        return new

    def __eq__(self, other: object) -> bool:
        """Tests are equal when their settings and every bit of their state are."""
        if not isinstance(other, ConstantTest):
            return NotImplemented
        return self.settings == other.settings and np.array_equal(self.row, other.row)

    def __hash__(self) -> int:
        """Hash in accordance with equality."""
        return hash((self.settings, (self.row + 0.0).tobytes()))

    def __repr__(self) -> str:
        """Show what a person would ask: the settings and the evidence."""
        return f"ConstantTest({self.settings}, {self.evidence})"


def _new() -> ConstantTest:
    return object.__new__(ConstantTest)


def _set(test: ConstantTest, settings: ConstantSettings, row: Floats) -> None:
    """Fill in a test that nobody has seen yet; it is frozen from then on."""
    row.setflags(write=False)
    object.__setattr__(test, "settings", settings)
    object.__setattr__(test, "row", row)


def _derived(test: ConstantTest) -> ConstantTest:
    """Return the test with the columns computed that are not stored."""
    return test.with_row(process.derive(test.row[None, :], parameters_of([test]), ONE_ARM)[0])


def _grid_scale(maximum: float) -> float:
    """Return the finest step of the interval's grid: for a maximum of 1 % it is .0625 points."""
    return max(maximum / 16, 1e-6)


def parameters_of(tests: list[ConstantTest]) -> Parameters:
    """Return the parameters of these tests as arrays, in their order."""
    table = np.array(
        [
            (
                s.alpha,
                s.beta,
                s.tolerance,
                s.soak_seconds,
                s.overdispersion,
                s.maximum,
                _grid_scale(s.maximum),
            )
            for test in tests
            for s in (test.settings,)
        ]
    )
    columns = [np.ascontiguousarray(column) for column in table.T]
    return Parameters(
        log_fail=-np.log(columns[0]),
        log_pass=-np.log(columns[1]),
        margin=columns[2],  # the promote null: rate >= maximum + tolerance
        tolerance=np.zeros(len(tests)),  # the rollback null: rate <= maximum
        soak_seconds=columns[3],
        overdispersion=columns[4],
        reference=columns[5],
        grid=difference_grid(columns[6]),
    )


def _bets(rows: Rows, parameters: Parameters) -> BlockBets:
    """Return the log e-variables of the open blocks of one-sample tests.

    Fail guesses maximum + max(tolerance, maximum/4) 2^j, j = 0..8, at most nine tenths of the way to 1: for a
    maximum of 1 % they are 1.25, 1.5, 2, 3, 5, ... %. Pass guesses: half and a fifth of maximum + tolerance,
    and the candidate's own past rate.
    """
    closed = rows[:, process.TOTAL] - rows[:, process.OPEN]
    n, x = rows[:, process.OPEN][:, 2:3], rows[:, process.OPEN][:, 3:4]
    maximum = parameters.reference[:, None]
    line = maximum + parameters.margin[:, None]
    step = np.maximum(parameters.margin[:, None], maximum / 4)
    fail = np.minimum(maximum + step * 2.0 ** np.arange(process.FAIL_GUESSES), maximum + 0.9 * (1.0 - maximum))
    own = np.clip((closed[:, 3:4] + 10.0 * line) / (closed[:, 2:3] + 20.0), 1e-5, 1.0 - 1e-5)  # starts at half of line
    passing = np.concatenate([line / 2, line / 5, np.minimum(own, 0.9 * line)], axis=1)
    known = maximum + parameters.grid
    above = np.where(own > known, 1.0, -1.0)
    bets = log_e_one(n, x, own, known, above)
    return BlockBets(
        fail=log_e_one(n, x, fail, maximum, np.ones_like(line)),
        passing=log_e_one(n, x, passing, line, -np.ones_like(line)),
        at_most=np.where(above > 0, bets, 0.0),
        at_least=np.where(above > 0, 0.0, bets),
    )


ONE_ARM = Betting(needs_stable=False, pass_weights=_PASS_WEIGHTS, bets=_bets)
