"""A Job that an older operator has made, without the label that says which container answers."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from serin.workloads.jobs import LABEL_CONTAINER, LABEL_JOB
from tests.unit.controller.clock import run
from tests.unit.controller.desk import Desk
from tests.unit.controller.test_unread_request import judged_by_a_job

Json = dict[str, Any]
PASS, FAIL = ({"verdict": word, "gates": [{"name": "good", "verdict": word}]} for word in ("pass", "fail"))


def ends(desk: Desk, **said: Json) -> None:
    """The only Job, of an older operator, is over, and its containers have said this."""
    (job,) = [copy.deepcopy(obj) for (kind, _), obj in desk.kube.objects.items() if kind == "Job"]
    del job["metadata"]["labels"][LABEL_CONTAINER]
    name = job["metadata"]["name"]
    containers = [
        {"name": one, "state": {"terminated": {"exitCode": 0, "message": json.dumps(words)}}}
        for one, words in said.items()
    ]
    labels = {LABEL_JOB: name, "serin.dev/deployment": "iris"}
    desk.user_applies(
        {
            "kind": "Pod",
            "metadata": {"name": f"{name}-pod", "labels": labels},
            "status": {"phase": "Succeeded", "containerStatuses": containers},
        }
    )
    conditions = [{"type": "Complete", "status": "True", "reason": "R", "message": "M"}]
    desk.user_applies({**job, "status": {"conditions": conditions}})


@pytest.mark.parametrize(
    ("said", "want"),
    [
        ({"evaluate": PASS}, "RollingOut"),
        ({"warmup": PASS, "evaluate": FAIL}, "ValidationFailed"),
        ({"warmup": PASS}, "ValidationBlocked"),
    ],
    ids=["its own container", "another beside it", "only another"],
)
def test_its_answer_is_that_of_the_container_which_the_stage_runs(said: dict[str, Json], want: str) -> None:
    """An upgrade in the middle of a validation is no reason for a Retry; a container of another name is none either."""

    async def story() -> None:
        desk = await judged_by_a_job()
        ends(desk, **said)
        for _ in range(2):
            await desk.look()
        (record,) = [obj for (kind, _), obj in desk.kube.objects.items() if kind == "ModelRevision"]
        steps = [
            *record.get("status", {}).get("record", ()),
            *(desk.md["status"].get("rollout") or {}).get("steps", ()),
        ]
        assert {one["reason"] for one in steps if one.get("stage") == "holdout"} == {want}

    run(story())
