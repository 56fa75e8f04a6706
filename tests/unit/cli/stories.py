"""Objects as a cluster would hold them: a story is a World of the decision core's tests at one instant.

They are made by the core itself (`MAKERS`) and kept in testdata/*.jsonl, which the tests read (`STORIES`): else every
change of a statistic's last digit would change every text. test_views.py holds the kept ones against the core's.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from serin.rollout.instants import stamp
from serin.rollout.observation import Target
from serin.rollout.plan import Approval, Validation
from serin.rollout.state import Poll
from serin.workloads.jobs import Ended, Running
from serin.workloads.resolve import Artifact
from tests.unit.rollout.looks import plan
from tests.unit.rollout.world import NAME, START, World, at_stage, serving

Raw = dict[str, Any]


@dataclass(frozen=True)
class Story:
    """A ModelDeployment and its ModelRevisions, raw, and what time it is."""

    md: Raw
    revisions: list[Raw]
    now: datetime


def story(world: World, *, generation: int = 1) -> Story:
    """What the API server holds of a world. generation: of the spec; the status is about generation 1."""
    assert isinstance(world.wanted, Target)
    return Story(
        md={
            "apiVersion": "serin.dev/v1alpha1",
            "kind": "ModelDeployment",
            "metadata": {
                "name": NAME,
                "namespace": "ml",
                "generation": generation,
                "creationTimestamp": _time(START - timedelta(days=9)),
                "resourceVersion": "7",
            },
            "spec": _spec(world.wanted.version) | {"rollout": {"paused": world.paused}},
            "status": world.status,
        },
        revisions=[_revision(name, index, status) for index, (name, status) in enumerate(world.records.items())],
        now=world.now,
    )


def ticked(world: World, number: int) -> World:
    """The world so many intervals later; looks that ask for another one at once get it."""
    for _ in range(number):
        decision = world.tick()
        while decision.look_again_seconds == 0.0:
            decision = world.look()
    return world


def bad_from(world: World, bad: float) -> World:
    """The world with a candidate that answers so many requests badly from now on; stable one in a thousand."""
    world.traffic = replace(world.traffic, bad={"stable": 0.001, "candidate": bad})
    return world


def _serving() -> World:
    return serving("v1", plan(), replicas=2)


def _polled() -> World:
    """An alias has moved and moved back, and the registry is away now."""
    world = _serving()
    found = Artifact(f"sha256:{'1' * 64}", "models:/iris/1")
    at = stamp(world.now)
    world.state = replace(world.state, poll=Poll("iris-v1", found.digest, 7, at, found, "the registry does not answer"))
    return ticked(world, 1)


def _small() -> World:
    return ticked(at_stage(_serving(), "v2", 0), 2)


def _rolled_back() -> World:
    world = bad_from(_serving(), 0.03)
    world.deploy("v2")
    return ticked(world, 12)


def _rejected_and_next() -> World:
    """Version 2 was rolled back, version 3 took its place, version 4 is on trial and paused."""
    world = bad_from(_rolled_back(), 0.001)
    world.deploy("v3")
    world = ticked(world, 60)
    world.deploy("v4")
    world = ticked(world, 10)
    world.paused = True
    return ticked(world, 1)


def _first() -> World:
    world = World(plan())
    world.deploy("v1")
    return ticked(world, 1)


def _outage() -> World:
    world = _small()
    world.outage = "connection refused"
    return ticked(world, 3)


def _crashing() -> World:
    world = _small()
    from serin.workloads.pods import Crash

    world.pods["iris-v2"].crash = Crash("OutOfMemory", 1, "container model of pod iris-v2-x was killed")
    world.pods["iris-v2"].restarts = 1
    return ticked(world, 1)


def _stable_down() -> World:
    world = _serving()
    world.pods["iris-v1"].ready = 0
    return ticked(world, 1)


def _awaiting() -> World:
    """Half, then two people, then a bake; nobody has approved yet."""
    one = plan()
    signed = replace(
        one, stages=(*one.stages[:2], Approval("sign-off", one.stages[1].weight, 86_400.0, 2), one.stages[2])
    )
    return ticked(at_stage(serving("v1", signed, replicas=2), "v2", 2), 1)


def _aborted() -> World:
    """By a person, whose act is answered."""
    world = _small()
    world.act("Abort", "iris-v2", "ann@example.com", reason="odd answers")
    return ticked(world, 1)


def _gone_back() -> World:
    """Version 2 was promoted, and rolled back by hand: version 1 serves though the spec asks for version 2."""
    world = at_stage(_serving(), "v2", 2)
    world = ticked(world, 60)
    world.act("Rollback", "iris-v2", "ann@example.com")
    return ticked(world, 12)


def _warming() -> World:
    """It has passed on data and is warmed up; no request of a user has reached it."""
    before = (Validation("holdout", "d1", 600.0), Validation("warm", "d2", 300.0, "warmup"))
    world = serving("v1", plan(validations=before), replicas=2)
    world.deploy("v2")
    world = ticked(world, 2)
    job = next(name for name, one in world.jobs.items() if isinstance(one, Running))
    kept = {"report": "s3://reports/ml/ml/iris/iris-v2.1.holdout/report.json", "digest": "sha256:" + "5e" * 32}
    good = {"name": "good", "verdict": "pass", "message": "0.96"}
    world.jobs[job] = Ended(json.dumps({"verdict": "pass", "gates": [good]} | kept))
    return ticked(world, 2)


def _first_refused() -> World:
    """Nothing serves yet, and data have said no to the first version."""
    world = World(plan(validations=(Validation("holdout", "d1", 600.0),)))
    world.replicas = 2
    world.deploy("v1")
    world = ticked(world, 3)
    world.answer_jobs("fail")
    return ticked(world, 2)


def _judged() -> World:
    """It has passed on data, and nobody could store the report; it was aborted in its first canary stage."""
    world = serving("v1", plan(validations=(Validation("holdout", "d1", 600.0),)), replicas=2)
    world.deploy("v2")
    world = ticked(world, 2)
    job = next(name for name, one in world.jobs.items() if isinstance(one, Running))
    trouble = "the report was not stored: AccessDenied: s3://reports refused access; give credentials"
    numbers = {"metric": "accuracy", "limit": "at least 0.9", "value": 0.96, "low": 0.941, "high": 0.978}
    good = {"name": "good", "verdict": "pass", "message": "0.96", **numbers}
    said = {"verdict": "pass", "gates": [good], "reportTrouble": trouble}
    world.jobs[job] = Ended(json.dumps(said))
    world = ticked(world, 4)
    world.act("Abort", "iris-v2", "ann@example.com")
    return ticked(world, 1)


MAKERS: dict[str, Callable[[], Story]] = {
    "promoted": lambda: story(_serving()),
    "polled": lambda: story(_polled()),
    "first_refused": lambda: story(_first_refused()),
    "first_deployment": lambda: story(_first()),
    "in_a_canary_stage": lambda: story(_small()),
    "in_bake": lambda: story(ticked(at_stage(_serving(), "v2", 2), 2)),
    "rolled_back": lambda: story(_rolled_back()),
    "crashed": lambda: story(_crashing()),
    "metrics_away": lambda: story(_outage()),
    "paused_after_others": lambda: story(_rejected_and_next()),
    "stable_down": lambda: story(_stable_down()),
    "awaiting_approval": lambda: story(_awaiting()),
    "aborted": lambda: story(_aborted()),
    "gone_back_by_hand": lambda: story(_gone_back()),
    "warming_up": lambda: story(_warming()),
    "judged_on_data": lambda: story(_judged()),
    "spec_not_seen_yet": lambda: story(_serving(), generation=2),
}


FOLDER = Path(__file__).parent / "testdata"


def load(name: str) -> Story:
    """A story that was kept: the time, the ModelDeployment and its revisions, a line for each."""
    now, md, *revisions = (json.loads(line) for line in (FOLDER / f"{name}.jsonl").read_text().splitlines())
    return Story(md, revisions, datetime.fromisoformat(now))


def keep(name: str, one: Story) -> None:
    """Keep a story."""
    lines = [one.now.isoformat(), one.md, *one.revisions]
    text = "\n".join(json.dumps(line, separators=(",", ":")) for line in lines)
    (FOLDER / f"{name}.jsonl").write_text(f"{text}\n")


STORIES: dict[str, Callable[[], Story]] = {name: partial(load, name) for name in MAKERS}


def _spec(version: str) -> Raw:
    return {
        "model": {"name": NAME, "version": version},
        "serving": {
            "port": 8080,
            "template": {
                "spec": {
                    "containers": [
                        {
                            "name": "model",
                            "image": f"registry.example/iris:{version}",
                            "env": [{"name": "THREADS", "value": "4"}],
                        }
                    ]
                }
            },
        },
    }


def _revision(name: str, index: int, status: Raw) -> Raw:
    created = _time(START + timedelta(minutes=index))
    return {
        "apiVersion": "serin.dev/v1alpha1",
        "kind": "ModelRevision",
        "metadata": {
            "name": name,
            "namespace": "ml",
            "creationTimestamp": created,
            "labels": {"serin.dev/deployment": NAME},
        },
        "spec": {"deployment": NAME, **_spec(name.removeprefix(f"{NAME}-")), "contentHash": f"sha256:{index}"},
        "status": status,
    }


def _time(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
