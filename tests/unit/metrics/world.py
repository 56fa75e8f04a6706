"""The rollout that most tests read: iris in namespace ml, slots a (stable) and b (candidate), behind Traefik."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from serin.metrics.hub import Hub, Want, read
from serin.metrics.meter import Meter
from serin.metrics.reading import (
    ArmRef,
    Arms,
    CompareNeed,
    Counted,
    Missing,
    Need,
    Outage,
    QueryNeed,
    Reading,
    SlowNeed,
)
from serin.metrics.snapshot import Snapshot
from serin.metrics.source import MetricSource
from serin.stats import Counts
from tests.unit.metrics.store import Store

STABLE = ArmRef("ml", "iris-a", "iris-1-aaaaa")
CANDIDATE = ArmRef("ml", "iris-b", "iris-2-bbbbb")
ARMS = Arms(STABLE, CANDIDATE)
ERRORS = CompareNeed("errors", "serverErrors")
CLIENT_ERRORS = CompareNeed("client-errors", "clientErrors")
SLOW = SlowNeed("slow", 0.3)
UNSOLD = QueryNeed("unsold", "offers_total{${arm}}", "offers_unsold_total{${arm}}", "shop")
NEEDS: tuple[Need, ...] = (ERRORS, CLIENT_ERRORS, SLOW)
SOURCE = MetricSource(url="http://prometheus.example:9090")
GRID = SOURCE.grid
T0 = 1_700_000_010.0  # on the grid
HEARTBEAT = "traefik_config_reloads_total 1"
NONE = Counts(0, 0)
TRAEFIK = {"job": "traefik", "instance": "10.0.0.1:9100"}


def backend(slot: str, namespace: str = "ml", deployment: str = "iris") -> str:
    """Traefik's name for a slot's Service."""
    index = "ab".index(slot)
    route = f"httproute-{namespace}-{deployment}-gw-{namespace}-gw-ep-web-0-005783a3b971f63068d1"
    return f"{route}-svc-{namespace}-{deployment}-{slot}-{index}@kubernetesgateway"


def requests(slot: str, code: int, count: float, service: str = "") -> str:
    """One line of the request counter."""
    name = service or backend(slot)
    return f'traefik_service_requests_total{{code="{code}",method="POST",protocol="http",service="{name}"}} {count}'


def latency(slot: str, **buckets: float) -> list[str]:
    """Lines of the latency histogram; the edge 0.3 is written _0_3, infinity inf."""
    name = "traefik_service_request_duration_seconds_bucket"
    labels = f'code="200",method="POST",protocol="http",service="{backend(slot)}"'
    edges = {key: "+Inf" if key == "inf" else key.strip("_").replace("_", ".") for key in buckets}
    return [f'{name}{{{labels},le="{edges[key]}"}} {count}' for key, count in buckets.items()]


POD_A = {"job": "models", "instance": "10.0.1.1:8080", "serin_dev_revision": STABLE.revision, "namespace": "ml"}
POD_B = {**POD_A, "instance": "10.0.1.2:8080", "serin_dev_revision": CANDIDATE.revision}


def counted(reading: Reading, gate: str = "errors") -> Counted:
    """The gate's counts; none is a failure of the test."""
    found = reading.gates[gate]
    assert isinstance(found, Counted), found
    return found


def missing(reading: Reading, gate: str = "errors") -> Missing:
    """Why the gate has no counts; counts are a failure of the test."""
    found = reading.gates[gate]
    assert isinstance(found, Missing), found
    return found


class Lab:
    """A hub over a store, and one rollout that is read on it."""

    def __init__(
        self, arms: Arms = ARMS, needs: Sequence[Need] = NEEDS, preset: str = "traefik", source: MetricSource = SOURCE
    ) -> None:
        self.store = Store()
        self.hub = Hub(source, self.store)
        self.arms, self.needs, self.preset = arms, needs, preset
        self.meter = Meter.start(T0)

    def scrape(self, at: float, *lines: str, target: dict[str, str] | None = None) -> None:
        """A scrape of Traefik at T0 + `at`, heartbeat included."""
        self.store.scrape(T0 + at, [HEARTBEAT, *lines], **(target or TRAEFIK))

    def snapshot(self, instant: float) -> Snapshot | Outage:
        """What the hub sees at T0 + `instant`."""
        want = Want(self.arms, self.needs, self.preset, self.meter)
        return asyncio.run(self.hub.snapshot(T0 + instant, [want]))

    def read(self, instant: float) -> Reading | Outage:
        """Read the rollout at T0 + `instant` and keep the meter."""
        snapshot = self.snapshot(instant)
        if isinstance(snapshot, Outage):
            return snapshot
        preset = self.hub.preset(self.preset)
        result, self.meter = read(snapshot, T0 + instant, self.arms, self.needs, preset, self.meter)
        return result

    def reading(self, instant: float) -> Reading:
        """Like `read`, where an Outage is a failure of the test."""
        result = self.read(instant)
        assert isinstance(result, Reading), result
        return result
