"""How each part of the cluster is started, what it waits for, and how one sees that it is up."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.settings import (
    API_PORT,
    ETCD_PORT,
    GATEWAY_PORT,
    NODE_ADDRESS,
    NODE_NAME,
    PROMETHEUS_PORT,
    TRAEFIK_METRICS_PORT,
    Settings,
)

_ETCD_URL = f"http://127.0.0.1:{ETCD_PORT}"
_SERVICE_NETWORK = "10.96.0.0/16"
_FIRST_SERVICE_ADDRESS = "10.96.0.1"  # the `kubernetes` Service
CERTIFICATE_NAMES = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")
CERTIFICATE_ADDRESSES = ("127.0.0.1", NODE_ADDRESS, _FIRST_SERVICE_ADDRESS)

_REPOSITORY = Path(__file__).parents[2]
_TRAEFIK_BUCKETS_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.3, 0.5, 1.0, 1.2, 2.5, 5.0, 10.0]


@dataclass(frozen=True)
class Component:
    """One program of the cluster."""

    name: str
    command: Callable[[Settings], list[str]]
    after: tuple[str, ...] = ()
    """Parts that must be up before this one is started. etcd and the API server start together: the API
    server keeps dialling, and loading its 100 MB is the longest step of all."""
    ready_url: str | None = None
    """Answers 200 once the part is up. None: a running process is all one can see."""


def _etcd(settings: Settings) -> list[str]:
    return [
        settings.tools["etcd"],
        f"--data-dir={settings.path / 'etcd'}",
        "--unsafe-no-fsync",  # the data dies with the cluster
        f"--listen-client-urls={_ETCD_URL}",
        f"--advertise-client-urls={_ETCD_URL}",
        "--listen-peer-urls=http://127.0.0.1:2380",
        "--log-level=warn",
    ]


def _kube_apiserver(settings: Settings) -> list[str]:
    folder = settings.path
    command = [
        settings.tools["kube-apiserver"],
        f"--etcd-servers={_ETCD_URL}",
        f"--secure-port={API_PORT}",
        f"--advertise-address={NODE_ADDRESS}",
        f"--tls-cert-file={folder / 'ca.crt'}",
        f"--tls-private-key-file={folder / 'tls.key'}",
        f"--token-auth-file={folder / 'tokens.csv'}",
        "--authorization-mode=RBAC",
        f"--service-account-key-file={folder / 'sa.key'}",
        f"--service-account-signing-key-file={folder / 'sa.key'}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-cluster-ip-range={_SERVICE_NETWORK}",
        "--max-requests-inflight=2000",
        "--max-mutating-requests-inflight=1000",
        "--profiling=false",
        "--allow-privileged=true",
    ]
    if "kube-controller-manager" not in settings.components:
        # Nobody makes the default service accounts then, without which no pod could be created.
        command.append("--disable-admission-plugins=ServiceAccount")
    if settings.admission_plugins:
        command.append(f"--enable-admission-plugins={','.join(settings.admission_plugins)}")
    if settings.audit:
        policy = {
            "apiVersion": "audit.k8s.io/v1",
            "kind": "Policy",
            "omitStages": ["RequestReceived"],  # it knows no answer yet
            "rules": [{"level": settings.audit}],
        }
        (folder / "audit-policy.json").write_text(json.dumps(policy))
        command += [f"--audit-policy-file={folder / 'audit-policy.json'}", f"--audit-log-path={folder / 'audit.log'}"]
    return command


def _kube_controller_manager(settings: Settings) -> list[str]:
    folder = settings.path
    return [
        settings.tools["kube-controller-manager"],
        f"--kubeconfig={folder / 'kubeconfig-inside'}",
        f"--service-account-private-key-file={folder / 'sa.key'}",
        f"--root-ca-file={folder / 'ca.crt'}",
        # The stand-in for the kubelet renews no lease; a node that is lost is what a test says it is.
        "--controllers=*,-node-lifecycle-controller,-taint-eviction-controller",
        "--use-service-account-credentials=false",
        "--leader-elect=false",
        "--kube-api-qps=500",
        "--kube-api-burst=1000",
        "--secure-port=0",
    ]


def _kube_scheduler(settings: Settings) -> list[str]:
    return [
        settings.tools["kube-scheduler"],
        f"--kubeconfig={settings.path / 'kubeconfig-inside'}",
        "--leader-elect=false",
        "--kube-api-qps=500",
        "--kube-api-burst=1000",
        "--secure-port=0",
    ]


def _agent(settings: Settings) -> list[str]:
    return [sys.executable, "-m", "tests.cluster.agent", str(settings.path / "settings.json")]


def _traefik(settings: Settings) -> list[str]:
    config: dict[str, Any] = {
        "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
        "log": {"level": "INFO"},
        "ping": {"entryPoint": "metrics"},
        "entryPoints": {
            "web": {"address": f":{GATEWAY_PORT}"},
            "metrics": {"address": f":{TRAEFIK_METRICS_PORT}"},
        },
        "metrics": {
            "prometheus": {
                "entryPoint": "metrics",
                "addEntryPointsLabels": True,
                "addRoutersLabels": True,
                "addServicesLabels": True,
                "buckets": _TRAEFIK_BUCKETS_SECONDS,
            }
        },
        "providers": {
            # 2 s by default: how long a change of weights may wait for the next one. Tests wait for each.
            "providersThrottleDuration": "200ms",
            "kubernetesGateway": {
                "endpoint": settings.api_url,
                "token": settings.tokens["traefik"],
                "certAuthFilePath": str(settings.path / "ca.crt"),
                "statusAddress": {"ip": NODE_ADDRESS},
            },
        },
    }
    return [settings.tools["traefik"], f"--configFile={_write(settings.path / 'traefik.yaml', config)}"]


def _prometheus(settings: Settings) -> list[str]:
    milliseconds = round(settings.scrape_interval_seconds * 1000)
    meta = "__meta_kubernetes_pod_"
    annotation = f"{meta}annotation_prometheus_io_"
    relabel = [
        {"source_labels": [f"{annotation}scrape"], "action": "keep", "regex": "true"},
        {"source_labels": [f"{meta}phase"], "action": "drop", "regex": "Succeeded|Failed"},
        {
            "source_labels": [f"{annotation}path"],
            "action": "replace",
            "target_label": "__metrics_path__",
            "regex": "(.+)",
        },
        # By address and the annotated port, once per pod: discovery offers one target for each declared port.
        {
            "source_labels": [f"{meta}ip", f"{annotation}port"],
            "separator": ":",
            "target_label": "__address__",
            "regex": "(.+:.+)",
        },
        {"source_labels": ["__meta_kubernetes_namespace"], "target_label": "namespace"},
        {"source_labels": [f"{meta}name"], "target_label": "pod"},
        {"action": "labelmap", "regex": f"{meta}label_(serin_dev_.+)"},
    ]
    kubernetes = {
        "role": "pod",
        "api_server": settings.api_url,
        "authorization": {"credentials": settings.tokens["prometheus"]},
        "tls_config": {"ca_file": str(settings.path / "ca.crt")},
    }
    config: dict[str, Any] = {
        "global": {"scrape_interval": f"{milliseconds}ms", "scrape_timeout": f"{milliseconds}ms"},
        "scrape_configs": [
            {"job_name": "pods", "kubernetes_sd_configs": [kubernetes], "relabel_configs": relabel},
            {
                "job_name": "traefik",
                # Traefik's own `service` label names the backend; it must not become `exported_service`.
                "honor_labels": True,
                "static_configs": [{"targets": [f"{NODE_ADDRESS}:{TRAEFIK_METRICS_PORT}"]}],
            },
        ],
    }
    return [
        settings.tools["prometheus"],
        f"--config.file={_write(settings.path / 'prometheus.yaml', config)}",
        f"--storage.tsdb.path={settings.path / 'prometheus'}",
        f"--web.listen-address=:{PROMETHEUS_PORT}",
        "--web.enable-lifecycle",
        "--web.enable-admin-api",
    ]


def _write(path: Path, config: dict[str, Any]) -> Path:
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    return path


def environment() -> dict[str, str]:
    """What our own Python programs need to find this package, and the Go programs to spend less on their memory.

    The API server collects garbage for a fifth of its time with Go's default of 100. Memory is what a test machine has;
    with 400, 200 rollouts at once took a tenth less time on two cores.
    """
    return {"PYTHONPATH": str(_REPOSITORY), "GOGC": "400"}


CATALOGUE: dict[str, Component] = {
    component.name: component
    for component in (
        Component("etcd", _etcd),
        Component("kube-apiserver", _kube_apiserver, ready_url=f"https://127.0.0.1:{API_PORT}/readyz"),
        Component(
            "kube-controller-manager",
            _kube_controller_manager,
            after=("kube-apiserver",),
            # Its doing, and what the first pod of a test needs.
            ready_url=f"https://127.0.0.1:{API_PORT}/api/v1/namespaces/default/serviceaccounts/default",
        ),
        Component("kube-scheduler", _kube_scheduler, after=("kube-apiserver",)),
        Component(
            "agent",
            _agent,
            after=("kube-apiserver",),
            ready_url=f"https://127.0.0.1:{API_PORT}/api/v1/nodes/{NODE_NAME}",
        ),
        Component(
            "traefik",
            _traefik,
            after=("kube-apiserver", "gateway"),
            ready_url=f"http://127.0.0.1:{TRAEFIK_METRICS_PORT}/ping",
        ),
        Component(
            "prometheus",
            _prometheus,
            after=("kube-apiserver",),
            ready_url=f"http://127.0.0.1:{PROMETHEUS_PORT}/-/ready",
        ),
    )
}
