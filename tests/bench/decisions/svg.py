"""Two kinds of plot as plain SVG, small enough to read in a diff: bars on a logarithmic scale, and shares over time.

Colours are legible on white and on dark pages; every mark has its number beside it or a grid line under it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from tests.bench.decisions.figures import Interval
from tests.bench.decisions.traffic import Floats

__all__ = ["bars", "curves"]

_COLOURS = ("#3b6fb6", "#c2571a", "#2e8b57", "#8a4fbf", "#a8322d", "#6b7280", "#b8860b")
_GREY = "#8a8f98"
_LEFT, _WIDTH = 170, 460


def bars(title: str, values: Mapping[str, Interval], floor: float, digits: int) -> str:
    """One bar for each name, on a logarithmic axis that starts at `floor`; smaller values are drawn as nothing."""
    top = 10 ** math.ceil(math.log10(max(*(v.high for v in values.values()), 10 * floor)))

    def x(value: float) -> float:
        return _LEFT + _WIDTH * math.log10(max(value, floor) / floor) / math.log10(top / floor)

    marks = []
    for decade in range(round(math.log10(top / floor)) + 1):
        at = floor * 10**decade
        marks.append(f'<path d="M{x(at):.0f} 34V{40 + 26 * len(values)}" stroke="{_GREY}" stroke-opacity=".3"/>')
        marks.append(_text(x(at), 54 + 26 * len(values), f"{at:g}", anchor="middle"))
    for row, (name, value) in enumerate(values.items()):
        y = 40 + 26 * row
        marks.append(_text(_LEFT - 8, y + 13, name, anchor="end"))
        marks.append(
            f'<rect x="{_LEFT}" y="{y}" width="{x(value.value) - _LEFT:.1f}" height="18" fill="{_colour(row)}"/>'
        )
        marks.append(f'<path d="M{x(value.low):.1f} {y + 9}H{x(value.high):.1f}" stroke="#111" stroke-opacity=".6"/>')
        marks.append(_text(max(x(value.value), x(value.high)) + 6, y + 13, f"{value.value:.{digits}f}"))
    return _page(title, marks, _LEFT + _WIDTH + 80, 64 + 26 * len(values))


def curves(title: str, times: Mapping[str, Floats], runs: Mapping[str, int]) -> str:
    """For each name the share of rollouts (of `runs`) that were decided by a time, 15 s to 24 h, logarithmic."""
    least, most, bottom = 15.0, 86_400.0, 240

    def x(seconds: float) -> float:
        return 60 + 480 * math.log(max(seconds, least) / least) / math.log(most / least)

    def y(share: float) -> float:
        return bottom - 200 * share

    marks = []
    for seconds, word in ((15, "15 s"), (60, "1 min"), (300, "5 min"), (1800, "30 min"), (7200, "2 h"), (86400, "1 d")):
        marks.append(f'<path d="M{x(seconds):.0f} 40V{bottom}" stroke="{_GREY}" stroke-opacity=".3"/>')
        marks.append(_text(x(seconds), bottom + 16, word, anchor="middle"))
    for share in (0.0, 0.5, 1.0):
        marks.append(f'<path d="M60 {y(share):.0f}H540" stroke="{_GREY}" stroke-opacity=".3"/>')
        marks.append(_text(52, y(share) + 4, f"{share:.0%}", anchor="end"))
    for row, (name, verdicts) in enumerate(times.items()):
        at, counts = np.unique(verdicts, return_counts=True)
        steps = "".join(
            f"H{x(float(t)):.1f}V{y(float(done)):.1f}" for t, done in _thinned(at, np.cumsum(counts) / runs[name])
        )
        marks.append(f'<path d="M60 {bottom}{steps}H540" fill="none" stroke="{_colour(row)}" stroke-width="2"/>')
        marks.append(_text(556, 56 + 20 * row, name, colour=_colour(row)))
    return _page(title, marks, 720, bottom + 28)


def _thinned(at: Floats, share: Floats) -> Sequence[tuple[float, float]]:
    """At most 60 of the steps, evenly in share."""
    if len(at) <= 60:
        return list(zip(at, share, strict=True))
    kept = np.unique(np.searchsorted(share, np.linspace(share[0], share[-1], 60)).clip(0, len(at) - 1))
    return list(zip(at[kept], share[kept], strict=True))


def _colour(row: int) -> str:
    return _COLOURS[row % len(_COLOURS)]


def _text(x: float, y: float, words: str, *, anchor: str = "start", colour: str = "") -> str:
    fill = f' fill="{colour}"' if colour else ' fill="currentColor"'
    return f'<text x="{x:.0f}" y="{y:.0f}" text-anchor="{anchor}"{fill}>{_escaped(words)}</text>'


def _page(title: str, marks: Sequence[str], width: int, height: int) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    style = ' font-family="sans-serif" font-size="12" color="#6b7280">'
    heading = f'<title>{_escaped(title)}</title><text x="8" y="20" font-weight="bold" fill="currentColor">'
    return "\n".join([head + style, f"{heading}{_escaped(title)}</text>", *marks, "</svg>", ""])


def _escaped(words: str) -> str:
    return words.replace("&", "&amp;").replace("<", "&lt;")
