"""What the pod of a validation said at its end, read so that nothing but a whole answer is a verdict.

`serin evaluate` writes it, or a program of the user's, which may say anything: what it says must not end a look at the
rollout, and whatever cannot be read is undecided.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from serin.rollout.state import KeptReport
from serin.workloads.jobs import Ended

MESSAGE_CHARACTERS_MAX: Final = 1000
"""Of what an answer says of its gates."""
PLACE_CHARACTERS_MAX: Final = 500
"""Of the report's place: the longest uri of a policy with the longest names below it is within that."""
GATES_MAX: Final = 64
"""Of an answer's gates, whose numbers are kept; a termination message has no room for more."""

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """What was said.

    stalled: of what is undecided, whether only a person can help. report: what became of the report; it changes no
    verdict. measured: each gate with its verdict and numbers, as `serin.api.model_revision.MeasuredGate` has them.
    """

    verdict: Literal["pass", "fail", "undecided"]
    stalled: bool
    message: str
    report: KeptReport | None = None
    measured: tuple[Json, ...] = ()


def read_answer(ended: Ended, revision: str) -> Answer:
    """Verdict, whether only a person can help, words, and what became of the report.

    Whatever cannot be read is undecided, never a pass; so is a pass that something beside it denies, and a fail whose
    fault says that it is not the candidate's. What is said of the report changes no verdict.
    """
    try:
        raw = _storable(json.loads(ended.answer)) if ended.answer else {}
    except (ValueError, RecursionError):
        raw = {}
    if not isinstance(raw, dict) or raw.get("verdict") not in ("pass", "fail", "undecided"):
        words = ended.failed or "it ended"
        said = f"; its last words: {ended.answer[:300]}" if ended.answer else ""
        return Answer("undecided", True, f"the Job gave no answer ({words}){said}")
    if raw.get("revision") not in (None, revision):
        return Answer("undecided", True, f"the answer is about {str(raw['revision'])[:300]} and not about {revision}")
    report = _report(raw)
    message = "; ".join([*_words(raw), *_report_words(report)]) or "no words"
    if raw["verdict"] == "pass" and (why := _no_pass(raw, ended)) is not None:
        return Answer("undecided", True, f"{why}; {message}", report, _measured(raw))
    effect = _fault(raw).get("effect")
    if raw["verdict"] == "fail" and effect in ("hold", "stalled"):
        # A rejection is remembered; data that could not be read are no reason for one.
        why = f"a fail beside a fault whose effect is {effect} is none"
        return Answer("undecided", True, f"{why}; {message}", report, _measured(raw))
    return Answer(raw["verdict"], effect != "hold", message, report, _measured(raw))


def _storable(raw: Any) -> Any:
    """Without halves of characters: JSON can name one, and nothing that stores text takes it."""
    return json.loads(json.dumps(raw, ensure_ascii=False).encode("utf-8", "replace"))


def _no_pass(raw: Json, ended: Ended) -> str | None:
    """Why what calls itself a pass is none, in words."""
    if ended.failed is not None:
        return f"the Job said pass and failed ({ended.failed[:300]}), so it is none"
    gates = raw.get("gates")
    if raw.get("fault") or not isinstance(gates, list) or not gates:
        return "a pass without a gate, or beside a fault, is none"
    # Of more gates than there is room for, those that pass are left out: what is here speaks for all.
    return next(
        (f"a pass {words} is none" for place, gate in enumerate(gates) if (words := _against(place, gate))), None
    )


def _against(place: int, gate: Any) -> str | None:
    """What a gate has against a pass; None when it is one."""
    name, verdict = (gate.get("name"), gate.get("verdict")) if isinstance(gate, dict) else (None, None)
    if not isinstance(name, str) or not name:
        return f"whose gates[{place}] has no name"
    if verdict == "pass":
        return None
    said = verdict if verdict in ("fail", "undecided") else "nothing that is a verdict"
    return f"whose gate {name[:64]} says {said}"


def _fault(raw: Json) -> Json:
    fault = raw.get("fault") or {}
    return fault if isinstance(fault, dict) else {"reason": "fault", "message": str(fault)}


def _gates(raw: Json) -> list[Json]:
    gates = raw.get("gates")
    return [one for one in gates if isinstance(one, dict)] if isinstance(gates, list) else []


def _words(raw: Json) -> list[str]:
    fault, gates = _fault(raw), _gates(raw)
    parts = [_named(fault, "reason", "fault")] if fault else []
    # The program names the worst first; what passed beside a failure is not what anybody asks for.
    worst = [one for one in gates if one.get("verdict") == raw["verdict"]] or gates
    parts += [_named(one, "name", "a gate without a name") for one in worst[:4]]
    left_out = raw.get("gatesLeftOut")
    left = len(worst) - 4 + (left_out if isinstance(left_out, int) else 0)
    if left > 0:
        parts.append(f"and {left} more")
    return ["; ".join(parts)[:MESSAGE_CHARACTERS_MAX]] if parts else []


def _named(one: Json, name: str, nameless: str) -> str:
    """What it is called and what it says, as far as it does."""
    called = one.get(name) or nameless
    return f"{called}: {one['message']}" if one.get("message") else str(called)


def _report(raw: Json) -> KeptReport | None:
    """What the answer says of its report."""

    def said(name: str) -> str | None:
        value = raw.get(name)
        return value[:PLACE_CHARACTERS_MAX] if isinstance(value, str) and value else None

    found = KeptReport(said("report"), said("digest"), said("reportTrouble"))
    return found if found.place is not None or found.trouble is not None else None


def _report_words(report: KeptReport | None) -> list[str]:
    """After all other words, and never cut off by them."""
    if report is None:
        return []
    place = [f"report {report.place} {report.digest or ''}".rstrip()] if report.place is not None else []
    return place + ([report.trouble] if report.trouble is not None else [])


def _measured(raw: Json) -> tuple[Json, ...]:
    """The gates' numbers, as far as they are numbers."""
    return tuple(found for one in _gates(raw)[:GATES_MAX] if (found := _gate(one)))


def _gate(raw: Json) -> Json:
    verdict, name = raw.get("verdict"), raw.get("name")
    if verdict not in ("pass", "fail", "undecided") or not isinstance(name, str):
        return {}
    words = {key: raw[key][:64] for key in ("metric", "limit", "scope") if isinstance(raw.get(key), str)}
    numbers = {key: raw[key] for key in ("value", "low", "high") if _is_number(raw.get(key))}
    return {"name": name[:64], "verdict": verdict, **words, **numbers}


def _is_number(value: Any) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number of four hundred digits
        return False
