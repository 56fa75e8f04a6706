"""Every possible course of a small rollout, added up: the promises hold exactly, guesses, blocks, mixtures and all.

Three blocks of two requests a side have 9^3 = 729 courses. Each is run through the package as a row of its own; its
probability is known at any pair of rates. So the mean of each process, and the probability ever to cross a line, are
sums and not estimates. The guesses of the second and third block depend on the courses, as they do in earnest.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from serin.stats import ConstantSettings, ConstantTest, Counts, RateSettings, RateTest, process
from serin.stats.constant import ONE_ARM
from serin.stats.constant import parameters_of as parameters_of_constant
from serin.stats.process import Floats
from serin.stats.rate import TWO_ARMS, parameters_of

SIZE, BLOCKS = 2, 3
OUTCOMES = np.array(list(itertools.product(range(SIZE + 1), repeat=2)), dtype=float)  # (bad of stable, of candidate)
COURSES = np.array(list(itertools.product(range(len(OUTCOMES)), repeat=BLOCKS)))
RATES = np.linspace(0, 1, 21)


def binomial(x: Floats, p: float) -> Floats:
    """The probability of x bad ones of two."""
    result: Floats = np.array([1, 2, 1])[x.astype(int)] * p**x * (1 - p) ** (SIZE - x)
    return result


def probabilities(p0: float, p1: float) -> Floats:
    """The probability of each course."""
    block = binomial(OUTCOMES[:, 0], p0) * binomial(OUTCOMES[:, 1], p1)
    result: Floats = block[COURSES].prod(axis=1)
    return result


def two_arms(settings: RateSettings, history: Counts) -> list[Floats]:
    """The rows of all courses after each block."""
    test = RateTest(settings, history)
    rows = np.repeat(test.row[None, :], len(COURSES), axis=0)
    parameters, after = parameters_of([test] * len(COURSES)), []
    for block in range(BLOCKS):
        x0, x1 = OUTCOMES[COURSES[:, block]].T
        counts = np.stack([np.full_like(x0, SIZE), x0, np.full_like(x1, SIZE), x1], axis=1)
        rows = process.advance(rows, parameters, counts, np.full(len(rows), 600.0), TWO_ARMS)
        after.append(rows)
    return after


@pytest.mark.parametrize("history", [Counts(), Counts(200, 40)])
@pytest.mark.parametrize(("margin", "tolerance"), [(0.2, 0.05), (0.02, 0.0)])
def test_no_process_gains_under_its_null(margin: float, tolerance: float, history: Counts) -> None:
    """After each block the mean of E_fail, E_pass and every bet of the interval is at most 1 where its null holds."""
    settings = RateSettings(margin=margin, tolerance=tolerance, overdispersion=1.0, soak_seconds=0)
    grid = parameters_of([RateTest(settings, history)]).grid[0]
    bets = 0
    for rows in two_arms(settings, history):
        e_fail, e_pass = np.exp(rows[:, process.LOG_E_FAIL]), np.exp(rows[:, process.LOG_E_PASS])
        at_most, at_least = np.exp(rows[:, process.AT_MOST]), np.exp(rows[:, process.AT_LEAST])
        bets += int((at_most != 1).any(axis=0).sum() + (at_least != 1).any(axis=0).sum())
        for p0, p1 in itertools.product(RATES, RATES):
            chance, difference = probabilities(p0, p1), p1 - p0
            if difference <= tolerance + 1e-12:
                assert chance @ e_fail <= 1 + 1e-9
            if difference >= margin - 1e-12:
                assert chance @ e_pass <= 1 + 1e-9
            assert (chance @ at_most)[grid >= difference].max(initial=0) <= 1 + 1e-9
            assert (chance @ at_least)[grid <= difference].max(initial=0) <= 1 + 1e-9
    assert bets > 60  # all of them were tried


def test_ever_crossing_a_line_is_as_rare_as_promised() -> None:
    """At alpha = beta = 40 % a fail within the tolerance and a pass at the margin are at most that probable."""
    settings = RateSettings(alpha=0.4, beta=0.4, margin=0.2, tolerance=0.05, overdispersion=1.0, soak_seconds=0)
    last = two_arms(settings, Counts(200, 40))[-1]
    failed, passed = last[:, process.SEEN_FAILED] > 0, last[:, process.SEEN_PASSED] > 0
    most = [0.0, 0.0]
    for p0, p1 in itertools.product(RATES, RATES):
        chance = probabilities(p0, p1)
        if p1 - p0 <= 0.05 + 1e-12:
            most[0] = max(most[0], float(chance @ failed))
        if p1 - p0 >= 0.2 - 1e-12:
            most[1] = max(most[1], float(chance @ passed))
    assert 0.02 < most[0] <= 0.4  # it can happen at all
    assert 0.02 < most[1] <= 0.4


@pytest.mark.parametrize("maximum", [0.05, 0.3])
def test_no_process_of_one_arm_gains_under_its_null(maximum: float) -> None:
    """The same for a rate against a constant, over the 3^5 courses of five blocks."""
    settings = ConstantSettings(maximum=maximum, tolerance=maximum / 4, overdispersion=1.0)
    test = ConstantTest(settings)
    courses = np.array(list(itertools.product(range(SIZE + 1), repeat=5)), dtype=float)
    rows = np.repeat(test.row[None, :], len(courses), axis=0)
    parameters, grid = parameters_of_constant([test] * len(courses)), parameters_of_constant([test]).grid[0]
    start_at_most, start_at_least = np.exp(test.row[process.AT_MOST]), np.exp(test.row[process.AT_LEAST])
    for block in range(5):
        x = courses[:, block]
        counts = np.stack([0 * x, 0 * x, np.full_like(x, SIZE), x], axis=1)
        rows = process.advance(rows, parameters, counts, np.full(len(rows), 15.0), ONE_ARM)
        for p in RATES:
            seen = np.prod([binomial(courses[:, k], p) for k in range(5)], axis=0)
            if p <= maximum:
                assert seen @ np.exp(rows[:, process.LOG_E_FAIL]) <= 1 + 1e-9
            if p >= maximum * 1.25:
                assert seen @ np.exp(rows[:, process.LOG_E_PASS]) <= 1 + 1e-9
            true = (grid >= p - maximum) & (start_at_most == 1)
            assert (seen @ np.exp(rows[:, process.AT_MOST]))[true].max(initial=0) <= 1 + 1e-9
            true = (grid <= p - maximum) & (start_at_least == 1)
            assert (seen @ np.exp(rows[:, process.AT_LEAST]))[true].max(initial=0) <= 1 + 1e-9
