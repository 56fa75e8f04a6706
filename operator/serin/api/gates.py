"""Gates: what is measured of a candidate, and how much worse it may be."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from serin.api.lists import list_map, unique_names
from serin.api.quantities import Fraction, FractionOrZero, Points, PointsOrZero, Seconds
from serin.api.resource import ApiModel
from serin.api.rules import Rule, one_of
from serin.api.text import DNS_LABEL

ARM = "${arm}"
"""Stands in a query for the label matchers of one arm."""

GATES_MAX = 16

CountedWhat = Literal["serverErrors", "clientErrors", "slowerThan"]
GateKind = Literal["compare", "limit", "query", "hard"]

_OBJECTIVE = Rule(
    cel="(self.what == 'slowerThan') == has(self.objective)",
    message="objective goes with what: slowerThan and only with it; add objective: 300ms, or remove it",
    holds=lambda gate: (gate.what == "slowerThan") == (gate.objective is not None),
    field="objective",
)


def _is_points(field: str) -> str:
    """CEL: the field can be read as a number; when it cannot, its own rule says so and this one need not."""
    return f"self.{field}.matches('^[0-9]+([.][0-9]+)?pp$')"


def _points(field: str) -> str:
    """CEL: the number of a field in percentage points."""
    return f"double(self.{field}.replace('pp', ''))"


class Margin(ApiModel):
    """How much worse than stable a candidate may be and still be promoted.

    It is plus + ofStable x stable's own rate, and at most max.
    """

    plus: Points = Points("0.2pp")
    """The fixed part, in percentage points: with 0.2pp a stable at 1.0 % lets a candidate be promoted below
    1.2 %."""
    of_stable: FractionOrZero = FractionOrZero("25%")
    """The part that grows with stable's own rate over the last hour, frozen when the rollout starts."""
    max: Points = Points("2pp")
    """The cap on both together: without one, a stable at 40 % would let 50 % pass."""

    RULES = (
        Rule(
            cel=f"!({_is_points('max')} && {_is_points('plus')}) || {_points('max')} >= {_points('plus')}",
            message="max must be at least plus; raise margin.max (2pp when not given) or lower margin.plus",
            holds=lambda margin: margin.max.fraction >= margin.plus.fraction,
            field="max",
        ),
    )


_TOLERANCE = Rule(
    cel=f"!has(self.tolerance) || !({_is_points('tolerance')} && {_is_points('margin.plus')})"
    f" || {_points('tolerance')} < {_points('margin.plus')}",
    message="tolerance must be below margin.plus: what is inside the tolerance is never rolled back, what "
    "is beyond the margin "
    "is never promoted",
    holds=lambda gate: gate.tolerance is None or gate.tolerance.fraction < gate.margin.plus.fraction,
    field="tolerance",
)


class Compare(ApiModel):
    """Candidate against stable, on requests counted by the data plane or the model server."""

    what: CountedWhat
    """What is bad: serverErrors (5xx, time-outs, gRPC server codes), clientErrors (4xx: a changed input
    schema shows here) or slowerThan (requests slower than objective)."""
    objective: Seconds | None = None
    """With what: slowerThan, the duration above which a request is slow. It must be an edge of the latency
    histogram."""
    margin: Margin = Margin()
    """How much worse the candidate may be and still be promoted."""
    tolerance: PointsOrZero | None = None
    """How much worse the candidate may be without being rolled back. A quarter of the margin for errors and
    half of it for latency when not given."""

    RULES = (_OBJECTIVE, _TOLERANCE)


class Limit(ApiModel):
    """The candidate against a fixed limit, whatever stable does."""

    what: CountedWhat
    """What is bad: serverErrors, clientErrors or slowerThan (requests slower than objective)."""
    objective: Seconds | None = None
    """With what: slowerThan, the duration above which a request is slow. It must be an edge of the latency
    histogram."""
    max: Fraction
    """The largest share of requests that may be bad: 1% with an objective of 1.2s is a p99 of 1.2 s."""

    RULES = (_OBJECTIVE,)


def _template_rule(field: str) -> Rule:
    return Rule(
        cel=f"self.{field}.contains('{ARM}')",
        message=f"{field} must hold {ARM} inside its braces, where Serin puts the label matchers of an arm: "
        f"my_requests_total{{{ARM}}}",
        holds=lambda query: ARM in getattr(query, field),
        field=field,
    )


_Template = Annotated[str, Field(min_length=1, max_length=1024)]


class Query(ApiModel):
    """Candidate against stable, on counters of your own."""

    total: _Template
    """A vector selector of the counter of all cases, with ${arm} inside its braces: offers_total{${arm}}. No
    function around it: Serin reads raw counters and handles resets itself."""
    bad: _Template
    """A vector selector of the counter of bad cases, with ${arm} inside its braces."""
    margin: Margin = Margin()
    """How much worse the candidate may be and still be promoted."""
    tolerance: PointsOrZero | None = None
    """How much worse the candidate may be without being rolled back. A quarter of the margin when not
    given."""

    RULES = (_template_rule("total"), _template_rule("bad"), _TOLERANCE)


class Hard(ApiModel):
    """What fails at once, without statistics.

    The same symptom on stable makes it a hold instead of a failure.
    """

    restarts: Annotated[int, Field(ge=0, le=1000)] | None = None
    """How many restarts of the candidate's containers are let pass, evictions and lost nodes aside. Not
    judged when not given."""
    out_of_memory: bool = True
    """Whether a container that is killed for its memory fails the candidate."""
    ready_within: Seconds | None = None
    """How long the candidate's pods may take to become ready, once they are scheduled. Not judged when not
    given."""

    RULES = (
        Rule(
            cel="has(self.restarts) || has(self.readyWithin) || (has(self.outOfMemory) && self.outOfMemory)",
            message="hard judges nothing; give restarts, readyWithin or outOfMemory: true",
            holds=lambda hard: hard.restarts is not None or hard.ready_within is not None or hard.out_of_memory,
        ),
    )


class Gate(ApiModel):
    """One thing measured. It has exactly one of compare, limit, query and hard."""

    name: Annotated[str, DNS_LABEL]
    """The gate's name, by which stages and status speak of it."""
    required: bool = True
    """Whether the gate decides. One that is not required is measured and shown, and neither promotes nor
    rolls back."""
    compare: Compare | None = None
    """Candidate against stable, on requests."""
    limit: Limit | None = None
    """The candidate against a fixed limit, on requests."""
    query: Query | None = None
    """Candidate against stable, on counters of your own."""
    hard: Hard | None = None
    """Crashes, memory and readiness of the candidate's pods: no statistics, immediate."""

    RULES = (one_of("compare", "limit", "query", "hard", noun="a gate"),)

    @property
    def kind(self) -> GateKind:
        """Which of the four it is."""
        match self:
            case Gate(compare=Compare()):
                return "compare"
            case Gate(limit=Limit()):
                return "limit"
            case Gate(query=Query()):
                return "query"
            case _:
                return "hard"


Gates = Annotated[
    list[Gate],
    Field(min_length=1, max_length=GATES_MAX, json_schema_extra=list_map("name")),
    AfterValidator(unique_names),
]
