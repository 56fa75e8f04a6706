"""A rollout that is read again after a restart learns what it learnt live, whatever the samples were."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st

from serin.metrics.hub import Hub, Want
from serin.metrics.meter import Meter
from serin.metrics.presets import PRESETS
from serin.metrics.read import read
from serin.metrics.reading import Counted, Outage, Reading
from serin.metrics.snapshot import Snapshot
from tests.unit.metrics.store import Store
from tests.unit.metrics.world import ARMS, NEEDS, SOURCE, T0, TRAEFIK, backend

INTERVAL = SOURCE.grid.interval
INSTANTS = [T0 + n * INTERVAL for n in range(1, 15)]
PRESET = PRESETS["traefik"]


@dataclass
class Life:
    """One target's scrapes: which fail, and what each series says in each."""

    up: list[bool]
    values: list[list[float | None]]
    """By series, then by scrape; None: the series is not there."""
    jitter: float
    restarted: int = 0
    """The scrape shortly before which its process has started anew."""


@st.composite
def counters(draw: st.DrawFn, scrapes: int) -> list[float | None]:
    """A counter that may be born late, reset, vanish for a while and come back, or be NaN for a scrape."""
    born = draw(st.integers(0, scrapes))
    line: list[float | None] = [None] * born
    value = float(draw(st.integers(0, 40)))
    while len(line) < scrapes:
        match draw(st.sampled_from(["add"] * 8 + ["reset", "gone", "nan"])):
            case "add":
                value += draw(st.integers(0, 9))
                line.append(value)
            case "reset":
                value = float(draw(st.integers(0, 3)))
                line.append(value)
            case "nan":
                line.append(math.nan)
            case _:  # gone
                line.extend([None] * draw(st.integers(1, 6)))
                value = float(draw(st.sampled_from([0, value])))
    return line[:scrapes]


@st.composite
def lives(draw: st.DrawFn) -> Life:
    scrapes = 36
    up = [True] * scrapes
    for _ in range(draw(st.integers(0, 2))):
        start, length = draw(st.integers(0, scrapes - 1)), draw(st.integers(1, 12))
        up[start : start + length] = [False] * len(up[start : start + length])
    values = [draw(counters(scrapes)) for _ in range(8)]
    return Life(up, values, draw(st.floats(0, 14.9)), draw(st.integers(0, scrapes - 1)))


def filled(all_lives: list[Life]) -> Store:
    """A store with what Prometheus would have scraped, from well before the rollout on."""
    store = Store()
    for number, life in enumerate(all_lives):
        target = {**TRAEFIK, "instance": f"10.0.0.{number}:9100"}
        for scrape, up in enumerate(life.up):
            if not up:
                continue
            at = T0 - 330 + scrape * 15 + life.jitter
            store.put(at, {"__name__": "traefik_config_reloads_total", **target}, 1.0)
            started = 1000.0 if scrape < life.restarted else T0 - 333 + life.restarted * 15
            store.put(at, {"__name__": "process_start_time_seconds", **target}, started)
            for series, line in enumerate(life.values):
                value = line[scrape]
                if value is None:
                    continue
                labels = {"code": ("200", "500")[series % 2], "service": backend("ab"[series // 2 % 2])}
                labels["__name__"] = "traefik_service_requests_total"
                if series >= 4:
                    labels["__name__"] = "traefik_service_request_duration_seconds_bucket"
                    labels |= {"le": ("0.3", "+Inf")[series % 2], "code": "200"}
                store.put(at, {**labels, **target}, value)
    return store


def one(snapshot: Snapshot | Outage, instant: float, meter: Meter) -> tuple[Reading | Outage, Meter]:
    if isinstance(snapshot, Outage):
        return snapshot, meter
    return read(snapshot, instant, ARMS, NEEDS, PRESET, meter)


async def live(hub: Hub) -> list[tuple[Reading | Outage, Meter]]:
    found, meter = [], Meter.start(T0)
    for instant in INSTANTS:
        snapshot = await hub.snapshot(instant, [Want(ARMS, NEEDS, "auto", meter)])
        result, meter = one(snapshot, instant, meter)
        found.append((result, meter))
    return found


@settings(max_examples=30, deadline=None)
@given(st.lists(lives(), min_size=1, max_size=2), st.integers(0, len(INSTANTS) - 1))
def test_replay_equals_live(all_lives: list[Life], stop: int) -> None:
    """Killed after any instant, and started again much later: the same readings, instant by instant, and meters."""

    async def scenario() -> None:
        hub = Hub(SOURCE, filled(all_lives))
        lived = await live(hub)
        stored = ([T0] + [r.instant for r, _ in lived[:stop] if isinstance(r, Reading)])[-1]
        meter = Meter.start(stored)
        snapshot = await hub.replay(stored, INSTANTS[-1], [Want(ARMS, NEEDS, "auto", meter)])
        for instant, (want, want_meter) in zip(INSTANTS, lived, strict=True):
            if instant <= stored:
                continue
            result, meter = one(snapshot, instant, meter)
            assert result == want, instant
            if isinstance(result, Reading):
                assert same_meter(meter, want_meter)

    asyncio.run(scenario())


@settings(max_examples=20, deadline=None)
@given(st.lists(lives(), min_size=1, max_size=2), st.sets(st.integers(0, len(INSTANTS) - 2)))
def test_instants_that_could_not_be_asked_change_no_total(all_lives: list[Life], missed: set[int]) -> None:
    """An outage between operator and Prometheus: whatever was not read at its instant is in the next reading."""

    async def scenario() -> None:
        hub = Hub(SOURCE, filled(all_lives))
        lived = await live(hub)
        found, meter = [], Meter.start(T0)
        for number, instant in enumerate(INSTANTS):
            if number in missed:
                continue
            result, meter = one(await hub.snapshot(instant, [Want(ARMS, NEEDS, "auto", meter)]), instant, meter)
            found.append(result)
        read_last = max((r.instant for r in found if isinstance(r, Reading)), default=0.0)
        whole = [r for r, _ in lived if r_instant(r) <= read_last]
        assert requests(found) == requests(whole)

    asyncio.run(scenario())


def same_meter(meter: Meter, want: Meter) -> bool:
    """Equal cursors, NaN equal to NaN."""
    return repr(sorted((meter.cursors or {}).items())) == repr(sorted((want.cursors or {}).items()))


def r_instant(result: Reading | Outage) -> float:
    return result.instant if isinstance(result, Reading) else result.instant_missed


def requests(results: list[Reading | Outage]) -> tuple[int, int]:
    """Requests of each arm over all readings."""
    readings = [r for r in results if isinstance(r, Reading)]
    return sum(r.stable_requests for r in readings), sum(r.candidate_requests for r in readings)


def test_the_streams_of_this_test_do_give_counts() -> None:
    """Else the two properties above would hold of nothing."""
    steady = [[float(n) for n in range(36)] for _ in range(8)]
    store = filled([Life([True] * 36, [list(line) for line in steady], 3.0)])
    results = [result for result, _ in asyncio.run(live(Hub(SOURCE, store)))]
    assert requests(results) == (2 * len(INSTANTS), 2 * len(INSTANTS))
    assert all(isinstance(gate, Counted) for r in results if isinstance(r, Reading) for gate in r.gates.values())
