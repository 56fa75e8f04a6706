"""What a rule may look at."""

from __future__ import annotations

from dataclasses import dataclass

from serin.rollout.arms import answers_in, is_down
from serin.rollout.judge import Judgement, judge
from serin.rollout.observation import Observation
from serin.rollout.plan import Plan, Stage
from serin.rollout.state import Attempt, Placed
from serin.traffic.state import Conflict, Routed
from serin.traffic.weights import Weights
from serin.workloads.pods import ArmHealth


@dataclass(frozen=True, slots=True)
class Look:
    """What a rule may look at: the observation, the attempt with the newest evidence in it, both arms.

    plan: the attempt's, with what stays live of the policy.
    now: seconds since the epoch by the cluster's clock, for pods only; soaks and deadlines run on the readings.
    """

    seen: Observation
    attempt: Attempt
    plan: Plan
    judgement: Judgement
    stable: Placed
    candidate: Placed
    now: float

    @classmethod
    def at(cls, seen: Observation, attempt: Attempt, stable: Placed, candidate: Placed, now: float) -> Look:
        """Look at a running attempt. Without a stable, comparative gates give way to absolute ones."""
        plan = attempt.plan.with_live(seen.policy) if isinstance(seen.policy, Plan) else attempt.plan
        names = plan.judged(attempt.stage)
        if is_down(stable, seen):
            names &= plan.absolute()
        return cls(seen, attempt, plan, judge(attempt, names), stable, candidate, now)

    @property
    def stage(self) -> Stage | None:
        """The stage that runs; None while the candidate gets ready."""
        return self.plan.stages[self.attempt.stage] if self.attempt.stage >= 0 else None

    @property
    def next_stage(self) -> Stage | None:
        """The stage after this one; None before promotion."""
        following = self.attempt.stage + 1
        return self.plan.stages[following] if following < len(self.plan.stages) else None

    @property
    def candidate_health(self) -> ArmHealth | None:
        """The candidate's pods; None before its Deployment exists."""
        return self.seen.health.get(self.candidate.revision)

    @property
    def stable_health(self) -> ArmHealth | None:
        """Stable's pods; None when nothing is known of them (an adopted Service without pods of its own)."""
        return self.seen.health.get(self.stable.revision)

    @property
    def stable_down(self) -> bool:
        """Whether stable has no ready endpoint."""
        return is_down(self.stable, self.seen)

    @property
    def answers_in(self) -> float | None:
        """In how many seconds the candidate can answer; None when that is not known."""
        return answers_in(self.candidate_health, self.now, self.seen.gateway_reload_seconds)

    @property
    def too_coarse(self) -> Conflict | None:
        """Why the route's integers cannot carry the stage's share."""
        if self.stage is None or not isinstance(self.seen.route, Routed):
            return None
        return self.seen.route.too_coarse_for(Weights.toward(self.candidate.slot, self.stage.weight))

    @property
    def shielded(self) -> bool:
        """Whether the candidate gets no traffic whatever its stage says: nobody would answer, or too much came."""
        return self.stage is not None and (self.answers_in != 0.0 or self.too_coarse is not None)
