"""The report as a page of its own, to be sent and kept: no script, nothing loaded, plots inline.

Everything from data and configuration is escaped: a class may be called anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from serin.evaluate.config import Config
from serin.evaluate.plots import gate_plot, reliability_plot, said
from serin.evaluate.report import DatasetReport, GateResult, Report

_STYLE = """
:root{color-scheme:light dark}
body{font:15px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;margin:.5rem 0 1.5rem;width:100%;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:.25rem .75rem .25rem 0;border-bottom:1px solid #8884;vertical-align:top}
svg{width:100%;height:auto;font-size:11px;margin-bottom:1rem;display:block}svg text{fill:currentColor}
.end{text-anchor:end}.mid{text-anchor:middle}
line{stroke:currentColor;stroke-width:1.5}.zero{stroke-opacity:.4}.limit{stroke-dasharray:5 4;stroke:#b58900}
.pass{color:#2a8a3e}.fail{color:#c62828;font-weight:600}.undecided{color:#9a6b00}
svg g line{stroke:currentColor}svg g circle{fill:currentColor}
polyline{fill:none;stroke-width:2}.candidate{stroke:#268bd2}.stable{stroke:#888}
circle.candidate{fill:#268bd2}circle.stable{fill:#888}
"""
_SCOPES_MAX = 200
_HEADLINES = {
    "pass": "Every gate passes.",
    "fail": "The candidate fails.",
    "undecided": "Nothing is decided.",
}


def page(config: Config, report: Report) -> str:
    """The page."""
    title = f"Evaluation of {report.revision}"
    body = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="{report.verdict}"><strong>{_HEADLINES[report.verdict]}</strong></p>',
        *_fault(report),
        *_gates(config, report),
    ]
    for dataset in report.datasets:
        body += _dataset(dataset)
    body.append(
        f"<p>{escape(report.run.program)}, {escape(report.run.started.isoformat())}, {report.run.seconds:g} s; "
        f"configuration {escape(report.config_digest)}.</p>"
    )
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body>\n" + "\n".join(body) + "\n</body></html>\n"
    )


def _fault(report: Report) -> Iterator[str]:
    if report.fault is None:
        return
    fault = report.fault
    where = f" ({fault.dataset})" if fault.dataset is not None else ""
    yield f'<p class="undecided"><strong>{escape(fault.reason)}</strong>{escape(where)}: {escape(fault.message)}</p>'


def _gates(config: Config, report: Report) -> Iterator[str]:
    if not report.gates:
        return
    yield "<h2>Gates</h2>"
    yield _table(["Gate", "Verdict", "Limit", "Says"], [_gate_row(gate) for gate in report.gates])
    if report.skew is not None:
        yield f'<p class="{report.skew.verdict}">{escape(report.skew.message)}</p>'
    limits = {gate.name: gate.limit for gate in config.gates}
    for gate in report.gates:
        if gate.name in limits and (plot := gate_plot(gate, limits[gate.name])) is not None:
            yield plot


def _gate_row(gate: GateResult) -> list[str]:
    return [
        escape(gate.name),
        f'<span class="{gate.verdict}">{gate.verdict}</span>',
        escape(f"{gate.metric} {gate.limit}"),
        escape(gate.message),
    ]


def _dataset(one: DatasetReport) -> Iterator[str]:
    yield f"<h2>{escape(one.name)}</h2>"
    yield f"<p>{one.rows:,} rows, {one.duplicates:,} duplicates, {escape(one.digest)}</p>"
    curves = {str(arm): bins for arm, bins in one.reliability.items()}
    if (plot := reliability_plot(curves)) is not None:
        yield plot
    for scope in one.scopes[:_SCOPES_MAX]:
        if scope.kind == "all":
            yield _table(
                ["Measure", "Candidate", "Stable"],
                [
                    [escape(name), said(figure), said((scope.stable or {}).get(name))]
                    for name, figure in (scope.candidate | scope.comparison).items()
                ],
            )
    parts = [scope for scope in one.scopes if scope.kind != "all"][:_SCOPES_MAX]
    if parts:
        names = list(parts[0].candidate)[:6]
        rows = [
            [escape(part.name), f"{part.rows:,}", *(said(part.candidate.get(name)) for name in names)] for part in parts
        ]
        yield "<h3>Slices and groups</h3>"
        yield _table(["Part", "Rows", *names], rows)
    for name, figures in one.fairness.items():
        yield f"<h3>Between groups of {escape(name)}</h3>"
        before = one.stable_fairness.get(name, {})
        yield _table(
            ["Measure", "Candidate", "Stable"],
            [[escape(key), said(figure), said(before.get(key))] for key, figure in figures.items()],
        )
    if one.flips:
        yield "<h3>Right before, wrong now</h3>"
        yield _table(
            ["Row", "Right", "Stable", "Candidate"],
            [
                [
                    escape(flip.id or str(flip.row)),
                    *(escape(str(x)) for x in (flip.target, flip.stable, flip.candidate)),
                ]
                for flip in one.flips
            ],
        )
    yield "<h3>Features</h3>"
    yield _table(
        ["Feature", "Kind", "Missing", "Drift", "Against the training data"],
        [
            [escape(name), column.kind, f"{column.missing:,}", said(column.drift), escape("; ".join(column.findings))]
            for name, column in one.columns.items()
        ],
    )


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Cells are HTML already."""
    head = "".join(f"<th>{one}</th>" for one in heads)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
