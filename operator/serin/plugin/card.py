"""`card`: a revision's model card, in the order of Annex IV of the EU's AI Act (points 1 to 9).

It holds what the objects say and nothing else. What they do not say is None here and 'not stated' in print: a card that
fills a gap would be worse than one that shows it. `card_pages` prints it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from serin.plugin.figures import UNKNOWN, bounds, percent, points, share, stamp
from serin.plugin.history import Record
from serin.plugin.objects import Deployment, Gate, Step
from serin.plugin.raw import Raw, part, parts, text, whole


@dataclass(frozen=True, slots=True)
class Fact:
    """One line; None is not stated."""

    name: str
    value: str | None


@dataclass(frozen=True, slots=True)
class Rows:
    """A table of texts."""

    name: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Section:
    """One point of the annex."""

    title: str
    facts: tuple[Fact, ...] = ()
    tables: tuple[Rows, ...] = ()


@dataclass(frozen=True, slots=True)
class Card:
    """The whole card."""

    title: str
    sections: tuple[Section, ...]


def card(md: Deployment, record: Record, raw: Raw) -> Card:
    """The card of a revision. `raw` is its ModelRevision; card and lineage are as they were when it was made."""
    spec = part(raw, "spec")
    model = part(spec, "model")
    title = f"Model card: {text(model.get('name')) or UNKNOWN} {record.revision.version or UNKNOWN}"
    return Card(
        title,
        (
            _description(md, record, spec, part(part(raw, "status"), "artifact")),
            _development(md, record, model),
            _control(record, part(model, "card")),
            _metrics(record.steps),
            Section("5. Risk management", (Fact("Risk management system", None),)),
            _changes(record),
            Section("7. Standards applied", (Fact("Harmonised standards and other specifications", None),)),
            Section("8. Declaration of conformity", (Fact("EU declaration of conformity", None),)),
            Section("9. Post-market monitoring", (Fact("Post-market monitoring plan", None),)),
        ),
    )


def _description(md: Deployment, record: Record, spec: Raw, pinned: Raw) -> Section:
    """`pinned`: what a resolve Job has found the uri to mean; empty where the digest was given."""
    model, serving = part(spec, "model"), part(spec, "serving")
    about = part(model, "card")
    containers = parts(part(part(serving, "template"), "spec"), "containers")
    images = [image for one in containers if (image := text(one.get("image")))]
    port = whole(serving.get("port"))
    return Section(
        "1. General description",
        (
            Fact("Model", text(model.get("name"))),
            Fact("Version", record.revision.version),
            Fact("ModelRevision", f"{record.revision.namespace}/{record.revision.name}"),
            Fact("ModelDeployment", md.key),
            Fact("Made at", stamp(record.revision.created) if record.revision.created else None),
            Fact("Intended use", text(about.get("intendedUse"))),
            Fact("Owners", _listed(about.get("owners"))),
            Fact("Artifact", text(model.get("uri"))),
            Fact("Artifact's digest", text(model.get("digest")) or text(pinned.get("digest"))),
            Fact(
                "Artifact's size", f"{size:,} bytes" if (size := whole(pinned.get("sizeBytes"))) is not None else None
            ),
            Fact("Images", ", ".join(images) or None),
            Fact("Protocol", text(serving.get("protocol"))),
            Fact("Port", str(port) if port is not None else None),
            Fact("Hash of the content", text(spec.get("contentHash"))),
        ),
    )


def _development(md: Deployment, record: Record, model: Raw) -> Section:
    lineage = part(model, "lineage")
    parameters = tuple((str(name), str(value)) for name, value in sorted(part(lineage, "parameters").items()))
    checks = md.rollout.checks if record.role == "candidate" and md.rollout is not None else ()
    tables = [Rows("Training parameters", ("Parameter", "Value"), parameters)] if parameters else []
    told = () if checks else _told(record.steps)
    if checks:
        rows = tuple(
            (one.name, one.program, one.verdict or "not asked yet", one.report.words if one.report else UNKNOWN)
            for one in checks
        )
        tables.append(Rows("Before the first request", ("Stage", "Program", "Verdict", "Report"), rows))
    if told:
        tables.append(Rows("Before the first request", ("Stage", "Verdict", "Report"), told))
    facts = [
        Fact("Training data", text(lineage.get("data"))),
        Fact("Training code", text(lineage.get("code"))),
        Fact("Training run", text(lineage.get("run"))),
        Fact("Design choices", None),
        *([] if parameters else [Fact("Training parameters", None)]),
        *([] if checks or told else [Fact("Evaluation before the first request", None)]),
    ]
    return Section("2. Elements and development", tuple(facts), tuple(tables))


def _told(steps: Sequence[Step]) -> tuple[tuple[str, ...], ...]:
    """What the record says of the last attempt's validations: the last answer of each stage."""
    return tuple(
        (stage, step.message.partition(": ")[0], step.report.words if step.report else UNKNOWN)
        for stage, step in _answers(steps).items()
    )


def _answers(steps: Sequence[Step]) -> dict[str, Step]:
    """Of each stage the last answer, numbers or none, of the last attempt that was judged on data.

    Going back asks nobody: what was judged before still is what is known.
    """
    asked = [step for step in steps if step.decision == "validate"]
    last = max((step.attempt for step in asked if step.attempt is not None), default=None)
    return {step.stage or UNKNOWN: step for step in asked if step.attempt in {None, last}}


def _control(record: Record, about: Raw) -> Section:
    acts = tuple((stamp(one.at), one.actor, one.decision, one.message) for one in record.steps if one.actor)
    return Section(
        "3. Monitoring, functioning and control",
        (
            Fact("Limitations", text(about.get("limitations"))),
            Fact("Runbook", text(about.get("runbook"))),
            *([] if acts else [Fact("Acts of people", "none on record")]),
        ),
        (Rows("Acts of people", ("At", "Who", "Decision", "Why"), acts),) if acts else (),
    )


def _metrics(steps: Sequence[Step]) -> Section:
    counted = [step for step in steps if step.gates]
    facts = [Fact("Why these metrics suit the intended use", None)]
    judged = _judged(steps)
    if not counted:
        return Section("4. Performance metrics", (*facts, Fact("Comparison with the version before", None)), judged)
    last = counted[-1]
    at = f"{stamp(last.at)}, stage {last.stage or UNKNOWN}"
    heads = ("Gate", "Verdict", "Candidate bad", "Stable bad", "Difference, points", "95 % interval", "Margin", "Says")
    return Section(
        "4. Performance metrics",
        (*facts, Fact("Numbers of", at)),
        (*judged, Rows("Gates", heads, tuple(_gate(one) for one in last.gates))),
    )


def _judged(steps: Sequence[Step]) -> tuple[Rows, ...]:
    """What was measured on data before the first request: of each stage the last answer."""
    rows = tuple(
        (
            stage,
            one.name,
            one.verdict,
            " of ".join(word for word in (one.metric, one.scope) if word) or UNKNOWN,
            _figure(one.value),
            _interval(one.interval),
            one.limit or UNKNOWN,
        )
        for stage, step in _answers(steps).items()
        for one in step.measured
    )
    heads = ("Stage", "Gate", "Verdict", "Measure", "Value", "Interval", "Limit")
    return (Rows("On data, before the first request", heads, rows),) if rows else ()


def _figure(value: float | None) -> str:
    return f"{value:.4g}" if value is not None else UNKNOWN


def _interval(ends: tuple[float | None, float | None]) -> str:
    """Both ends; an end that nobody said is unknown, and so is all of it when neither was."""
    return UNKNOWN if ends == (None, None) else f"[{', '.join(map(_figure, ends))}]"


def _gate(gate: Gate) -> tuple[str, ...]:
    compared = gate.kind not in {"hard", "limit"}
    return (
        gate.name,
        gate.verdict + ("" if gate.required else " (advisory)"),
        share(gate.candidate) if gate.kind != "hard" else UNKNOWN,
        share(gate.stable) if compared else UNKNOWN,
        points(gate.difference),
        bounds(gate.interval) or UNKNOWN,
        f"max {percent(gate.margin)}" if gate.kind == "limit" else points(gate.margin),
        gate.message or UNKNOWN,
    )


def _changes(record: Record) -> Section:
    one = record.revision
    rows = tuple(
        (
            stamp(step.at),
            str(step.attempt) if step.attempt is not None else UNKNOWN,
            step.decision,
            step.stage or UNKNOWN,
            f"{step.weight} %" if step.weight is not None else UNKNOWN,
            step.reason or UNKNOWN,
            step.message or UNKNOWN,
        )
        for step in record.steps
    )
    heads = ("At", "Attempt", "Decision", "Stage", "Weight", "Reason", "Why")
    facts = [
        Fact("Role now", record.role or "none"),
        Fact("Verdict", f"{one.verdict} ({one.reason})" if one.reason else one.verdict),
        Fact("Why", one.message or None),
        Fact("Was stable once", "yes" if one.was_stable else "no"),
        Fact("Attempts", str(one.attempts) if one.attempts is not None else None),
        *([Fact("Decisions no longer on record", str(one.forgotten))] if one.forgotten else []),
        *([] if rows else [Fact("Decisions", "none on record")]),
    ]
    return Section("6. Changes and outcome", tuple(facts), (Rows("Decisions", heads, rows),) if rows else ())


def _listed(value: object) -> str | None:
    return ", ".join(one for one in value if isinstance(one, str)) or None if isinstance(value, list) else None
