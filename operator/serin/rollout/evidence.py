"""Readings of the metrics grid go into the gates' sequential tests.

A reading holds what both arms did between two instants. It counts as evidence from the candidate's first
traffic on; what stable did before is history, which feeds the first guess and the margin and proves nothing.
One test per gate runs from first traffic to the end of bake: a fresh one at each stage would multiply alpha by
the number of stages.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import assert_never

from serin.api.reasons import Reason
from serin.metrics.reading import Counted, Missing, Outage, Reading
from serin.rollout.clumping import measured
from serin.rollout.expected import UNREACHED_SECONDS_MAX, expect
from serin.rollout.gates import CompareGate, LimitGate, QueryGate, RateGate, tolerance_of
from serin.rollout.plan import Plan
from serin.rollout.state import Attempt, GateState
from serin.stats import Counts
from serin.stats.constant import ConstantSettings, ConstantTest
from serin.stats.margin import Margin, freeze_margin
from serin.stats.rate import RateSettings, RateTest

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
    waiting = {gate.name: gate for gate in attempt.gates}
    plan = attempt.plan
    return replace(attempt, gates=tuple(_open_gate(plan, gate, waiting[gate.name]) for gate in plan.rate_gates()))


@dataclass(frozen=True, slots=True)
class Around:
    """What was so around the readings of one look.

    weight: the candidate's share in percent that its stage says.
    in_effect: that weight was read back from the route and the candidate could answer; else an interval counts
        neither for the soak nor for requests that should have been seen.
    ready: the candidate has the pods it needs, or waits for a node or for its files, which is not its fault.
    held: somebody or something holds the rollout (paused, stable is down), so its time does not count.
    silent_seconds_max: time goes on for the soak and the deadline for this long without any request; a night
        without traffic is no reason to end an attempt.
    lag_seconds: how long after a weight was read back the readings surely show nothing of the weight before: the
        gateway's reload and the settling of samples.
    """

    weight: int
    in_effect: bool
    ready: bool
    held: bool
    silent_seconds_max: float
    lag_seconds: float


def absorb(attempt: Attempt, look: Reading | Outage, around: Around) -> Attempt:
    """The attempt after one instant of the metrics grid.

    An Outage moves nothing: its time does not count and the evidence stays, for missing data is no verdict. The
    counters go on meanwhile, so that the next Reading covers the gap.
    """
    match look:
        case Outage(reason=reason, message=message):
            return replace(attempt, outage=(reason, message))
        case Reading():
            moved = _absorb_time(attempt, look, around)
            settled = moved.effect_since > 0 and look.instant - look.seconds >= moved.effect_since + around.lag_seconds
            return _absorb_counts(moved, look, around, weight=around.weight if settled else 0)
        case _:
            assert_never(look)


def margin_of(gate: CompareGate | QueryGate, stable: Counts) -> Margin:
    """The gate's margin after so many requests of stable, or what is known of it."""
    return freeze_margin(gate.margin.plus, gate.margin.of_stable, gate.margin.maximum, stable)


def with_soak(attempt: Attempt, soak_seconds: float) -> Attempt:
    """The attempt with the soak of the stage that begins: no gate latches a pass before it is over."""
    gates = tuple(
        replace(gate, test=gate.test.with_soak(gate.test.seconds + soak_seconds)) if gate.test is not None else gate
        for gate in attempt.gates
    )
    return replace(attempt, gates=gates)


def _open_gate(plan: Plan, gate: RateGate, waiting: GateState) -> GateState:
    history, phi = waiting.history, waiting.overdispersion
    test: RateTest | ConstantTest
    # The rollout fails when the mean of the required gates' evidence reaches 1/alpha. A gate that fails by itself must
    # have brought the mean there: one that fails for good without it could neither be rolled back nor promoted.
    alpha = plan.alpha / max(1, len(plan.required()))
    match gate:
        case LimitGate():
            test = ConstantTest(
                ConstantSettings(
                    maximum=gate.maximum,
                    alpha=alpha,
                    beta=plan.beta,
                    tolerance=min(gate.maximum * LIMIT_TOLERANCE_SHARE, 0.5 * (1.0 - gate.maximum)),
                    soak_seconds=0.0,
                    overdispersion=phi.value,
                )
            )
        case CompareGate() | QueryGate():
            margin = margin_of(gate, history)
            test = RateTest(
                RateSettings(
                    alpha=alpha,
                    beta=plan.beta,
                    # Once frozen, least and most are the margin itself. Before, the least margin and the largest
                    # tolerance that can come out: the evidence so far then stays valid whatever comes out (see
                    # RateTest.with_margin).
                    margin=margin.least,
                    tolerance=tolerance_of(gate, margin.most),
                    soak_seconds=0.0,
                    overdispersion=phi.value,
                ),
                history=history,
            )
    return GateState(name=gate.name, test=test, history=history, overdispersion=phi)


def _absorb_time(attempt: Attempt, reading: Reading, around: Around) -> Attempt:
    """Let time go on by what was measured: not while a gate that decides had nothing to read, not in a silent night."""
    deciding = attempt.plan.required() & attempt.plan.judged(attempt.stage)
    measured = not any(isinstance(reading.gates.get(name), Missing | None) for name in deciding)
    if 0 < around.weight < 100 and not reading.stable_seen:
        measured = False  # nothing to compare with
    silent = reading.stable_requests == 0 and reading.candidate_requests == 0
    span = _measured_seconds(reading)
    silent_seconds = attempt.silent_seconds + span if silent else 0.0
    counts = measured and not around.held and silent_seconds < around.silent_seconds_max
    seconds = span if counts else 0.0
    return replace(
        attempt,
        instant=reading.instant,
        active_seconds=attempt.active_seconds + (seconds if attempt.first_traffic else 0.0),
        soaked_seconds=attempt.soaked_seconds + (seconds if around.in_effect else 0.0),
        effect_since=(attempt.effect_since or reading.instant) if around.in_effect else 0.0,
        warm_since=(attempt.warm_since or reading.instant) if around.in_effect and around.weight else 0.0,
        unready_seconds=0.0 if around.ready else attempt.unready_seconds + span,
        silent_seconds=silent_seconds,
        requests_per_second=_busier(attempt.requests_per_second, reading),
        stable_seen=reading.stable_seen,
        candidate_seen=reading.candidate_seen,
        outage=None,
    )


def _measured_seconds(reading: Reading) -> float:
    """Counts of an outage are in the reading that ends it; its time is neither soak nor progress."""
    return max(0.0, reading.seconds - reading.outage_seconds)


def _busier(before: float, reading: Reading) -> float:
    """Requests a second of both arms: it rises at once and falls within minutes.

    A rollout must not be refused as too slow because the last hour was quiet.
    """
    if reading.seconds <= 0.0:
        return before
    now = (reading.stable_requests + reading.candidate_requests) / reading.seconds
    kept = math.exp(-reading.seconds / TRAFFIC_MEMORY_SECONDS)
    return max(now, kept * before + (1.0 - kept) * now)


TRAFFIC_MEMORY_SECONDS = 300.0


def _absorb_counts(attempt: Attempt, reading: Reading, around: Around, *, weight: int) -> Attempt:
    """Let the counts into the tests. Before first traffic only the ability to measure is looked at.

    weight: the candidate's share during the whole interval, 0 where that is not known.
    """
    if not attempt.first_traffic:
        rules = {gate.name: gate for gate in attempt.plan.rate_gates()}
        return replace(attempt, gates=tuple(_looked(rules[gate.name], gate, reading) for gate in attempt.gates))
    arrived = reading.candidate_requests + reading.candidate_given_up > 0
    attempt = replace(
        attempt,
        reached=around.weight > 0 and (attempt.reached or arrived),
        requests=attempt.requests + reading.candidate_requests,
        # Without a settled weight some of them may be the stage's before.
        stage_requests=attempt.stage_requests + (reading.candidate_requests if weight else 0),
    )
    # A reading at t is about what happened until t less the settling time.
    begun = reading.instant - reading.seconds - around.lag_seconds
    routed = attempt.reached or begun >= attempt.warm_since + UNREACHED_SECONDS_MAX
    if 0 < weight < 100 and routed and not _unreadable(reading):
        attempt = expect(attempt, reading, weight)
    plan_gates = {gate.name: gate for gate in attempt.plan.rate_gates()}
    warm = attempt.warm_since > 0 and begun >= attempt.warm_since + attempt.plan.warm_in_seconds
    gates = tuple(_absorb_gate(plan_gates[gate.name], gate, reading, warm=warm) for gate in attempt.gates)
    return replace(attempt, gates=gates)


def _unreadable(reading: Reading) -> bool:
    """Whether counters were there and said nothing (NaN): then nobody knows how many requests were answered."""
    return any(isinstance(gate, Missing) and gate.reason is Reason.STALE_METRICS for gate in reading.gates.values())


def _looked(plan_gate: RateGate, gate: GateState, reading: Reading) -> GateState:
    """Before first traffic: what stable did. The hour before comes in one reading, and says how much stable clumps.

    It counts even where the candidate cannot be measured yet: a model server's pod that does not run is not scraped.
    """
    past = reading.history.get(gate.name)
    if past is not None:
        gate = replace(gate, overdispersion=measured(plan_gate, past))
    match reading.gates.get(gate.name):
        case Counted(stable=stable):
            return replace(gate, history=gate.history + stable, missing=None)
        case Missing(reason=reason, message=message):
            history = gate.history + past.total if past is not None else gate.history
            return replace(gate, history=history, missing=(reason, message))
        case None:
            return replace(gate, missing=_NOT_READ)


def _absorb_gate(plan_gate: RateGate, gate: GateState, reading: Reading, *, warm: bool) -> GateState:
    counted = reading.gates.get(gate.name)
    match counted:
        case Counted():
            cold = isinstance(plan_gate, CompareGate | LimitGate) and plan_gate.what == "slowerThan" and not warm
            if cold:
                counted = Counted(Counts(), Counts())  # time goes on, the numbers are left out
            return _update(plan_gate, gate, counted, _measured_seconds(reading))
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
            if margin_of(plan_gate, gate.history + gate.stable).value is None:
                # A rule on counts only: the margin freezes when stable reaches 1,000 requests.
                now = margin_of(plan_gate, gate.history + stable)
                if now.value is not None:
                    test = test.with_margin(now.value, tolerance_of(plan_gate, now.value))
        case ConstantTest():
            test = test.update(counted.candidate, seconds)
        case None:
            pass
    return replace(gate, test=test, stable=stable, candidate=candidate, missing=None)


_NOT_READ = (Reason.METRICS_UNAVAILABLE, "the metrics source has not been asked for this gate yet")
