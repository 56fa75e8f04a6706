"""Two arms: is the candidate's rate worse than stable's, and is it surely not worse by the margin?

The stable public surface of the comparison. See `process.py` for what happens to a block and
docs/statistics.md for the whole story.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np

from serin.stats import process, serial
from serin.stats.counts import Counts, checked_number
from serin.stats.evidence import Evidence
from serin.stats.interval import difference_grid
from serin.stats.process import Betting, BlockBets, Floats, Parameters, Rows
from serin.stats.projection import Block, log_e_two

__all__ = [
    "PASS_WEIGHTS",
    "TWO_ARMS",
    "RateSettings",
    "RateTest",
    "guesses",
    "history_rate",
    "parameters_of",
    "verdict_bets",
]

PASS_WEIGHTS = (0.7, 0.2, 0.1)
_GRID_SCALE_LEAST = 1e-5
_BETS_SPLIT = (process.FAIL_GUESSES, process.FAIL_GUESSES + process.PASS_GUESSES)


@dataclass(frozen=True, slots=True)
class RateSettings:
    """What a comparison of two rates is held to. Differences are fractions: 0.01 is one percentage point.

    alpha: bound on the probability of ever failing a candidate that is at most `tolerance` worse; in (0, 1).
    beta: bound on the probability of ever passing a candidate that is at least `margin` worse; in (0, 1).
    margin: see beta; in (0, 1). About 0.2 points + 25 % of stable's rate; `freeze_margin` computes it.
    tolerance: see alpha; in [0, 1). About a quarter of the margin for errors, half of it for latency.
    soak_seconds: no pass is latched earlier after the candidate's first traffic; 0 or more.
    overdispersion: phi, at least 1; `overdispersion` estimates it.

    A tolerance at or above the margin is not an error, as a test may start so before its margin is frozen
    (see `RateTest.with_margin`): between the two both nulls are true, and the test stays undecided.

    Raises:
        ValueError: for a value out of its range, with its name.
    """

    alpha: float = 0.01
    beta: float = 0.05
    margin: float = 0.005
    tolerance: float = 0.00125
    soak_seconds: float = 300.0
    overdispersion: float = 1.25

    def __post_init__(self) -> None:
        """Check every field."""
        for name, least, most, open_ends in (
            ("alpha", 0.0, 1.0, True),
            ("beta", 0.0, 1.0, True),
            ("margin", 0.0, 1.0, True),
            ("soak_seconds", 0.0, math.inf, False),
            ("overdispersion", 1.0, 1e6, False),
        ):
            value = checked_number(name, getattr(self, name), least, most, open_ends=open_ends)
            object.__setattr__(self, name, value)
        tolerance = checked_number("tolerance", self.tolerance, 0.0, 1.0)
        if tolerance == 1.0:
            raise ValueError(f"tolerance must be below 1, got {self.tolerance!r}")
        object.__setattr__(self, "tolerance", tolerance)


@dataclass(frozen=True, slots=True, eq=False, init=False, repr=False)
class RateTest:
    """The sequential comparison of a candidate with stable, for one gate and one attempt. Immutable.

    One test runs from the candidate's first traffic to the end of bake; starting anew at each stage would
    multiply alpha by the number of stages.

    >>> test = RateTest(RateSettings(margin=0.01, tolerance=0.0025, soak_seconds=60), history=Counts(5000, 5))
    >>> test = test.update(stable=Counts(900, 1), candidate=Counts(100, 9), seconds=15)
    >>> test.evidence.verdict
    'fail'
    """

    settings: RateSettings
    row: Floats = field()
    grid_scale: float = field()

    def __init__(self, settings: RateSettings, history: Counts | None = None) -> None:
        """Start a test.

        Args:
            settings: what it is held to.
            history: stable's requests over the last hour or so, before the attempt and without those of
                earlier attempts. They tell where stable's rate lies, so that the first guess is a good one;
                they are not evidence. None is as good as no requests: the first guess is then 1 %.
        """
        history = history if history is not None else Counts()
        row = process.new_rows(1)[0]
        row[process.HISTORY] = (history.total, history.bad)
        _set(self, settings, row, max(settings.margin / 4, _GRID_SCALE_LEAST))
        _set(self, settings, _derived(self).row, self.grid_scale)

    def update(self, stable: Counts, candidate: Counts, seconds: float) -> RateTest:
        """Return the test after one more block of requests.

        Args:
            stable: requests of stable since the last update, not totals.
            candidate: the same of the candidate.
            seconds: time since the last update. It counts from the candidate's first traffic, towards the
                soak and the forgetting of stable's history. Give 0 for time without metrics.

        An update without a request in either arm changes no evidence: only time goes on.

        Raises:
            ValueError: if seconds is negative or not finite, or the counts overflow.
        """
        seconds = checked_number("seconds", seconds, 0.0, serial.SECONDS_MAX)
        serial.check_totals(self.row[process.TOTAL], stable, candidate)
        counts = np.array([[stable.total, stable.bad, candidate.total, candidate.bad]], dtype=np.float64)
        rows = process.advance(self.row[None, :], parameters_of([self]), counts, np.array([seconds]), TWO_ARMS)
        return self.with_row(rows[0])

    def with_soak(self, soak_seconds: float) -> RateTest:
        """Return the test with the soak of the stage that begins; evidence and a latched pass are kept."""
        new: RateTest = _new()
        _set(new, replace(self.settings, soak_seconds=soak_seconds), self.row, self.grid_scale)
        return new

    def with_margin(self, margin: float, tolerance: float) -> RateTest:
        """Return the test with its margin frozen; the evidence so far is kept.

        Until stable has enough requests to freeze the margin, start with the least margin and the largest
        tolerance that can come out (`Margin.least`, `Margin.most`). Every block so far was then tested
        against nulls that contain the final ones ("at least 0.2 points worse" contains "at least 0.7 points
        worse"), so its e-variable is one for the final nulls too, and going on with the product is valid
        although the final margin depends on stable's outcomes. The open block closes first, under the old
        margin: its outcomes are known already.

        Raises:
            ValueError: if the margin would fall or the tolerance rise, which would not be valid.
        """
        settings = replace(self.settings, margin=margin, tolerance=tolerance)
        if settings.margin < self.settings.margin:
            raise ValueError(f"margin may only grow, from {self.settings.margin!r}, got {margin!r}")
        if settings.tolerance > self.settings.tolerance:
            raise ValueError(f"tolerance may only fall, from {self.settings.tolerance!r}, got {tolerance!r}")
        row = self.row
        if settings == self.settings:
            return self
        if row[process.OPEN][0] > 0 and row[process.OPEN][2] > 0:
            row = process.close_blocks(row[None, :], parameters_of([self]), TWO_ARMS)[0]
        new: RateTest = _new()
        _set(new, settings, row, self.grid_scale)
        return new

    @property
    def evidence(self) -> Evidence:
        """What the test has seen so far."""
        return serial.evidence_of(self.row, reference=None)

    @property
    def seconds(self) -> float:
        """Time since the candidate's first traffic, as the updates told it."""
        return float(self.row[process.SECONDS])

    def to_json(self) -> str:
        """Return the whole state as compact JSON, at most 2 KB; `from_json` gives back an equal test."""
        settings = self.settings
        head = [settings.alpha, settings.beta, settings.margin, settings.tolerance, settings.soak_seconds]
        return serial.dump("rate", [*head, settings.overdispersion, self.grid_scale], self.row)

    @classmethod
    def from_json(cls, text: str) -> RateTest:
        """Return the test that `to_json` wrote.

        Raises:
            ValueError: for anything that `to_json` of this scheme number cannot have written.
        """
        numbers, row = serial.load("rate", 7, text)
        settings = RateSettings(*numbers[:6])
        scale = checked_number("grid scale", numbers[6], 0.0, 0.25, open_ends=True)
        new: RateTest = _new()
        _set(new, settings, row, scale)
        return _derived(new)

    def with_row(self, row: Floats) -> RateTest:
        """Return the test in another state; for `update_many`, not for callers."""
        new: RateTest = _new()
        _set(new, self.settings, row, self.grid_scale)
        return new

    def __eq__(self, other: object) -> bool:
        """Tests are equal when their settings and every bit of their state are."""
        if not isinstance(other, RateTest):
            return NotImplemented
        return (
            self.settings == other.settings
            and self.grid_scale == other.grid_scale
            and np.array_equal(self.row, other.row)
        )

    def __hash__(self) -> int:
        """Hash in accordance with equality."""
        return hash((self.settings, self.grid_scale, (self.row + 0.0).tobytes()))

    def __repr__(self) -> str:
        """Show what a person would ask: the settings and the evidence."""
        return f"RateTest({self.settings}, {self.evidence})"


def _new() -> RateTest:
    return object.__new__(RateTest)


def _set(test: RateTest, settings: RateSettings, row: Floats, grid_scale: float) -> None:
    """Fill in a test that nobody has seen yet; it is frozen from then on."""
    row.setflags(write=False)
    object.__setattr__(test, "settings", settings)
    object.__setattr__(test, "row", row)
    object.__setattr__(test, "grid_scale", grid_scale)


def _derived(test: RateTest) -> RateTest:
    """Return the test with the columns computed that are not stored."""
    return test.with_row(process.derive(test.row[None, :], parameters_of([test]), TWO_ARMS)[0])


def parameters_of(tests: list[RateTest]) -> Parameters:
    """Return the parameters of these tests as arrays, in their order."""
    table = np.array(
        [
            (s.alpha, s.beta, s.margin, s.tolerance, s.soak_seconds, s.overdispersion, test.grid_scale)
            for test in tests
            for s in (test.settings,)
        ]
    )
    columns = [np.ascontiguousarray(column) for column in table.T]
    return Parameters(
        log_fail=-np.log(columns[0]),
        log_pass=-np.log(columns[1]),
        margin=columns[2],
        tolerance=columns[3],
        soak_seconds=columns[4],
        overdispersion=columns[5],
        reference=np.zeros(len(tests)),
        grid=difference_grid(columns[6]),
    )


def history_rate(rows: Rows) -> Floats:
    """Return q0, the guess of stable's rate from its past, for each row.

    (X + 0.5) / (N + 50), kept in [1e-5, 0.7]: without history 1 %, with 5 bad of 5,000 0.11 %.
    """
    history = rows[:, process.HISTORY]
    return np.clip((history[:, 1] + 0.5) / (history[:, 0] + 50.0), 1e-5, 0.7)


def guesses(q0: Floats, margin: Floats, tolerance: Floats) -> tuple[Floats, Floats]:
    """Return the guesses of the candidate's rate: for rollback (gates, 9), for promotion (gates, 3).

    Rollback: q0 + tol + (margin - tol) 2^j, j = 0..8, at most 0.9. Margin 1 point, tolerance 0.25: q0 plus
    1, 1.75, 3.25, 6.25, 12.25, ... points. Promotion: q0, q0 + margin/2, q0/2.
    """
    # Before the margin is frozen the tolerance may exceed it; the guesses must still lie beyond the
    # tolerance.
    step = np.maximum(margin - tolerance, margin / 4)
    doubling = 2.0 ** np.arange(process.FAIL_GUESSES)
    fail = np.minimum((q0 + tolerance)[:, None] + step[:, None] * doubling, 0.9)
    return fail, np.stack([q0, np.minimum(q0 + margin / 2, 0.95), q0 / 2], axis=1)


def verdict_bets(rows: Rows, parameters: Parameters) -> tuple[Floats, Floats]:
    """Return the log e-variables of the open blocks: for rollback (gates, 9), for promotion (gates, 3)."""
    q0 = history_rate(rows)
    log_e = log_e_two(_open_block(rows), q0[:, None], *_verdict_bets(q0, parameters))
    return log_e[:, : process.FAIL_GUESSES], log_e[:, process.FAIL_GUESSES :]


def _verdict_bets(q0: Floats, parameters: Parameters) -> tuple[Floats, Floats, Floats]:
    """Return guess, difference and side of the bets on both verdicts, (gates, 12) each."""
    margin, tolerance = parameters.margin, parameters.tolerance
    guess = np.concatenate(guesses(q0, margin, tolerance), axis=1)
    d, side = np.empty_like(guess), np.ones_like(guess)
    d[:, : process.FAIL_GUESSES] = tolerance[:, None]
    d[:, process.FAIL_GUESSES :] = margin[:, None]
    side[:, process.FAIL_GUESSES :] = -1.0
    return guess, d, side


def _interval_bets(rows: Rows, q0: Floats, grid: Floats) -> tuple[Floats, Floats, Floats]:
    """Return guess, difference and side of the interval's bets, (gates, 31) each.

    The candidate's rate is guessed from its own past, drawn towards stable's by 20 requests' worth. For each
    d of the grid one of the two bets, against "at most d" or "at least d", is on the right side of that guess; the
    other stays out.
    """
    closed = rows[:, process.TOTAL] - rows[:, process.OPEN]
    q1 = np.clip((closed[:, 3] + 20.0 * q0 + 0.02) / (closed[:, 2] + 20.04), 1e-5, 0.95)
    side = np.where((q1 - q0)[:, None] > grid, 1.0, -1.0)
    return np.broadcast_to(q1[:, None], grid.shape), grid, side


def _bets(rows: Rows, parameters: Parameters) -> BlockBets:
    """Return all bets, projected in one go: for a single gate two goes would take twice the time of one."""
    q0 = history_rate(rows)
    both = zip(_verdict_bets(q0, parameters), _interval_bets(rows, q0, parameters.grid), strict=True)
    guess, d, side = (np.concatenate(pair, axis=1) for pair in both)
    log_e = log_e_two(_open_block(rows), q0[:, None], guess, d, side)
    fail, passing, interval = np.split(log_e, _BETS_SPLIT, axis=1)
    above = side[:, _BETS_SPLIT[-1] :] > 0.0
    return BlockBets(fail, passing, np.where(above, interval, 0.0), np.where(above, 0.0, interval))


def _open_block(rows: Rows) -> Block:
    n0, x0, n1, x1 = (rows[:, i : i + 1] for i in range(process.OPEN.start, process.OPEN.stop))
    return n0, x0, n1, x1


TWO_ARMS = Betting(needs_stable=True, pass_weights=PASS_WEIGHTS, bets=_bets)
