"""Plots of a report as SVG texts: intervals against limits, and the reliability curve."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from serin.evaluate.gates import interval, number
from serin.evaluate.report import Figure, GateResult, Reliability

WIDTH = 720
_LEFT, _RIGHT, _TOP, _LINE = 230, 30, 30, 22
_SCOPES_MAX = 40
_SIDE = 260
_EDGE = 36


def gate_plot(gate: GateResult, limit: float) -> str | None:
    """Each scope's interval in a line of its own, and the limit; None when nothing has a value.

    An end that is not bounded is drawn to the edge.
    """
    rows = [one for one in gate.scopes if one.figure.value is not None][:_SCOPES_MAX]
    if not rows:
        return None
    ends = [limit]
    for one in rows:
        found = (one.figure.value, one.figure.interval.low, one.figure.interval.high)
        ends += [value for value in found if value is not None]
    room = 0.06 * ((max(ends) - min(ends)) or 0.01)
    low, high = min(ends) - room, max(ends) + room

    def x(value: float | None, edge: float) -> float:
        share = ((edge if value is None else value) - low) / (high - low)
        return _LEFT + min(max(share, 0.0), 1.0) * (WIDTH - _LEFT - _RIGHT)

    height = _TOP + _LINE * len(rows) + 24
    parts = [
        f'<line class="limit" x1="{x(limit, low):.1f}" x2="{x(limit, low):.1f}" y1="{_TOP - 8}" y2="{height - 20}"/>',
        f'<text x="{x(limit, low):.1f}" y="{height - 6}" class="mid">{escape(gate.limit)}</text>',
    ]
    for place, one in enumerate(rows):
        y = _TOP + _LINE * place + 4
        name = one.scope if one.scope != "all" else one.dataset
        said = f"{one.dataset}: {one.scope}: {one.message}"
        parts.append(
            f'<g class="{one.verdict}"><title>{escape(said)}</title>'
            f'<text x="{_LEFT - 10}" y="{y + 4}" class="end">{escape(name[:34])}</text>'
            f'<line x1="{x(one.figure.interval.low, low):.1f}" x2="{x(one.figure.interval.high, high):.1f}" '
            f'y1="{y}" y2="{y}"/><circle cx="{x(one.figure.value, low):.1f}" cy="{y}" r="4"/></g>'
        )
    return _picture(f"{gate.name}: {gate.metric}", WIDTH, height, parts)


def reliability_plot(curves: Mapping[str, Sequence[Reliability]]) -> str | None:
    """What was said against what came; on the diagonal both are the same. None without scores."""
    if not any(curves.values()):
        return None

    def at(value: float) -> float:
        return _EDGE + value * (_SIDE - 2 * _EDGE)

    parts = [f'<line class="zero" x1="{at(0)}" y1="{_SIDE - at(0)}" x2="{at(1)}" y2="{_SIDE - at(1)}"/>']
    for arm, bins in curves.items():
        points = " ".join(f"{at(one.said):.1f},{_SIDE - at(one.came):.1f}" for one in bins)
        parts.append(f'<polyline class="{arm}" points="{points}"/>')
        for one in bins:
            said = escape(f"{arm}: said {one.said:.3f}, came {one.came:.3f}, {one.rows} rows")
            parts.append(
                f'<circle class="{arm}" cx="{at(one.said):.1f}" cy="{_SIDE - at(one.came):.1f}" r="3">'
                f"<title>{said}</title></circle>"
            )
    parts += [
        f'<text x="{_SIDE / 2}" y="{_SIDE - 8}" class="mid">probability that was said</text>',
        f'<text x="{_EDGE}" y="{_EDGE - 10}">share that came; blue: candidate, grey: stable</text>',
    ]
    return _picture("reliability", _SIDE, _SIDE, parts)


def said(figure: Figure | None) -> str:
    """A figure in a table's cell."""
    return "-" if figure is None else f"{number(figure.value)} {interval(figure.interval)}"


def _picture(title: str, width: int, height: int, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {width} {height}" style="max-width:{width}px" role="img" aria-label="{escape(title)}">'
        f'<title>{escape(title)}</title><text x="0" y="12">{escape(title)}</text>{"".join(parts)}</svg>'
    )
