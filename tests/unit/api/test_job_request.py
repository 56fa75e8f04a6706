"""What a stage hands to its Job: what Serin relies on is refused with its field, and what is left makes a Job."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serin.api.model_deployment import Rollout
from serin.api.parse import InvalidSpec, parse_rollout_policy
from serin.api.resolve import ResolvedPolicy, resolve_policy
from serin.rollout.plan import Plan, Validation
from serin.rollout.snapshot import plan_of
from serin.workloads.evaluation import NoJob, has_image, stage_job
from tests.unit.api.builders import policy
from tests.unit.workloads.builders import deployment

Json = dict[str, Any]

EVALUATION: Json = {
    "task": "classification",
    "datasets": [{"name": "holdout", "path": "/data/holdout.csv", "target": "species"}],
    "gates": [{"name": "good", "metric": "accuracy", "min": 0.9}],
    "endpoint": {"protocol": "openInference", "model": "iris"},
}


def with_stage(stage: Json) -> Json:
    """A policy that begins with this stage."""
    return policy(stages=[{"name": "first", **stage}, {"name": "all", "canary": {"weight": 50, "soak": "1m"}}])


def judged(evaluation: Json | None = None, template: Any = None) -> Json:
    """One that begins with a validate stage."""
    asked = {"evaluation": EVALUATION | (evaluation or {})}
    return with_stage({"validate": asked | ({"template": template} if template is not None else {})})


def planned(raw: Json) -> Plan | InvalidSpec:
    """As the operator reads it."""
    parsed = parse_rollout_policy(raw)
    if isinstance(parsed, InvalidSpec):
        return parsed
    resolved = resolve_policy(Rollout(), parsed)
    assert isinstance(resolved, ResolvedPolicy)
    return plan_of(resolved)


def job_of(asked: Validation, request: str | None = None) -> Json:
    """The Job of a planned stage."""
    return stage_job(
        deployment(),
        asked.program,
        asked.request if request is None else request,
        name="iris-v-1",
        stage=asked.name,
        revision="iris-2-ab",
        attempt=1,
        candidate="b",
        stable=None,
        image="s",
    )


def own(**fields: Any) -> Json:
    """A template whose own container has these fields."""
    return {"spec": {"containers": [{"name": "evaluate", "image": "x:1", **fields}]}}


@pytest.mark.parametrize(
    ("raw", "field", "words"),
    [
        (judged({"gates": 5}), "evaluation.gates", "must be a list of objects"),
        (judged({"gates": None}), "evaluation", "gates is required"),
        (judged({"gates": [5]}), "evaluation.gates[0]", "must be an object"),
        (judged({"gates": [{"name": "g", "metric": ["a"]}]}), "evaluation.gates[0].metric", "must be text"),
        (judged({"endpoint": [1]}), "evaluation.endpoint", "must be an object"),
        (judged(template={"spec": 5}), "template.spec", "must be an object"),
        (judged(template={"metadata": []}), "template.metadata", "must be an object"),
        (judged(template={"metadata": {"labels": {"a": 5}}}), "template.metadata.labels", "a must be text; quote"),
        (judged(template={"metadata": {"annotations": 5}}), "template.metadata.annotations", "must be an object"),
        (
            judged(template={"metadata": {"labels": {"serin.dev/slot": "a"}}}),
            "template.metadata.labels",
            "are set by Serin; remove them",
        ),
        (judged(template={"spec": {"containers": {"name": "evaluate"}}}), "template.spec.containers", "begin each"),
        (judged(template={"spec": {"containers": ["x"]}}), "template.spec.containers[0]", "must be an object"),
        (judged(template={"spec": {"volumes": 5}}), "template.spec.volumes", "must be a list of objects"),
        (judged(template=own(volumeMounts=["x"])), "template.spec.containers[0].volumeMounts[0]", "must be an object"),
        (judged(template=own(env={"A": "b"})), "template.spec.containers[0].env", "must be a list of objects"),
        (judged(template=own(envFrom=5)), "template.spec.containers[0].envFrom", "must be a list of objects"),
        (judged(template=own(image=5)), "template.spec.containers[0].image", "must be text"),
    ],
)
def test_a_wrong_type_is_refused_at_its_field(raw: Json, field: str, words: str) -> None:
    """It was stored before, and ended each look at each ModelDeployment of the policy."""
    found = parse_rollout_policy(raw)
    assert isinstance(found, InvalidSpec)
    assert found.field == f"spec.stages[0].validate.{field}"
    assert words in found.message


def test_a_warm_ups_template_is_read_as_well() -> None:
    found = parse_rollout_policy(with_stage({"warmup": {"template": {"spec": {"volumes": 5}}}}))
    assert isinstance(found, InvalidSpec)
    assert found.field == "spec.stages[0].warmup.template.spec.volumes"


def deep(levels: int) -> Json:
    """Objects in one another."""
    whole: Json = {}
    for _ in range(levels - 1):
        whole = {"a": whole}
    return whole


@pytest.mark.parametrize("place", ["evaluation", "template", "body"])
def test_what_is_nested_without_end_is_refused(place: str) -> None:
    """To copy it, or to write it as JSON, takes a call for each level."""

    def raw(levels: int) -> Json:
        match place:
            case "evaluation":
                return judged({"slices": deep(levels - 1)})
            case "template":
                return judged(template=deep(levels))
            case _:
                return with_stage({"warmup": {"request": {"path": "/", "body": deep(levels)}}})

    assert isinstance(planned(raw(64)), Plan)
    for levels in (65, 300):
        found = planned(raw(levels))
        assert isinstance(found, InvalidSpec)
        assert found.field.endswith(place)
        assert "flatter" in found.message


NULLS = [
    {"spec": None},
    {"metadata": None, **own()},
    {"metadata": {"labels": None, "annotations": {"a": None}}, **own()},
    {"spec": {"containers": None}},
    {"spec": {**own()["spec"], "volumes": None}},
    own(volumeMounts=None, env=None, envFrom=None, command=None, args=None),
]


@pytest.mark.parametrize("template", NULLS)
def test_a_null_is_a_field_that_is_not_there(template: Json) -> None:
    """As Helm writes it for a value that nobody gave, and as `kubectl replace` keeps it."""
    plan = planned(judged(template=template))
    assert isinstance(plan, Plan)
    found, want = job_of(plan.validations[0]), job_of_template(without_nulls(template))
    assert found == want


def job_of_template(template: Json) -> Json:
    """The Job of a validate stage with this template."""
    plan = planned(judged(template=template))
    assert isinstance(plan, Plan)
    return job_of(plan.validations[0])


def without_nulls(value: Any) -> Any:
    """The same, with no null in any object."""
    if isinstance(value, dict):
        return {key: without_nulls(one) for key, one in value.items() if one is not None}
    return [without_nulls(one) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize(
    ("request_", "words"),
    [
        ("", "is no JSON"),
        ("[]", "must be an object"),
        ("{}", "evaluation: is required"),
        (json.dumps({"evaluation": EVALUATION, "template": {"spec": 5}}), "template.spec: must be an object"),
    ],
)
def test_of_a_request_that_nobody_has_read_no_job_is_made(request_: str, words: str) -> None:
    """The net below: whatever gets here is said in words, and ends no look."""
    with pytest.raises(NoJob, match=words):
        job_of(Validation("first", "d", 600.0), request_)


KEYS = st.sampled_from(
    [
        *("metadata", "labels", "annotations", "spec", "containers", "volumes", "volumeMounts", "env", "envFrom"),
        *("name", "image", "command", "gates", "metric", "maxDropVersusStable", "endpoint", "task", "datasets"),
    ]
) | st.text(max_size=5)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
ANYTHING = st.recursive(
    SCALARS | st.sampled_from(["evaluate", "warmup", "agreement"]),
    lambda below: st.lists(below, max_size=4) | st.dictionaries(KEYS, below, max_size=6),
    max_leaves=25,
)
CONTAINER = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("image", "env", "envFrom", "volumeMounts", "command", "args"), ANYTHING)
)


@st.composite
def templates(draw: st.DrawFn) -> Any:
    """Anything, and what is nearly a template."""
    if draw(st.booleans()):
        return draw(ANYTHING)
    container = {"name": "evaluate", **draw(CONTAINER)}
    pod = {"containers": [container], **draw(st.fixed_dictionaries({}, optional={"volumes": ANYTHING}))}
    return {"spec": pod, **draw(st.fixed_dictionaries({}, optional={"metadata": ANYTHING}))}


REPORTS = st.sampled_from([None, {"uri": "s3://reports/ml"}, {"uri": "pvc://kept/ml"}])


@settings(max_examples=300, deadline=None)
@given(evaluation=st.dictionaries(KEYS, ANYTHING), template=templates(), report=REPORTS, whole=st.booleans())
def test_whatever_json_a_policy_holds_it_is_refused_or_it_makes_a_job(
    evaluation: Json, template: Any, report: Json | None, *, whole: bool
) -> None:
    """No exception gets out, and what the Job carries is what the policy says."""
    asked = {"evaluation": (EVALUATION | evaluation) if whole else evaluation, "template": template}
    raw = with_stage({"validate": asked | ({"report": report} if report else {})})
    before = copy.deepcopy(raw)
    plan = planned(raw)
    if isinstance(plan, InvalidSpec):
        assert plan.field.startswith("spec.stages[0].validate")
    else:
        (one,) = plan.validations
        assert has_image(one.program, one.request) in (True, False)
        container = next(
            found for found in job_of(one)["spec"]["template"]["spec"]["containers"] if found.get("name") == "evaluate"
        )
        assert {"name": "SERIN_REVISION", "value": "iris-2-ab"} in container["env"]
    assert raw == before
