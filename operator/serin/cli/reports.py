"""The commands that read and print: observe, make the view, show it. The time is taken once for each."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, assert_never

from serin.cli.cluster import DEPLOYMENTS, Cluster, Json
from serin.cli.failure import NotThere, Unusable
from serin.cli.output import CardFormat, Format, show
from serin.plugin.objects import Deployment
from serin.plugin.reading import deployment_of, revision_of

if TYPE_CHECKING:
    from serin.plugin.history import Entry


def get(cluster: Cluster, name: str | None, namespace: str | None, everywhere: bool, form: Format) -> None:
    """`get`."""
    from serin.plugin.listing import line_of, listing

    lines = [line_of(md) for md in _read(cluster, name, namespace, everywhere)]
    if not lines and form in {Format.TABLE, Format.WIDE}:
        _say_none(cluster, namespace, everywhere)
        return
    now = datetime.now(UTC)
    value = lines[0] if name is not None else lines
    show(form, value, lambda wide: listing(lines, now, namespaces=everywhere, wide=wide), lines=True)


def status(cluster: Cluster, name: str | None, namespace: str | None, everywhere: bool, form: Format) -> None:
    """`status`."""
    from serin.plugin.overview import overview, render_overview
    from serin.plugin.status import render_status, seen

    mds = _read(cluster, name, namespace, everywhere)
    now = datetime.now(UTC)
    if name is not None:
        (md,) = mds
        one = seen(md, [revision_of(raw) for raw in cluster.revisions(md.namespace, md.name)])
        show(form, one, lambda wide: render_status(one, now, wide=wide))
    elif not mds and form in {Format.TABLE, Format.WIDE}:
        _say_none(cluster, namespace, everywhere)
    else:
        every = overview(mds)
        show(form, every, lambda wide: render_overview(every, namespaces=everywhere, wide=wide), lines=True)


def history(cluster: Cluster, name: str, revision: str | None, namespace: str | None, form: Format) -> None:
    """`history`."""
    from serin.plugin.history import record_of, render_history, render_record

    md, entries, _ = _with_revisions(cluster, name, namespace)
    now = datetime.now(UTC)
    if revision is None:
        show(form, entries, lambda _wide: render_history(entries, now))
        return
    record = record_of(md, _find(entries, revision))
    show(form, record, lambda wide: render_record(record, now, wide=wide))


def diff(cluster: Cluster, name: str, before: str, after: str | None, namespace: str | None, form: Format) -> None:
    """`diff`."""
    from serin.plugin.differences import differences, render_differences

    md, entries, raws = _with_revisions(cluster, name, namespace)
    chosen = [_find(entries, before), _find(entries, after if after is not None else _newest(md))]
    found = differences(*(raws[one.revision.name] for one in chosen))
    show(form, found, lambda _wide: render_differences(found))


def explain(cluster: Cluster, name: str, revision: str | None, namespace: str | None, form: Format) -> None:
    """`explain`."""
    from serin.plugin.explain import explain, render_explanation

    md, entries, _ = _with_revisions(cluster, name, namespace)
    if revision is None and md.created is None:
        revision = _latest(md, entries)  # it is gone, and only what it left can be explained
    why = explain(md, _find(entries, revision) if revision is not None else None, datetime.now(UTC))
    show(form, why, lambda _wide: render_explanation(why))


def report(cluster: Cluster, name: str, revision: str | None, namespace: str | None, file: str | None) -> None:
    """`report`."""
    from serin.plugin.explain import explain
    from serin.plugin.history import record_of
    from serin.plugin.report import report

    md, entries, _ = _with_revisions(cluster, name, namespace)
    entry = _asked_for(md, entries, revision)
    now = datetime.now(UTC)
    _hand_over(report(md, record_of(md, entry), explain(md, entry, now), now), entry, file)


def card(
    cluster: Cluster, name: str, revision: str | None, namespace: str | None, form: CardFormat, file: str | None
) -> None:
    """`card`."""
    from serin.plugin.card import card
    from serin.plugin.card_pages import markdown, page
    from serin.plugin.history import record_of
    from serin.plugin.plain import as_json

    md, entries, raws = _with_revisions(cluster, name, namespace)
    entry = _asked_for(md, entries, revision)
    made = card(md, record_of(md, entry), raws[entry.revision.name])
    match form:
        case CardFormat.MARKDOWN:
            text = markdown(made)
        case CardFormat.HTML:
            text = page(made)
        case CardFormat.JSON:
            text = f"{as_json(made)}\n"
        case _:
            assert_never(form)
    _hand_over(text, entry, file)


def _hand_over(page: str, entry: Entry, file: str | None) -> None:
    """Print a page, or write it into a file and say so.

    Raises:
        Unusable: the file cannot be written.
    """
    if file is None:
        print(page, end="")
        return
    try:
        Path(file).write_text(page, encoding="utf-8")
    except OSError as error:
        raise Unusable(f"{file} cannot be written: {error}") from error
    print(f"{file}: {entry.revision.name}")


def _asked_for(md: Deployment, entries: tuple[Entry, ...], revision: str | None) -> Entry:
    """The revision that was named, else that of the last rollout.

    Raises:
        NotThere: there is no revision yet, or none of that name.
    """
    if not entries:
        raise NotThere(f"{md.key} has no revision yet", "wait until its first one is made")
    return _find(entries, revision if revision is not None else _latest(md, entries))


def _latest(md: Deployment, entries: tuple[Entry, ...]) -> str:
    """The revision on trial, else the one of the last rollout, else the newest."""
    found = (md.candidate or md.outcome or md.stable) if md.rollout is not None else (md.outcome or md.stable)
    names = {entry.revision.name for entry in entries}
    return found.revision if found is not None and found.revision in names else entries[0].revision.name


def _read(cluster: Cluster, name: str | None, namespace: str | None, everywhere: bool) -> list[Deployment]:
    if name is not None and everywhere:
        raise Unusable("a name is one of a namespace", "leave out --all-namespaces, or the name")
    if name is not None:
        return [deployment_of(cluster.get(DEPLOYMENTS, namespace or cluster.namespace, name))]
    found = cluster.objects(DEPLOYMENTS, None if everywhere else namespace or cluster.namespace)
    return [deployment_of(raw, details=False) for raw in found]


def _with_revisions(
    cluster: Cluster, name: str, namespace: str | None
) -> tuple[Deployment, tuple[Entry, ...], dict[str, Json]]:
    from serin.cli.output import note
    from serin.plugin.history import history as history_of
    from serin.plugin.reading import departed

    try:
        md = deployment_of(cluster.get(DEPLOYMENTS, namespace or cluster.namespace, name))
        raws = cluster.revisions(md.namespace, md.name)
    except NotThere:
        md = departed(namespace or cluster.namespace, name)
        raws = cluster.revisions(md.namespace, md.name)
        if not raws:
            raise
        note(f"ModelDeployment {md.key} is gone; this is what it left (spec.retain)")
    by_name = {str(raw["metadata"]["name"]): raw for raw in raws}
    return md, history_of(md, [revision_of(raw) for raw in raws]), by_name


def _find(entries: tuple[Entry, ...], word: str) -> Entry:
    from serin.plugin.history import NoSuchRevision, find_revision

    try:
        return find_revision(entries, word)
    except NoSuchRevision as error:
        raise NotThere(str(error), "`kubectl serin history NAME` lists them with what became of each") from error


def _newest(md: Deployment) -> str:
    """What stable is compared with when nobody says: the revision on trial, else the last that was."""
    if md.candidate is not None:
        return md.candidate.revision
    if md.outcome is not None and (md.stable is None or md.outcome.revision != md.stable.revision):
        return md.outcome.revision
    raise Unusable("no revision is on trial and none failed since stable was promoted", "name two revisions to compare")


def _say_none(cluster: Cluster, namespace: str | None, everywhere: bool) -> None:
    from serin.cli.output import note

    where = "" if everywhere else f" in namespace {namespace or cluster.namespace}"
    note(f"there is no ModelDeployment{where}" + ("" if everywhere else "; -A looks in all namespaces"))
