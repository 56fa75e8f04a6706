"""`status` of one ModelDeployment: revisions, stages, gates, and what it waits for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text
from rich.tree import Tree

from serin.plugin.figures import instant, span, stamp
from serin.plugin.gates import Gates
from serin.plugin.looks import bar, cell, cells, table, verdict_style
from serin.plugin.objects import Deployment, Placed, Polled, Revision, Rollout
from serin.plugin.standing import Standing, standing, style_of, words_of

EARLIER_MAX = 5


@dataclass(frozen=True, slots=True)
class Seen:
    """A ModelDeployment and its revisions, the newest first."""

    standing: Standing
    deployment: Deployment
    revisions: tuple[Revision, ...]


def seen(md: Deployment, revisions: Sequence[Revision]) -> Seen:
    """Put the two together; revisions of other deployments are left out."""
    own = [one for one in revisions if one.deployment == md.name and one.namespace == md.namespace]
    own.sort(key=lambda one: (one.created.timestamp() if one.created is not None else 0.0, one.name), reverse=True)
    return Seen(standing(md), md, tuple(own))


def render_status(one: Seen, now: datetime, *, wide: bool = False) -> RenderableType:
    """The status for a terminal. wide: all revisions, all conditions and the steps so far."""
    md, rollout = one.deployment, one.deployment.rollout
    blocks: list[RenderableType] = [_tree(one, wide=wide)]
    if rollout is not None:
        blocks.append(_titled("Stages", _stages(rollout)))
    if rollout is not None and any(check.report is not None for check in rollout.checks):
        blocks.append(_titled("Reports", _reports(rollout)))
    if rollout is not None and rollout.gates:
        blocks.append(_titled("Gates", Gates(rollout.gates)))
    ended = md.outcome
    if rollout is None and ended is not None and ended.gates and (wide or ended.kind != "Promoted"):
        blocks.append(_titled(f"Gates of {ended.revision}, when its rollout ended", Gates(ended.gates)))
    blocks.append(_facts(md, now))
    if wide:
        blocks.append(_titled("Conditions", _conditions(md, now)))
        if rollout is not None and rollout.steps:
            blocks.append(_titled("Steps", _steps(rollout, now)))
    return Group(*_spaced(blocks))


def headline(md: Deployment) -> Text:
    """One line: whose it is and where it stands."""
    where = standing(md)
    line = Text.assemble((md.key, "bold"), "  ", (where.value, style_of(where)))
    wanted = f"version {md.version}" if md.version is not None else "no version"
    if md.candidate is not None:
        line.append(f"  version {md.candidate.version} on trial")
        if md.stable is not None:
            line.append(f" against {md.stable.version}")
    elif where is Standing.PROMOTED:
        line.append(f"  {wanted} serves")
    elif md.stable is not None and md.stable.version != md.version:
        line.append(f"  {wanted} is asked for, {md.stable.version} is stable")
    elif md.stable is not None and md.observed:
        line.append(f"  {wanted} is stable")
    else:
        line.append(f"  {wanted} is asked for")
    if md.paused:
        line.append("  (paused)", "yellow")
    return line


def _tree(one: Seen, *, wide: bool) -> Tree:
    md = one.deployment
    tree = Tree(headline(md))
    by_name = {revision.name: revision for revision in one.revisions}
    weight = md.rollout.weight if md.rollout is not None else None
    placed = {found.revision for found in (md.stable, md.candidate) if found is not None}
    if md.stable is not None:
        share = 100 if md.candidate is None else None if weight is None else 100 - weight
        tree.add(_leaf("stable", md.stable, share, by_name))
    if md.candidate is not None:
        tree.add(_leaf("candidate", md.candidate, weight, by_name, md.rollout))
    earlier = [revision for revision in one.revisions if revision.name not in placed]
    if earlier:
        branch = tree.add("other revisions")
        for revision in earlier if wide else earlier[:EARLIER_MAX]:
            branch.add(_other(revision))
        if not wide and len(earlier) > EARLIER_MAX:
            branch.add(f"and {len(earlier) - EARLIER_MAX} more (-o wide)")
    return tree


def _leaf(
    role: str, placed: Placed, share: int | None, by_name: dict[str, Revision], rollout: Rollout | None = None
) -> Text:
    line = Text.assemble(f"{role:<10}", (placed.revision, "bold"), f"  version {placed.version}  slot {placed.slot}")
    line.append(f"  {share} % of the traffic" if share is not None else "  share of the traffic not known")
    if rollout is not None and rollout.attempt is not None and rollout.attempt > 1:
        line.append(f"  attempt {rollout.attempt}")
    if placed.adopted is not None:
        line.append(f"  pods of Service {placed.adopted}")
    if role == "stable" and placed.proven is False:
        line.append("  never promoted, serves for want of a better one", "yellow")
    revision = by_name.get(placed.revision)
    if role == "candidate" and revision is not None and revision.was_stable:
        line.append("  was stable before")
    return line


def _other(revision: Revision) -> Text:
    line = Text.assemble((revision.name, "bold"), f"  version {revision.version}  ")
    line.append(revision.verdict, "red" if revision.verdict in {"Rejected", "Failed"} else "")
    if revision.reason is not None:
        line.append(f" ({revision.reason})")
    return line


def _stages(rollout: Rollout) -> RenderableType:
    at_once = not rollout.stages or rollout.kind in {"First", "GoBack"}
    if at_once and not rollout.checks:
        return Text(f"{rollout.stage}, {rollout.weight} % of the traffic; this rollout takes everything in one step")
    made = table("", "STAGE", "WEIGHT", "SOAK", "")
    index = rollout.stage_index if rollout.stage_index is not None else -1
    waits = next((number for number, one in enumerate(rollout.checks) if one.verdict != "pass"), len(rollout.checks))
    started = index >= 0 or any(one.verdict is not None for one in rollout.checks)
    made.add_row(*cells([_mark(-1, 0 if started else index), "start", "0 %", "pods get ready", ""]))
    for number, check in enumerate(rollout.checks):
        at = len(rollout.checks) if index >= 0 else waits if started else -1
        name = cell(check.name, "bold" if number == at else "")
        made.add_row(*cells([_mark(number, at), name, "0 %", _CHECKS.get(check.program, check.program), ""]))
    if at_once:
        done = started and waits == len(rollout.checks)
        made.add_row(*cells([_mark(0, 0 if done else -1), cell("all", "bold" if done else ""), "100 %", "at once", ""]))
        return made
    for number, stage in enumerate(rollout.stages):
        made.add_row(
            *cells(
                [
                    _mark(number, index),
                    cell(stage.name, "bold" if number == index else ""),
                    f"{stage.weight} %",
                    _soak(rollout, number, index),
                    _bar(rollout, number, index),
                ]
            )
        )
    return made


def _reports(rollout: Rollout) -> RenderableType:
    made = table("STAGE", "VERDICT", "REPORT", last_wraps=True)
    for check in rollout.checks:
        if check.report is not None:
            made.add_row(*cells([check.name, check.verdict, check.report.words]))
    return made


_CHECKS = {"evaluate": "judged on data", "warmup": "warms up"}


def _mark(number: int, index: int) -> Text:
    if number < index:
        return Text("✔", "green")
    return Text("▶", "cyan") if number == index else Text("·", "dim")


def _soak(rollout: Rollout, number: int, index: int) -> str:
    stage = rollout.stages[number]
    if stage.kind == "approval":
        return "people approve"
    if number == index and rollout.soaked_seconds is not None:
        return f"{span(min(rollout.soaked_seconds, stage.soak_seconds))} of {span(stage.soak_seconds)}"
    return span(stage.soak_seconds)


def _bar(rollout: Rollout, number: int, index: int) -> Text:
    if number != index or rollout.soaked_seconds is None or rollout.stages[number].kind == "approval":
        return Text("")
    soak = rollout.stages[number].soak_seconds
    return Text(bar(rollout.soaked_seconds / soak if soak > 0 else 1.0), "cyan")


def _facts(md: Deployment, now: datetime) -> RenderableType:
    reason, words = words_of(md)
    facts: list[tuple[str, Text]] = []
    rollout = md.rollout
    if rollout is not None:
        facts.append(("verdict", Text(rollout.verdict, verdict_style(rollout.verdict))))
        facts.append(("waits for", Text(f"{rollout.reason}: {rollout.waiting_for}")))
        if rollout.kind not in {"First", "GoBack"}:  # these end when pods are ready, nobody reckons when
            facts.append(("expected finish", Text(instant(rollout.expected_finish, now))))
            facts.append(("deadline", Text(instant(rollout.deadline, now))))
    if rollout is None or standing(md) in {Standing.DOWN, Standing.STALLED, Standing.UNSEEN, Standing.UNKNOWN}:
        facts.append(("why", Text(f"{reason}: {words}" if reason else words)))
    if rollout is None and md.outcome is not None:
        ended = f"{md.outcome.revision}: {md.outcome.kind} ({md.outcome.reason}) {instant(md.outcome.at, now)}"
        facts.append(("last rollout", Text(ended)))
    if md.polled is not None:
        facts.append(("uri polled", Text(_polled(md.polled, now), "yellow" if md.polled.message else "")))
    facts += [(name, Text(value)) for name, value in (("url", md.url), ("in the cluster", md.address)) if value]
    made = table("", "", last_wraps=True)
    made.show_header = False
    for name, value in facts:
        made.add_row(Text(name, "dim"), value)
    return made


def _polled(polled: Polled, now: datetime) -> str:
    """What the uri means, as far as the last poll could say it."""
    meant = f"it means {polled.digest}" + (f" ({polled.uri})" if polled.uri is not None else "")
    answer = f"no answer {instant(polled.at, now)}: {polled.message}; before, " if polled.message else ""
    return f"{answer}{meant}" + ("" if polled.message else f", {instant(polled.at, now)}")


def _conditions(md: Deployment, now: datetime) -> RenderableType:
    made = table("TYPE", "STATUS", "REASON", "SINCE", "MESSAGE", last_wraps=True)
    for one in md.conditions:
        made.add_row(*cells([one.type, one.status, one.reason, stamp(one.since, now), one.message]))
    return made


def _steps(rollout: Rollout, now: datetime) -> RenderableType:
    made = table("AT", "DECISION", "STAGE", "WEIGHT", "REASON", "MESSAGE", last_wraps=True)
    for step in rollout.steps:
        made.add_row(*cells([stamp(step.at, now), step.decision, step.stage, step.weight, step.reason, step.message]))
    return made


def _titled(title: str, body: RenderableType) -> RenderableType:
    return Group(Text(title, "bold"), Padding(body, (0, 0, 0, 2), expand=False))


def _spaced(blocks: Sequence[RenderableType]) -> Iterator[RenderableType]:
    for index, block in enumerate(blocks):
        if index:
            yield Text()
        yield block
