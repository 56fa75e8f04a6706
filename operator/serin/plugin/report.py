"""`report`: one revision's rollout as a page of its own, to be sent and kept: no script, nothing loaded.

Everything that came from the cluster is escaped; a version may be called anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from html import escape

from serin.plugin.explain import Explanation
from serin.plugin.figures import bounds, percent, points, share, stamp
from serin.plugin.history import Record
from serin.plugin.objects import Deployment, Gate, Step
from serin.plugin.plot import difference_plot, weight_plot

_STYLE = """
:root{color-scheme:light dark}
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;margin:.5rem 0 1.5rem;width:100%}
th,td{text-align:left;padding:.25rem .75rem .25rem 0;border-bottom:1px solid #8884;vertical-align:top}
svg{width:100%;height:auto;font-size:11px;margin-bottom:1rem}svg text{fill:currentColor}.end{text-anchor:end}
line{stroke:currentColor;stroke-width:1.5}.zero{stroke-opacity:.4}.margin{stroke-dasharray:5 4;stroke:#b58900}
.weight{fill:none;stroke:#268bd2;stroke-width:2}
.pass{color:#2a8a3e}.fail{color:#c62828;font-weight:600}.undecided{color:#9a6b00}.unknown{color:#a0308f}
.stage rect{fill:currentColor;fill-opacity:.04}.stage.odd rect{fill-opacity:.1}.stage .name{fill-opacity:.6}
svg g line{stroke:currentColor}svg g circle{fill:currentColor}
"""


def report(md: Deployment, record: Record, why: Explanation, now: datetime) -> str:
    """The page."""
    title = f"{md.key}: {why.revision}"
    numbered = [step for step in record.steps if step.gates]
    names = list(dict.fromkeys(gate.name for step in numbered for gate in step.gates))
    until = now if record.role == "candidate" and md.rollout is not None else None
    plots = [weight_plot(record.steps, until), *(difference_plot(name, record.steps, until) for name in names)]
    body = [
        f"<h1>{escape(title)}</h1>",
        f"<p><strong>{escape(why.headline)}</strong></p>",
        *_paragraphs("Why", [one for one in (why.reason, why.meaning, why.said) if one]),
        *_paragraphs("What it cost", [why.cost] if why.cost else []),
        *_paragraphs("What to do", [why.remedy] if why.remedy else []),
        "<h2>Evidence</h2>",
        *([plot for plot in plots if plot is not None] or ["<p>No numbers are on record.</p>"]),
        *([_gates(numbered[-1].gates)] if numbered else []),
        "<h2>Decisions</h2>",
        _steps(record.steps),
        f"<p>Made at {stamp(now)} from the status of the ModelDeployment and the record of the ModelRevision.</p>",
    ]
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body>\n" + "\n".join(body) + "\n</body></html>\n"
    )


def _paragraphs(title: str, lines: Sequence[str]) -> list[str]:
    return [f"<h2>{escape(title)}</h2>", *(f"<p>{escape(line)}</p>" for line in lines)] if lines else []


def _gates(gates: Sequence[Gate]) -> str:
    rows = [
        [
            escape(gate.name),
            f'<span class="{gate.verdict}">{gate.verdict}</span>' + ("" if gate.required else " (advisory)"),
            share(gate.candidate),
            share(gate.stable) if gate.kind != "limit" else "-",
            f"{points(gate.difference)} {bounds(gate.interval)}",
            f"max {percent(gate.margin)}" if gate.kind == "limit" else points(gate.margin),
            escape(gate.message),
        ]
        for gate in gates
    ]
    heads = ["Gate", "Verdict", "Candidate bad", "Stable bad", "Difference, points [95 %]", "Margin", "Says"]
    return _table(heads, rows)


def _steps(steps: Sequence[Step]) -> str:
    rows = [
        [
            stamp(step.at),
            escape(step.decision),
            escape(step.stage or "-"),
            f"{step.weight} %" if step.weight is not None else "-",
            escape(step.reason or "-"),
            escape(step.message),
        ]
        for step in steps
    ]
    return _table(["At", "Decision", "Stage", "Weight", "Reason", "Message"], rows)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Cells are HTML already."""
    head = "".join(f"<th>{one}</th>" for one in heads)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
