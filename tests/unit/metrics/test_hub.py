"""One set of queries for all: how many, how far back, and what one failure does to the others."""

from __future__ import annotations

import asyncio

import pytest

from serin.api.reasons import Reason
from serin.metrics.hub import Hub, Want
from serin.metrics.meter import Meter
from serin.metrics.prometheus import MetricsUnavailable
from serin.metrics.read import read
from serin.metrics.reading import ArmRef, Arms, Counted, Need, Outage, QueryNeed, Reading
from serin.metrics.snapshot import Failure, Snapshot
from serin.stats import Counts
from tests.unit.metrics.store import Store
from tests.unit.metrics.world import ERRORS, HEARTBEAT, NEEDS, SLOW, SOURCE, T0, TRAEFIK, UNSOLD, backend, requests

BASED = Meter(T0, {})  # a meter that has its baseline


def want(deployment: str, needs: tuple[Need, ...] = NEEDS, preset: str = "auto", meter: Meter = BASED) -> Want:
    arms = Arms(ArmRef("ml", f"{deployment}-a", f"{deployment}-1"), ArmRef("ml", f"{deployment}-b", f"{deployment}-2"))
    return Want(arms, needs, preset, meter)


def ask(hub: Hub, *wants: Want, instant: float = T0 + 15) -> Snapshot:
    found = asyncio.run(hub.snapshot(instant, wants))
    assert isinstance(found, Snapshot), found
    return found


def test_queries_grow_with_presets_and_policies_not_with_rollouts() -> None:
    """One for each preset, two for each policy's query gate, one for the scrapes of their pods."""
    store = Store()
    hub = Hub(SOURCE, store)
    other = QueryNeed("other", "x_total{${arm}}", "y_total{${arm}}", "other")
    wants = [want(f"d{n}", (*NEEDS, UNSOLD)) for n in range(50)]
    wants += [want(f"e{n}", (other,), "vllm") for n in range(50)]
    ask(hub, *wants)
    assert len(store.asked) == 2 + 2 * 2 + 1
    assert all(query.endswith("[90000ms]") for query in store.asked)


@pytest.mark.parametrize(("needs", "buckets"), [((ERRORS,), False), ((ERRORS, SLOW), True)])
def test_a_histogram_is_asked_for_when_a_gate_is_on_latency(needs: tuple[Need, ...], buckets: bool) -> None:
    """It has ten series and more for each arm; 200 rollouts at once are 400 arms."""
    store = Store()
    ask(Hub(SOURCE, store), want("iris", (ERRORS,)), want("other", needs))
    assert ["duration_seconds_bucket" in query for query in store.asked] == [buckets]


def test_each_rollout_finds_its_own_among_many() -> None:
    """By Service, whatever else the answer holds."""
    store = Store()
    hub = Hub(SOURCE, store)
    for at, count in ((T0 - 30, 0), (T0 - 15, 1)):
        lines = [requests("b", 200, count * n, service=backend("b", deployment=f"d{n}")) for n in range(30)]
        store.scrape(at, [HEARTBEAT, *lines], **TRAEFIK)
    wants = [want(f"d{n}", meter=Meter.start(T0)) for n in range(30)]
    snapshot = ask(hub, *wants)
    for n, one in enumerate(wants):
        reading, _ = read(snapshot, T0 + 15, one.arms, one.needs, hub.preset("auto"), one.meter)
        assert isinstance(reading, Reading)
        assert reading.gates["errors"] == Counted(Counts(), Counts(n, 0))


def test_only_rollouts_that_are_behind_are_asked_for_further_back() -> None:
    """One that waits for metrics for half an hour must not make everybody's query long."""
    store = Store()
    hub = Hub(SOURCE, store)
    ask(hub, want("d1"), want("d2", meter=Meter(T0 - 1800, {})))
    short, long = store.asked
    assert "d1" in short
    assert "d2" not in short
    assert short.endswith("[90000ms]")
    assert "d1" not in long
    assert long.endswith(f"[{(1815 + 75) * 1000}ms]")


def test_a_new_meter_is_asked_for_its_baseline() -> None:
    """As far back as a cursor is kept."""
    store = Store()
    ask(Hub(SOURCE, store), want("d1", meter=Meter.start(T0)))
    assert store.asked[0].endswith(f"[{(15 + 300) * 1000}ms]")


def test_a_gap_of_more_than_an_hour_is_not_asked_for() -> None:
    """It will be skipped; only a baseline is needed."""
    store = Store()
    hub = Hub(SOURCE, store)
    meter = Meter(T0 - 7200, {})
    ask(hub, want("d1", meter=meter))
    assert store.asked[0].endswith("[300000ms]")
    assert hub.instants_missed(meter, T0 + 15) == [T0 + 15]
    assert hub.instants_missed(Meter(T0 - 30, {}), T0 + 20) == [T0 - 15, T0, T0 + 15]


def test_replay_reaches_back_to_what_is_to_be_read_anew() -> None:
    """Also for meters that are further on."""
    store = Store()
    hub = Hub(SOURCE, store)
    found = asyncio.run(hub.replay(T0 - 600, T0 + 15, [want("d1")]))
    assert isinstance(found, Snapshot)
    assert store.asked[0].endswith(f"[{(615 + 300) * 1000}ms]")


def test_one_preset_that_fails_leaves_the_others() -> None:
    """The failure is told where it counts."""
    store = Store()
    store.failing = lambda query: MetricsUnavailable("too slow") if "vllm" in query else None
    snapshot = ask(Hub(SOURCE, store), want("d1"), want("d2", preset="vllm"))
    assert snapshot.presets["vllm"] == Failure("too slow")
    assert not isinstance(snapshot.presets["traefik"], Failure)


def test_when_all_fail_it_is_an_outage() -> None:
    """With the source's own words."""
    store = Store()
    store.failing = lambda _: MetricsUnavailable("connection refused")
    found = asyncio.run(Hub(SOURCE, store).snapshot(T0 + 15, [want("d1")]))
    assert found == Outage(T0 + 15, Reason.METRICS_UNAVAILABLE, "connection refused")


def test_nobody_wants_anything() -> None:
    """Then nothing is asked."""
    store = Store()
    ask(Hub(SOURCE, store))
    assert store.asked == []


def test_auto_is_the_sources_own_preset() -> None:
    """A policy may name another."""
    hub = Hub(SOURCE, Store())
    assert hub.preset("auto").name == "traefik"
    assert hub.preset("kserve").name == "kserve"
    with pytest.raises(ValueError, match="no metrics preset"):
        hub.preset("nginx")


def test_the_sources_matchers_are_in_every_query() -> None:
    """One replica of a pair, one cluster of many."""
    store = Store()
    source = SOURCE.model_copy(update={"matchers": {"cluster": "eu"}})
    ask(Hub(source, store), want("d1", (*NEEDS, UNSOLD)))
    own = [query for query in store.asked if "offers" not in query]
    assert own
    assert all('cluster="eu"' in query for query in own)


def test_the_clock_is_the_sources() -> None:
    """Instants come from its time, not from ours."""
    store = Store()
    store.time = T0 + 22
    hub = Hub(SOURCE, store)
    assert hub.instant_at(asyncio.run(hub.now())) == T0 + 15
