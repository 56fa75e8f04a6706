"""The commands that look ahead: `plan` on some traffic, `lint` on manifests."""

from __future__ import annotations

import re
from collections.abc import Sequence

from serin.api.parse import InvalidSpec, parse_model_deployment, parse_rollout_policy
from serin.api.quantities import FractionOrZero
from serin.api.resolve import ResolvedPolicy, resolve_policy
from serin.cli.cluster import DEPLOYMENTS, POLICIES, Cluster, Json
from serin.cli.durations import seconds
from serin.cli.failure import NotThere, Unusable
from serin.cli.files import read_manifests
from serin.cli.job_faults import job_faults
from serin.cli.output import Format, show
from serin.plugin.advice import Setting, advise
from serin.plugin.findings import Lint, exit_code, render_findings
from serin.plugin.manifests import Finding, Subject, check, ours
from serin.plugin.projection import Traffic, project
from serin.plugin.projection_view import render_projection
from serin.plugin.raw import number, part, parts
from serin.plugin.reading import deployment_of
from serin.rollout.snapshot import plan_of

RATE = 0.001
"""Stable's share of bad requests where nobody says: 0.1 %."""


def plan_built_in(speed: float | None, rates: Sequence[str], form: Format) -> None:
    """`plan` without a name or a file: the built-in policy."""
    from serin.api.model_deployment import Rollout

    resolved = resolve_policy(Rollout(), None)
    assert isinstance(resolved, ResolvedPolicy)  # noqa: S101 - the built-in policy knows its own gates
    _project(resolved, _traffic(speed, rates), form)


def plan_of_files(
    names: Sequence[str], name: str | None, speed: float | None, rates: Sequence[str], form: Format
) -> None:
    """`plan -f`: the only ModelDeployment or RolloutPolicy of the files, or the one of this name."""
    found, faults = read_manifests(names)
    results = [*faults, *check([one for one in found if ours(one)])]
    subjects = [one for one in results if isinstance(one, Subject) and name in {None, one.document.name}]
    if len(subjects) != 1:
        fault = next((one for one in results if isinstance(one, Finding) and one.level == "error"), None)
        if fault is not None and not subjects:
            where = f"{fault.file}:{fault.line} {fault.object}"
            raise Unusable(f"{where}: {fault.field}: {fault.message}", "`kubectl serin lint` shows all faults")
        names_found = ", ".join(f"{one.document.kind} {one.document.name}" for one in subjects) or "none"
        raise Unusable(f"one ModelDeployment or RolloutPolicy is planned for; the files have {names_found}", "name one")
    resolved = subjects[0].policy
    # The generation of a file is nobody's: the API server counts anew.
    named = resolved.model_copy(update={"source": re.sub(r", generation \d+", "", resolved.source)})
    _project(named, _traffic(speed, rates), form)


def plan_of_cluster(
    cluster: Cluster, name: str, namespace: str | None, speed: float | None, rates: Sequence[str], form: Format
) -> None:
    """`plan NAME`: what the next rollout of a ModelDeployment goes by, on the rates that its last one saw."""
    raw = cluster.get(DEPLOYMENTS, namespace or cluster.namespace, name)
    seen = part(part(raw, "status"), "rollout")
    # 0 is what a rollout has seen that has counted nothing yet: that is not knowing, and nobody's option.
    measured = number(part(seen, "evidence").get("requests_per_second")) or None
    known = speed if speed is not None else measured
    _project(_resolved(cluster, raw), _traffic(known, rates, _stable_rates(raw)), form)


def lint(
    names: Sequence[str],
    *,
    scrape: str,
    speed: float | None,
    rates: Sequence[str],
    preset: str | None,
    strict: bool,
    form: Format,
) -> int:
    """`lint`: the exit code, 1 when something would be refused (with strict: when there is any warning)."""
    traffic = _traffic(speed, rates) if speed is not None else None
    setting = Setting(seconds("--scrape-interval", scrape, "15s or 1m"), traffic, preset)
    found, findings = read_manifests(names)
    own = [one for one in found if ours(one)]
    if not own and not findings:
        raise Unusable("no object of serin.dev is in these files, so nothing was checked", "name the right files")
    for result in check(own):
        match result:
            case Finding():
                findings.append(result)
            case Subject():
                findings += advise(result, setting)
                findings += job_faults(result)
    lint = Lint(len(own), tuple(findings))
    show(form, lint, lambda _wide: render_findings(lint), lines=True)
    return exit_code(lint, strict=strict)


def _project(policy: ResolvedPolicy, traffic: Traffic, form: Format) -> None:
    try:
        found = project(policy.source, plan_of(policy), traffic)
    except ValueError as error:
        raise Unusable(str(error)) from error
    show(form, found, lambda _wide: render_projection(found), lines=True)


def _resolved(cluster: Cluster, raw: Json) -> ResolvedPolicy:
    md = parse_model_deployment(raw)
    if isinstance(md, InvalidSpec):
        raise Unusable(f"the ModelDeployment cannot be read: {md}", "is this plugin as new as the operator?")
    reference = md.spec.rollout.policy_ref
    policy = None
    if reference is not None:
        try:
            found = parse_rollout_policy(cluster.get(POLICIES, md.metadata.namespace, reference.name))
        except NotThere:
            found = None
        if isinstance(found, InvalidSpec):
            raise Unusable(f"RolloutPolicy {reference.name} cannot be read: {found}")
        policy = found
    resolved = resolve_policy(md.spec.rollout, policy)
    if isinstance(resolved, InvalidSpec):
        raise Unusable(str(resolved))
    return resolved


def _stable_rates(raw: Json) -> dict[str, float]:
    """Stable's rates, as the rollout under way or the last one counted them, its history before included."""
    md = deployment_of(raw)
    ended = md.outcome.gates if md.outcome is not None else ()
    counts = {gate.name: gate.stable for gate in (md.rollout.gates if md.rollout is not None else ended)}
    rates = {name: seen.rate for name, seen in counts.items() if seen is not None and seen.rate is not None}
    for gate in parts(part(part(part(raw, "status"), "rollout"), "evidence"), "gates"):
        match gate.get("history"), gate.get("stable"):
            case [int() as before, int() as bad_before], [int() as total, int() as bad] if before + total:
                rates[str(gate.get("name"))] = (bad_before + bad) / (before + total)
    return rates


def _traffic(speed: float | None, rates: Sequence[str], measured: dict[str, float] | None = None) -> Traffic:
    if speed is None:
        raise Unusable("the traffic is not known", "give --requests-per-second, of both arms together, such as 50")
    if not speed > 0:
        raise Unusable(f"--requests-per-second must be above 0, got {speed:g}")
    by_gate, general = dict(measured or {}), RATE
    for text in rates:
        gate, is_named, value = text.rpartition("=")
        try:
            rate = FractionOrZero(value).fraction
        except ValueError as error:
            raise Unusable(f"--rate {text}: {error}", "write --rate 0.5%, or --rate slow=2% for one gate") from error
        if is_named:
            by_gate[gate] = rate
        else:
            general = rate
    return Traffic(speed, general, by_gate)
