"""No request fails because of Serin."""

from __future__ import annotations

from tests.demo.stage import Stage
from tests.e2e.resilience import quick, steady


async def test_no_request_fails(stage: Stage) -> None:
    """100 requests a second through two promotions, a revert and their scale-downs: every one answers 200."""
    await stage.apply(steady.policy(stage.namespace, (10, 50)))
    await quick.first(stage)
    traffic = stage.start_traffic(rate=100, host=quick.host(stage))
    log = steady.Log()
    await steady.rollouts(stage, ("promote", "revert", "promote"), log)
    print(await steady.account(stage, traffic, log))
