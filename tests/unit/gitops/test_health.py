"""Argo CD's health check says what is so, in every state that a ModelDeployment can be in."""

from __future__ import annotations

from typing import Any, get_args

import pytest
import yaml

from serin.api.conditions import find_condition
from serin.api.model_deployment import ModelDeployment
from serin.rollout.decision import Phase
from tests.unit.gitops import render
from tests.unit.gitops.expected import ARGO_BY_PHASE, SPECIAL, expected, states
from tests.unit.gitops.lua import HEALTH, health
from tests.unit.gitops.statuses import EXTRA

STATES = states()


@pytest.mark.parametrize("name", STATES)
def test_the_health_is_what_the_state_is(name: str) -> None:
    raw = STATES[name]
    assert health(raw).status == expected(name, raw)[0]


@pytest.mark.parametrize("name", STATES)
def test_the_message_is_that_of_the_condition_which_decides(name: str) -> None:
    """With its numbers: that is what somebody reads who sees the red heart."""
    raw = STATES[name]
    conditions = ModelDeployment.model_validate(_with_spec(raw)).status.conditions
    decides = {"Degraded": "Stalled", "Suspended": "Reconciling", "Healthy": "Promoted"}
    found = health(raw)
    condition = find_condition(conditions, decides.get(found.status, "Reconciling"))
    if condition is not None and name not in SPECIAL:
        assert found.message == condition.message
    assert found.message


def test_every_phase_was_seen() -> None:
    """All but the deletion, whose object is `deleted` here."""
    phases = {raw["status"]["phase"] for name, raw in STATES.items() if name not in EXTRA}
    assert phases == set(get_args(Phase)) - {"Deleting"} == set(ARGO_BY_PHASE)
    assert set(SPECIAL) == set(EXTRA)


def test_every_health_was_seen() -> None:
    assert {health(raw).status for raw in STATES.values()} == {"Healthy", "Progressing", "Suspended", "Degraded"}


def test_the_check_needs_no_library() -> None:
    """What is not open by default is not there in this interpreter either."""
    with pytest.raises(Exception, match="attempt to index global 'string'"):
        health(STATES["new"], "return {status = string.upper('x')}")


def test_what_is_pasted_into_argocd_cm_is_the_file() -> None:
    """`make manifests` writes it."""
    assert render.stale() == []
    text = yaml.safe_load(render.CONFIG_MAP.read_text())["data"][
        "resource.customizations.health.serin.dev_ModelDeployment"
    ]
    assert text == HEALTH.read_text()


def _with_spec(raw: dict[str, Any]) -> dict[str, Any]:
    spec = {
        "model": {"name": "iris", "version": "1"},
        "serving": {"port": 8080, "template": {"spec": {"containers": [{"name": "model", "image": "iris:1"}]}}},
        "traffic": {"httpRoute": {"parentRefs": [{"name": "gw"}], "hostnames": ["iris.example.com"]}},
    }
    return raw | {"spec": spec}
