"""The promises for traffic that is not calm: a daily wave, bursts, requests that fail together, pods that wobble.

Each rollout is looked at 516 times in a day and never stopped: every 15 s for an hour, then every 5 minutes. With 300
rollouts and a true probability of at most a the errors have mean 300 a at most; the limits are four standard deviations
above: alpha = .01: 3 + 4 sqrt(300 .01 .99) = 9; beta = .05: 15 + 4 sqrt(300 .05 .95) = 30. The seeds are fixed.

Over-dispersion is measured where requests fail together, from an hour of stable's three pods, and assumed elsewhere.
"""

from __future__ import annotations

import numpy as np
import pytest

from tests.bench.decisions import live
from tests.bench.decisions.serin_rule import Rule
from tests.bench.decisions.traffic import Stream, Weather

RUNS, BASE, MARGIN = 300, 0.005, 0.00325
CALM_REQUESTS = (Weather(day=0.8), Weather(burst=0.5))
TOGETHER = (Weather(clump=3), Weather(noise=2.0))


def verdicts(weather: Weather, worse: float, *, measured: bool, seed: int) -> tuple[int, int]:
    """How many of the rollouts ever failed, and ever passed."""
    stream = Stream(50.0, 0.1, BASE, BASE + worse, RUNS, np.random.default_rng(seed), weather)
    return live.ever(Rule(), stream, live.measured(stream) if measured else None, MARGIN)


@pytest.mark.parametrize("weather", CALM_REQUESTS, ids=("daily wave", "bursts"))
def test_traffic_that_changes(weather: Weather) -> None:
    """Speed and rates that change with the hour or in bursts change neither error."""
    assert verdicts(weather, MARGIN / 4, measured=False, seed=1)[0] <= 9
    assert verdicts(weather, MARGIN, measured=False, seed=2)[1] <= 30


@pytest.mark.parametrize("weather", TOGETHER, ids=("in threes", "pods wobble"))
def test_requests_that_fail_together(weather: Weather) -> None:
    """With over-dispersion measured between pods, neither failures in threes nor pods that wobble do."""
    assert verdicts(weather, MARGIN / 4, measured=True, seed=3)[0] <= 9
    assert verdicts(weather, MARGIN, measured=True, seed=4)[1] <= 30


def test_taken_at_face_value_they_break_the_promise() -> None:
    """Failures in sixes with an over-dispersion of 1 roll back far more than 1 %: measuring it is not for show."""
    stream = Stream(50.0, 0.1, BASE, BASE + MARGIN / 4, RUNS, np.random.default_rng(5), Weather(clump=6))
    assert live.ever(Rule(overdispersion=1.0), stream, None, MARGIN)[0] > 30
