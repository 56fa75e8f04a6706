"""`lint`: what the API lets pass and will not do what was meant. One small rule for each; all of them speak.

A warning is about a rollout that would hold, or let anything pass. Advice is about what could go better.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from serin.api.gates import Gate
from serin.metrics.presets import PRESETS, unsupported
from serin.metrics.promql import TemplateError, template_metric
from serin.metrics.reading import CompareNeed, Need, SlowNeed
from serin.plugin.figures import span
from serin.plugin.manifests import Finding, Subject
from serin.plugin.projection import Traffic, project
from serin.rollout.plan import Canary
from serin.rollout.snapshot import plan_of

FIRST_WEIGHT_MAX = 25


@dataclass(frozen=True, slots=True)
class Setting:
    """What is known of where it will run.

    scrape_seconds: between two scrapes. traffic: None when nobody said. preset: what `auto` stands for, None when that
    is not known.
    """

    scrape_seconds: float = 15.0
    traffic: Traffic | None = None
    preset: str | None = None


def advise(subject: Subject, setting: Setting) -> Iterator[Finding]:
    """Everything that there is to say about a ModelDeployment and the policy that it goes by."""
    for rule in RULES:
        yield from rule(subject, setting)


def _short_soak(subject: Subject, setting: Setting) -> Iterator[Finding]:
    for stage in subject.policy.stages:
        # An approval has no soak: it waits for people, and the stage before it has had its samples. A Job takes as long
        # as it takes.
        if stage.approval is None and not stage.before_traffic and stage.soak_seconds < setting.scrape_seconds:
            yield subject.finding(
                "warning",
                f"stage {stage.name}",
                f"its soak of {span(stage.soak_seconds)} is shorter than a scrape interval"
                f" ({span(setting.scrape_seconds)}): it is over before a sample of it can be seen;"
                f" take {span(3 * setting.scrape_seconds)} or more",
            )


def _too_little_traffic(subject: Subject, setting: Setting) -> Iterator[Finding]:
    if setting.traffic is None:
        return
    found = project(subject.policy.source, plan_of(subject.policy), setting.traffic)
    if not found.fits:
        yield subject.finding("warning", "gates", f"this traffic can never resolve the margin: {found.advice}")


def _unmeasurable(subject: Subject, setting: Setting) -> Iterator[Finding]:
    """A gate that the preset has no numbers for would hold for ever; the operator refuses it."""
    name = subject.policy.metrics.preset if subject.policy.metrics.preset != "auto" else setting.preset
    if name is None:
        return
    preset = PRESETS.get(name)
    if preset is None:
        words = f"there is no preset {name}; there are {', '.join(sorted(PRESETS))}"
        yield subject.finding("error", "metrics.preset", words)
        return
    grpc = subject.md is not None and subject.md.spec.traffic.grpc_route is not None
    for gate in subject.policy.gates:
        need = _need(gate)
        why = unsupported(preset, need, grpc=grpc) if need is not None else None
        if why is not None:
            yield subject.finding("error", f"gate {gate.name}", f"has no data with the preset {name}: {why}")


def _bad_query(subject: Subject, _: Setting) -> Iterator[Finding]:
    for gate in subject.policy.gates:
        for part in ("total", "bad"):
            template = getattr(gate.query, part) if gate.query is not None else None
            if template is None:
                continue
            try:
                template_metric(template)
            except TemplateError as error:
                yield subject.finding("error", f"gate {gate.name}", f"query.{part} gives no data: {error}")


def _nothing_decides(subject: Subject, _: Setting) -> Iterator[Finding]:
    if not any(gate.required and gate.kind != "hard" for gate in subject.policy.gates):
        words = "no gate that counts is required: any candidate that stays up is promoted; require one"
        yield subject.finding("warning", "gates", words)
    if not any(gate.required and gate.kind == "hard" for gate in subject.policy.gates):
        words = "no hard gate is required: a candidate that crashes is only found by its failed requests; add one"
        yield subject.finding("advice", "gates", words)


def _blind_stage(subject: Subject, _: Setting) -> Iterator[Finding]:
    """The last canary stage looks at all gates, whatever it lists; bake has a rule of its own."""
    plan = plan_of(subject.policy)
    for index, stage in enumerate(plan.stages):
        if plan.rises(index):
            continue  # said of its first step
        if plan.required() and isinstance(stage, Canary) and not plan.judged(index) & plan.required():
            words = "no required gate that counts is looked at here: a bad candidate gets through it unseen"
            yield subject.finding("warning", f"stage {stage.name}", words)


def _bake(subject: Subject, _: Setting) -> Iterator[Finding]:
    last = subject.policy.stages[-1]
    if last.bake is None:
        words = "there is no bake: the old revision goes as soon as the last canary stage has passed"
        yield subject.finding("advice", "stages", words)
    elif last.bake.holdback == 0:
        words = "with holdback 0 nothing is left to compare with: only limits and hard gates are judged in it"
        yield subject.finding("advice", f"stage {last.name}", words)


def _big_first_step(subject: Subject, _: Setting) -> Iterator[Finding]:
    first = next(stage for stage in subject.policy.stages if not stage.before_traffic)
    ramps = first.canary is not None and first.canary.excess_failures is not None
    if first.canary is not None and first.canary.weight > FIRST_WEIGHT_MAX and not ramps:
        words = f"the first {first.canary.weight} % of the requests go to a candidate that nothing is known about"
        hint = "begin with less, or let excessFailures find the weight"
        yield subject.finding("advice", f"stage {first.name}", f"{words}; {hint}")


def _images(subject: Subject, _: Setting) -> Iterator[Finding]:
    for container in _containers(subject):
        image = str(container.get("image") or "")
        if image and "@sha256:" not in image:
            words = f"{image} may become another image under the same name, and no rollout would start; pin its digest"
            yield subject.finding("advice", f"container {container.get('name')}", words)


def _readiness(subject: Subject, _: Setting) -> Iterator[Finding]:
    """Where the protocol says nothing about readiness, nothing is made up (workloads.deployment)."""
    md = subject.md
    if md is None or md.spec.serving.protocol not in {"http", "grpc"}:
        return
    containers = _containers(subject)
    if containers and not any(container.get("readinessProbe") for container in containers):
        words = "no container has a readinessProbe: a model that still loads is taken for ready and its requests fail"
        yield subject.finding("warning", "spec.serving.template", words)


def _paused(subject: Subject, _: Setting) -> Iterator[Finding]:
    if subject.md is not None and subject.md.spec.rollout.paused:
        words = "it is paused: no rollout will advance until this manifest says otherwise"
        yield subject.finding("warning", "spec.rollout.paused", words)


RULES: tuple[Callable[[Subject, Setting], Iterator[Finding]], ...] = (
    _unmeasurable,
    _bad_query,
    _short_soak,
    _too_little_traffic,
    _nothing_decides,
    _blind_stage,
    _readiness,
    _paused,
    _bake,
    _big_first_step,
    _images,
)


def _need(gate: Gate) -> Need | None:
    """What a gate asks of the preset; None for one that brings its own counters, or needs none."""
    asked = gate.compare or gate.limit
    if asked is None:
        return None
    if asked.objective is not None:
        return SlowNeed(gate.name, asked.objective.seconds)
    if asked.what == "slowerThan":
        return None
    return CompareNeed(gate.name, asked.what)


def _containers(subject: Subject) -> list[dict[str, Any]]:
    template = subject.md.spec.serving.template if subject.md is not None else None
    return list((template or {}).get("spec", {}).get("containers", []))
