"""Metric sources as the configuration names them: defaults by kind, and what is refused."""

import pytest
from pydantic import ValidationError

from serin.metrics.source import MetricSource

URL = "http://prometheus.example:9090"


def source(**fields: object) -> MetricSource:
    return MetricSource.model_validate({"url": URL, **fields})


def test_defaults() -> None:
    """Prometheus, every 15 s, two scrapes to settle."""
    grid = source().grid
    assert (grid.interval, grid.settle, grid.scrape, grid.lookback, grid.memory) == (15, 30, 15, 90, 300)


def test_a_fast_grid() -> None:
    """The demo's: everything follows from the scrape interval."""
    grid = source(intervalSeconds=2, scrapeIntervalSeconds=1).grid
    assert (grid.settle, grid.lookback, grid.memory) == (2, 7, 60)


@pytest.mark.parametrize(
    ("kind", "settle", "params"),
    [
        ("prometheus", 30, {}),
        ("thanos", 60, {"partial_response": "false", "max_source_resolution": "0s", "dedup": "true"}),
        ("mimir", 60, {}),
        ("victoriametrics", 60, {"nocache": "1", "deny_partial_response": "1"}),
    ],
)
def test_dialects_are_data(kind: str, settle: float, params: dict[str, str]) -> None:
    """What a store must be told for a whole answer, and how long its samples take."""
    found = source(kind=kind)
    assert found.grid.settle == settle
    assert found.params == params


def test_one_replica_by_matcher_switches_deduplication_off() -> None:
    """Raw counters of both replicas would count every request twice; of one, they are exact."""
    found = source(kind="thanos", matchers={"prometheus_replica": 'prometheus-"0"'})
    assert found.params["dedup"] == "false"
    assert found.extra_matchers == ('prometheus_replica="prometheus-\\"0\\""',)


def test_tenants_go_where_the_store_wants_them() -> None:
    """Mimir has a header; VictoriaMetrics has it in the path."""
    assert source(kind="mimir", tenant="ml", headers={"X-A": "b"}).all_headers == {"X-A": "b", "X-Scope-OrgID": "ml"}
    with pytest.raises(ValidationError, match="takes no tenant"):
        source(kind="victoriametrics", tenant="1:2")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"url": "prometheus:9090"}, "url"),
        ({"url": "file:///etc/passwd"}, "URL scheme should be"),
        ({"preset": "nginx"}, "no metrics preset 'nginx'"),
        ({"lookbackSeconds": 60}, "at least interval"),
        ({"intervalSeconds": 0}, "greater than or equal to 1"),
        ({"intervalSeconds": 2.5}, "multiple of 1"),
        ({"timeout": 5}, "Extra inputs"),
        ({"matchers": {"a-b": "c"}}, "pattern"),
        ({"name": "My Source"}, "pattern"),
    ],
)
def test_what_is_refused(fields: dict[str, object], words: str) -> None:
    """With words about the field."""
    with pytest.raises(ValidationError, match=words):
        source(**fields)


def test_the_grid_is_the_same_for_everybody() -> None:
    """Instants are multiples of the interval, whenever one looks."""
    grid = source().grid
    assert grid.instant_at(1_700_000_024.9) == 1_700_000_010
    assert grid.instant_at(1_700_000_025.0) == 1_700_000_025
    assert grid.instants(1_700_000_010, 1_700_000_055) == [1_700_000_025, 1_700_000_040, 1_700_000_055]
    assert grid.instants(1_700_000_011, 1_700_000_024) == []
    assert grid.instants(1_700_000_010, 1_700_000_010) == []
