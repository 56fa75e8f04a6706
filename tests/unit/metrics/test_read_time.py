"""Gaps, outages, and what a caller may not ask."""

import pytest

from serin.metrics.meter import Meter
from serin.metrics.read import read
from serin.metrics.reading import Counted, Outage
from serin.metrics.snapshot import Snapshot
from serin.stats import Counts
from tests.unit.metrics.world import ARMS, CLIENT_ERRORS, ERRORS, NONE, SLOW, T0, UNSOLD, Lab, counted, requests


def test_counts_of_an_outage_fall_into_the_first_reading_after_and_its_time_is_said() -> None:
    lab = Lab()
    lab.scrape(-30, requests("b", 200, 5))
    lab.scrape(-15, requests("b", 200, 6))
    assert counted(lab.reading(15)).candidate == Counts(1, 0)
    for instant in range(75, 135, 15):  # Prometheus was stopped for two minutes
        assert isinstance(lab.read(instant), Outage)
    lab.scrape(120, requests("b", 200, 16), requests("b", 500, 2))
    reading = lab.reading(150)
    assert counted(reading).candidate == Counts(12, 2)
    assert (reading.seconds, reading.outage_seconds) == (135, 120)


def test_more_than_an_hour_is_skipped_and_said() -> None:
    lab = Lab()
    lab.scrape(-15, requests("b", 200, 5))
    lab.scrape(3600, requests("b", 200, 700))
    reading = lab.reading(3630)
    assert counted(reading) == Counted(NONE, NONE)
    assert (reading.seconds, reading.skipped_seconds) == (0, 3630)
    lab.scrape(3615, requests("b", 200, 703))
    assert counted(lab.reading(3645)).candidate == Counts(3, 0)


def test_exactly_an_hour_is_still_read() -> None:
    lab = Lab()
    lab.scrape(-30, requests("b", 200, 5))
    lab.scrape(3570, requests("b", 200, 700))
    assert counted(lab.reading(3600)).candidate == Counts(695, 0)


def test_a_meter_further_back_than_the_snapshot_is_a_mistake() -> None:
    lab = Lab()
    lab.scrape(-15)
    lab.meter = Meter(T0, {})
    snapshot = lab.snapshot(15)
    assert isinstance(snapshot, Snapshot)
    with pytest.raises(ValueError, match="reaches back"):
        read(snapshot, T0 + 15, ARMS, [ERRORS], lab.hub.preset("traefik"), Meter.start(T0 - 300))
    with pytest.raises(ValueError, match="last read"):
        read(snapshot, T0 + 15, ARMS, [ERRORS], lab.hub.preset("traefik"), Meter.start(T0 + 15))


def test_every_need_has_an_answer() -> None:
    lab = Lab(needs=[ERRORS, CLIENT_ERRORS, SLOW, UNSOLD])
    lab.scrape(-15)
    assert set(lab.reading(15).gates) == {"errors", "client-errors", "slow", "unsold"}
