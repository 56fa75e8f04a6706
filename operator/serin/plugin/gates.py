"""Gates with both arms' numbers, as a table and as sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from serin.plugin.figures import UNKNOWN, bounds, percent, points, share
from serin.plugin.looks import cells, table, verdict_style
from serin.plugin.objects import Gate

COLUMNS = ("GATE", "KIND", "VERDICT", "CANDIDATE BAD", "STABLE BAD", "DIFFERENCE [95 %]", "MARGIN", "SAYS")


@dataclass(frozen=True, slots=True)
class Gates:
    """Every gate with its numbers: a table where there is room for one, else a sentence for each."""

    gates: tuple[Gate, ...]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Choose by the width at hand."""
        table = gate_table(self.gates)
        needed = Measurement.get(console, options.update(max_width=10_000), table).maximum
        words = max((len(_says(gate)) for gate in self.gates), default=0)
        if needed - words + WORDS_WIDTH_MIN <= options.max_width:
            yield table
        else:
            yield from (Text(sentence(gate), verdict_style(gate.verdict)) for gate in self.gates)


WORDS_WIDTH_MIN = 24


def gate_table(gates: Sequence[Gate]) -> Table:
    """Differences and margins are in percentage points."""
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
                    _says(gate),
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
    if gate.overdispersion is not None and gate.overdispersion_source in MEASURED:
        said += f". Over-dispersion {gate.overdispersion:.3g} from {gate.overdispersion_source}"
    return said


# What was assumed is the same for every gate and not worth a word.
MEASURED = frozenset({"pods", "windows"})


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
            return f"undecided{advisory}"
        case "unknown":
            return f"says nothing that this version of the plugin understands{advisory}"


def _says(gate: Gate) -> str:
    return f"{gate.reason}: {gate.message}" if gate.reason else gate.message


def _margin(gate: Gate) -> str:
    if gate.margin is None:
        return UNKNOWN
    return f"max {percent(gate.margin)}" if gate.kind == "limit" else points(gate.margin)
