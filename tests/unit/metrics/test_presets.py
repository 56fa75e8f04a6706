"""Real /metrics text through each preset: which request became what, and which arm it belongs to."""

from __future__ import annotations

import pytest

from serin.metrics.presets import PRESETS, Preset, preset_named, unsupported
from serin.metrics.presets.codes import grpc_outcome, http_outcome
from serin.metrics.reading import ArmRef, Arms, CompareNeed, Counted, Missing, Need, SlowNeed
from serin.stats import Counts
from tests.unit.metrics.store import recorded
from tests.unit.metrics.world import CANDIDATE, NONE, STABLE, T0, TRAEFIK, Lab

ERRORS = CompareNeed("errors", "serverErrors")
CLIENT_ERRORS = CompareNeed("client-errors", "clientErrors")


def read_recorded(
    preset: str, text: str, *, objective: float, idle: str = "", stable: ArmRef = STABLE, candidate: ArmRef = CANDIDATE
) -> dict[str, Counted | Missing]:
    """Scrape once idle and once as recorded. Model servers: the text is the candidate's, stable stays idle."""
    needs: list[Need] = [ERRORS, CLIENT_ERRORS, SlowNeed("slow", objective)]
    lab = Lab(Arms(stable, candidate), needs, preset)
    if preset_named(preset).plane == "data-plane":
        lab.store.scrape(T0 - 30, idle, **TRAEFIK)
        lab.store.scrape(T0 - 15, text, **TRAEFIK)
    else:
        for at, lines in ((T0 - 30, idle), (T0 - 15, text)):
            for arm, said in ((stable, idle), (candidate, lines)):
                lab.store.scrape(at, said, job="models", instance=arm.service, serin_dev_revision=arm.revision)
    return dict(lab.reading(15).gates)


def test_traefik() -> None:
    """Recorded: a has 4 good requests; b has 2 good, one of them slow, a 500 and a 422."""
    gates = read_recorded("traefik", recorded("traefik"), idle=recorded("traefik-idle"), objective=0.3)
    assert gates["errors"] == Counted(Counts(4, 0), Counts(4, 1))
    assert gates["client-errors"] == Counted(Counts(4, 0), Counts(4, 1))
    assert gates["slow"] == Counted(Counts(4, 0), Counts(4, 1))


def test_traefik_grpc() -> None:
    """Recorded: of two good calls and an INTERNAL one, the good ones cannot be told from failures."""
    grpc = ArmRef("ml", "iris-g", "iris-3-ccccc")
    gates = read_recorded("traefik", recorded("traefik"), idle=recorded("traefik-idle"), objective=0.3, candidate=grpc)
    assert isinstance(gates["errors"], Missing)
    assert gates["slow"] == Counted(Counts(4, 0), Counts(3, 0))
    assert "gRPC" in (unsupported(PRESETS["traefik"], ERRORS, grpc=True) or "")


def test_envoy_gateway() -> None:
    """Recorded with mergeBackends: 175 and 185 requests; mirrors are in a cluster of their own."""
    gates = read_recorded(
        "envoy-gateway",
        recorded("envoy-gateway"),
        idle="envoy_server_uptime 585",
        objective=0.025,
        stable=ArmRef("default", "iris-a", "r1"),
        candidate=ArmRef("default", "iris-b", "r2"),
    )
    assert gates["errors"] == Counted(Counts(175, 0), Counts(185, 0))
    assert gates["slow"] == Counted(Counts(175, 7), Counts(185, 1))


def test_envoy_gateway_by_default_shares_a_cluster_and_nothing_is_attributed() -> None:
    """httproute/ns/name/rule/0 stands for all backends of the rule."""
    labels = {"envoy_cluster_name": "httproute/ml/iris/rule/0", "envoy_response_code": "200"}
    assert PRESETS["envoy-gateway"].keys(labels) == ()
    assert PRESETS["envoy-gateway"].keys({"envoy_cluster_name": "service/ml/iris-b/8080"}) == (("ml", "iris-b"),)


def test_istio() -> None:
    """A 503 that no pod saw and a gRPC failure are errors; the request of a caller who left is none."""
    idle = 'istio_build{component="proxy",tag="1.30.1"} 1'
    gates = read_recorded("istio", recorded("istio"), idle=idle, objective=0.25)
    assert gates["errors"] == Counted(Counts(90, 0), Counts(10, 2))
    assert gates["slow"] == Counted(Counts(90, 1), Counts(8, 2))


def test_mlserver() -> None:
    """Recorded: one good request, one that raised; the probe does not count."""
    gates = read_recorded("mlserver", recorded("mlserver"), objective=0.25)
    assert gates["errors"] == Counted(NONE, Counts(2, 1))
    assert gates["client-errors"] == Counted(NONE, Counts(2, 0))
    assert gates["slow"] == Counted(NONE, Counts(2, 0))


def test_kserve() -> None:
    """Recorded: three requests and no word about the one that raised."""
    gates = read_recorded("kserve", recorded("kserve"), objective=0.025)
    assert gates["slow"] == Counted(NONE, Counts(3, 1))
    assert isinstance(gates["errors"], Missing)


def test_vllm() -> None:
    """Only handlers that infer; statuses by class."""
    gates = read_recorded("vllm", recorded("vllm"), objective=1.0)
    assert gates["errors"] == Counted(NONE, Counts(10, 1))
    assert gates["client-errors"] == Counted(NONE, Counts(10, 2))
    assert gates["slow"] == Counted(NONE, Counts(7, 1))


def test_triton() -> None:
    """A cancelled request was not answered and is not counted; refused ones never were."""
    gates = read_recorded("triton", recorded("triton"), objective=0.5)
    assert gates["errors"] == Counted(NONE, Counts(11, 2))
    assert gates["slow"] == Counted(NONE, Counts(9, 1))
    assert isinstance(gates["client-errors"], Missing)


@pytest.mark.parametrize("preset", PRESETS.values(), ids=list(PRESETS))
def test_what_a_preset_cannot_do_has_a_reason(preset: Preset) -> None:
    """Can and cannot together are all there is."""
    assert preset.can | set(preset.cannot) == {"serverErrors", "clientErrors", "slowerThan"}
    assert not preset.can & set(preset.cannot)
    for need in (ERRORS, CLIENT_ERRORS):
        assert (unsupported(preset, need) is None) == (need.what in preset.can)


def test_an_unknown_preset_is_refused_with_those_there_are() -> None:
    """The text goes to a user."""
    with pytest.raises(ValueError, match="no metrics preset 'nginx'; there are envoy-gateway, istio"):
        preset_named("nginx")


TAIL = "-gw-ml-gw-ep-web-0-005783a3b971f63068d1-svc-"


@pytest.mark.parametrize(
    ("namespace", "service", "name", "want"),
    [
        ("ml", "iris-b", f"httproute-ml-iris{TAIL}ml-iris-b-1@kubernetesgateway", True),
        ("ml", "iris-b", f"grpcroute-ml-iris{TAIL}ml-iris-b-1@kubernetesgateway", True),
        ("ml", "iris-b", f"httproute-ml-iris{TAIL}ml-iris-b-12@kubernetesgateway", True),
        ("ml", "iris-b", f"httproute-ml-iris{TAIL}ml-iris-a-0@kubernetesgateway", False),
        ("ml", "iris-b", f"httproute-x-ml-iris{TAIL}x-ml-iris-b-1@kubernetesgateway", False),
        ("x", "ml-iris-b", f"httproute-x-ml-iris{TAIL}x-ml-iris-b-1@kubernetesgateway", True),
        ("ml", "iris-b", f"httproute-foo-iris{TAIL}foo-svc-ml-iris-b-1@kubernetesgateway", False),
        ("foo", "svc-ml-iris-b", f"httproute-foo-iris{TAIL}foo-svc-ml-iris-b-1@kubernetesgateway", True),
        ("ml", "b", f"httproute-ml-iris{TAIL}ml-iris-b-1@kubernetesgateway", False),
        ("ml", "iris--b", f"httproute-ml-iris{TAIL}ml-iris-b-1@kubernetesgateway", True),
        ("ml", "my-svc-a", f"httproute-ml-my-svc{TAIL}ml-my-svc-a-0@kubernetesgateway", True),
        ("ml", "iris-b", "ml-iris-b-http-8080@kubernetesgateway", True),
        ("ml", "iris-b", "ml-iris-b-8080@kubernetesgateway", True),
        ("ml", "iris-b", "ml-iris-bb-http-8080@kubernetesgateway", False),
        ("ml", "iris-b", "x-ml-iris-b-http-8080@kubernetesgateway", False),
        ("ml", "iris-b", "ml-iris-b-8080@kubernetescrd", False),
        ("ml", "iris-b", "prometheus@internal", False),
        ("ml", "iris-b", "", False),
    ],
)
def test_traefik_names(namespace: str, service: str, name: str, want: bool) -> None:
    """All readings of a name are tried, and only those of our own routes."""
    traefik = PRESETS["traefik"]
    (key,) = traefik.keys_of(ArmRef(namespace, service, "r"))
    assert (key in traefik.keys({"service": name})) == want
    assert (key in traefik.keys({"service": "traefik", "exported_service": name})) == want


@pytest.mark.parametrize(
    ("code", "want"),
    [
        ("200", "ok"),
        ("101", "ok"),
        ("304", "ok"),
        ("2xx", "ok"),
        ("422", "client-error"),
        ("429", "client-error"),
        ("4", "client-error"),
        ("499", "cancelled"),
        ("0", "cancelled"),
        ("500", "server-error"),
        ("5xx", "server-error"),
        ("599", "server-error"),
        ("", "server-error"),
        ("garbage", "server-error"),
    ],
)
def test_http(code: str, want: str) -> None:
    """No status that is not understood is good."""
    assert http_outcome(code) == want


def test_grpc() -> None:
    """By number and by name; what is not understood is not good."""
    server = {2, 4, 12, 13, 14, 15}
    for code in range(20):
        want = {0: "ok", 1: "cancelled"}.get(code, "server-error" if code in server or code > 16 else "client-error")
        assert grpc_outcome(str(code)) == want
    assert grpc_outcome("UNAVAILABLE") == "server-error"
    assert grpc_outcome("InvalidArgument".upper()) == "server-error"
    assert grpc_outcome("INVALID_ARGUMENT") == "client-error"
    assert grpc_outcome("") == "server-error"
