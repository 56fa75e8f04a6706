"""alpha by the operator's whole path where bad requests come in bursts: readings in, gates out.

Stable's hour is read as history, minute by minute; then an attempt with one gate sees 120 readings of 15 s of a
candidate that is worse by exactly the tolerance, the worst that alpha speaks of, and is never stopped. Bad requests
come eight at a time. With 200 rollouts and alpha = .01 the errors have mean 2 at most, and the limit is four standard
deviations above: 2 + 4 sqrt(200 .01 .99) = 7.6. The seed is fixed.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from serin.metrics.reading import Counted, Reading, StableHistory
from serin.rollout.evidence import absorb, open_gates, waiting_gates, with_soak
from serin.rollout.gates import CompareGate
from serin.rollout.state import Attempt, Kind
from serin.stats import Counts
from serin.stats.rate import RateTest
from tests.unit.rollout.looks import plan
from tests.unit.rollout.test_evidence import AROUND

ROLLOUTS, READINGS, SECONDS = 200, 120, 15.0
RATE, BURST = 0.01, 8
STABLE, CANDIDATE = 900, 900  # requests in each reading
LIMIT = 2 + 4 * (ROLLOUTS * 0.01 * 0.99) ** 0.5


def bursts(rng: np.random.Generator, requests: int, rate: float) -> Counts:
    """So many requests at this rate, whose bad ones come together."""
    return Counts(requests, min(requests, BURST * int(rng.poisson(requests * rate / BURST))))


def fails(rng: np.random.Generator, by: Attempt, *, measured: bool) -> bool:
    """Whether the gate ever fails the candidate."""
    minutes = tuple(bursts(rng, 4 * (STABLE + CANDIDATE), RATE) for _ in range(59))
    total = sum(minutes, Counts())
    past = {"errors": StableHistory(total, minutes)} if measured else {}
    first = Reading(1000.0, 3540.0, {"errors": Counted(total, Counts())}, total.total, stable_seen=True, history=past)
    attempt = open_gates(absorb(by, first, AROUND))
    attempt = with_soak(replace(attempt, stage=0, first_traffic=1000.0, effect_since=1000.0, warm_since=1000.0), 60.0)
    test = attempt.gates[0].test
    assert isinstance(test, RateTest)
    worse = RATE + test.settings.tolerance
    for number in range(1, READINGS + 1):
        stable, candidate = bursts(rng, STABLE, RATE), bursts(rng, CANDIDATE, worse)
        attempt = absorb(
            attempt,
            Reading(
                1000.0 + SECONDS * number,
                SECONDS,
                {"errors": Counted(stable, candidate)},
                stable.total,
                candidate.total,
                stable_seen=True,
                candidate_seen=True,
            ),
            AROUND,
        )
        found = attempt.gates[0].test
        assert found is not None
        if found.evidence.verdict == "fail":
            return True
    return False


@pytest.mark.parametrize(("measured", "keeps"), [(True, True), (False, False)], ids=("measured", "assumed"))
def test_false_rollbacks_in_bursts(measured: bool, keeps: bool) -> None:
    """Measured, they stay within alpha; with the 1.25 that was assumed before they would not."""
    errors = next(gate for gate in plan().rate_gates() if isinstance(gate, CompareGate) and gate.what == "serverErrors")
    by = plan(gates=(replace(errors, name="errors"),))
    waiting = Attempt(1, Kind.COMPARED, by, "2026-11-21T12:00:00Z", gates=waiting_gates(by))
    rng = np.random.default_rng(11)
    wrong = sum(fails(rng, waiting, measured=measured) for _ in range(ROLLOUTS))
    assert (wrong <= LIMIT) is keeps, wrong
