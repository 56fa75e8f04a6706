"""Readings of the metrics grid go into the gates' sequential tests.

A reading holds what both arms did between two instants. It counts as evidence from the candidate's first
traffic on; what stable did before is history, which feeds the first guess and the margin and proves nothing.
One test per gate runs from first traffic to the end of bake: a fresh one at each stage would multiply alpha by
the number of stages.
"""

from __future__ import annotations

from dataclasses import replace

from serin.api.reasons import Reason
from serin.metrics.reading import Counted, Missing, Outage, Reading
from serin.rollout.plan import CompareGate, LimitGate, Plan, QueryGate, RateGate, tolerance_of
from serin.rollout.state import Attempt, GateState
from serin.stats import Counts
from serin.stats.constant import ConstantSettings, ConstantTest
from serin.stats.margin import freeze_margin
from serin.stats.rate import RateSettings, RateTest

# Requests come in bursts; until an A/A of stable's own pods says how much, assume a quarter more variance.
OVERDISPERSION_ASSUMED = 1.25

# A limit gate passes when the rate is proven to be below maximum plus this share of it: with max 1 %, below
# 1.25 %. At exactly the maximum nothing could ever be proven in finite time.
LIMIT_TOLERANCE_SHARE = 0.25


# Neither arm got a request for this long, and for at least two instants of the grid: NoTraffic.
SILENT_SECONDS_MIN = 30.0


def waiting_gates(plan: Plan) -> tuple[GateState, ...]:
    """The gates of an attempt whose candidate has had no traffic: they only gather stable's history."""
    return tuple(GateState(name=gate.name) for gate in plan.rate_gates())


def open_gates(attempt: Attempt) -> Attempt:
    """The attempt at the candidate's first traffic: each gate's test begins, with stable's history and no evidence."""
    histories = {gate.name: gate.history for gate in attempt.gates}
    plan = attempt.plan
    return replace(attempt, gates=tuple(_open_gate(plan, gate, histories[gate.name]) for gate in plan.rate_gates()))


def absorb(
    attempt: Attempt,
    look: Reading | Outage,
    *,
    weight: int,
    in_effect: bool,
    ready: bool,
    silent_seconds_max: float,
    lag_seconds: float,
) -> Attempt:
    """The attempt after one instant of the metrics grid.

    weight: the candidate's share in percent that was wanted during the interval.
    in_effect: that weight was read back from the route and the candidate had a ready endpoint; else the
        interval counts neither for the soak nor for requests that should have been seen.
    ready: the candidate has a ready pod.
    silent_seconds_max: time goes on for the soak and the deadline for this long without any request; a night
        without traffic is no reason to end an attempt.
    lag_seconds: how long after a weight was read back the readings surely show nothing of the weight before: the
        gateway's reload and the settling of samples.

    An Outage moves nothing: its time does not count and the evidence stays, for missing data is no verdict. The
    counters go on meanwhile, so that the next Reading covers the gap.
    """
    match look:
        case Outage(reason=reason, message=message):
            gates = tuple(replace(gate, missing=(reason, message)) for gate in attempt.gates)
            return replace(attempt, gates=gates)
        case Reading():
            moved = _absorb_time(attempt, look, in_effect=in_effect, ready=ready, silent_seconds_max=silent_seconds_max)
            settled = moved.effect_since > 0 and look.instant - look.seconds >= moved.effect_since + lag_seconds
            return _absorb_counts(moved, look, weight=weight if settled else 0)


def with_soak(attempt: Attempt, soak_seconds: float) -> Attempt:
    """The attempt with the soak of the stage that begins: no gate latches a pass before it is over."""
    gates = tuple(
        replace(gate, test=gate.test.with_soak(gate.test.seconds + soak_seconds)) if gate.test is not None else gate
        for gate in attempt.gates
    )
    return replace(attempt, gates=gates)


def _open_gate(plan: Plan, gate: RateGate, history: Counts) -> GateState:
    test: RateTest | ConstantTest
    match gate:
        case LimitGate():
            test = ConstantTest(
                ConstantSettings(
                    maximum=gate.maximum,
                    alpha=plan.alpha,
                    beta=plan.beta,
                    tolerance=gate.maximum * LIMIT_TOLERANCE_SHARE,
                    soak_seconds=0.0,
                    overdispersion=OVERDISPERSION_ASSUMED,
                )
            )
        case CompareGate() | QueryGate():
            margin = freeze_margin(gate.margin.plus, gate.margin.of_stable, gate.margin.maximum, history)
            test = RateTest(
                RateSettings(
                    alpha=plan.alpha,
                    beta=plan.beta,
                    # Once frozen, least and most are the margin itself. Before, the least margin and the largest
                    # tolerance that can come out: the evidence so far then stays valid whatever comes out (see
                    # RateTest.with_margin).
                    margin=margin.least,
                    tolerance=tolerance_of(gate, margin.most),
                    soak_seconds=0.0,
                    overdispersion=OVERDISPERSION_ASSUMED,
                ),
                history=history,
            )
    return GateState(name=gate.name, test=test, history=history)


def _absorb_time(
    attempt: Attempt, reading: Reading, *, in_effect: bool, ready: bool, silent_seconds_max: float
) -> Attempt:
    """Let time go on by what was measured: not while a required gate had nothing to read, not in a silent night."""
    required = {gate.name for gate in attempt.plan.rate_gates() if gate.required}
    measured = not any(isinstance(reading.gates.get(name), Missing | None) for name in required)
    silent = reading.stable_requests == 0 and reading.candidate_requests == 0
    # Counts of an outage are in the reading that ends it; its time is neither soak nor progress.
    span = reading.seconds - reading.outage_seconds
    silent_seconds = attempt.silent_seconds + span if silent else 0.0
    seconds = span if measured and silent_seconds < silent_seconds_max else 0.0
    return replace(
        attempt,
        instant=reading.instant,
        active_seconds=attempt.active_seconds + seconds,
        soaked_seconds=attempt.soaked_seconds + (seconds if in_effect else 0.0),
        effect_since=(attempt.effect_since or reading.instant) if in_effect else 0.0,
        unready_seconds=0.0 if ready else attempt.unready_seconds + span,
        silent_seconds=silent_seconds,
        stable_seen=reading.stable_seen,
        candidate_seen=reading.candidate_seen,
    )


def _absorb_counts(attempt: Attempt, reading: Reading, *, weight: int) -> Attempt:
    """Let the counts into the tests. Before first traffic only the ability to measure is looked at."""
    if not attempt.first_traffic:
        return replace(attempt, gates=tuple(_looked(gate, reading) for gate in attempt.gates))
    if 0 < weight < 100:
        attempt = _expect(attempt, reading, weight)
    plan_gates = {gate.name: gate for gate in attempt.plan.rate_gates()}
    warm = reading.instant - attempt.first_traffic >= attempt.plan.warm_in_seconds
    gates = tuple(_absorb_gate(plan_gates[gate.name], gate, reading, warm=warm) for gate in attempt.gates)
    return replace(attempt, gates=gates)


def _expect(attempt: Attempt, reading: Reading, weight: int) -> Attempt:
    """Keep the books on requests that the candidate should have answered.

    With 90 of 100 requests seen at stable and a weight of 10, 90 x 10 / 90 = 10 are expected. Only intervals that lie
    wholly after the weight took effect count: 25 requests of stable from before a step from 50 to 95 percent would
    make 475 that never were. The books are
    closed whenever 50 were expected and enough of them seen, so that a candidate that hangs late is found as
    fast as one that hangs from the start.
    """
    expected = attempt.expected + reading.stable_requests * weight / (100 - weight)
    seen = attempt.seen + reading.candidate_requests
    if expected >= EXPECTED_REQUESTS_MIN and seen >= SEEN_SHARE_MIN * expected:
        expected = seen = 0.0
    return replace(attempt, expected=expected, seen=seen)


# Fewer than 20 % of at least 50 expected requests: with independent routing at the weight, seeing fewer than 10
# where 50 are expected has a probability below 1e-12 (Poisson), so chance is not the cause.
EXPECTED_REQUESTS_MIN = 50.0
SEEN_SHARE_MIN = 0.2


def _looked(gate: GateState, reading: Reading) -> GateState:
    match reading.gates.get(gate.name):
        case Counted(stable=stable):
            return replace(gate, history=gate.history + stable, missing=None)
        case Missing(reason=reason, message=message):
            return replace(gate, missing=(reason, message))
        case None:
            return replace(gate, missing=_NOT_READ)


def _absorb_gate(plan_gate: RateGate, gate: GateState, reading: Reading, *, warm: bool) -> GateState:
    counted = reading.gates.get(gate.name)
    match counted:
        case Counted():
            cold = isinstance(plan_gate, CompareGate | LimitGate) and plan_gate.what == "slowerThan" and not warm
            if cold:
                return replace(gate, missing=None)
            return _update(plan_gate, gate, counted, reading.seconds)
        case Missing(reason=reason, message=message):
            return replace(gate, missing=(reason, message))
        case None:
            return replace(gate, missing=_NOT_READ)


def _update(plan_gate: RateGate, gate: GateState, counted: Counted, seconds: float) -> GateState:
    stable, candidate = gate.stable + counted.stable, gate.candidate + counted.candidate
    test = gate.test
    match test:
        case RateTest():
            assert isinstance(plan_gate, CompareGate | QueryGate)  # noqa: S101 - only these two open a RateTest
            test = test.update(counted.stable, counted.candidate, seconds)
            rule = plan_gate.margin
            before = freeze_margin(rule.plus, rule.of_stable, rule.maximum, gate.history + gate.stable)
            if before.value is None:
                # A rule on counts only: the margin freezes when stable reaches 1,000 requests.
                now = freeze_margin(rule.plus, rule.of_stable, rule.maximum, gate.history + stable)
                if now.value is not None:
                    test = test.with_margin(now.value, tolerance_of(plan_gate, now.value))
        case ConstantTest():
            test = test.update(counted.candidate, seconds)
        case None:
            pass
    return replace(gate, test=test, stable=stable, candidate=candidate, missing=None)


_NOT_READ = (Reason.METRICS_UNAVAILABLE, "the metrics source has not been asked for this gate yet")
