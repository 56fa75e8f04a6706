"""`explain`: why a revision failed, or stands where it stands, in words and with the numbers.

Nothing is worked out anew here: verdict, reason and numbers are those that the operator decided on and stored.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from serin.plugin.figures import instant, stamp
from serin.plugin.gates import excess, sentence
from serin.plugin.history import Entry
from serin.plugin.objects import Deployment, Gate, Outcome, Revision, Step
from serin.plugin.standing import Standing, about, standing, words_of


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why, in words.

    said: the operator's own sentence. meaning and remedy: of the reason, None for one that this version of the plugin
    does not know. gates: what each one saw, those that decided first. cost: what users bore. course: the way there.
    """

    revision: str
    version: str | None
    headline: str
    reason: str | None
    said: str
    meaning: str | None
    gates: tuple[str, ...]
    cost: str | None
    course: tuple[str, ...]
    remedy: str | None


def explain(md: Deployment, entry: Entry | None, now: datetime) -> Explanation:
    """Explain a revision; without one, what matters now: the rollout under way, else how the last one ended."""
    name = entry.revision.name if entry is not None else None
    if md.candidate is not None and md.rollout is not None and name in {None, md.candidate.revision}:
        return _running(md, now)
    if md.outcome is not None and (name == md.outcome.revision or (name is None and _says_all(md, md.outcome))):
        return _ended(md.outcome, now)
    if entry is not None:
        return _past(entry.revision, now)
    reason, words = words_of(md)
    stable = md.stable
    return _explanation(
        stable.revision if stable is not None else md.name,
        stable.version if stable is not None else md.version,
        f"{md.key} is {standing(md)}; no rollout is under way",
        reason,
        words,
        good=standing(md) is Standing.PROMOTED,
    )


def render_explanation(why: Explanation) -> RenderableType:
    """The explanation for a terminal."""
    blocks: list[RenderableType] = [Text(why.headline, "bold")]
    if why.reason is not None:
        blocks += _block("Why", [f"{why.reason}. {why.meaning}" if why.meaning else why.reason, why.said])
    else:
        blocks += _block("Why", [why.said])
    blocks += _block("What the gates saw", why.gates)
    blocks += _block("What it cost", [why.cost] if why.cost else [])
    blocks += _block("How it went", why.course)
    blocks += _block("What to do", [why.remedy] if why.remedy else [])
    return Group(*blocks)


def _says_all(md: Deployment, outcome: Outcome) -> bool:
    """Whether the end of the last rollout is why the ModelDeployment stands where it stands."""
    match standing(md):
        case Standing.PROMOTED:
            return outcome.kind == "Promoted"
        case Standing.STALLED:
            return outcome.kind != "Promoted" and md.reason_of("Stalled") in {"RolledBack", outcome.reason}
        case _:
            return False


def _running(md: Deployment, now: datetime) -> Explanation:
    candidate, rollout = md.candidate, md.rollout
    assert candidate is not None  # noqa: S101 - the caller has looked
    assert rollout is not None  # noqa: S101
    weight = f"{rollout.weight} % of the traffic" if rollout.weight is not None else "a share that is not known"
    head = f"{candidate.revision} (version {candidate.version}) is on trial: stage {rollout.stage}, {weight}"
    if rollout.expected_finish is not None:
        head += f", expected to end {instant(rollout.expected_finish, now)}"
    return _explanation(
        candidate.revision,
        candidate.version,
        head,
        rollout.reason,
        rollout.waiting_for or "",
        gates=rollout.gates,
        steps=rollout.steps,
        now=now,
    )


def _ended(outcome: Outcome, now: datetime) -> Explanation:
    tried = f" in attempt {outcome.attempt}" if outcome.attempt is not None and outcome.attempt > 1 else ""
    where = f", in stage {outcome.stage}" if outcome.stage else ""
    what = _ENDS.get(outcome.kind or "", f"ended ({outcome.kind})")
    return _explanation(
        outcome.revision,
        outcome.version,
        f"{outcome.revision} (version {outcome.version}) {what}{tried}{where}, {instant(outcome.at, now)}",
        outcome.reason,
        outcome.message,
        gates=outcome.gates,
        steps=outcome.steps,
        now=now,
        costly=outcome.kind in _LOST,
        good=outcome.kind == "Promoted",
    )


def _past(revision: Revision, now: datetime) -> Explanation:
    """From the revision's own record: the gates of its last decision are those that it ended with."""
    last = revision.record[-1] if revision.record else None
    when = f", {instant(last.at, now)}" if last is not None else ""
    what = _VERDICTS.get(revision.verdict, f"has the verdict {revision.verdict}")
    return _explanation(
        revision.name,
        revision.version,
        f"{revision.name} (version {revision.version}) {what}{when}",
        revision.reason,
        revision.message,
        gates=last.gates if last is not None else (),
        steps=tuple(step for step in revision.record if last is not None and step.attempt == last.attempt),
        now=now,
        costly=revision.verdict in _LOST_VERDICTS,
        good=revision.was_stable and revision.verdict in {"Stable", "Retired"},
    )


def _explanation(
    revision: str,
    version: str | None,
    headline: str,
    reason: str | None,
    said: str,
    *,
    gates: Sequence[Gate] = (),
    steps: Sequence[Step] = (),
    now: datetime | None = None,
    costly: bool = False,
    good: bool = False,
) -> Explanation:
    known = about(reason)
    ordered = sorted(gates, key=lambda gate: (gate.verdict != "fail" or not gate.required, gate.verdict == "pass"))
    failed = next((gate for gate in ordered if gate.verdict == "fail" and gate.required), None)
    telling = failed or next((gate for gate in ordered if gate.required), None)
    return Explanation(
        revision=revision,
        version=version,
        headline=headline,
        reason=reason,
        said=said,
        meaning=known.meaning if known is not None else None,
        gates=tuple(sentence(gate) for gate in ordered),
        cost=excess(telling) if costly and telling is not None else None,
        course=tuple(_line(step, now) for step in steps),
        remedy=known.remedy if known is not None and not good else None,
    )


_ENDS = {
    "Promoted": "was promoted",
    "RolledBack": "was rolled back",
    "Superseded": "was taken back, for another revision was asked for",
    "Expired": "was rolled back, for its time was over",
    "Refused": "was refused",
}
_LOST = frozenset({"RolledBack", "Expired"})
_VERDICTS = {
    "Pending": "is not decided yet",
    "Stable": "was promoted",
    "Retired": "was stable once",
    "Rejected": "was rolled back",
    "Superseded": "was taken back, for another revision was asked for",
    "Aborted": "was taken back before a verdict",
    "Failed": "was refused or never got ready",
}
_LOST_VERDICTS = frozenset({"Rejected", "Aborted"})


def _line(step: Step, now: datetime | None) -> str:
    weight = f" at {step.weight} %" if step.weight is not None else ""
    return f"{stamp(step.at, now)}  {step.decision}, {step.stage}{weight}: {step.message}"


def _block(title: str, lines: Sequence[str]) -> list[RenderableType]:
    if not lines:
        return []
    return [Text(), Text(title, "bold"), *(Padding(Text(line), (0, 0, 0, 2)) for line in lines if line)]
