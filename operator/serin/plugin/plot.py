"""Plots of a decision record as SVG texts: what was known at each decision, and the weight that followed.

A record holds the numbers of each decision and not of each reading, so a plot has a point for each decision. All plots
of a record have one time axis, with its stages as bands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape

from serin.plugin.bands import Band, bands
from serin.plugin.figures import bounds, points, stamp
from serin.plugin.objects import Gate, Step

WIDTH, HEIGHT = 720, 220
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 20, 30
CHARACTER, NARROW = 6.5, 14.0
"""How wide a character of a name is, about, and a band that has no room even for an upright name."""


@dataclass(frozen=True, slots=True)
class Scale:
    """From times and values to places in the picture."""

    first: datetime
    seconds: float
    low: float
    high: float

    def x(self, at: datetime) -> float:
        """The place of an instant."""
        share = (at - self.first).total_seconds() / self.seconds
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        """The place of a value; what is beyond the picture is at its edge."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def difference_plot(name: str, steps: Sequence[Step], until: datetime | None = None) -> str | None:
    """The difference of a gate at each decision with its interval, zero and the margin; None without any.

    Args:
        name: The gate's.
        steps: The whole record, the oldest decision first.
        until: Now, when the rollout still runs; the last stage is drawn up to it.
    """
    seen = [(step.at, gate) for step in steps for gate in step.gates if gate.name == name and step.at is not None]
    known = [(at, gate) for at, gate in seen if gate.difference is not None and gate.interval is not None]
    if not known:
        return None
    scale = _scale(steps, until, *_range([gate for _, gate in known]))
    margin = known[-1][1].margin
    parts = [*_stages(scale, steps, until), _level(scale, 0.0, "zero", "equal")]
    if margin is not None:
        parts.append(_level(scale, margin, "margin", f"margin {points(margin)}"))
    parts += [_interval(scale, at, gate) for at, gate in known]
    return _picture(f"{name}: candidate less stable, in points", scale, parts)


def weight_plot(steps: Sequence[Step], until: datetime | None = None) -> str | None:
    """The candidate's weight after each decision; None without any. steps, until: as for `difference_plot`."""
    known = [(step.at, step.weight) for step in steps if step.at is not None and step.weight is not None]
    if not known:
        return None
    scale = _scale(steps, until, 0.0, 100.0)
    path = [f"M {LEFT:.1f} {scale.y(0):.1f}"]
    for at, weight in known:
        path.append(f"H {scale.x(at):.1f} V {scale.y(weight):.1f}")
    parts = _stages(scale, steps, until)
    parts += [f'<path class="weight" d="{" ".join(path)} H {WIDTH - RIGHT}"/>']
    parts += [
        f'<text x="{LEFT - 8}" y="{scale.y(value) + 4:.1f}" class="end">{value} %</text>' for value in (0, 50, 100)
    ]
    return _picture("the candidate's share of the traffic", scale, parts)


def _scale(steps: Sequence[Step], until: datetime | None, low: float, high: float) -> Scale:
    times = [step.at for step in steps if step.at is not None]
    first, last = min(times), max([*times, *([until] if until is not None else [])])
    return Scale(first, max((last - first).total_seconds(), 1.0), low, high)


def _range(gates: Sequence[Gate]) -> tuple[float, float]:
    """Room for every difference, the margin and the last interval; a wide first one must not flatten the rest."""
    values = [0.0, *(gate.difference for gate in gates if gate.difference is not None)]
    values += [gate.margin for gate in gates if gate.margin is not None]
    values += gates[-1].interval or ()
    low, high = min(values), max(values)
    room = 0.15 * (high - low or 0.01)
    return low - room, high + room


def _stages(scale: Scale, steps: Sequence[Step], until: datetime | None) -> list[str]:
    return [_band(scale, band, place) for place, band in enumerate(bands(steps, until))]


def _band(scale: Scale, band: Band, place: int) -> str:
    """A stage behind everything else; its name where there is room, upright where there is little, and to point at."""
    left, width = scale.x(band.start), scale.x(band.end) - scale.x(band.start)
    said = f"stage {band.name}, {stamp(band.start)} to {stamp(band.end)}"
    name = ""
    if width >= NARROW:
        # At the bottom, where the weight's line is least often.
        upright, y = width < CHARACTER * len(band.name) + 8, HEIGHT - BOTTOM - 5
        x = left + (12 if upright else 4)
        turned = f' transform="rotate(-90 {x:.1f} {y})"' if upright else ""
        name = f'<text class="name" x="{x:.1f}" y="{y}"{turned}>{escape(band.name)}</text>'
    return (
        f'<g class="stage {"odd" if place % 2 else "even"}"><title>{escape(said)}</title>'
        f'<rect x="{left:.1f}" y="{TOP}" width="{width:.1f}" height="{HEIGHT - TOP - BOTTOM}"/>{name}</g>'
    )


def _interval(scale: Scale, at: datetime, gate: Gate) -> str:
    assert gate.difference is not None  # noqa: S101 - the caller has looked
    assert gate.interval is not None  # noqa: S101
    x, (low, high) = scale.x(at), gate.interval
    said = escape(f"{stamp(at)}: {points(gate.difference)} {bounds(gate.interval)}, {gate.verdict}")
    return (
        f'<g class="{gate.verdict}"><title>{said}</title>'
        f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{scale.y(low):.1f}" y2="{scale.y(high):.1f}"/>'
        f'<circle cx="{x:.1f}" cy="{scale.y(gate.difference):.1f}" r="4"/></g>'
    )


def _level(scale: Scale, value: float, kind: str, label: str) -> str:
    y = scale.y(value)
    return (
        f'<line class="{kind}" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text x="{LEFT - 8}" y="{y + 4:.1f}" class="end">{escape(label.partition(" ")[2] or "0")}</text>'
        f'<text x="{WIDTH - RIGHT}" y="{y - 4:.1f}" class="end">{escape(label.partition(" ")[0])}</text>'
    )


def _picture(title: str, scale: Scale, parts: Sequence[str]) -> str:
    last = HEIGHT - 8
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}"><title>{escape(title)}</title>'
        f'<text x="{LEFT}" y="12">{escape(title)}</text>{"".join(parts)}'
        f'<text x="{LEFT}" y="{last}">{stamp(scale.first)}</text>'
        f'<text x="{WIDTH - RIGHT}" y="{last}" class="end">{scale.seconds / 60:.0f} min later</text></svg>'
    )
