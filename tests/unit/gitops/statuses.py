"""ModelDeployments in every state that the decision core's transcripts come through, as the API server holds them.

Nothing here is written by hand: each is what the core said at some look of some transcript, once for each set of
conditions. `EXTRA` has what no transcript comes to.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

from serin.api.parse import InvalidSpec
from serin.api.reasons import Reason
from serin.controller.invalid import invalid_status
from serin.rollout.decision import Decision
from serin.rollout.observation import Observation
from tests.unit.cli.stories import MAKERS, ticked
from tests.unit.rollout.looks import plan
from tests.unit.rollout.transcript import replayed, transcripts
from tests.unit.rollout.world import NAME, START, World, conflict, serving

Raw = dict[str, Any]

TRANSCRIPTS = Path(__file__).parents[1] / "rollout" / "testdata"


@cache
def seen() -> Mapping[str, Raw]:
    """By name: the transcript, the phase and what the conditions say."""
    found: dict[str, Raw] = {}
    look = World.apply
    current = ""

    def apply(world: World, observed: Observation, decision: Decision) -> None:
        look(world, observed, decision)
        said = " ".join(f"{one['type']}={one['status']}:{one['reason']}" for one in world.status["conditions"])
        key = f"{world.status['phase']} {said}"
        if key not in names:
            names.add(key)
            found[f"{current}: {key}"] = object_of(world)

    names: set[str] = set()
    with mock.patch.object(World, "apply", apply):
        for path in transcripts(TRANSCRIPTS):
            current = path.stem
            replayed(path.read_text(encoding="utf-8"))
    return found


def object_of(world: World) -> Raw:
    """The ModelDeployment of a world."""
    return {
        "apiVersion": "serin.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": NAME, "namespace": "ml", "generation": 1},
        "spec": {"serving": {"replicas": world.replicas}, "rollout": {"paused": world.paused}},
        "status": copy.deepcopy(world.status),
    }


def _promoted() -> World:
    return serving("v1", plan(), replicas=2)


def _new() -> Raw:
    """As the API server stores it before the operator looks: the CRD's default."""
    return object_of(_promoted()) | {"status": {"observedGeneration": -1}}


def _without_status() -> Raw:
    return {key: value for key, value in object_of(_promoted()).items() if key != "status"}


def _edited() -> Raw:
    raw = object_of(_promoted())
    raw["metadata"]["generation"] = 2
    return raw


def _edited_while_stalled() -> Raw:
    raw = MAKERS["rolled_back"]().md
    raw["metadata"]["generation"] = 2
    return raw


def _deleted() -> Raw:
    raw = object_of(_promoted())
    raw["metadata"]["deletionTimestamp"] = (START + timedelta(minutes=9)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return raw


def _stable_down() -> Raw:
    return MAKERS["stable_down"]().md


def _scaled_to_zero() -> Raw:
    world = _promoted()
    world.replicas = 0
    return object_of(ticked(world, 2))


def _route_conflict_when_promoted() -> Raw:
    world = _promoted()
    world.route = conflict(Reason.ROUTE_CONFLICT, "the route lists iris-a twice")
    return object_of(ticked(world, 1))


def _invalid() -> Raw:
    """What cannot be read, after it served."""
    raw = object_of(_promoted())
    raw["metadata"]["generation"] = 2
    fault = InvalidSpec("spec.model.version", "is empty")
    raw["status"] = invalid_status(raw, fault, START)
    return raw


EXTRA: Mapping[str, Callable[[], Raw]] = {
    "new": _new,
    "without status": _without_status,
    "edited": _edited,
    "edited while stalled": _edited_while_stalled,
    "deleted": _deleted,
    "stable down": _stable_down,
    "scaled to zero": _scaled_to_zero,
    "route conflict when promoted": _route_conflict_when_promoted,
    "invalid": _invalid,
}
