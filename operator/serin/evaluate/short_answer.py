"""The short answer: all that the operator reads of a finished pod, in the pod's termination message.

    python -m serin.evaluate.short_answer > short_answer.schema.json

`serin evaluate` and `serin warmup` give it, and so does a program of the user's own. What fits the schema is taken at
its word; of what does not, nothing is ever a pass (`serin.rollout.answer`).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from serin.evaluate.faults import Effect
from serin.evaluate.output import Kept
from serin.evaluate.report import GateResult, Report, Verdict

SCHEMA_FILE = Path(__file__).with_name("short_answer.schema.json")
"""The published schema; a test holds it to the models below."""

BYTES_MAX = 4096
"""What the kubelet keeps of a termination message."""
_TROUBLE_CHARACTERS_MAX = 300


class _Part(BaseModel):
    """What somebody says besides is nobody's business."""

    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, use_attribute_docstrings=True, allow_inf_nan=False
    )


class ShortGate(_Part):
    """One gate, and for the record its numbers."""

    name: Annotated[str, Field(min_length=1)]
    """64 characters of it are kept."""
    verdict: Verdict
    """What the gate says."""
    message: str = ""
    """In a sentence; people read it in the status."""
    metric: str | None = None
    """What was measured."""
    limit: str | None = None
    """What it had to keep, in words."""
    scope: str | None = None
    """The slice or group that decided."""
    value: float | None = None
    """The measure."""
    low: float | None = None
    """The lower end of its interval."""
    high: float | None = None
    """The upper end of its interval."""


class ShortFault(_Part):
    """Why there was nothing to judge."""

    reason: Annotated[str, Field(min_length=1)]
    """In one word, such as DatasetStale."""
    effect: Effect
    """hold: ask again after `retry`. stalled: a person has to act. reject: it is the candidate's fault."""
    message: str = ""
    """In a sentence."""


def _rules(schema: dict[str, Any]) -> None:
    """What a verdict asks of the rest."""

    def when(verdict: str, then: dict[str, Any]) -> dict[str, Any]:
        return {"if": {"properties": {"verdict": {"const": verdict}}}, "then": {"properties": then}}

    passes = {"properties": {"verdict": {"const": "pass"}}}
    no_fault = {"type": "null"}
    rejects = {"anyOf": [no_fault, {"properties": {"effect": {"const": "reject"}}}]}
    schema["allOf"] = [
        when("pass", {"gates": {"minItems": 1, "items": passes}, "fault": no_fault}) | {"$comment": "by every gate"},
        when("fail", {"fault": rejects}) | {"$comment": "data that cannot be read are nobody's failure"},
    ]
    schema["allOf"][0]["then"]["required"] = ["gates"]


class ShortAnswer(_Part):
    """One JSON object of at most 4096 bytes, in /dev/termination-log.

    A pass has at least one gate, each of them passes, and there is no fault. A fail has no fault whose effect is hold
    or stalled. The container exits with 0 whatever the verdict is: a Job that failed has not passed.
    """

    model_config = ConfigDict(json_schema_extra=_rules)

    verdict: Verdict
    """pass: on to the next stage. fail: rolled back, and remembered as rejected. undecided: held."""
    gates: list[ShortGate] = Field(default_factory=list)
    """The worst first; 64 of them are kept."""
    gates_left_out: Annotated[int, Field(ge=0)] = 0
    """How many there was no room for; all of them pass where the verdict is pass."""
    fault: ShortFault | None = None
    """Why there was nothing to judge, if there was not."""
    revision: str | None = None
    """The revision that was asked, as SERIN_REVISION names it; an answer about another one counts for nothing."""
    report: Annotated[str, Field(max_length=500)] | None = None
    """Where the whole report is; it goes on record."""
    digest: str | None = None
    """Of the report."""
    report_trouble: str | None = None
    """Why it could not be stored; that changes no verdict."""
    version: str | None = None
    """The format of the report."""


def short_answer(report: Report, kept: Kept) -> str:
    """Verdict, reason, the worst gates, and what became of the report, in 4096 bytes at most.

    The kubelet keeps no more and would cut it in the middle of a word. One gate stays in any case: a pass without a
    gate would be none.
    """
    order = {"fail": 0, "undecided": 1, "pass": 2}
    judged = [(one.name, one.verdict, one.message, _numbers(one)) for one in report.gates]
    if report.skew is not None:
        judged.append(("skew", report.skew.verdict, report.skew.message, {}))
    judged.sort(key=lambda one: order[one[1]])
    for characters in (300, 100, 30):
        said = [
            ShortGate.model_validate(
                {"name": name, "verdict": verdict, "message": message[:characters], **_cut(numbers, characters)}
            )
            for name, verdict, message, numbers in judged
        ]
        for count in range(len(said), min(len(said), 1) - 1, -1):
            answer = ShortAnswer(
                version=report.version,
                revision=report.revision,
                verdict=report.verdict,
                fault=_fault(report, characters + 200),
                gates=said[:count],
                gates_left_out=len(said) - count,
                report=kept.place,
                digest=kept.digest,
                report_trouble=(kept.trouble or "")[:_TROUBLE_CHARACTERS_MAX] or None,
            )
            gates = [gate.model_dump(mode="json", by_alias=True, exclude_none=True) for gate in answer.gates]
            text = json.dumps(answer.model_dump(mode="json", by_alias=True) | {"gates": gates})
            if len(text.encode()) <= BYTES_MAX:
                return text
    raise AssertionError("names, a place and a few words are short")


def _fault(report: Report, characters: int) -> ShortFault | None:
    fault = report.fault
    if fault is None:
        return None
    return ShortFault(reason=fault.reason, effect=fault.effect, message=fault.message[:characters])


def _cut(numbers: dict[str, str | float], characters: int) -> dict[str, str | float]:
    """A slice is called as its value is, and a value may be a whole text."""
    return {name: one[:characters] if isinstance(one, str) else one for name, one in numbers.items()}


def _numbers(gate: GateResult) -> dict[str, str | float]:
    """A gate's measure, limit and interval where it was decided; six digits are what anybody reads."""
    found: dict[str, str | float | None] = {"metric": gate.metric, "limit": gate.limit}
    decided = next((one for one in gate.scopes if one.verdict == gate.verdict), None)
    if decided is not None:
        interval = decided.figure.interval
        found["scope"] = decided.scope if len(gate.scopes) > 1 else None
        for name, number in (("value", decided.figure.value), ("low", interval.low), ("high", interval.high)):
            found[name] = float(f"{number:.6g}") if number is not None else None
    return {name: value for name, value in found.items() if value is not None}


def schema_text() -> str:
    """The JSON schema of a short answer, as it is published."""
    found = ShortAnswer.model_json_schema(by_alias=True)
    return json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **found}, indent=2) + "\n"


if __name__ == "__main__":
    sys.stdout.write(schema_text())
