"""docs/gates.md and docs/stages.md have every gate and every stage, with an example that can be used.

That the outputs below the examples are what the code decides is said by test_generated.py.
"""

from __future__ import annotations

import json
import re
from typing import Any, get_args

import pytest
import yaml

from serin.api.gates import Compare, CountedWhat, Gate, GateKind, Hard, Limit, Margin, Query
from serin.api.names import API_VERSION
from serin.api.stages import Bake, Canary, Stage
from serin.cli.kubectl import app
from serin.evaluate.config import Config
from serin.rollout.plan import Plan
from serin.workloads.evaluation import Trial, evaluation_config
from tests.unit.docs.pages import PAGES, ROOT, Block, blocks, name
from tests.unit.rollout.world import plan_from

GATES, STAGES = ROOT / "docs" / "gates.md", ROOT / "docs" / "stages.md"
EXAMPLES = [block for page in (GATES, STAGES) for block in blocks(page) if block.language == "yaml"]
POLICIES = [
    raw
    for page in PAGES
    for block in blocks(page)
    if block.language == "yaml"
    for raw in yaml.safe_load_all(block.text)
    if isinstance(raw, dict) and raw.get("apiVersion") == API_VERSION and raw["kind"] == "RolloutPolicy"
]


def _title(block: Block) -> str:
    return f"{name(block.page)}: {yaml.safe_load(block.text)['metadata']['name']}"


@pytest.mark.parametrize("block", EXAMPLES, ids=_title)
def test_an_example_is_a_policy_that_a_rollout_can_go_by(block: Block) -> None:
    """Resolved as the operator does it: nothing is left out that only shows together."""
    raw = yaml.safe_load(block.text)
    assert raw["kind"] == "RolloutPolicy"
    plan = plan_from(raw["spec"])
    assert isinstance(plan, Plan)
    assert plan.gates
    assert plan.stages


SAMPLES = [
    raw
    for path in sorted((ROOT / "manifests" / "samples").glob("validation*.yaml"))
    for raw in yaml.safe_load_all(path.read_text())
    if "spec" in raw
]
EVALUATIONS = [
    stage["validate"]["evaluation"]
    for raw in (*POLICIES, *SAMPLES)
    for stage in (raw["spec"].get("rollout", raw["spec"]).get("stages") or ())
    if "validate" in stage
]


@pytest.mark.parametrize("evaluation", EVALUATIONS)
def test_what_a_validate_stage_asks_is_what_the_program_takes(evaluation: dict[str, Any]) -> None:
    """With what Serin adds; the API lets any object pass, so a wrong field would only show in a cluster."""
    made = evaluation_config(evaluation, Trial("iris-2-ab", 1, "b", "a"), "http://iris-{}.ml.svc:8080".format)
    config = Config.model_validate(json.loads(json.dumps(made)))
    assert config.endpoints.stable is not None
    assert str(config.endpoints.stable.url) == "http://iris-a.ml.svc:8080/"


def test_every_kind_of_gate_and_of_count_has_an_example() -> None:
    gates = [gate for block in EXAMPLES for gate in yaml.safe_load(block.text)["spec"].get("gates", [])]
    assert {kind for gate in gates for kind in gate} >= set(get_args(GateKind))
    counted = {body["what"] for gate in gates for body in gate.values() if isinstance(body, dict) and "what" in body}
    assert counted == set(get_args(CountedWhat))


def test_every_kind_of_stage_has_an_example() -> None:
    """On its page, or on a page of its own."""
    stages = [stage for raw in POLICIES for stage in raw["spec"].get("stages", [])]
    kinds = {field.alias or key for key, field in Stage.model_fields.items()} - {"name"}
    assert {kind for stage in stages for kind in stage} >= kinds


@pytest.mark.parametrize(
    ("page", "models"), [(GATES, (Gate, Compare, Limit, Query, Hard, Margin)), (STAGES, (Canary, Bake))]
)
def test_every_field_is_explained_or_shown(page: object, models: tuple[type[Gate], ...]) -> None:
    text = (ROOT / str(page)).read_text()
    fields = {field.alias or key for model in models for key, field in model.model_fields.items()}
    words = set(re.findall(r"\w+", text))
    camel = {re.sub(r"_(\w)", lambda found: found[1].upper(), field) for field in fields}
    assert sorted(camel - words) == []


def test_the_plan_on_the_first_page_is_what_the_command_says(capsys: pytest.CaptureFixture[str]) -> None:
    """How long the built-in policy takes at 50 and at 1 request/s."""
    text = (ROOT / "docs" / "quickstart.md").read_text()
    for rate in ("50", "1"):
        app(["plan", "--requests-per-second", rate], standalone_mode=False)
        (found,) = re.findall(r"takes about ([\d.]+ (?:min|h))", capsys.readouterr().out)
        assert re.search(rf"about {re.escape(found)} at {rate} request", text), found
