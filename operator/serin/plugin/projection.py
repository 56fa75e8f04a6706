"""`plan`: how long a policy takes on some traffic, and how soon it finds a bad version.

The operator's own forecast (`serin.rollout.forecast`) is asked as for a rollout that starts now, with a candidate as
good as stable; what is added here is how that time falls on the stages, and the same for candidates that are worse.
All of it is the middle: every second rollout takes longer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never

from serin.rollout.clumping import ASSUMED
from serin.rollout.evidence import margin_of
from serin.rollout.forecast import expect
from serin.rollout.gates import CompareGate, HardGate, LimitGate, QueryGate, tolerance_of
from serin.rollout.plan import Bake, Canary, Plan
from serin.rollout.state import Attempt, GateState, Kind
from serin.stats import Counts, RateSettings, planning

# As much history as a busy hour brings: enough that the margin is frozen and the rate is exact to the thousandth.
HISTORY_REQUESTS = 1_000_000


@dataclass(frozen=True, slots=True)
class Traffic:
    """What to plan for.

    requests_per_second: of both arms together, above 0. rate: stable's share of bad requests where `rates` has none
    for the gate; both are fractions.
    """

    requests_per_second: float
    rate: float
    rates: Mapping[str, float]

    def of(self, gate: str) -> float:
        """Stable's share of bad requests by this gate."""
        return self.rates.get(gate, self.rate)


@dataclass(frozen=True, slots=True)
class GateOutlook:
    """What one gate needs. margin, tolerance and rate are fractions, None where they do not apply.

    requests: of the candidate until a pass; None when none can be told, for the reason in `note`.
    """

    name: str
    required: bool
    rate: float | None
    margin: float | None
    tolerance: float | None
    requests: int | None
    note: str


@dataclass(frozen=True, slots=True)
class StageOutlook:
    """How long one stage will last; weight is the candidate's share in percent, requests are the candidate's."""

    name: str
    weight: int
    soak_seconds: float
    seconds: float
    requests: float
    until: str


@dataclass(frozen=True, slots=True)
class BadOutlook:
    """How soon a version is rolled back that is worse by so much (a fraction), by this gate.

    by_deadline: no verdict comes in time, so that timeouts.progress ends it. hurt: bad answers beyond those that stable
    would have given.
    """

    gate: str
    worse_by: float
    stage: str
    by_deadline: bool
    seconds: float
    requests: float
    hurt: float


@dataclass(frozen=True, slots=True)
class Projection:
    """The whole forecast. seconds: until promotion, None when it cannot be told; advice: when that is too long."""

    policy: str
    requests_per_second: float
    seconds: float | None
    deadline_seconds: float
    fits: bool
    advice: str | None
    gates: tuple[GateOutlook, ...]
    stages: tuple[StageOutlook, ...]
    bad: tuple[BadOutlook, ...]


def project(policy: str, plan: Plan, traffic: Traffic) -> Projection:
    """Forecast a rollout by `plan`; `policy` is what people call it.

    Raises:
        ValueError: requests_per_second is not above 0, or a rate is outside [0, 1].
    """
    _check(traffic)
    attempt = Attempt(
        number=1,
        kind=Kind.COMPARED,
        plan=plan,
        started_at="",
        requests_per_second=traffic.requests_per_second,
        gates=tuple(GateState(gate.name, history=_history(traffic.of(gate.name))) for gate in plan.rate_gates()),
    )
    forecast = expect(attempt, plan)
    slowest = max(forecast.requests.values(), default=0)
    known = forecast.seconds is not None
    stages = _stages(plan, traffic.requests_per_second, forecast.requests, slowest) if known else ()
    fits = forecast.seconds is not None and forecast.seconds <= plan.progress_seconds
    advice = forecast.advice
    if advice is None and not fits:
        advice = "the soaks alone are longer than timeouts.progress" if known else "a gate can come to no verdict"
    return Projection(
        policy=policy,
        requests_per_second=traffic.requests_per_second,
        seconds=forecast.seconds,
        deadline_seconds=plan.progress_seconds,
        fits=fits,
        advice=advice,
        gates=tuple(_gate(gate, plan, traffic, forecast.requests) for gate in plan.gates),
        stages=stages,
        bad=_bad(plan, traffic),
    )


def _check(traffic: Traffic) -> None:
    if not traffic.requests_per_second > 0:
        raise ValueError(f"requests per second must be above 0, got {traffic.requests_per_second:g}")
    for name, rate in {"": traffic.rate, **traffic.rates}.items():
        if not 0 <= rate <= 1:
            raise ValueError(f"the rate {name} must be from 0% to 100%, got {100 * rate:g}%")


def _history(rate: float) -> Counts:
    return Counts(HISTORY_REQUESTS, round(HISTORY_REQUESTS * rate))


def _settings(gate: CompareGate | QueryGate, plan: Plan, rate: float, alpha: float) -> RateSettings:
    margin = margin_of(gate, _history(rate)).value
    assert margin is not None  # noqa: S101 - a million requests freeze every margin
    return RateSettings(
        alpha=alpha,
        beta=plan.beta,
        margin=margin,
        tolerance=tolerance_of(gate, margin),
        soak_seconds=0.0,
        overdispersion=ASSUMED.value,  # before a rollout nothing is measured yet
    )


def _gate(
    gate: CompareGate | QueryGate | LimitGate | HardGate, plan: Plan, traffic: Traffic, needs: Mapping[str, int]
) -> GateOutlook:
    match gate:
        case HardGate():
            return GateOutlook(gate.name, gate.required, None, None, None, None, "judged at once, on facts")
        case LimitGate():
            rate = traffic.of(gate.name)
            note = "not forecast" if rate < gate.maximum else "stable itself is above the limit: a candidate will fail"
            return GateOutlook(gate.name, gate.required, rate, gate.maximum, None, None, note)
        case CompareGate() | QueryGate():
            rate = traffic.of(gate.name)
            settings = _settings(gate, plan, rate, plan.alpha)
            note = "" if gate.name in needs else "never" if gate.required else "advisory, nothing waits for it"
            return GateOutlook(
                gate.name, gate.required, rate, settings.margin, settings.tolerance, needs.get(gate.name), note
            )
        case _:
            assert_never(gate)


def _stages(plan: Plan, speed: float, needs: Mapping[str, int], needed: float) -> tuple[StageOutlook, ...]:
    """How the forecast's time falls on the stages; it adds up to `Forecast.seconds`."""
    slowest = max(needs, key=lambda name: needs[name], default="")
    found = []
    for index, stage in enumerate(plan.stages):
        rate = speed * stage.weight / 100
        seconds, until = stage.soak_seconds, "the soak"
        following = plan.stages[index + 1] if index + 1 < len(plan.stages) else None
        if isinstance(following, Canary) and following.excess_failures is not None and not stage.soak_seconds:
            # How long that takes is not forecast: a few looks, or minutes where a look is thousands of requests.
            until = f"a bad version can cost {following.excess_failures} failures at most at {following.weight} %"
        if not isinstance(stage, Bake):
            if stage.requests_min / rate > seconds:
                seconds, until = stage.requests_min / rate, f"{stage.requests_min:,} requests"
            if plan.needs_proof(index) and needed / rate > seconds:
                seconds, until = needed / rate, f"the proof of {slowest}"
        found.append(StageOutlook(stage.name, stage.weight, stage.soak_seconds, seconds, seconds * rate, until))
        needed -= seconds * rate
    return tuple(found)


def _bad(plan: Plan, traffic: Traffic) -> tuple[BadOutlook, ...]:
    """For each gate that decides: versions worse by twice the margin, and by ten points."""
    required = [gate for gate in plan.rate_gates() if gate.required and isinstance(gate, CompareGate | QueryGate)]
    found: list[BadOutlook] = []
    for gate in required:
        rate = traffic.of(gate.name)
        settings = _settings(gate, plan, rate, plan.alpha / max(1, len(plan.required())))
        worse = (one for one in sorted({2 * settings.margin, 0.1}) if rate + one < 1)
        found += (_found(gate.name, plan, traffic.requests_per_second, settings, (rate, one)) for one in worse)
    return tuple(found)


def _found(gate: str, plan: Plan, speed: float, settings: RateSettings, rates: tuple[float, float]) -> BadOutlook:
    """Walk through the stages: each brings its share of the evidence that a verdict needs at its weight.

    A version beyond the margin is not proven good, so the stage that needs the proof lasts until the verdict comes or
    the deadline.
    """
    rate, worse_by = rates
    evidence = seconds = requests = 0.0
    for index, stage in enumerate(plan.stages):
        share = stage.weight / 100
        outlook = planning.plan(
            settings, rate=rate, share=share, requests_per_second=speed, candidate_rate=rate + worse_by
        )
        last = plan.needs_proof(index)
        lasts = max(plan.progress_seconds - seconds, 0.0) if last else stage.soak_seconds
        brings = lasts * speed * share
        needed = outlook.requests if outlook.verdict == "fail" and outlook.requests is not None else None
        fails = needed is not None and (1 - evidence) * needed <= brings
        if needed is not None and fails:
            brings = (1 - evidence) * needed
        elif needed is not None:
            evidence += brings / max(needed, 1)
        seconds, requests = seconds + brings / (speed * share), requests + brings
        if fails or last:
            return BadOutlook(gate, worse_by, stage.name, not fails, seconds, requests, requests * worse_by)
    raise AssertionError("the last canary stage needs a proof")
