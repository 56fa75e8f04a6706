"""Resources for tests: complete and valid, to be spoilt in one place."""

from __future__ import annotations

import copy
from typing import Any

Raw = dict[str, Any]

_GATES: list[Raw] = [
    {
        "name": "errors",
        "compare": {"what": "serverErrors", "margin": {"plus": "0.2pp"}, "tolerance": "0.05pp"},
    },
    {"name": "slow", "compare": {"what": "slowerThan", "objective": "300ms"}},
    {"name": "slo", "limit": {"what": "slowerThan", "objective": "1.2s", "max": "1%"}},
    {"name": "unsold", "required": False, "query": {"total": "a{${arm}}", "bad": "b{${arm}}"}},
    {"name": "pods", "hard": {"restarts": 2, "outOfMemory": True, "readyWithin": "10m"}},
]
_STAGES: list[Raw] = [
    {"name": "small", "canary": {"weight": 10, "soak": "2m", "gates": ["errors", "pods"]}},
    {"name": "half", "canary": {"weight": 50, "soak": "5m", "advance": "passed"}},
    {"name": "bake", "bake": {"for": "30m", "holdback": 5}},
]


def deployment(name: str = "iris", **spec: Any) -> Raw:
    """A ModelDeployment; keyword arguments replace parts of its spec."""
    whole: Raw = {
        "model": {"name": "iris", "version": "2"},
        "serving": {
            "port": 8080,
            "template": {"spec": {"containers": [{"name": "model", "image": "registry.example/iris:2"}]}},
        },
        "traffic": {"httpRoute": {"parentRefs": [{"name": "gw"}], "hostnames": ["iris.example.com"]}},
    }
    return {
        "apiVersion": "serin.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": name, "namespace": "default"},
        "spec": copy.deepcopy(whole | spec),
    }


def deployment_with_plan() -> Raw:
    """A ModelDeployment with gates and stages of its own."""
    return deployment(rollout={"gates": _GATES, "stages": _STAGES})


def policy(name: str = "careful", **spec: Any) -> Raw:
    """A RolloutPolicy; keyword arguments replace parts of its spec."""
    return {
        "apiVersion": "serin.dev/v1alpha1",
        "kind": "RolloutPolicy",
        "metadata": {"name": name, "namespace": "default", "generation": 1},
        "spec": copy.deepcopy({"gates": _GATES, "stages": _STAGES} | spec),
    }


def revision(name: str = "iris-2-abcde") -> Raw:
    """A ModelRevision."""
    return {
        "apiVersion": "serin.dev/v1alpha1",
        "kind": "ModelRevision",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "deployment": "iris",
            "model": {"name": "iris", "version": "2", "lineage": {"parameters": {"depth": "3"}}},
            "serving": {
                "port": 8080,
                "template": {
                    "spec": {
                        "terminationGracePeriodSeconds": 30,
                        "containers": [{"name": "model", "image": "i", "env": [{"name": "A", "value": "1"}]}],
                    },
                },
            },
            "contentHash": "sha256:0",
            "scheme": 1,
        },
    }


def action(name: str = "approve-1", **spec: Any) -> Raw:
    """A RolloutAction; keyword arguments replace parts of its spec."""
    whole = {
        "deployment": "iris",
        "action": "Approve",
        "revision": "iris-2-abcde",
        "stage": "sign-off",
        "actor": "ann",
        "reason": "looks good",
    }
    return {
        "apiVersion": "serin.dev/v1alpha1",
        "kind": "RolloutAction",
        "metadata": {"name": name, "namespace": "default"},
        "spec": whole | spec,
    }
