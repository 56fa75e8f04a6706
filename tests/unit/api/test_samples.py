"""The samples are what new users copy: each is accepted, and together they show everything."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from serin.api import crd
from serin.api.model_deployment import ModelDeployment
from serin.api.parse import InvalidSpec, parse_model_deployment, parse_rollout_policy
from serin.api.resolve import ResolvedPolicy, resolve_policy
from serin.api.rollout_policy import RolloutPolicy
from serin.api.schema import unknown_fields

SAMPLES = sorted((Path(__file__).parents[3] / "manifests" / "samples").glob("*.yaml"))
SCHEMAS = {kind.name: crd.definition(kind)["spec"]["versions"][0]["schema"]["openAPIV3Schema"] for kind in crd.KINDS}


def _objects(path: Path) -> Iterator[dict[str, Any]]:
    yield from yaml.safe_load_all(path.read_text())


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_a_sample_is_accepted(path: Path) -> None:
    """It parses, and holds no field that the schema does not know."""
    for raw in _objects(path):
        match raw["kind"]:
            case "ModelDeployment":
                parsed: object = parse_model_deployment(raw)
            case "RolloutPolicy":
                parsed = parse_rollout_policy(raw)
            case _:
                continue
        assert not isinstance(parsed, InvalidSpec), str(parsed)
        assert unknown_fields(SCHEMAS[raw["kind"]]["properties"]["spec"], raw["spec"]) == []


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_a_sample_starts_with_what_it_shows(path: Path) -> None:
    """The first line is a comment in prose."""
    assert path.read_text().startswith("# ")


def test_the_full_sample_is_full() -> None:
    """Every field of the spec is there, but for those that exclude each other."""
    (raw,) = _objects(Path(SAMPLES[0].parent / "full.yaml"))
    elsewhere = {
        "existing",
        "grpcRoute",
        "ref",
        "allowSticky",
        "gates",
        "metrics",
        "lineage",
        "hostPath",
        "configMapRef",
        "pollInterval",
    }
    missing = _absent(SCHEMAS["ModelDeployment"]["properties"]["spec"], raw["spec"]) - elsewhere
    assert missing == {"port", "group", "kind", "onTimeout", "falseRollback", "restartPolicy"}


def _absent(schema: dict[str, Any], value: Any) -> set[str]:
    if isinstance(value, list):
        return _absent(schema["items"], value[0])
    if not isinstance(value, dict):
        return set()
    known = schema.get("properties", {})
    absent = known.keys() - value.keys()
    for name in known.keys() & value.keys():
        if name != "stages":  # canary and bake exclude each other
            absent |= _absent(known[name], value[name])
    return set(absent)


def test_the_full_sample_goes_with_the_policy_sample() -> None:
    """Applied together, they make a rollout."""
    folder = SAMPLES[0].parent
    (raw_policy,) = _objects(folder / "policy.yaml")
    (raw,) = _objects(folder / "full.yaml")
    policy, deployment = parse_rollout_policy(raw_policy), parse_model_deployment(raw)
    assert isinstance(policy, RolloutPolicy)
    assert isinstance(deployment, ModelDeployment)
    resolved = resolve_policy(deployment.spec.rollout, policy)
    assert isinstance(resolved, ResolvedPolicy)
    assert resolved.source == "careful, generation 0; own risk, stages, timeouts, on stable down, warm in"
