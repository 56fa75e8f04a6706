"""What the operator's own metrics say of a rollout."""

from __future__ import annotations

import asyncio

from serin.api.reasons import Reason
from serin.metrics.reading import Outage, Reading
from tests.unit.controller.clock import run
from tests.unit.controller.desk import Desk
from tests.unit.controller.test_apply_order import md


def value(desk: Desk, name: str, **labels: str) -> float:
    """A sample; 0 where there is none yet."""
    return desk.telemetry.registry.get_sample_value(name, labels) or 0.0


def test_an_outcome_is_counted_once_when_it_is_stored() -> None:
    """And a look that finds it stored counts nothing."""

    async def story() -> None:
        desk = Desk(md(rollout={"stages": [{"name": "all", "canary": {"weight": 50, "soak": "1s"}}]}))
        await desk.look()
        assert value(desk, "serin_rollouts_total", outcome="Promoted") == 0.0
        desk.pods_ready("1")
        await desk.look()
        assert value(desk, "serin_rollouts_total", outcome="Promoted") == 1.0
        await desk.look()
        assert value(desk, "serin_rollouts_total", outcome="Promoted") == 1.0

    run(story())


def test_the_time_between_two_looks_is_charged_to_what_the_first_one_held_for() -> None:
    """The clock of the loop, which these tests move; a look that does not hold ends it."""

    async def story() -> None:
        desk = Desk(md())
        await desk.look()
        assert desk.condition("Reconciling")["reason"] == "NotReady"
        await asyncio.sleep(40.0)
        await desk.look()
        assert value(desk, "serin_hold_seconds_total", reason="NotReady") == 40.0

    run(story())


def test_the_age_of_the_newest_reading_is_measured_and_that_of_an_outage_is_not() -> None:
    async def story() -> None:
        desk = Desk(md())
        desk.evidence.next = (Reading(0.0, 15.0),)
        await desk.look()
        desk.evidence.next = (Outage(0.0, Reason.METRICS_UNAVAILABLE, "503"),)
        await desk.look()
        assert value(desk, "serin_evidence_lag_seconds_count") == 1.0

    run(story())
