"""The resources that the demo applies, and the operator's configuration."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]
NAMESPACE = "demo"
NAME = "iris"
HOST = "iris.example.com"
POLICY = "demo"
OBJECTIVE_SECONDS = 0.3

Json = dict[str, Any]


def namespace(name: str = NAMESPACE) -> Json:
    """Return the namespace."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def policy(*, spec: Mapping[str, Any] | None = None, namespace: str = NAMESPACE, name: str = POLICY) -> Json:
    """Return the policy of the demo: short stages, and a candidate may be one point worse; `spec` replaces fields."""
    # A bad version has to be found while few users have met it, and failures are found by being met. With stable
    # without errors each failed request is worth ln(1/share) of evidence: 2.3 at 10 %, 1.2 at 30 %, 0.7 at 50 %. So a
    # small tolerance and time at low weights cost a good version half a minute and halve the failures of a bad one.
    errors = {"what": "serverErrors", "margin": {"plus": "1pp", "ofStable": "0%"}, "tolerance": "0.05pp"}
    gates = [
        {"name": "errors", "compare": errors},
        {"name": "slow", "compare": {"what": "slowerThan", "objective": "300ms", "margin": {"plus": "1pp"}}},
        {"name": "pods", "hard": {"restarts": 2, "readyWithin": "2m"}},
    ]
    stages = [
        {"name": "first", "canary": {"weight": 10, "soak": "16s"}},
        {"name": "more", "canary": {"weight": 30, "soak": "30s"}},
        {"name": "half", "canary": {"weight": 50, "soak": "10s", "advance": "passed"}},
        {"name": "bake", "bake": {"for": "15s", "holdback": 10}},
    ]
    return {
        "apiVersion": "serin.dev/v1alpha1",
        "kind": "RolloutPolicy",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "gates": gates,
            "stages": stages,
            "timeouts": {"progress": "5m"},
            "warmIn": "5s",
            **(spec or {}),
        },
    }


def model_deployment(
    version: str,
    faults: Mapping[str, object] | None = None,
    *,
    namespace: str = NAMESPACE,
    name: str = NAME,
    host: str = HOST,
    replicas: int = 1,
    traffic: Mapping[str, Any] | None = None,
    rollout: Mapping[str, Any] | None = None,
    annotations: Mapping[str, str] | None = None,
) -> Json:
    """Return the ModelDeployment of one version.

    Args:
        version: The model's version; every answer carries it.
        faults: Environment of the model server, see `tests.demo.model_server`.
        namespace: Where.
        name: Its name.
        host: The host name of its route.
        replicas: How many pods.
        traffic: `spec.traffic`, when it is not a route of its own on the cluster's Gateway.
        rollout: `spec.rollout`, when it is not the demo's policy.
        annotations: Of the pods; a change of them makes another revision.
    """
    env = {"OPENBLAS_NUM_THREADS": "1", **{key: str(value) for key, value in (faults or {}).items()}}
    container = {
        "name": "model",
        "image": f"demo.local/iris:{version}",  # a name only: the local cluster runs the command below
        "command": [sys.executable, "-m", "tests.demo.model_server"],
        "workingDir": str(REPOSITORY),
        "env": [{"name": key, "value": value} for key, value in env.items()],
        "ports": [{"containerPort": 8080}],
    }
    own = {"httpRoute": {"parentRefs": [{"name": "gw", "namespace": "default"}], "hostnames": [host]}}
    scrape = {"prometheus.io/scrape": "true", "prometheus.io/port": "8080"}
    return {
        "apiVersion": "serin.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "model": {"name": "iris", "version": version},
            "serving": {
                "replicas": replicas,
                "port": 8080,
                "template": {
                    "metadata": {"annotations": {**scrape, **(annotations or {})}},
                    "spec": {"terminationGracePeriodSeconds": 15, "containers": [container]},
                },
            },
            "traffic": dict(traffic or own),
            "rollout": dict(rollout or {"policyRef": {"name": POLICY}}),
        },
    }


def operator_config(prometheus_url: str, **fields: Any) -> Json:
    """Return the operator's configuration: readings every 2 s, because a demo cannot wait."""
    source = {
        "name": "default",
        "url": prometheus_url,
        "preset": "traefik",
        "intervalSeconds": 2,
        "scrapeIntervalSeconds": 1,
        "settleSeconds": 1,
    }
    return {
        "metricSources": [source],
        # Traefik acts on a weight within a second; on a machine that is busy with everything else, four were seen.
        "gatewayReloadSeconds": 4,
        "statusSeconds": 2,
        "listen": {"port": 0},
        **fields,
    }
