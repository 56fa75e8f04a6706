"""Traffic goes through a real gateway, and Prometheus counts it."""

from __future__ import annotations

import http.client
import json
import re
from collections import Counter
from typing import Any
from urllib.parse import quote
from urllib.request import urlopen

import pytest

from tests.cluster import Cluster
from tests.integration.cluster.workloads import Namespace, deployment, eventually, route, server, service

SCRAPED = {"prometheus.io/scrape": "true", "prometheus.io/port": "8080", "prometheus.io/path": "/metrics"}


def ask(cluster: Cluster, host: str) -> tuple[int, str]:
    """One request from the machine through the gateway."""
    connection = http.client.HTTPConnection(cluster.gateway_url.removeprefix("http://"), timeout=5)
    try:
        connection.request("GET", "/", headers={"Host": host})
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def query(cluster: Cluster, promql: str, at: float | None = None) -> list[dict[str, Any]]:
    """An instant query from the machine."""
    url = f"{cluster.prometheus_url}/api/v1/query?query={quote(promql)}{f'&time={at}' if at else ''}"
    with urlopen(url, timeout=5) as response:
        result: list[dict[str, Any]] = json.load(response)["data"]["result"]
    return result


@pytest.fixture
def host(namespace: Namespace) -> str:
    """A route to two Services, all traffic to the first, that already answers."""
    for version in ("stable", "candidate"):
        labels = {"serin.dev/revision": version}
        namespace.apply(deployment(version, server(version), labels=labels, annotations=SCRAPED), service(version))
    host = f"{namespace.name}.example.com"
    namespace.apply(route(host, {"stable": 100, "candidate": 0}))
    eventually(lambda: ask(namespace.cluster, host)[0] == 200)  # type: ignore[arg-type]
    return host


def test_weights_split_the_traffic(cluster: Cluster, namespace: Namespace, host: str) -> None:
    """A change of weights takes effect within a second, without a failed request."""
    before = Counter(ask(cluster, host) for _ in range(50))
    assert before == {(200, "stable"): 50}
    namespace.apply(route(host, {"stable": 60, "candidate": 40}))
    eventually(lambda: ask(cluster, host) == (200, "candidate"), seconds=2)
    after = Counter(ask(cluster, host) for _ in range(200))
    assert set(after) == {(200, "stable"), (200, "candidate")}
    assert 60 < after[200, "candidate"] < 100  # Traefik's weighted round robin does not draw lots


def test_prometheus_tells_the_arms_apart_at_the_gateway(cluster: Cluster, namespace: Namespace, host: str) -> None:
    """Traefik's counters name the Service of each backend, in the label `service`."""
    namespace.apply(route(host, {"stable": 50, "candidate": 50}))
    eventually(lambda: ask(cluster, host) == (200, "candidate"))
    for _ in range(20):
        ask(cluster, host)

    def arms() -> set[str]:
        pattern = re.compile(rf"-svc-{namespace.name}-(\w+)-\d+@")
        names = [sample["metric"]["service"] for sample in query(cluster, "traefik_service_requests_total")]
        return {found.group(1) for name in names if (found := pattern.search(name))}

    assert eventually(lambda: arms() == {"stable", "candidate"})


def test_prometheus_scrapes_annotated_pods(cluster: Cluster, namespace: Namespace, host: str) -> None:
    """Pods that ask for it are scraped, and their samples carry namespace, pod and revision."""
    selector = f'served_total{{namespace="{namespace.name}",serin_dev_revision="stable"}}'
    [sample] = eventually(lambda: query(cluster, selector))
    assert sample["metric"]["pod"].startswith("stable-")


def test_outage_of_prometheus_keeps_its_data(cluster: Cluster, namespace: Namespace, host: str) -> None:
    """Prometheus can be stopped and started, and knows what it knew before."""
    selector = f'up{{namespace="{namespace.name}"}}'
    before = eventually(lambda: query(cluster, selector))
    at = before[0]["value"][0]
    cluster.stop("prometheus")
    with pytest.raises(OSError, match=r"reset|closed|refused"):
        query(cluster, "up")
    cluster.start("prometheus")
    assert query(cluster, selector, at) == before


def test_frozen_api_server_answers_again(cluster: Cluster, namespace: Namespace) -> None:
    """A paused API server keeps connections open and goes on where it was."""
    cluster.pause("kube-apiserver")
    try:
        with pytest.raises(Exception, match=r"timed out|deadline|Timeout"):
            cluster.kubectl("get", "namespaces", "--request-timeout=1s")
    finally:
        cluster.resume("kube-apiserver")
    assert eventually(lambda: namespace.name in cluster.kubectl("get", "namespaces"))
