"""A policy whose stage no Job could be made of: it is said, and whatever is under way goes on."""

from __future__ import annotations

import copy
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from serin.controller.jobs import Jobs
from serin.controller.memory import Memory
from serin.controller.observe import observe, parse
from serin.rollout.decide import decide
from serin.rollout.persist import load_state
from serin.rollout.plan import Plan
from tests.unit.api.builders import policy
from tests.unit.controller.clock import run
from tests.unit.controller.desk import Desk
from tests.unit.controller.test_apply_order import md
from tests.unit.controller.test_artifacts import configured

Json = dict[str, Any]

EVALUATION: Json = {
    "task": "classification",
    "datasets": [{"name": "holdout", "path": "/data/holdout.csv", "target": "species"}],
    "gates": [{"name": "good", "metric": "accuracy", "min": 0.9}],
    "endpoint": {"protocol": "openInference", "model": "iris"},
}
CONTAINER: Json = {"name": "evaluate", "image": "judge:1"}
CANARY: Json = {"name": "all", "canary": {"weight": 50, "soak": "1h"}}
BROKEN: list[tuple[Json, Json, str]] = [
    ({"gates": 5}, {}, "evaluation.gates: must be a list"),
    ({"gates": [{"name": "g", "metric": ["a"]}]}, {}, "evaluation.gates[0].metric: must be text"),
    ({"endpoint": [1]}, {}, "evaluation.endpoint: must be an object"),
    ({}, {"spec": 5}, "template.spec: must be an object"),
    ({}, {"spec": {"containers": [CONTAINER | {"volumeMounts": ["x"]}]}}, "volumeMounts[0]: must be an object"),
]


def judging(evaluation: Json | None = None, template: Json | None = None) -> list[Json]:
    """Stages that begin with a validation."""
    own = template or {"spec": {"containers": [CONTAINER]}}
    return [{"name": "holdout", "validate": {"evaluation": EVALUATION | (evaluation or {}), "template": own}}, CANARY]


def shared(stages: list[Json], generation: int = 1) -> Json:
    """The RolloutPolicy of everybody."""
    raw = policy(stages=stages)
    raw["metadata"] = {"name": "shared", "namespace": "ml", "generation": generation}
    return raw


def by_policy(version: str, generation: int) -> Json:
    """A version that goes by it."""
    raw = copy.deepcopy(md(version, rollout={"policyRef": {"name": "shared"}}))
    raw["metadata"]["generation"] = generation
    return raw


def stalled(desk: Desk) -> str:
    """What the condition Stalled says."""
    found = desk.condition("Stalled")
    return f"{found['reason']}: {found['message']}" if found.get("status") == "True" else ""


async def in_mid_canary(desk: Desk) -> None:
    """Version 1 serves and version 2 is on trial."""
    await desk.look()
    desk.pods_ready("1")
    for _ in range(4):
        await desk.look()
    assert desk.condition("Promoted")["status"] == "True"
    desk.user_applies(by_policy("2", 2))
    for _ in range(2):
        await desk.look()
    assert desk.md["status"]["candidate"]["version"] == "2"


@pytest.mark.parametrize(("evaluation", "template", "words"), BROKEN)
def test_it_is_said_with_its_field(evaluation: Json, template: Json, words: str) -> None:
    """Each look failed before, and the ModelDeployment had no status at all."""

    async def story() -> None:
        desk = Desk(by_policy("1", 1), configured("a:1"))
        desk.user_applies(shared(judging(evaluation, template)))
        for _ in range(2):
            await desk.look()
        assert "RolloutPolicy shared: spec.stages[0].validate." in stalled(desk)
        assert words in stalled(desk)
        assert stalled(desk).startswith("InvalidSpec")

    run(story())


@pytest.mark.parametrize(("evaluation", "template", "words"), BROKEN)
def test_what_is_on_trial_goes_on_by_the_plan_it_began_with(evaluation: Json, template: Json, words: str) -> None:
    """A candidate that nobody looks at is a candidate that nobody rolls back."""
    assert words

    async def story() -> None:
        desk = Desk(by_policy("1", 1), configured("a:1"))
        desk.user_applies(shared([CANARY]))
        await in_mid_canary(desk)
        desk.user_applies(shared(judging(evaluation, template), generation=2))
        await desk.look()
        assert desk.md["status"]["candidate"]["version"] == "2"
        desk.user_applies(by_policy("1", 3))
        await desk.look()
        assert "candidate" not in desk.md["status"], "and it is taken back when the spec says so"

    run(story())


def by_itself(version: str, generation: int, stages: list[Json]) -> Json:
    """A version whose ModelDeployment has stages of its own."""
    raw = copy.deepcopy(md(version, rollout={"stages": stages}))
    raw["metadata"]["generation"] = generation
    return raw


@pytest.mark.parametrize(("evaluation", "template", "words"), BROKEN)
def test_nor_is_it_left_alone_when_the_stages_are_its_own(evaluation: Json, template: Json, words: str) -> None:
    """They cannot be read, so nothing starts; what is on trial has its plan, and what serves is looked after."""

    async def story() -> None:
        desk = Desk(by_policy("1", 1), configured("a:1"))
        desk.user_applies(shared([CANARY]))
        await in_mid_canary(desk)
        stages = judging(evaluation, template)
        desk.user_applies(by_itself("2", 3, stages))
        await desk.look()
        assert desk.md["status"]["candidate"]["version"] == "2"
        desk.user_applies(by_itself("1", 4, stages))
        for _ in range(2):
            await desk.look()
        assert "candidate" not in desk.md["status"]
        assert stalled(desk).startswith("InvalidSpec: spec.rollout.stages[0].validate.")
        assert words in stalled(desk)
        assert await desk.look() == [], "it is said once"
        desk.user_applies(by_policy("1", 5))
        await desk.look()
        assert stalled(desk) == "", "and is well when the spec is"

    run(story())


async def judged_by_a_job() -> Desk:
    """A first version that a Job is asked about: its pods are ready, and the question is out."""
    desk = Desk(by_policy("1", 1), configured("a:1"))
    desk.user_applies(shared(judging()))
    await desk.look()
    desk.pods_ready("1")
    for _ in range(2):
        await desk.look()
    return desk


def test_a_job_that_cannot_be_made_is_a_hold_in_words() -> None:
    """The net: whatever the reading of policies has missed ends no look."""

    async def story() -> None:
        desk = await judged_by_a_job()
        raw = desk.md
        parsed = parse(raw)
        view = observe(raw, parsed, desk.cache, Memory(), load_state(raw["status"]), configured("a:1"))  # type: ignore[arg-type]
        plan = view.seen.policy
        assert isinstance(plan, Plan)
        odd = replace(plan.validations[0], request='{"evaluation": 5}')
        seen = replace(view.seen, policy=replace(plan, validations=(odd,)))
        decision = decide(view.seen, datetime.now(UTC))
        assert [work.stage for work in decision.desired.jobs] == ["holdout"]
        view = replace(view, seen=seen, jobs={})
        jobs = Jobs(desk.kube, desk.cache, None, configured("a:1"))  # type: ignore[arg-type]
        words = await jobs.write(view, decision)
        assert words == "the Job cannot be made: evaluate: evaluation: must be an object"

    run(story())
