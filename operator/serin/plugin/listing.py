"""`get`: one line a ModelDeployment, with kubectl's columns and in its words.

One thing differs from `kubectl get md`: while the operator has not looked at the present spec, REASON is a dash and
not what was true of the spec before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from rich.text import Text

from serin.plugin.figures import age
from serin.plugin.looks import cell, lines, verdict_style
from serin.plugin.objects import Deployment, Verdict
from serin.plugin.standing import Standing, standing, style_of


@dataclass(frozen=True, slots=True)
class Line:
    """One line; weight is the candidate's share in percent."""

    namespace: str
    name: str
    standing: Standing
    stable: str | None
    candidate: str | None
    stage: str | None
    weight: int | None
    verdict: Verdict | None
    reason: str | None
    ready: str | None
    created: datetime | None
    phase: str | None
    waiting_for: str | None
    url: str | None


def line_of(md: Deployment) -> Line:
    """The line of a ModelDeployment."""
    rollout, ready = md.rollout, md.condition("Ready")
    return Line(
        namespace=md.namespace,
        name=md.name,
        standing=standing(md),
        stable=md.stable.version if md.stable is not None else None,
        candidate=md.candidate.version if md.candidate is not None else None,
        stage=rollout.stage if rollout is not None else None,
        weight=rollout.weight if rollout is not None else None,
        verdict=rollout.verdict if rollout is not None else None,
        reason=md.reason_of("Promoted") if md.observed else None,
        ready=ready.status if ready is not None else None,
        created=md.created,
        phase=md.phase,
        waiting_for=rollout.waiting_for if rollout is not None else None,
        url=md.url,
    )


def listing(found: Sequence[Line], now: datetime, *, namespaces: bool = False, wide: bool = False) -> Text:
    """The table. namespaces: show whose each is."""
    names = ["NAMESPACE"] if namespaces else []
    more = ["PHASE", "WAITING", "URL"] if wide else []
    columns = ["NAME", "STABLE", "CANDIDATE", "STAGE", "WEIGHT", "VERDICT", "REASON", "READY", "AGE"]
    rows: list[list[object]] = []
    for line in found:
        ready = "green" if line.ready == "True" else "bold red"
        row: list[object] = [line.namespace] if namespaces else []
        row += [line.name, line.stable, line.candidate, line.stage, line.weight]
        row.append(cell(line.verdict, verdict_style(line.verdict) if line.verdict is not None else ""))
        row += [cell(line.reason, style_of(line.standing)), cell(line.ready, ready), age(line.created, now)]
        if wide:
            row += [line.phase, line.waiting_for, line.url]
        rows.append(row)
    return lines([*names, *columns, *more], rows)
