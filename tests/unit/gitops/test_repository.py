"""The sample repository: what each environment gets is a model as it should be, and a promotion is one file."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest
import yaml

from serin.api.model_deployment import ModelDeployment
from serin.api.parse import parse_model_deployment, parse_rollout_policy
from serin.api.resolve import ResolvedPolicy, resolve_policy
from serin.api.rollout_policy import RolloutPolicy
from tests.unit.docs.pages import ROOT
from tests.unit.docs.test_commands import KUBECTL

REPOSITORY = ROOT / "manifests" / "samples" / "gitops"
ENVIRONMENTS = ("staging", "production")


def built(path: str) -> Any:
    """What a tool applies of a folder."""
    done = subprocess.run([KUBECTL, "kustomize", REPOSITORY / path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return yaml.safe_load(done.stdout)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_a_model_and_its_policy_fit(environment: str) -> None:
    md = parse_model_deployment(built(f"models/iris/{environment}"))
    policy = parse_rollout_policy(built("policies"))
    assert isinstance(md, ModelDeployment), str(md)
    assert isinstance(policy, RolloutPolicy), str(policy)
    assert md.spec.rollout.policy_ref is not None
    assert (md.spec.rollout.policy_ref.name, md.metadata.namespace) == (policy.metadata.name, policy.metadata.namespace)
    assert isinstance(resolve_policy(md.spec.rollout, policy), ResolvedPolicy)


def test_a_promotion_is_one_file() -> None:
    """With staging's version.yaml production asks for what staging has, the host aside."""
    staging, production = (built(f"models/iris/{one}") for one in ENVIRONMENTS)
    assert staging["spec"]["model"]["version"] > production["spec"]["model"]["version"]
    for patch in yaml.safe_load((REPOSITORY / "models/iris/staging/version.yaml").read_text()):
        *parents, last = patch["path"].strip("/").split("/")
        place = production
        for name in parents:
            place = place[int(name) if isinstance(place, list) else name]
        place[last] = patch["value"]
    for one in (staging, production):
        del one["spec"]["traffic"]["httpRoute"]["hostnames"]
    assert staging == production


@pytest.mark.parametrize("tool", ["flux", "argocd"])
def test_the_tools_are_told_of_folders_that_there_are(tool: str) -> None:
    objects = list(yaml.safe_load_all((REPOSITORY / tool / "production.yaml").read_text()))
    for one in objects:
        path = one["spec"].get("path") or one["spec"]["source"]["path"]
        assert (REPOSITORY / path / "kustomization.yaml").is_file(), path
    assert [one["metadata"]["name"] for one in objects] == ["policies", "iris"]
