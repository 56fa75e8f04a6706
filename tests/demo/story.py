"""The versions of the demo, and what each of them has to come to.

v1  the first one        serves without a trial
v2  as good as v1        promoted
v3  3 % fail             rolled back
v4  one in ten is slow   rolled back
v5  as good as v2        promoted, although the operator is killed -9 in the middle and started again
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.demo import manifests
from tests.demo.report import Rollout
from tests.demo.stage import NotReached, Stage, ended, promoted, settled
from tests.demo.timeline import Timeline
from tests.demo.traffic import Traffic

Json = dict[str, Any]

FIRST_SECONDS_MAX = 90.0
ROLLOUT_SECONDS_MAX = 180.0
SETTLE_SECONDS_MAX = 60.0
OPERATOR_AWAY_SECONDS = 3.0

OUTCOMES = {"Promoted": "promoted", "RolledBack": "rolled-back"}


@dataclass(frozen=True, slots=True)
class Step:
    """One version."""

    version: str
    words: str
    want: str
    faults: Mapping[str, object] = field(default_factory=dict)
    kill_operator: bool = False

    def again(self, run: int) -> Step:
        """Return the step for a further run: a version of its own, because a rejected one is remembered."""
        version = self.version if run == 1 else f"{self.version}.{run}"
        return Step(version, self.words, self.want, self.faults, self.kill_operator)


FIRST = Step("1", "the first version", "promoted")
STEPS = (
    Step("2", "as good as v1", "promoted"),
    Step("3", "3 % of its answers are errors", "rolled-back", {"FAIL_FRACTION": 0.03}),
    Step("4", "one answer in ten is slow", "rolled-back", {"SLOW_FRACTION": 0.1, "SLOW_SECONDS": 0.5}),
    Step("5", "as good as v2; the operator is killed on the way", "promoted", kill_operator=True),
)


async def first(stage: Stage, timeline: Timeline) -> None:
    """Apply the first version and wait until it serves."""
    timeline.say(f"--- v{FIRST.version}: {FIRST.words}")
    await stage.apply(manifests.model_deployment(FIRST.version))
    await stage.until(
        lambda md: promoted(md, FIRST.version) and settled(md),
        seconds=FIRST_SECONDS_MAX,
        what="the first version serves",
    )


async def roll_out(stage: Stage, traffic: Traffic, step: Step, timeline: Timeline) -> Rollout:
    """Apply one version, watch it to its end and say what its users saw."""
    timeline.say(f"--- v{step.version}: {step.words}")
    applied = time.time()
    await stage.apply(manifests.model_deployment(step.version, step.faults))
    killer = asyncio.create_task(_kill_on_the_way(stage, step, timeline)) if step.kill_operator else None
    try:
        trial = await stage.until(
            lambda md: (
                ((md.get("status") or {}).get("candidate") or {}).get("version") == step.version
                or ended(md, step.version) is not None
            ),
            seconds=SETTLE_SECONDS_MAX,
            what=f"version {step.version} is on trial",
        )
        slot = ((trial["status"].get("candidate")) or {}).get("slot")
        md = await stage.until(
            lambda md: ended(md, step.version) is not None,
            seconds=ROLLOUT_SECONDS_MAX,
            what=f"a verdict on version {step.version}",
        )
        at = time.time()
        if killer is not None:
            await killer
        await stage.until(settled, seconds=SETTLE_SECONDS_MAX, what=f"everything settled after version {step.version}")
        await stage.until_empty(_idle_slot(md), seconds=SETTLE_SECONDS_MAX)
    finally:
        if killer is not None:
            killer.cancel()
    settled_at = time.time()
    await asyncio.sleep(2)  # the last requests' answers have to be in the record
    return _account(stage, traffic, step, md, slot=slot, applied=applied, ended_at=at, settled_at=settled_at)


async def _kill_on_the_way(stage: Stage, step: Step, timeline: Timeline) -> None:
    """Kill the operator when the candidate has had its second weight for a moment; start it again."""

    def on_the_way(md: Json) -> bool:
        status = md.get("status") or {}
        rollout = status.get("rollout") or {}
        mine = (status.get("candidate") or {}).get("version") == step.version
        return ended(md, step.version) is not None or (mine and (rollout.get("weight") or 0) >= 30)

    md = await stage.until(on_the_way, seconds=ROLLOUT_SECONDS_MAX, what="the candidate's second weight")
    if ended(md, step.version) is not None:
        raise NotReached(f"version {step.version} ended before the operator could be killed")
    await asyncio.sleep(2)
    stage.kill_operator()
    before = stage.shares[-1]
    timeline.say(f"the operator is killed (kill -9) at weights {before.a}/{before.b}")
    await asyncio.sleep(OPERATOR_AWAY_SECONDS)
    stage.start_operator()
    timeline.say("the operator is started again")


def _idle_slot(md: Json) -> str:
    """Return the slot that nobody stands in once a rollout has ended."""
    return "b" if md["status"]["stable"]["slot"] == "a" else "a"


def _account(
    stage: Stage,
    traffic: Traffic,
    step: Step,
    md: Json,
    *,
    slot: str | None,
    applied: float,
    ended_at: float,
    settled_at: float,
) -> Rollout:
    outcome = md["status"]["outcome"]
    kind = str(outcome.get("kind"))
    began = traffic.first(step.version)
    verdict: float | None = ended_at
    if kind != "Promoted":
        verdict = stage.zero_since(slot, after=applied) if slot else None
    until = verdict if verdict is not None else ended_at
    since = began if began is not None else applied
    everything = traffic.count(since, until)
    candidate = traffic.count(since, settled_at, arm=step.version)
    stable_failures = everything.failures - traffic.count(since, until, arm=step.version).failures
    stable_requests = everything.requests - traffic.count(since, until, arm=step.version).requests
    stable_rate = stable_failures / stable_requests if stable_requests else 0.0
    return Rollout(
        version=step.version,
        outcome=OUTCOMES.get(kind, kind.lower()),
        wanted=step.want,
        reason=str(outcome.get("reason")),
        message=str(outcome.get("message", "")),
        seconds_to_verdict=None if began is None or verdict is None else round(verdict - began, 1),
        seconds_total=None if began is None else round(settled_at - began, 1),
        requests=everything.requests,
        failures=everything.failures,
        excess_failures=round(everything.failures - stable_rate * everything.requests, 1),
        candidate_requests=candidate.requests,
        candidate_failures=candidate.failures,
        slow=everything.slow,
    )
