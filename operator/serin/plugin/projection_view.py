"""The forecast of `plan` for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.text import Text

from serin.plugin.figures import count, percent, points, span
from serin.plugin.looks import lines
from serin.plugin.projection import Projection


def render_projection(found: Projection) -> RenderableType:
    """Gates, stages, and how soon bad versions are found."""
    return Group(*_blocks(found))


def _blocks(found: Projection) -> Iterator[RenderableType]:
    yield Text.assemble(("policy ", "bold"), f"{found.policy}, at {found.requests_per_second:g} requests/s")
    yield _verdict(found)
    yield Text("\nGates: what a candidate as good as stable needs until it has passed", "bold")
    rows: list[list[object]] = [
        [
            gate.name,
            percent(gate.rate),
            points(gate.margin)
            if gate.tolerance is not None
            else f"max {percent(gate.margin)}"
            if gate.margin
            else None,
            points(gate.tolerance),
            count(gate.requests),
            gate.note,
        ]
        for gate in found.gates
    ]
    yield lines(["GATE", "STABLE'S RATE", "MARGIN", "TOLERANCE", "REQUESTS", ""], rows)
    if found.stages:
        yield Text("\nStages", "bold")
        rows = [
            [
                stage.name,
                f"{stage.weight} %",
                span(stage.soak_seconds),
                span(stage.seconds),
                count(stage.requests),
                stage.until,
            ]
            for stage in found.stages
        ]
        yield lines(["STAGE", "WEIGHT", "SOAK", "LASTS", "REQUESTS", "UNTIL"], rows)
    if found.bad:
        yield Text("\nA worse version, and when it is rolled back", "bold")
        rows = [
            [
                f"{points(bad.worse_by)} points by {bad.gate}",
                f"{span(bad.seconds)} (deadline)" if bad.by_deadline else span(bad.seconds),
                bad.stage,
                count(bad.requests),
                count(bad.hurt),
            ]
            for bad in found.bad
        ]
        yield lines(["WORSE BY", "AFTER", "IN STAGE", "REQUESTS", "BAD MORE THAN STABLE'S"], rows)


def _verdict(found: Projection) -> Text:
    deadline = f"timeouts.progress is {span(found.deadline_seconds)}"
    if found.seconds is None:
        return Text(f"will not end: {found.advice}; {deadline}", "bold red")
    takes = f"takes about {span(found.seconds)}"
    if found.fits:
        return Text(f"{takes}, every second rollout longer; {deadline}", "green")
    return Text(f"{takes}, too long: {found.advice}", "bold red")
