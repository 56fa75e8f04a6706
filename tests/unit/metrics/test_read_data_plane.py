"""What becomes of the arms of a rollout behind a data plane: the rows of serin.metrics.gates, one by one."""

import asyncio
import math
from dataclasses import replace

import pytest

from serin.api.reasons import Reason
from serin.metrics.hub import Want
from serin.metrics.meter import Meter
from serin.metrics.prometheus import MetricsUnavailable
from serin.metrics.read import read
from serin.metrics.reading import ArmRef, Arms, Counted, Outage, Reading, SlowNeed
from serin.metrics.snapshot import Snapshot
from serin.stats import Counts
from tests.unit.metrics.world import (
    CANDIDATE,
    ERRORS,
    NONE,
    SLOW,
    STABLE,
    T0,
    TRAEFIK,
    Lab,
    backend,
    counted,
    latency,
    missing,
    requests,
)


def test_counts_what_came_since_the_last_instant_by_arm_and_outcome() -> None:
    lab = Lab()
    lab.scrape(-45, requests("a", 200, 1000), requests("a", 500, 10))
    lab.scrape(-30, requests("a", 200, 1000), requests("a", 500, 10))
    lab.scrape(-15, requests("a", 200, 1090), requests("a", 500, 12), requests("b", 200, 9), requests("b", 422, 1))
    reading = lab.reading(15)
    assert counted(reading) == Counted(Counts(92, 2), Counts(10, 0))
    assert counted(reading, "client-errors") == Counted(Counts(92, 0), Counts(10, 1))
    assert (reading.stable_requests, reading.candidate_requests) == (92, 10)
    assert (reading.instant, reading.seconds, reading.outage_seconds) == (T0 + 15, 15, 0)


def test_outage_when_the_query_failed() -> None:
    lab = Lab()
    lab.store.failing = lambda _: MetricsUnavailable("connection refused")
    found = lab.read(15)
    assert found == Outage(T0 + 15, Reason.METRICS_UNAVAILABLE, "connection refused")
    assert lab.meter == Meter.start(T0)


def test_outage_when_no_target_is_up() -> None:
    lab = Lab()
    lab.scrape(-75, requests("a", 200, 5))
    found = lab.read(15)
    assert isinstance(found, Outage)
    assert found.reason == Reason.STALE_METRICS
    assert "60 s old" in found.message


def test_outage_when_nothing_was_ever_scraped_says_what_was_looked_for() -> None:
    found = Lab().read(15)
    assert isinstance(found, Outage)
    assert "traefik_config_reloads_total" in found.message


def test_zero_of_zero_before_the_first_request() -> None:
    lab = Lab()
    lab.scrape(-30)
    lab.scrape(-15)
    reading = lab.reading(15)
    assert counted(reading) == Counted(NONE, NONE)
    assert counted(reading, "slow") == Counted(NONE, NONE)
    assert (reading.stable_seen, reading.candidate_seen) == (False, False)


def test_zero_of_zero_without_increase() -> None:
    lab = Lab()
    lab.scrape(-30, requests("a", 200, 5))
    lab.scrape(-15, requests("a", 200, 5))
    reading = lab.reading(15)
    assert counted(reading) == Counted(NONE, NONE)
    assert (reading.stable_seen, reading.candidate_seen) == (True, False)


def test_a_replica_that_is_not_scraped_for_a_while_adds_its_counts_later() -> None:
    lab = Lab()
    other = {"job": "traefik", "instance": "10.0.0.2:9100"}
    lab.scrape(-30, requests("b", 200, 5))
    lab.scrape(-30, requests("b", 200, 100), target=other)
    lab.scrape(-15, requests("b", 200, 8))
    assert counted(lab.reading(15)).candidate == Counts(3, 0)
    lab.scrape(0, requests("b", 200, 8))
    lab.scrape(0, requests("b", 200, 120), target=other)
    assert counted(lab.reading(30)).candidate == Counts(20, 0)


def test_a_replica_that_is_new_to_the_scrape_starts_from_its_first_sample() -> None:
    lab = Lab()
    other = {"job": "traefik", "instance": "10.0.0.2:9100"}
    lab.scrape(-30, requests("b", 200, 5))
    lab.scrape(-15, requests("b", 200, 5))
    lab.scrape(-15, requests("b", 200, 700), "process_start_time_seconds 1000", target=other)
    assert counted(lab.reading(15)).candidate == NONE


def test_a_replica_that_has_just_started_counts_from_zero() -> None:
    lab = Lab()
    other = {"job": "traefik", "instance": "10.0.0.2:9100"}
    lab.scrape(-30, requests("b", 200, 5))
    lab.scrape(-15, requests("b", 200, 5))
    lab.scrape(-15, requests("b", 200, 7), f"process_start_time_seconds {T0 - 20}", target=other)
    assert counted(lab.reading(15)).candidate == Counts(7, 0)
    assert len(lab.store.asked) == 2  # start times are asked for only because a target is new


def test_one_instance_under_two_jobs_counts_once() -> None:
    lab = Lab()
    again = {**TRAEFIK, "job": "zz-annotations"}
    for target in (TRAEFIK, again):
        lab.scrape(-30, requests("b", 200, 5), target=target)
        lab.scrape(-15, requests("b", 200, 9), target=target)
    assert counted(lab.reading(15)).candidate == Counts(4, 0)


def test_names_that_a_service_monitor_has_moved_aside() -> None:
    lab = Lab()
    target = {**TRAEFIK, "service": "traefik", "namespace": "edge"}

    def moved(line: str) -> str:
        return line.replace("service=", "exported_service=")

    lab.scrape(-30, moved(requests("a", 200, 5)), target=target)
    lab.scrape(-15, moved(requests("a", 200, 6)), moved(requests("b", 502, 2)), target=target)
    assert counted(lab.reading(15)) == Counted(Counts(1, 0), Counts(2, 2))


def test_only_nan_is_stale_and_neither_arm_is_judged() -> None:
    lab = Lab()
    lab.scrape(-30, requests("a", 200, 5), requests("b", 200, 5))
    lab.scrape(-15, requests("a", 200, 6), requests("b", 200, math.nan))
    found = missing(lab.reading(15))
    assert found.reason == Reason.STALE_METRICS
    assert found.message.startswith("candidate: ")
    lab.scrape(0, requests("a", 200, 6), requests("b", 200, 8))
    assert counted(lab.reading(30)).candidate == Counts(3, 0)


def test_slow_is_what_lies_above_the_edge() -> None:
    lab = Lab()
    lab.scrape(-30, *latency("a", _0_1=10, _0_3=20, inf=20))
    lab.scrape(-15, *latency("a", _0_1=15, _0_3=29, inf=30), *latency("b", _0_1=0, _0_3=1, inf=4))
    assert counted(lab.reading(15), "slow") == Counted(Counts(10, 1), Counts(4, 3))


@pytest.mark.parametrize("edge", ["0.3", "0.30", "3e-1", "0.30000000000000004"])
def test_edges_are_compared_as_numbers(edge: str) -> None:
    lab = Lab(needs=[SLOW])
    lab.scrape(-30)
    lab.scrape(-15, *(line.replace('le="0.3"', f'le="{edge}"') for line in latency("b", _0_3=1, inf=4)))
    assert counted(lab.reading(15), "slow").candidate == Counts(4, 3)


def test_an_objective_between_edges_names_the_edges() -> None:
    lab = Lab(needs=[SlowNeed("slow", 0.25)])
    lab.scrape(-30)
    lab.scrape(-15, *latency("b", _0_1=0, _0_3=1, inf=4))
    found = missing(lab.reading(15), "slow")
    assert found.reason == Reason.NO_BUCKET_AT_OBJECTIVE
    assert "no edge at 0.25 s; its edges in seconds: 0.1, 0.3." in found.message


def test_requests_without_any_latency() -> None:
    lab = Lab()
    lab.scrape(-30)
    lab.scrape(-15, requests("b", 200, 9))
    reading = lab.reading(15)
    assert missing(reading, "slow").reason == Reason.NO_BUCKET_AT_OBJECTIVE
    assert "native" in missing(reading, "slow").message
    assert counted(reading).candidate == Counts(9, 0)


def test_both_arms_with_one_name() -> None:
    lab = Lab(arms=Arms(replace(STABLE, service="iris--b"), CANDIDATE))  # Traefik writes both as iris-b
    lab.scrape(-30)
    lab.scrape(-15, requests("b", 200, 9))
    assert missing(lab.reading(15)).reason == Reason.NOT_ATTRIBUTABLE


def test_two_rollouts_that_answer_to_one_name() -> None:
    lab = Lab(arms=Arms(None, ArmRef("ml", "iris-b", "r1")), needs=[ERRORS])
    other = Arms(None, ArmRef("ml-iris", "b", "r9"))
    name = backend("b").replace("httproute-ml-iris-gw", "httproute-ml-iris-b-gw")
    lab.scrape(-30)
    lab.scrape(-15, requests("b", 200, 9, service=name))
    wants = [Want(arms, [ERRORS], "traefik", lab.meter) for arms in (lab.arms, other)]
    snapshot = asyncio.run(lab.hub.snapshot(T0 + 15, wants))
    assert isinstance(snapshot, Snapshot)
    for want in wants:
        reading, _ = read(snapshot, T0 + 15, want.arms, want.needs, lab.hub.preset("auto"), want.meter)
        assert isinstance(reading, Reading)
        assert missing(reading).reason == Reason.NOT_ATTRIBUTABLE


def test_a_first_deployment_has_no_stable() -> None:
    lab = Lab(arms=Arms(None, CANDIDATE))
    lab.scrape(-30)
    lab.scrape(-15, requests("b", 500, 1))
    assert counted(lab.reading(15)) == Counted(NONE, Counts(1, 1))


def test_grpc_answers_that_traefik_cannot_tell_apart_are_no_evidence() -> None:
    lab = Lab(needs=[ERRORS])
    lab.scrape(-30)
    lab.scrape(-15, requests("b", 2, 9).replace('protocol="http"', 'protocol="grpc"'))
    found = missing(lab.reading(15))
    assert found.reason == Reason.NOT_ATTRIBUTABLE
    assert "gRPC" in found.message
