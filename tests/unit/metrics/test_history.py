"""Stable's hour before a rollout, cut into minutes and pods."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serin.metrics.history import PODS_MAX, window_seconds
from serin.metrics.hub import Hub, Want
from serin.metrics.meter import Meter
from serin.metrics.presets import PRESETS
from serin.metrics.read import read
from serin.metrics.reading import Counted, Need, Outage, Reading, StableHistory
from serin.metrics.snapshot import Grid
from serin.stats import Counts
from tests.unit.metrics.store import Store
from tests.unit.metrics.test_read_model_server import infer
from tests.unit.metrics.test_replay import Life, filled, lives
from tests.unit.metrics.world import (
    ARMS,
    ERRORS,
    HEARTBEAT,
    NEEDS,
    NONE,
    POD_A,
    POD_B,
    SLOW,
    SOURCE,
    T0,
    TRAEFIK,
    missing,
    requests,
)

MINUTES = 5
SCRAPES = range(-30, int(60 * MINUTES) - 30 + 1, 15)


def history(
    store: Store, needs: tuple[Need, ...] = (ERRORS,), preset: str = "traefik", seconds: float = 300
) -> Reading:
    """The reading of so many seconds since T0 that is taken in one go."""

    async def asked() -> Reading:
        meter = Meter.start(T0)
        instant = T0 + seconds
        snapshot = await Hub(SOURCE, store).replay(T0, instant, [Want(ARMS, needs, preset, meter)])
        assert not isinstance(snapshot, Outage)
        found, _ = read(snapshot, instant, ARMS, needs, PRESETS[preset], meter, history=True)
        assert isinstance(found, Reading), found
        return found

    return asyncio.run(asked())


def traefik() -> Store:
    """Twenty requests in each scrape, and a burst of five bad ones in the second minute."""
    store = Store()
    for index, at in enumerate(SCRAPES):
        bad = 5 if at > 60 else 0
        store.scrape(T0 + at, [HEARTBEAT, requests("a", 200, 20 * index), requests("a", 500, bad)], **TRAEFIK)
    return store


def pods(*speeds: int, late: int = 0) -> Store:
    """Pods of stable at so many requests a scrape, one in ten bad; the last is there from scrape `late` on."""
    store = Store()
    for index, at in enumerate(SCRAPES):
        for pod, speed in enumerate(speeds):
            if pod == len(speeds) - 1 and index < late:
                continue
            lines = [infer(200, 9 * speed * index), infer(500, speed * index), f"process_start_time_seconds {T0}"]
            store.scrape(T0 + at, lines, **{**POD_A, "instance": f"10.0.1.{pod:02}:8080"})
    return store


def test_each_minute_has_the_requests_that_were_scraped_in_it() -> None:
    found = history(traefik()).history["errors"]
    assert found.windows == (Counts(80), Counts(85, 5), Counts(80), Counts(80), Counts(80))
    assert found.total == Counts(405, 5)


def test_what_is_too_short_for_a_minute_is_in_the_total_only() -> None:
    found = history(traefik(), seconds=285).history["errors"]
    assert len(found.windows) == 4
    assert found.total.total == 385
    assert sum(one.total for one in found.windows) == 385 - 60


def test_a_proxys_series_are_no_pods() -> None:
    """Behind a data plane the series of two gateways differ as the gateways do, not as stable's pods."""
    store = traefik()
    for index, at in enumerate(SCRAPES):
        lines = [HEARTBEAT, requests("a", 200, 20 * index)]
        store.scrape(T0 + at, lines, **{**TRAEFIK, "instance": "10.0.0.2:9100", "pod": "traefik-2"})
    assert history(store).history["errors"].pods == ()


def test_pods_that_count_for_themselves_are_told_apart() -> None:
    found = history(pods(1, 2), preset="mlserver").history["errors"]
    assert found.pods == ((Counts(40, 4),) * MINUTES, (Counts(80, 8),) * MINUTES)
    assert found.windows == (Counts(120, 12),) * MINUTES


def test_one_pod_is_no_comparison() -> None:
    assert history(pods(1), preset="mlserver").history["errors"].pods == ()


def test_a_pod_that_came_later_has_empty_minutes_before() -> None:
    found = history(pods(1, 1, late=12), preset="mlserver").history["errors"]
    assert found.pods[1][:2] == (NONE, NONE)
    assert found.pods[1][-1] == Counts(40, 4)
    assert len(found.pods[1]) == MINUTES


def test_with_too_many_pods_their_names_choose() -> None:
    """By outcome would be choosing the answer."""
    found = history(pods(*range(1, PODS_MAX + 4)), preset="mlserver").history["errors"]
    assert [pod[0].total // 40 for pod in found.pods] == list(range(1, PODS_MAX + 1))


def test_that_the_candidate_has_no_pod_yet_says_nothing_against_stables_history() -> None:
    """It once did: a model server's history was lost, for a new revision's pod takes minutes to start."""
    reading = history(pods(1, 1), preset="mlserver")
    assert "serin_dev_revision" in missing(reading).message
    assert reading.history["errors"].total == Counts(400, 40)


def test_the_candidates_pods_are_not_stables() -> None:
    store = pods(1, 1)
    for index, at in enumerate(SCRAPES):
        store.scrape(T0 + at, infer(500, 50 * index), **POD_B)
    reading = history(store, preset="mlserver")
    assert isinstance(reading.gates["errors"], Counted)
    assert reading.history["errors"].total == Counts(400, 40)
    assert len(reading.history["errors"].pods) == 2


def test_a_gate_that_cannot_be_read_has_no_history() -> None:
    assert set(history(pods(1, 1), (ERRORS, SLOW), "mlserver").history) == {"errors"}


@pytest.mark.parametrize(
    ("scrape", "interval", "want"), [(15.0, 15.0, 60.0), (30.0, 30.0, 60.0), (60.0, 60.0, 120.0), (1.0, 7.0, 63.0)]
)
def test_a_window_is_a_minute_and_two_scrapes_at_least(scrape: float, interval: float, want: float) -> None:
    assert window_seconds(Grid(interval=interval, scrape=scrape)) == want


@settings(max_examples=30, deadline=None)
@given(st.lists(lives(), min_size=1, max_size=2))
def test_minutes_add_up_to_the_whole(all_lives: list[Life]) -> None:
    """Counters that reset, vanish, come late or are NaN: cutting the time loses no request and counts none twice."""
    store = filled(all_lives)

    async def asked() -> None:
        meter, instant = Meter.start(T0), T0 + 180
        snapshot = await Hub(SOURCE, store).replay(T0, instant, [Want(ARMS, NEEDS, "auto", meter)])
        assert not isinstance(snapshot, Outage)
        reading, _ = read(snapshot, instant, ARMS, NEEDS, PRESETS["traefik"], meter, history=True)
        if isinstance(reading, Reading):
            for found in reading.history.values():
                assert isinstance(found, StableHistory)
                assert sum(one.total for one in found.windows) <= found.total.total
        plain, _ = read(snapshot, instant, ARMS, NEEDS, PRESETS["traefik"], meter)
        if isinstance(plain, Reading) and isinstance(reading, Reading):
            assert (plain.gates, plain.history) == (reading.gates, {})
            errors = reading.history.get("errors")
            if errors is not None and all(one.total for one in errors.windows):
                assert sum(one.total for one in errors.windows) == errors.total.total

    asyncio.run(asked())
