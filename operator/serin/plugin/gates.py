"""Gates with both arms' numbers, as a table and as sentences."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType
from rich.text import Text

from serin.plugin.figures import UNKNOWN, bounds, percent, points, share
from serin.plugin.looks import cells, table, verdict_style
from serin.plugin.objects import Gate

COLUMNS = ("GATE", "KIND", "VERDICT", "CANDIDATE BAD", "STABLE BAD", "DIFFERENCE [95 %]", "MARGIN", "SAYS")


def gate_table(gates: Sequence[Gate]) -> RenderableType:
    """Every gate with its numbers; differences and margins in percentage points."""
    made = table(*COLUMNS, last_wraps=True)
    for gate in gates:
        verdict = Text(gate.verdict, verdict_style(gate.verdict))
        if not gate.required:
            verdict.append(" (advisory)", "dim")
        numbers = gate.kind != "hard"
        made.add_row(
            *cells(
                [
                    gate.name,
                    gate.kind,
                    verdict,
                    share(gate.candidate) if numbers else UNKNOWN,
                    share(gate.stable) if numbers and gate.kind != "limit" else UNKNOWN,
                    f"{points(gate.difference)} {bounds(gate.interval)}".strip(),
                    _margin(gate),
                    f"{gate.reason}: {gate.message}" if gate.reason else gate.message,
                ]
            )
        )
    return made


def sentence(gate: Gate) -> str:
    """What a gate saw, in a sentence with its numbers."""
    if gate.kind == "hard" and gate.verdict != "fail":
        return f"{gate.name}: {gate.message}"
    said = f"{gate.name} {_verb(gate)}"
    if gate.reason is not None:
        said += f" ({gate.reason}: {gate.message})"
    elif gate.kind == "hard" or gate.candidate is None or not gate.candidate.total:
        return f"{said}: {gate.message}"
    if gate.candidate is None or not gate.candidate.total:
        return f"{said}: no request of the candidate was counted"
    said += f": {share(gate.candidate)} of the candidate's were bad"
    if gate.kind == "limit":
        return f"{said}; at most {percent(gate.margin)} were allowed"
    if gate.stable is not None:
        said += f", of stable's {share(gate.stable)}"
    if gate.difference is not None and gate.interval is not None:
        low, high = gate.interval
        said += f". The difference is {points(gate.difference)} points, with 95 % confidence between {points(low)} and"
        said += f" {points(high)}"
        said += f"; with up to {points(gate.margin)} it may be promoted" if gate.margin is not None else ""
    return said


def excess(gate: Gate) -> str | None:
    """What users bore: bad answers of the candidate beyond those that stable would have given; None if not known."""
    candidate, stable = gate.candidate, gate.stable
    if candidate is None or stable is None or stable.rate is None or gate.kind in {"hard", "limit"}:
        return None
    innocent = candidate.total * stable.rate
    return (
        f"{candidate.total:,.0f} requests went to the candidate and {candidate.bad:,.0f} of them were bad by gate "
        f"{gate.name}; stable would have answered about {innocent:,.1f} of them badly"
    )


def _verb(gate: Gate) -> str:
    advisory = "" if gate.required else " (advisory, it decides nothing)"
    match gate.verdict:
        case "pass":
            return f"passed{advisory}"
        case "fail":
            return f"failed{advisory}"
        case "undecided":
            return f"was undecided{advisory}"
        case "unknown":
            return f"says nothing that this version of the plugin understands{advisory}"


def _margin(gate: Gate) -> str:
    if gate.margin is None:
        return UNKNOWN
    return f"max {percent(gate.margin)}" if gate.kind == "limit" else points(gate.margin)
