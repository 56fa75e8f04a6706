"""The report: what an evaluation found, in a form that is published as a JSON schema and kept for a revision's life.

    python -m serin.evaluate.report > report.schema.json

Another program may write it as well (an image of the user's own); `read_report` takes nothing that does not fit. All
but `run` is the same when the same data are evaluated again. What is not known is null, never 0.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field, ValidationError, model_validator

from serin.evaluate.faults import Arm, Effect, Fault, Unfit
from serin.evaluate.sections import Label, Name, Section

SCHEMA_FILE = Path(__file__).with_name("report.schema.json")
"""The published schema; a test holds it to the models below."""

Verdict = Literal["pass", "fail", "undecided"]
"""pass: the whole interval keeps the limit. fail: none of it does. undecided: the rows do not tell."""


class Interval(Section):
    """Both ends included; null: it is not bounded there."""

    low: float | None
    high: float | None


class Figure(Section):
    """A measure of some rows."""

    value: float | None
    """Null when it is not defined on these rows."""
    interval: Interval
    """At the configuration's confidence."""
    rows: Annotated[int, Field(ge=0)]
    """What it rests on: rows (for ranking: queries) in its denominator."""


class Scope(Section):
    """Some of a data set's rows: all, a slice, or a group, with each arm's figures."""

    kind: Literal["all", "slice", "group"]
    name: str
    """`all`, `SLICE`, `SLICE=VALUE` or `GROUP=VALUE`."""
    rows: Annotated[int, Field(ge=0)]
    candidate: dict[str, Figure]
    stable: dict[str, Figure] | None = None
    comparison: dict[str, Figure] = Field(default_factory=dict)
    """Flips and agreement."""


class GateScope(Section):
    """A gate's view of one scope."""

    dataset: Name
    scope: str
    verdict: Verdict
    figure: Figure
    """What is held against the limit: the measure, or how much worse it is than stable's."""
    adjusted_p: Annotated[float, Field(ge=0, le=1)] | None = None
    """For several scopes: the probability of a value so far beyond the limit by chance, after Holm."""
    rows_needed: Annotated[int, Field(ge=1)] | None = None
    """For undecided: about how many rows would tell, if the value stays; null when none would."""
    message: str


class GateResult(Section):
    """A gate."""

    name: Name
    metric: str
    limit: str
    """In words: `at least 0.9`."""
    verdict: Verdict
    message: str
    scopes: list[GateScope]


class Flip(Section):
    """A row that stable gets right and the candidate wrong."""

    row: Annotated[int, Field(ge=0)]
    id: str | None = None
    target: Label
    stable: Label
    candidate: Label


class Reliability(Section):
    """A bin of the reliability curve: what was said, and what came."""

    rows: Annotated[int, Field(ge=1)]
    said: float
    came: float


class ColumnReport(Section):
    """A feature of a data set, and against the training snapshot if there is one; or one that only training had."""

    kind: Literal["number", "category", "boolean", "time"]
    missing: Annotated[int, Field(ge=0)]
    low: float | None = None
    high: float | None = None
    drift: Figure | None = None
    """The population stability index against the training data."""
    findings: list[str] = Field(default_factory=list)
    """What differs from the training data, in words."""


class Asked(Section):
    """How an arm was asked. In `run`, because no two runs are the same here."""

    requests: Annotated[int, Field(ge=0)]
    retries: Annotated[int, Field(ge=0)]
    seconds: Annotated[float, Field(ge=0)]
    """Time in which at least one request was under way."""


class DatasetReport(Section):
    """A data set."""

    name: Name
    digest: str
    rows: Annotated[int, Field(ge=1)]
    duplicates: Annotated[int, Field(ge=0)]
    """Rows whose features are those of an earlier row."""
    columns: dict[str, ColumnReport]
    missing_columns: list[str] = Field(default_factory=list)
    """Those of `columns` that are features of the training snapshot alone: every row is asked without them."""
    scopes: list[Scope]
    fairness: dict[str, dict[str, Figure]] = Field(default_factory=dict)
    """The candidate's measures between groups, by protected attribute."""
    stable_fairness: dict[str, dict[str, Figure]] = Field(default_factory=dict)
    confusion: list[list[int]] | None = None
    """The candidate's, rows true and columns predicted, up to 50 classes."""
    reliability: dict[Arm, list[Reliability]] = Field(default_factory=dict)
    flips: list[Flip] = Field(default_factory=list)
    """The first of them, as many as `namedRowsMax`."""


class SkewReport(Section):
    """The endpoint's answers against the artifact's."""

    artifact: str
    """Its digest."""
    rows: Annotated[int, Field(ge=1)]
    differing: Annotated[int, Field(ge=0)]
    worst: float | None = None
    """The largest difference of a number, relative to 1 + its size; null when only classes were compared."""
    tolerance: float
    verdict: Verdict
    named: list[int]
    """Numbers of the first rows that differ."""
    message: str


class FaultReport(Section):
    """Why there is no more to say."""

    reason: Fault
    effect: Effect
    arm: Arm | None = None
    dataset: str | None = None
    message: str


class Run(Section):
    """About this run alone."""

    started: AwareDatetime
    seconds: Annotated[float, Field(ge=0)]
    program: str
    """Serin and its version, or another program."""
    age_seconds: dict[str, float | None] = Field(default_factory=dict)
    """How old each data set was."""
    asked: dict[Arm, Asked] = Field(default_factory=dict)


class Report(Section):
    """The whole."""

    version: Literal["serin.dev/evaluation/v1"] = "serin.dev/evaluation/v1"
    revision: Name
    config_digest: str
    verdict: Verdict
    """The worst of all gates, fail before undecided before pass; with a fault never pass."""
    fault: FaultReport | None = None
    gates: list[GateResult] = Field(default_factory=list)
    datasets: list[DatasetReport] = Field(default_factory=list)
    skew: SkewReport | None = None
    run: Run

    @model_validator(mode="after")
    def _verdict_follows(self) -> Report:
        verdicts = [gate.verdict for gate in self.gates] + ([self.skew.verdict] if self.skew is not None else [])
        if self.fault is not None:
            expected = "fail" if self.fault.effect is Effect.REJECT else "undecided"
            if self.verdict != expected:
                raise ValueError(
                    f"verdict is {self.verdict}, and a fault whose effect is {self.fault.effect} is {expected}"
                )
        elif not self.gates:
            raise ValueError("a report without a fault needs a gate: nothing that was not judged passes")
        elif self.verdict != worst(verdicts):
            raise ValueError(f"verdict is {self.verdict}, and the worst of the gates is {worst(verdicts)}")
        return self

    def to_json(self) -> str:
        """As it is kept."""
        return json.dumps(self.model_dump(mode="json", by_alias=True), indent=1, ensure_ascii=False) + "\n"


def worst(verdicts: list[Verdict]) -> Verdict:
    """Fail before undecided before pass; of none: undecided."""
    for one in ("fail", "undecided"):
        if one in verdicts:
            return one
    return "pass" if verdicts else "undecided"


def read_report(text: str) -> Report:
    """A report that some program wrote.

    Raises:
        Unfit: ReportInvalid: no JSON, another schema, or a verdict that does not follow from its gates.
    """
    try:
        return Report.model_validate_json(text)
    except ValidationError as error:
        faults = [f"{'.'.join(map(str, fault['loc'])) or 'report'}: {fault['msg']}" for fault in error.errors()[:5]]
        raise Unfit(Fault.REPORT_INVALID, "; ".join(faults)) from error


def schema() -> dict[str, Any]:
    """The JSON schema of a report."""
    found = Report.model_json_schema(by_alias=True, mode="serialization")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **found}


def schema_text() -> str:
    """As it is published."""
    return json.dumps(schema(), indent=2) + "\n"


if __name__ == "__main__":
    sys.stdout.write(schema_text())
