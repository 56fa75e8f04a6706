"""What a rollout goes by: the deployment's own words, then its policy, then the built-in policy.

The result is taken once, at the start of a rollout, and kept in its status (`plan`), because a policy that
changes in mid-rollout would change what its evidence means.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from serin.api.gates import Gate, Gates
from serin.api.model_deployment import Rollout
from serin.api.parse import InvalidSpec
from serin.api.quantities import Seconds, SecondsOrZero
from serin.api.reasons import Reason
from serin.api.resource import ApiModel
from serin.api.rollout_policy import (
    Metrics,
    OnStableDown,
    Risk,
    RolloutPolicy,
    RolloutPolicySpec,
    Timeouts,
    built_in_policy,
)
from serin.api.stages import Stage, Stages, unknown_gates
from serin.api.windows import Freezes, Windows

BUILT_IN = "built-in"


class ResolvedPolicy(ApiModel):
    """Everything that a rollout needs to know about how it is to be done; nothing is left open."""

    source: str
    """Where it comes from, for people: "built-in", or "fast, generation 3", and what the deployment says
    itself."""
    metrics: Metrics
    """Where the numbers come from."""
    risk: Risk
    """How often the rollout may end wrongly."""
    gates: Gates
    """What is measured."""
    stages: Stages
    """The way to full traffic, in order."""
    timeouts: Timeouts
    """How long the rollout may take."""
    on_stable_down: OnStableDown
    """What happens when stable has no ready endpoint."""
    warm_in: SecondsOrZero
    """How long a freshly started arm is left out of latency gates."""
    windows: Windows
    """When it may advance; at any time when empty."""
    freezes: Freezes
    """When it may not."""

    def gate(self, name: str) -> Gate | None:
        """Return a gate by its name."""
        return next((gate for gate in self.gates if gate.name == name), None)

    def gates_at(self, stage: Stage) -> list[Gate]:
        """Return the gates that a stage looks at, in the order of the policy."""
        names = stage.gates
        return list(self.gates) if names is None else [gate for gate in self.gates if gate.name in names]


def resolve_policy(rollout: Rollout, policy: RolloutPolicy | None) -> ResolvedPolicy | InvalidSpec:
    """Join a deployment's `spec.rollout` and its policy.

    Gates and stages are taken as whole lists, everything else field by field. What neither says is the
    built-in policy's.

    Args: rollout: `spec.rollout`. policy: the policy that `rollout.policy_ref` names, or None when it names
    none or the policy is not there.
    """
    if rollout.policy_ref is not None and policy is None:
        return InvalidSpec(
            "spec.rollout.policyRef.name",
            f"there is no RolloutPolicy {rollout.policy_ref.name} in this namespace; create it, or correct the name",
            Reason.POLICY_NOT_FOUND,
        )
    base = policy.spec if policy is not None else built_in_policy()
    built_in = built_in_policy()
    gates = rollout.gates or base.gates or built_in.gates or []
    stages = rollout.stages or base.stages or built_in.stages or []
    unknown = unknown_gates(stages, gates)
    if unknown:
        return _unknown_gate(unknown[0], stages, rollout, policy)
    timeouts = Timeouts.model_validate(_joined(base.timeouts, rollout.timeouts))
    soaks = _soaks_seconds(stages)
    if soaks >= timeouts.progress.seconds:
        return _too_little_time(soaks, timeouts, rollout)
    return ResolvedPolicy(
        source=_source(rollout, policy),
        metrics=Metrics.model_validate(_joined(base.metrics, rollout.metrics)),
        risk=Risk.model_validate(_joined(base.risk, rollout.risk)),
        gates=gates,
        stages=stages,
        timeouts=timeouts,
        on_stable_down=rollout.on_stable_down or base.on_stable_down,
        warm_in=rollout.warm_in or base.warm_in,
        windows=base.windows,
        freezes=base.freezes,
    )


def _joined(base: ApiModel, own: ApiModel | None) -> Mapping[str, Any]:
    return base.to_dict() | (own.to_dict() if own is not None else {})


def _unknown_gate(name: str, stages: Sequence[Stage], rollout: Rollout, policy: RolloutPolicy | None) -> InvalidSpec:
    stage = next(stage.name for stage in stages if name in (stage.gates or ()))
    has_own = "spec.rollout.gates" if rollout.gates else None
    from_policy = policy is not None and policy.spec.gates is not None
    where = has_own or (f"RolloutPolicy {policy.metadata.name}" if policy and from_policy else "the built-in policy")
    return InvalidSpec(
        _field_of({"stages": rollout.stages, "gates": rollout.gates}),
        f"stage {stage} lists the gate {name}, which {where} does not have; add the gate there, or take it "
        f"off the stage",
    )


def _soaks_seconds(stages: Sequence[Stage]) -> float:
    """How long the stages last at least; a soak that may end early has no least."""
    canaries = [stage.canary for stage in stages if stage.canary is not None]
    bakes = [stage.bake for stage in stages if stage.bake is not None]
    return sum(one.soak.seconds for one in canaries if not one.early) + sum(one.for_.seconds for one in bakes)


def _too_little_time(soaks: float, timeouts: Timeouts, rollout: Rollout) -> InvalidSpec:
    own_time = rollout.timeouts.progress if rollout.timeouts is not None else None
    return InvalidSpec(
        _field_of({"timeouts.progress": own_time, "stages": rollout.stages}),
        f"timeouts.progress, {timeouts.progress}, is over before the soaks are ({Seconds.of(soaks)} together), so that "
        f"no rollout could end; give it more, or soak for less",
    )


def _field_of(own: Mapping[str, object]) -> str:
    """The first of these parts of `spec.rollout` that the deployment says itself, else where it names its policy."""
    said = next((name for name, value in own.items() if value), "policyRef.name")
    return f"spec.rollout.{said}"


def _source(rollout: Rollout, policy: RolloutPolicy | None) -> str:
    base = BUILT_IN if policy is None else f"{policy.metadata.name}, generation {policy.metadata.generation}"
    own = [name for name in _OWN_PARTS if getattr(rollout, name) is not None]
    return f"{base}; own {', '.join(name.replace('_', ' ') for name in own)}" if own else base


_OWN_PARTS = tuple(name for name in RolloutPolicySpec.model_fields if name in Rollout.model_fields)
