"""Stages: the way of a candidate from its first request to being stable."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from serin.api.gates import GATES_MAX, Gate
from serin.api.job_request import Body, Evaluation, JobTemplate
from serin.api.lists import LIST_SET, list_map, unique_names, unique_values
from serin.api.quantities import Seconds
from serin.api.report_place import ReportPlace
from serin.api.resource import ApiModel
from serin.api.rules import Rule, one_of
from serin.api.text import DNS_LABEL

STAGES_MAX = 16

StageKind = Literal["validate", "warmup", "canary", "approval", "bake"]
Advance = Literal["notFailing", "passed"]

GateNames = Annotated[
    list[Annotated[str, DNS_LABEL]],
    Field(max_length=GATES_MAX, json_schema_extra=LIST_SET),
    AfterValidator(unique_values),
]


class Validate(ApiModel):
    """The candidate is judged on data whose answers are known, by a Job, before it gets any traffic.

    The Job runs in the ModelDeployment's namespace. Its container is called evaluate and runs `serin evaluate`; one of
    your own may stand in for it when it leaves the same short answer as its termination message (docs/validation.md).
    """

    evaluation: Evaluation
    """What `serin evaluate` takes, without revision; of the endpoints only one, under endpoint, and without its url:
    Serin puts in the addresses of candidate and stable. docs/validation.md has every field."""
    template: JobTemplate | None = None
    """The pod of the Job as far as it is yours: volumes with the data, and of the container evaluate what is to be
    different or added (volumeMounts, resources, env; image and command for a program of your own)."""
    deadline: Seconds = Seconds("1h")
    """How long the Job may take at most, with all its tries."""
    retry: Seconds = Seconds("10m")
    """After how long it is asked again when it could not be judged for a reason that may pass: stale data, an endpoint
    that did not answer."""
    report: ReportPlace | None = None
    """Where the report is kept. Without it the report is gone with the Job, and only the answer stays."""


VERSUS_STABLE = frozenset({"agreement", "negativeFlipRate", "positiveFlipRate"})
"""Measures of an evaluation that are about both arms by themselves."""


def absolute_gates(evaluation: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The gates of an evaluation, checked by `Evaluation`, that can decide while nothing serves."""
    return [
        gate
        for gate in evaluation["gates"]
        if gate.get("maxDropVersusStable") is None and gate.get("metric") not in VERSUS_STABLE
    ]


class WarmupRequest(ApiModel):
    """What a warm-up sends, again and again."""

    path: Annotated[str, Field(pattern="^/", max_length=1024)]
    """Where to, below the model's address: /v2/models/iris/infer."""
    body: Body
    """The request, sent by POST as JSON."""


class Warmup(ApiModel):
    """The candidate is asked until its answers have settled, by a Job, before it gets any traffic.

    It is warm when the median latency of `window` requests is within a fifth of that of the `window` before, and they
    are not clearly slower than the fastest of the four windows before them. A candidate that answers nothing is rolled
    back. Each request has a connection of its own, so that every pod gets some.
    """

    request: WarmupRequest | None = None
    """What is sent. Without one it is made from the model's metadata, as the Open Inference Protocol has them."""
    window: Annotated[int, Field(ge=5, le=10_000)] = 20
    """How many requests are compared with as many before: twice as many at least are sent."""
    objective: Seconds | None = None
    """What the median has to keep in the end; a candidate that is steady above it is rolled back."""
    within: Seconds = Seconds("5m")
    """How long it may take."""
    request_timeout: Seconds = Seconds("30s")
    """For one request; the first ones of a large model may take long."""
    template: JobTemplate | None = None
    """The pod of the Job as far as it is yours, with a container called warmup where that is to be different."""


class Canary(ApiModel):
    """The candidate gets a share of the traffic."""

    weight: Annotated[int, Field(ge=1, le=99)]
    """The candidate's share of the traffic in percent, 1 to 99. Weights rise from stage to stage."""
    soak: Seconds
    """How long the stage lasts at least. Time without metrics and time on hold do not count."""
    gates: GateNames | None = None
    """The gates that are looked at here, by name. All gates when not given."""
    advance: Advance = "notFailing"
    """When the stage is left after its soak: notFailing (no gate fails) or passed (every required gate has
    passed). The last canary stage waits for every required gate's pass in any case."""
    min_requests: Annotated[int, Field(ge=0, le=1_000_000_000)] = 0
    """How many requests the candidate must have got in this stage before it is left."""
    early: bool = False
    """Whether the soak ends as soon as the evidence that the candidate is good is overwhelming: four hundred to one for
    every required gate, where twenty to one are a pass. A soak is for what no count can show, a cache that fills or a
    job at the full hour; leave it false where that matters."""
    excess_failures: Annotated[int, Field(ge=0, le=1_000_000_000)] | None = None
    """Makes the stage a ramp: the weight rises to `weight` in steps (1, 5, 20, 50 %), each taken when a
    bad candidate could be expected to cost at most so many failures there, beyond what the first weight of the rollout
    costs, before it is found out. Soak, advance and minRequests are about the last step."""


class Approval(ApiModel):
    """The candidate stays at the weight of the canary stage before until people have approved it.

    An approval is a RolloutAction; gates are judged on meanwhile and still roll back.
    """

    expires: Seconds = Seconds("24h")
    """How long the stage waits at most, by the clock. Then timeouts.onTimeout says what happens: Rollback (reason
    ApprovalExpired, not remembered as rejected) or Hold."""
    approvers: Annotated[int, Field(ge=1, le=10)] = 1
    """How many different people have to approve."""


class Bake(ApiModel):
    """The candidate gets the traffic, stable stays ready to take it back in one write."""

    for_: Annotated[Seconds, Field(alias="for")]
    """How long the stage lasts at least. When it ends, the candidate is promoted and the old revision is
    scaled down."""
    holdback: Annotated[int, Field(ge=0, le=50)] = 5
    """The share of the traffic in percent, 0 to 50, that stays on the old revision so that the comparison
    goes on. With 0 only hard gates and limits are judged."""
    gates: GateNames | None = None
    """The gates that are looked at here, by name. All gates when not given."""


class Stage(ApiModel):
    """One entry of the plan. It has exactly one of validate, warmup, canary, approval and bake."""

    name: Annotated[str, DNS_LABEL]
    """The stage's name, as status and the STAGE column show it."""
    validation: Annotated[Validate | None, Field(alias="validate")] = None
    """The candidate is judged on data, by a Job, before its first request. A first deployment is judged by the gates
    that need no stable; going back to a revision that was stable is not judged."""
    warmup: Warmup | None = None
    """The candidate is asked until its answers have settled, by a Job, before its first request. Not for going back to
    a revision that was stable."""
    canary: Canary | None = None
    """The candidate gets a share of the traffic."""
    approval: Approval | None = None
    """The candidate waits for people. After a canary stage, at whose weight it stays."""
    bake: Bake | None = None
    """The candidate gets the traffic, stable stays ready. Once at most, and last."""

    RULES = (one_of("validate", "warmup", "canary", "approval", "bake", noun="a stage"),)

    @property
    def before_traffic(self) -> bool:
        """Say whether it is over before the candidate's first request of a user."""
        return self.validation is not None or self.warmup is not None

    @property
    def kind(self) -> StageKind:
        """Which of the five it is."""
        if self.before_traffic:
            return "validate" if self.validation is not None else "warmup"
        if self.approval is not None:
            return "approval"
        return "canary" if self.canary is not None else "bake"

    @property
    def weight(self) -> int | None:
        """The candidate's share of the traffic in percent; None for an approval, which keeps the one before."""
        if self.before_traffic:
            return 0
        if self.canary is not None:
            return self.canary.weight
        return 100 - self.bake.holdback if self.bake is not None else None

    @property
    def soak_seconds(self) -> float:
        """How long it lasts at least."""
        if self.canary is not None:
            return self.canary.soak.seconds
        return self.bake.for_.seconds if self.bake is not None else 0.0

    @property
    def gates(self) -> list[str] | None:
        """The names of the gates that are looked at, or None for all."""
        if self.canary is not None:
            return self.canary.gates
        return self.bake.gates if self.bake is not None else None


Stages = Annotated[
    list[Stage],
    Field(min_length=1, max_length=STAGES_MAX, json_schema_extra=list_map("name")),
    AfterValidator(unique_names),
]


def _canaries(stages: Sequence[Stage]) -> list[Stage]:
    return [stage for stage in stages if stage.canary is not None]


def weights_rise(stages: Sequence[Stage]) -> bool:
    """Say whether every canary stage has a higher weight than the one before."""
    weights = [stage.canary.weight for stage in stages if stage.canary is not None]
    return all(before < after for before, after in itertools.pairwise(weights))


def bake_is_last(stages: Sequence[Stage]) -> bool:
    """Say whether there is at most one bake stage and nothing behind it."""
    return all(stage.bake is None for stage in stages[:-1])


def approval_follows(stages: Sequence[Stage]) -> bool:
    """Say whether no approval comes before the first canary stage."""
    rest = [stage for stage in stages if not stage.before_traffic]
    return not rest or rest[0].approval is None


def jobs_are_first(stages: Sequence[Stage]) -> bool:
    """Say whether nothing comes before a validate or warmup stage but another one."""
    others = [not stage.before_traffic for stage in stages]
    return others == sorted(others)


def has_canary(stages: Sequence[Stage]) -> bool:
    """Say whether there is a stage that compares before the candidate gets the traffic."""
    return bool(_canaries(stages))


# Rules for an object that holds `stages`, which may be absent there (a ModelDeployment's own words).
STAGE_RULES = (
    Rule(
        cel="!has(self.stages) || self.stages.exists(s, has(s.canary))",
        message="stages must hold a canary stage: without one the candidate would get the traffic uncompared",
        holds=lambda model: model.stages is None or has_canary(model.stages),
        field="stages",
    ),
    Rule(
        # isSorted lets equal weights pass, so the second line looks for twins.
        cel="!has(self.stages) || (self.stages.filter(s, has(s.canary)).map(s, s.canary.weight).isSorted()"
        " && self.stages.filter(s, has(s.canary)).all(s,"
        " self.stages.filter(t, has(t.canary)).exists_one(t, t.canary.weight == s.canary.weight)))",
        message="the weights of canary stages must rise from stage to stage; put the stages in the order "
        "of their weights, each "
        "weight once",
        holds=lambda model: model.stages is None or weights_rise(model.stages),
        field="stages",
    ),
    Rule(
        cel="!has(self.stages) || self.stages.filter(s, has(s.bake)).size() == 0"
        " || (self.stages.filter(s, has(s.bake)).size() == 1 && has(self.stages[self.stages.size() - "
        "1].bake))",
        message="bake must be the last of the stages, and there can be only one",
        holds=lambda model: model.stages is None or bake_is_last(model.stages),
        field="stages",
    ),
    Rule(
        cel="!has(self.stages) || self.stages.filter(s, !has(s.validate) && !has(s.warmup)).size() == 0"
        " || !has(self.stages.filter(s, !has(s.validate) && !has(s.warmup))[0].approval)",
        message="an approval stage waits at the weight of the canary stage before it; put a canary stage first",
        holds=lambda model: model.stages is None or approval_follows(model.stages),
        field="stages",
    ),
    Rule(
        cel="!has(self.stages) || self.stages.map(s, has(s.validate) || has(s.warmup) ? 0 : 1).isSorted()",
        message="validate and warmup stages come before all others, for the candidate must not have users yet; "
        "put them first",
        holds=lambda model: model.stages is None or jobs_are_first(model.stages),
        field="stages",
    ),
    Rule(
        cel="!has(self.stages) || !has(self.gates) || self.stages.all(s,"
        " (!has(s.canary) || !has(s.canary.gates) || s.canary.gates.all(n, self.gates.exists(g, g.name == "
        "n)))"
        " && (!has(s.bake) || !has(s.bake.gates) || s.bake.gates.all(n, self.gates.exists(g, g.name == n))))",
        message="a stage lists a gate that is not among gates; correct the name in the stage's gates, or add the gate",
        holds=lambda model: model.stages is None or model.gates is None or not unknown_gates(model.stages, model.gates),
        field="stages",
    ),
)


def unknown_gates(stages: Sequence[Stage], gates: Sequence[Gate]) -> list[str]:
    """Return the names that stages list and no gate has."""
    known = {gate.name for gate in gates}
    return [name for stage in stages for name in stage.gates or () if name not in known]
