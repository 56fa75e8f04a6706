"""What a rollout goes by: the deployment's own words, then the policy, then the built-in policy."""

from __future__ import annotations

from typing import Any

import pytest

from serin.api.model_deployment import Rollout
from serin.api.parse import InvalidSpec, parse_rollout_policy
from serin.api.reasons import Reason
from serin.api.resolve import ResolvedPolicy, resolve_policy
from serin.api.rollout_policy import RolloutPolicy, built_in_policy
from tests.unit.api.builders import policy


def _policy(**spec: Any) -> RolloutPolicy:
    parsed = parse_rollout_policy(policy(**spec))
    assert isinstance(parsed, RolloutPolicy)
    return parsed


def _resolved(rollout: dict[str, Any], base: RolloutPolicy | None = None) -> ResolvedPolicy:
    resolved = resolve_policy(Rollout.model_validate(rollout), base)
    assert isinstance(resolved, ResolvedPolicy)
    return resolved


REF = {"policyRef": {"name": "careful"}}


def test_without_words_the_built_in_policy_holds() -> None:
    """The smallest resource is complete."""
    built_in, resolved = built_in_policy(), _resolved({})
    assert resolved.source == "built-in"
    assert resolved.gates == built_in.gates
    assert resolved.stages == built_in.stages
    assert resolved.timeouts.progress.seconds == 4 * 3600
    assert resolved.warm_in.seconds == 30


def test_the_built_in_policy_guesses_no_objective() -> None:
    """Latency is advisory in it; errors and crashes decide."""
    required = {gate.name: gate.required for gate in built_in_policy().gates or []}
    assert required == {"errors": True, "client-errors": True, "slow": False, "pods": True}


def test_a_policy_goes_before_the_built_in_one() -> None:
    """Its gates and stages are taken whole, and the status can say where they come from."""
    resolved = _resolved(REF, _policy(onStableDown="Promote", risk={"falseRollback": "2%"}))
    assert [gate.name for gate in resolved.gates] == ["errors", "slow", "slo", "unsold", "pods"]
    assert resolved.on_stable_down == "Promote"
    assert resolved.risk.false_rollback.fraction == pytest.approx(0.02)
    assert resolved.source == "careful, generation 1"


def test_own_words_go_before_the_policy_field_by_field() -> None:
    """A deployment that sets one risk keeps the policy's other one."""
    base = _policy(
        risk={"falseRollback": "2%", "falsePromotion": "3%"},
        timeouts={"progress": "1h", "onTimeout": "Hold"},
        metrics={"source": "thanos", "preset": "istio"},
    )
    own = {"risk": {"falsePromotion": "1%"}, "timeouts": {"progress": "8h"}, "metrics": {"preset": "vllm"}}
    resolved = _resolved(REF | own, base)
    assert resolved.risk.to_dict() == {"falseRollback": "2%", "falsePromotion": "1%"}
    assert resolved.timeouts.to_dict() == {"progress": "8h", "onTimeout": "Hold"}
    assert resolved.metrics.to_dict() == {"source": "thanos", "preset": "vllm"}
    assert resolved.source == "careful, generation 1; own metrics, risk, timeouts"


def test_own_stages_are_taken_whole() -> None:
    """A list is not merged entry by entry: the order of stages means something."""
    stages = [{"name": "one", "canary": {"weight": 1, "soak": "1m"}}]
    resolved = _resolved(REF | {"stages": stages}, _policy())
    assert [stage.name for stage in resolved.stages] == ["one"]


def test_a_warm_in_of_nothing_is_not_the_default() -> None:
    """0s means never, not absent."""
    assert _resolved({"warmIn": "0s"}).warm_in.seconds == 0


def test_a_policy_that_is_not_there_is_a_reason_of_its_own() -> None:
    """The message names the policy and what to do."""
    invalid = resolve_policy(Rollout.model_validate(REF), None)
    assert invalid == InvalidSpec(
        "spec.rollout.policyRef.name",
        "there is no RolloutPolicy careful in this namespace; create it, or correct the name",
        Reason.POLICY_NOT_FOUND,
    )


@pytest.mark.parametrize(
    ("rollout", "base", "want_field", "want"),
    [
        (
            {"stages": [{"name": "one", "canary": {"weight": 1, "soak": "1m", "gates": ["typo"]}}]},
            None,
            "spec.rollout.stages",
            "stage one lists the gate typo, which the built-in policy does not have",
        ),
        (
            REF | {"stages": [{"name": "one", "canary": {"weight": 1, "soak": "1m", "gates": ["typo"]}}]},
            {},
            "spec.rollout.stages",
            "stage one lists the gate typo, which RolloutPolicy careful does not have",
        ),
        (
            REF | {"gates": [{"name": "pods", "hard": {"restarts": 1}}]},
            {},
            "spec.rollout.gates",
            "stage small lists the gate errors, which spec.rollout.gates does not have",
        ),
        (
            REF,
            {"gates": None},
            None,
            None,
        ),
        (
            {"timeouts": {"progress": "37m"}},
            None,
            "spec.rollout.timeouts.progress",
            "timeouts.progress, 37m, is over before the soaks are (37m together)",
        ),
        ({"timeouts": {"progress": "37m1s"}}, None, None, None),
        (
            {"stages": [{"name": "one", "canary": {"weight": 1, "soak": "5h"}}]},
            None,
            "spec.rollout.stages",
            "timeouts.progress, 4h, is over before the soaks are (5h together)",
        ),
        ({"stages": [{"name": "one", "canary": {"weight": 1, "soak": "5h", "early": True}}]}, None, None, None),
        (
            REF,
            {"timeouts": {"progress": "5m"}},
            "spec.rollout.policyRef.name",
            "timeouts.progress, 5m, is over before the soaks are",
        ),
        (
            REF,
            {"gates": None, "stages": [{"name": "s", "canary": {"weight": 1, "soak": "1m", "gates": ["slo"]}}]},
            "spec.rollout.policyRef.name",
            "stage s lists the gate slo, which the built-in policy does not have",
        ),
    ],
)
def test_gates_and_stages_of_two_places_must_fit(
    rollout: dict[str, Any], base: dict[str, Any] | None, want_field: str | None, want: str | None
) -> None:
    """Apply cannot see a policy beside its deployment; here they meet."""
    found = resolve_policy(Rollout.model_validate(rollout), None if base is None else _policy(**base))
    if want is None:
        assert isinstance(found, ResolvedPolicy)
        return
    assert isinstance(found, InvalidSpec)
    assert found.field == want_field
    assert found.message.startswith(want)
    assert found.reason is Reason.INVALID_SPEC


def test_a_resolved_policy_survives_the_status() -> None:
    """It is stored as the plan of a rollout and reads back as the same."""
    resolved = _resolved(REF, _policy())
    assert ResolvedPolicy.model_validate(resolved.to_dict()) == resolved


def test_gates_of_a_stage() -> None:
    """A stage looks at the gates it lists, or at all."""
    resolved = _resolved(REF, _policy())
    small, half, bake = resolved.stages
    assert [gate.name for gate in resolved.gates_at(small)] == ["errors", "pods"]
    assert len(resolved.gates_at(half)) == len(resolved.gates_at(bake)) == 5
    assert [(stage.kind, stage.weight, stage.soak_seconds) for stage in resolved.stages] == [
        ("canary", 10, 120),
        ("canary", 50, 300),
        ("bake", 95, 1800),
    ]
    assert [gate.kind for gate in resolved.gates] == ["compare", "compare", "limit", "query", "hard"]
    assert resolved.gate("slo") is resolved.gates[2]
    assert resolved.gate("typo") is None
