"""What must be refused is refused with the field and with what to do; integration asks the API server."""

from __future__ import annotations

from typing import Any

import pytest

from serin.api.model_deployment import ModelDeployment
from serin.api.parse import (
    InvalidSpec,
    parse_model_deployment,
    parse_model_revision,
    parse_rollout_action,
    parse_rollout_policy,
)
from serin.api.reasons import Reason
from tests.unit.api.bad_resources import BAD, BAD_ACTIONS, Bad
from tests.unit.api.builders import Raw, action, deployment, deployment_with_plan, policy, revision


def _parsed(raw: Raw) -> Any:
    match raw["kind"]:
        case "ModelDeployment":
            return parse_model_deployment(raw)
        case "RolloutPolicy":
            return parse_rollout_policy(raw)
        case "RolloutAction":
            return parse_rollout_action(raw)
        case _:
            return parse_model_revision(raw)


@pytest.mark.parametrize("bad", [*BAD, *BAD_ACTIONS], ids=lambda bad: bad.name)
def test_a_bad_resource_is_refused_in_words(bad: Bad) -> None:
    """The field and what to do are in the answer."""
    invalid = _parsed(bad.raw())
    assert isinstance(invalid, InvalidSpec)
    assert invalid.field == bad.field
    assert bad.words in invalid.message
    assert invalid.reason is Reason.INVALID_SPEC


@pytest.mark.parametrize("good", [deployment, deployment_with_plan, policy, revision, action])
def test_what_is_spoilt_above_is_good_before(good: Any) -> None:
    """The table proves something only because its bases are accepted."""
    assert not isinstance(_parsed(good()), InvalidSpec)


def test_names_in_the_table_are_unique() -> None:
    """Each kind of bad resource stands there once, and there are more than forty."""
    assert len({bad.name for bad in [*BAD, *BAD_ACTIONS]}) == len(BAD) + len(BAD_ACTIONS) > 40


def test_more_than_one_fault_is_said() -> None:
    """The first fault is told in full and the rest are counted."""
    raw = deployment()
    raw["spec"]["model"] = {}
    assert str(parse_model_deployment(raw)) == "spec.model.name: is required (1 more after it)"


@pytest.mark.parametrize(
    ("raw", "want"),
    [
        ({}, "metadata: is required (1 more after it)"),
        ({"metadata": {"name": "iris"}, "spec": None}, "spec: is required"),
        ({"metadata": {"name": "iris"}, "spec": []}, "spec: must be an object"),
        (deployment(serving={"port": 1, "template": []}), "spec.serving.template: must be an object"),
        (
            deployment(serving={"port": 1, "template": {"spec": 1}}),
            "spec.serving.template.spec: must be an object",
        ),
        (deployment(rollout={"stages": "fast"}), "spec.rollout.stages: must be a list"),
        (
            deployment(model={"name": "iris", "version": True}),
            'spec.model.version: must be text; quote it: "true"',
        ),
    ],
)
def test_any_shape_gets_an_answer(raw: Raw, want: str) -> None:
    """Objects stored under older rules can hold anything, and still no exception comes out."""
    assert str(parse_model_deployment(raw)) == want


def test_unknown_fields_are_ignored() -> None:
    """What a newer API added does not stop an older operator: the API server has pruned or refused typos."""
    raw = deployment()
    raw["spec"]["newer"] = {"x": 1}
    raw["status"] = {"observedGeneration": 3, "newer": True, "conditions": []}
    parsed = parse_model_deployment(raw)
    assert isinstance(parsed, ModelDeployment)
    assert parsed.status.observed_generation == 3


def test_a_status_that_cannot_be_read_is_not_taken_for_an_empty_one() -> None:
    """An empty status would start the rollout anew."""
    raw = deployment() | {"status": {"stable": {"revision": 7}}}
    invalid = parse_model_deployment(raw)
    assert isinstance(invalid, InvalidSpec)
    assert invalid.field.startswith("status.stable")


def test_a_time_zone_that_nobody_knows_is_said_by_the_operator() -> None:
    """An API server may have no time zone database, so it only checks the shape."""
    invalid = parse_rollout_policy(policy(windows=[{"timezone": "Europe/Berln"}]))
    assert isinstance(invalid, InvalidSpec)
    assert str(invalid) == (
        "spec.windows[0].timezone: there is no time zone Europe/Berln; take a name of the IANA database such as"
        " Europe/Berlin"
    )
