"""Rollouts with real model servers and real metrics, in seconds."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from tests.demo import manifests
from tests.demo.stage import Stage, ended, promoted, settled

Json = dict[str, Any]


def policy(namespace: str, stages: Sequence[tuple[int, str]], *, bake: str, margin: str = "3pp") -> Json:
    """Return a policy that judges errors only: on a busy machine any model server is slow now and then."""
    gates = [
        {
            "name": "errors",
            "compare": {"what": "serverErrors", "margin": {"plus": margin, "ofStable": "0%", "max": margin}},
        },
        {"name": "pods", "hard": {"restarts": 2, "readyWithin": "2m"}},
    ]
    canaries: list[Json] = [
        {"name": f"at-{weight}", "canary": {"weight": weight, "soak": soak}} for weight, soak in stages
    ]
    fields = {
        "gates": gates,
        "stages": [*canaries, {"name": "bake", "bake": {"for": bake, "holdback": 5}}],
        "warmIn": "0s",
    }
    return manifests.policy(namespace=namespace, spec=fields)


def model(stage: Stage, version: str, faults: Json | None = None) -> Json:
    """Return the ModelDeployment of a version."""
    return manifests.model_deployment(version, faults, namespace=stage.namespace, host=host(stage))


def host(stage: Stage) -> str:
    """Return the host name of a stage's route."""
    return f"{stage.namespace}.example.com"


async def first(stage: Stage, faults: Json | None = None) -> None:
    """Bring version 1 up."""
    await stage.apply(model(stage, "1", faults))
    await stage.until(lambda md: promoted(md, "1") and settled(md), seconds=90, what="version 1 serves")


async def end_of(stage: Stage, version: str, *, seconds: float = 180) -> Json:
    """Wait until a version's rollout is over, and return its outcome."""
    md = await stage.until(lambda md: ended(md, version) is not None, seconds=seconds, what=f"the end of {version}")
    outcome: Json = md["status"]["outcome"]
    return outcome


async def until_walked(stage: Stage, slot: str, walk: Sequence[int]) -> None:
    """Wait until a slot has had just these weights; the route is watched apart from what the status says."""

    def walked(_: Json) -> bool:
        seen = [weight for weight, _ in itertools.groupby(shares.of(slot) for shares in stage.shares)]
        return seen == list(walk)

    await stage.until(walked, seconds=10, what=f"weights {walk}; there were {stage.shares}")
