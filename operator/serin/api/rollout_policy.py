"""RolloutPolicy: gates and stages that several models share, and the one for those who write none."""

from functools import cache
from typing import Annotated, Literal

from pydantic import Field

from serin.api.gates import Compare, Gate, Gates, Hard, Margin
from serin.api.names import API_VERSION
from serin.api.quantities import Fraction, Points, Seconds, SecondsOrZero
from serin.api.resource import ApiModel, ObjectMeta
from serin.api.rules import Rule
from serin.api.stages import STAGE_RULES, Bake, Canary, Stage, Stages
from serin.api.text import DNS_LABEL
from serin.api.windows import Freezes, Windows

OnTimeout = Literal["Rollback", "Hold"]
OnStableDown = Literal["Hold", "Promote"]

_RISK_MAX = 50


def _risk_rule(field: str, attribute: str) -> Rule:
    return Rule(
        cel=f"!has(self.{field}) || !self.{field}.matches('^[0-9]+([.][0-9]+)?%$')"
        f" || double(self.{field}.replace('%', '')) <= {_RISK_MAX}.0",
        message=f"{field} must be at most {_RISK_MAX}%: it is the chance of a wrong decision that you accept",
        holds=lambda risk: (chance := getattr(risk, attribute)) is None or chance.fraction <= _RISK_MAX / 100,
        field=field,
    )


_RISK_RULES = (_risk_rule("falseRollback", "false_rollback"), _risk_rule("falsePromotion", "false_promotion"))


class Metrics(ApiModel):
    """Where the numbers come from."""

    source: Annotated[str, DNS_LABEL] = "default"
    """The name of a metric source in the operator's configuration. A resource never holds an address."""
    preset: Annotated[str, DNS_LABEL] = "auto"
    """How the data plane or the model server names its metrics: traefik, istio, envoy-gateway, vllm, triton,
    kserve, mlserver, or auto to find out."""


class Risk(ApiModel):
    """How often a rollout may end wrongly."""

    false_rollback: Fraction = Fraction("1%")
    """The chance, per attempt, that a candidate within the tolerance is rolled back."""
    false_promotion: Fraction = Fraction("5%")
    """The chance, per attempt, that a candidate beyond the margin is promoted."""

    RULES = _RISK_RULES


class Timeouts(ApiModel):
    """How long a rollout may take."""

    progress: Seconds = Seconds("4h")
    """The time from the candidate's first request to promotion. Time without metrics does not count."""
    on_timeout: OnTimeout = "Rollback"
    """What happens then: Rollback (reason DeadlineExceeded, not remembered as rejected) or Hold (stay and
    wait for a person)."""


class MetricsOverride(ApiModel):
    """Where the numbers come from, for this deployment. What is not given is the policy's."""

    source: Annotated[str, DNS_LABEL] | None = None
    """The name of a metric source in the operator's configuration."""
    preset: Annotated[str, DNS_LABEL] | None = None
    """How the data plane or the model server names its metrics."""


class RiskOverride(ApiModel):
    """How often a rollout of this deployment may end wrongly. What is not given is the policy's."""

    false_rollback: Fraction | None = None
    """The chance, per attempt, that a candidate within the tolerance is rolled back."""
    false_promotion: Fraction | None = None
    """The chance, per attempt, that a candidate beyond the margin is promoted."""

    RULES = _RISK_RULES


class TimeoutsOverride(ApiModel):
    """How long a rollout of this deployment may take. What is not given is the policy's."""

    progress: Seconds | None = None
    """The time from the candidate's first request to promotion. Time without metrics does not count."""
    on_timeout: OnTimeout | None = None
    """What happens then: Rollback or Hold."""


class RolloutPolicySpec(ApiModel):
    """How a new revision is tried. Each part that is not given is the built-in policy's."""

    metrics: Metrics = Metrics()
    """Where the numbers come from."""
    risk: Risk = Risk()
    """How often a rollout may end wrongly."""
    gates: Gates | None = None
    """What is measured, each gate by its own name. Server errors, client errors, latency (advisory) and
    crashes when not given."""
    stages: Stages | None = None
    """The way to full traffic, in order. 10 % for 2 minutes, 50 % for 5 minutes and a bake of 30 minutes when
    not given."""
    timeouts: Timeouts = Timeouts()
    """How long a rollout may take."""
    on_stable_down: OnStableDown = "Hold"
    """When stable has no ready endpoint in the middle of a rollout: Hold, or Promote a candidate that is
    ready."""
    warm_in: SecondsOrZero = SecondsOrZero("30s")
    """How long a freshly started arm is left out of latency gates; error gates count from its first request.
    0s for never."""
    windows: Windows = Field(default_factory=list)
    """When a rollout may go to its next stage or be promoted; at any time when not given. They count at once, also
    for a rollout under way. Soaks go on outside of them, and a rollback waits for nothing."""
    freezes: Freezes = Field(default_factory=list)
    """When no rollout goes to its next stage or is promoted, windows or not. They count at once."""

    RULES = STAGE_RULES


class RolloutPolicy(ApiModel):
    """A RolloutPolicy says how a new revision of a model is tried.

    What is measured, at which weights, for how long, and with what risk of a wrong decision. ModelDeployments
    of the same namespace use it by name; a rollout goes by the policy as it was when the rollout started.
    """

    api_version: str = API_VERSION
    kind: Literal["RolloutPolicy"] = "RolloutPolicy"
    metadata: ObjectMeta
    spec: RolloutPolicySpec
    """How a new revision is tried."""


@cache
def built_in_policy() -> RolloutPolicySpec:
    """Return the policy that holds when nobody writes one.

    Latency is not required in it: a good objective is a fact about the model that nobody but its owner knows,
    and 300 ms is only a bucket edge that most histograms have.
    """
    return RolloutPolicySpec(
        gates=[
            Gate(name="errors", compare=Compare(what="serverErrors")),
            Gate(name="client-errors", compare=Compare(what="clientErrors", margin=Margin(plus=Points("1pp")))),
            Gate(name="slow", required=False, compare=Compare(what="slowerThan", objective=Seconds("300ms"))),
            Gate(name="pods", hard=Hard(restarts=2, out_of_memory=True, ready_within=Seconds("10m"))),
        ],
        stages=[
            Stage(name="small", canary=Canary(weight=10, soak=Seconds("2m"))),
            Stage(name="half", canary=Canary(weight=50, soak=Seconds("5m"), advance="passed")),
            Stage(name="bake", bake=Bake(for_=Seconds("30m"), holdback=5)),
        ],
    )
