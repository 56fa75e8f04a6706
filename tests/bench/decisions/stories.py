"""Traffic that is not calm: what each rule does when the day, the metrics or the candidate misbehave.

All at 50 requests/s, the candidate's share 10 %, stable failing 0.5 %: a setting in which every rule can work.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from tests.bench.decisions import live, peers
from tests.bench.decisions.figures import rate_interval
from tests.bench.decisions.kayenta import kayenta
from tests.bench.decisions.peers import Decisions
from tests.bench.decisions.scenarios import margin_of
from tests.bench.decisions.serin_rule import Rule
from tests.bench.decisions.traffic import Hour, Stream, Weather

__all__ = ["EDGES", "EDGES_HEADER", "HEADER", "STORIES", "edged", "told"]

Right = Literal["promote", "roll back", "hold"]

SPEED, SHARE, BASE = 50.0, 0.1, 0.005


@dataclass(frozen=True, slots=True)
class Story:
    """One kind of traffic: its weather, the candidate's rate, and what a rule should do.

    measured: over-dispersion comes from stable's pods; else it is assumed. warm: a latency gate.
    """

    name: str
    right: Right
    rate: float = BASE
    weather: Weather = field(default_factory=Weather)
    measured: bool = False
    warm: bool = False


FIVE = 5 * BASE
STORIES = (
    Story("calm, equal", "promote"),
    Story("calm, five times", "roll back", FIVE),
    Story("daily wave, equal", "promote", weather=Weather(day=0.8)),
    Story("bursts of requests, equal", "promote", weather=Weather(burst=0.5)),
    Story("bad requests in threes, equal", "promote", weather=Weather(clump=3), measured=True),
    Story("bad requests in threes, five times", "roll back", FIVE, Weather(clump=3), measured=True),
    Story("pods wobble, equal", "promote", weather=Weather(noise=2.0), measured=True),
    Story("pods wobble, five times", "roll back", FIVE, Weather(noise=2.0), measured=True),
    Story("incidents that hit both, equal", "promote", weather=Weather(incidents=24)),
    Story("stable itself at 3 %, equal", "promote", weather=Weather(sick=6.0)),
    Story("stable itself at 3 %, candidate 5 %", "roll back", 4 * BASE + BASE, Weather(sick=6.0)),
    Story("slow ones counted late, equal", "promote", weather=Weather(late=True)),
    Story("slow ones counted late, five times", "roll back", FIVE, Weather(late=True)),
    Story("cold cache for 30 s, equal", "promote", weather=Weather(cold_seconds=30, cold_factor=10), warm=True),
    Story("labels after 2 h, equal", "promote", weather=Weather(labels_after=7200)),
    Story("labels after 2 h, five times", "roll back", FIVE, Weather(labels_after=7200)),
    Story("counters start anew, equal", "promote", weather=Weather(resets=0.02)),
    Story("one look of ten fails, equal", "promote", weather=Weather(unread=0.1)),
    Story("metrics away, minutes 3 to 13, equal", "promote", weather=Weather(outage=(180, 780))),
    Story("metrics away, minutes 3 to 13, five times", "roll back", FIVE, Weather(outage=(15, 780))),
    Story("candidate reports nothing", "hold", weather=Weather(silent="candidate")),
    Story("stable reports nothing", "hold", weather=Weather(silent="stable")),
    Story("no history, equal", "promote", weather=Weather(history_seconds=0)),
    Story("no history, five times", "roll back", FIVE, Weather(history_seconds=0)),
    Story("breaks after 30 min, five times", "roll back", FIVE, Weather(breaks_at=1800)),
    Story("breaks after 60 min, five times", "roll back", FIVE, Weather(breaks_at=3600)),
)
_VERDICTS: dict[Right, int] = {"promote": 1, "roll back": -1, "hold": 0}
_PEERS: dict[str, Callable[[Hour], Decisions]] = {
    "Flagger": peers.flagger,
    "Argo Rollouts": peers.argo,
    "OME": peers.ome,
    "Kayenta": kayenta,
    "z-test": peers.z_test,
}


def _stream(story: Story, runs: int, seed: tuple[int, ...]) -> Stream:
    return Stream(SPEED, SHARE, BASE, story.rate, runs, np.random.default_rng(seed), story.weather)


HEADER = ("traffic, candidate", "right", *_PEERS, "Serin")


def told(story_number: int, runs: int, seed: int) -> list[str]:
    """A row: for each rule the share of one story's rollouts with the right verdict."""
    story = STORIES[story_number]
    stream = _stream(story, runs, (seed, 4, story_number))
    hour = stream.hour()
    decided = {name: rule(hour) for name, rule in _PEERS.items()}
    phi = live.measured(stream) if story.measured else None
    decided["Serin"] = live.decide_and_bake(Rule(), stream, hour, phi, warm=story.warm)
    cells = []
    for decisions in decided.values():
        right = rate_interval(int((decisions.verdict == _VERDICTS[story.right]).sum()), runs)
        cells.append(f"{right.value:.3f} [{right.low:.2f}, {right.high:.2f}]")
    return [story.name, story.right, *cells]


EDGES = (
    Story("calm", "hold"),
    Story("daily wave", "hold", weather=Weather(day=0.8)),
    Story("bursts of requests", "hold", weather=Weather(burst=0.5)),
    Story("incidents that hit both", "hold", weather=Weather(incidents=24)),
    Story("bad requests in threes", "hold", weather=Weather(clump=3), measured=True),
    Story("pods wobble", "hold", weather=Weather(noise=2.0), measured=True),
)


EDGES_HEADER = ("traffic", "false rollback, bound .01", "false promotion, bound .05")


def edged(story_number: int, runs: int, seed: int) -> list[str]:
    """A row: verdicts in a day at the very edge of both claims, looked at all the time and never stopped."""
    story, margin, cells = EDGES[story_number], margin_of(BASE), []
    for which, worse in enumerate((margin / 4, margin)):
        stream = _stream(replace(story, rate=BASE + worse), runs, (seed, 5, story_number, which))
        phi = live.measured(stream) if story.measured else None
        found = rate_interval(live.ever(Rule(), stream, phi, margin)[which], runs)
        cells.append(f"{found.value:.4f} [{found.low:.4f}, {found.high:.4f}]")
    return [story.name, *cells]
