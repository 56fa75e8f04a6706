"""How a wait ends: exit codes, and what counts as an end."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from serin.plugin.ending import (
    STALLED_SECONDS_MIN,
    Ending,
    Promoted,
    RolledBack,
    Stalled,
    Superseded,
    TimedOut,
    content,
    ending,
    exit_code,
)
from serin.plugin.reading import deployment_of
from tests.unit.cli.stories import STORIES

Raw = dict[str, Any]


def stalled(reason: str) -> Raw:
    """A ModelDeployment that is stalled for a reason."""
    raw = copy.deepcopy(STORIES["rolled_back"]().md)
    for one in raw["status"]["conditions"]:
        if one["type"] == "Stalled":
            one["reason"] = reason
    return raw


@pytest.mark.parametrize("reason", ["RolledBack", "PreviouslyRejected", "FirstRevisionFailing"])
def test_a_rollback_is_final_at_once(reason: str) -> None:
    end = ending(deployment_of(stalled(reason)), 0.0)
    assert isinstance(end, RolledBack)
    assert end.reason == reason


@pytest.mark.parametrize("reason", ["PolicyNotFound", "RouteConflict", "ReasonOfTomorrow"])
def test_what_may_mend_itself_gets_a_moment(reason: str) -> None:
    """A policy that is applied a second after the deployment is no failure of the pipeline."""
    md = deployment_of(stalled(reason))
    assert ending(md, STALLED_SECONDS_MIN - 0.1) is None
    assert isinstance(ending(md, STALLED_SECONDS_MIN), Stalled)


def test_nothing_that_is_said_of_the_spec_before_is_an_end() -> None:
    for name in ("promoted", "rolled_back"):
        raw = copy.deepcopy(STORIES[name]().md)
        assert ending(deployment_of(raw), 60.0) is not None
        raw["metadata"]["generation"] += 1
        assert ending(deployment_of(raw), 60.0) is None


def test_promoted_while_something_is_on_trial_is_no_end() -> None:
    raw = copy.deepcopy(STORIES["promoted"]().md)
    raw["status"]["rollout"] = STORIES["in_bake"]().md["status"]["rollout"]
    assert ending(deployment_of(raw), 0.0) is None


def test_an_object_that_goes_is_superseded() -> None:
    raw = copy.deepcopy(STORIES["promoted"]().md)
    raw["metadata"]["deletionTimestamp"] = "2026-11-21T12:00:00Z"
    assert isinstance(ending(deployment_of(raw), 0.0), Superseded)


def test_every_end_has_an_exit_code_of_its_own() -> None:
    ends: list[Ending] = [Promoted(""), RolledBack("", ""), Stalled("", ""), Superseded(""), TimedOut("")]
    assert [exit_code(end) for end in ends] == [0, 3, 4, 5, 124]


def test_only_what_makes_a_revision_makes_another_rollout() -> None:
    raw = copy.deepcopy(STORIES["promoted"]().md)
    before = content(raw)
    raw["spec"]["serving"]["replicas"] = 9
    raw["spec"]["rollout"] = {"paused": True}
    assert content(raw) == before
    raw["spec"]["serving"]["template"]["spec"]["containers"][0]["image"] = "registry.example/iris:other"
    assert content(raw) != before
