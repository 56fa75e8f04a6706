"""What was so around a look's readings, and the attempt with them in it.

The readings themselves go into the gates in serin.rollout.evidence; whether they count there depends on the route, the
pods, the people and the windows of the moment at which they were read, and that is put together here.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from serin.metrics.reading import Reading
from serin.rollout.arms import answers_in, excused, has_pods, is_down, shared_fault, storeless
from serin.rollout.desired import candidate_share, weights
from serin.rollout.ending import record_gap
from serin.rollout.evidence import SILENT_SECONDS_MIN, Around, absorb
from serin.rollout.observation import Observation
from serin.rollout.plan import Plan
from serin.rollout.state import Attempt, Placed, State
from serin.rollout.windows import closed
from serin.traffic.state import Routed


def take_in(seen: Observation, state: State, attempt: Attempt, candidate: Placed, now: float) -> Attempt:
    """The attempt with every new reading in it, oldest first. A replay of stored metrics is this function too.

    now: seconds since the epoch by the cluster's clock; whether the candidate can answer depends on it.
    """
    health = seen.health.get(candidate.revision)
    stable = state.stable
    stable_health = seen.health.get(stable.revision) if stable is not None else None
    following = attempt.plan.stages[0].weight if attempt.stage < 0 else 0
    ready = has_pods(health, seen.replicas, following)
    wanted = weights(state)
    in_effect = (
        answers_in(health, now, seen.gateway_reload_seconds) == 0.0
        and not attempt.shielded
        and isinstance(seen.route, Routed)
        and wanted is not None
        and seen.route.carries(wanted)
    )
    around = Around(
        weight=candidate_share(attempt),
        in_effect=in_effect,
        ready=ready or excused(health),
        held=(
            seen.paused
            or (stable is not None and is_down(stable, seen))
            or shared_fault(attempt, health, stable_health) is not None
            or storeless(health) is not None
            or not attempt.approved
        ),
        silent_seconds_max=max(SILENT_SECONDS_MIN, 2 * seen.interval_seconds),
        lag_seconds=seen.settle_seconds + seen.gateway_reload_seconds,
    )
    if not in_effect:
        # It has to be seen in effect anew, whatever was stored: nobody knows how it was while nobody looked.
        attempt = replace(attempt, effect_since=0.0)
    plan = attempt.plan.with_live(seen.policy) if isinstance(seen.policy, Plan) else attempt.plan
    shut = closed(plan.windows, plan.freezes, datetime.fromtimestamp(now, UTC)) is not None
    for position, reading in enumerate(seen.readings, 1):
        if shut and attempt.stage >= 0 and attempt.soaked_seconds >= plan.stages[attempt.stage].soak_seconds:
            around = replace(around, held=True)  # from here on only the window is waited for
        # Of instants that were missed and are read together, only the last is one at which the route was looked at.
        known = attempt.effect_since > 0 or position == len(seen.readings)
        attempt = absorb(attempt, reading, around if known else replace(around, in_effect=False))
        if isinstance(reading, Reading) and reading.skipped_seconds:
            attempt = record_gap(attempt, reading.skipped_seconds)
    return attempt
