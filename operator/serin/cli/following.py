"""The commands that stay: `watch` shows every change, `wait` ends with the rollout."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

from serin.cli.cluster import DEPLOYMENTS, Cluster, Json
from serin.cli.durations import seconds
from serin.cli.failure import NotThere, Unreachable, Unusable
from serin.cli.output import Format, console, note, show
from serin.plugin.ending import Ending, Superseded, TimedOut, content, describe, ending, exit_code
from serin.plugin.objects import Deployment
from serin.plugin.reading import deployment_of, revision_of
from serin.plugin.standing import standing, words_of

AGAIN_SECONDS = 2.0


def watch(cluster: Cluster, name: str, namespace: str | None) -> None:
    """`watch`: on a terminal the status itself, into a pipe a line for each change."""
    space = namespace or cluster.namespace
    if console().is_terminal:
        _live(cluster, space, name)
        return
    shown = ""
    for raw in _changes(cluster, space, name):
        if raw is None:
            print(f"{space}/{name} is gone", flush=True)
            return
        line = _line(deployment_of(raw))
        if line != shown:
            print(f"{datetime.now(UTC):%H:%M:%SZ}  {line}", flush=True)
        shown = line


def wait(cluster: Cluster, name: str, namespace: str | None, timeout: str, version: str | None, form: Format) -> int:
    """`wait`: the exit code of the rollout's end."""
    until = time.monotonic() + seconds("--timeout", timeout)
    space = namespace or cluster.namespace
    raw = cluster.get(DEPLOYMENTS, space, name)
    md = deployment_of(raw)
    if version is not None and md.version != version:
        raise Unusable(f"{md.key} asks for version {md.version}, not {version}", "apply the version first, then wait")
    end = _await(cluster, raw, until)
    show(
        form,
        {"end": type(end).__name__, "exitCode": exit_code(end), **_fields(end)},
        lambda _wide: describe(end, md.key),
    )
    return exit_code(end)


def _await(cluster: Cluster, first: Json, until: float) -> Ending:
    """Look every two seconds: a stream would have to be cut at the deadline, and a rollout takes minutes."""
    wanted, md, raw = content(first), deployment_of(first), first
    stalled_since: float | None = None
    while True:
        now = time.monotonic()
        if content(raw) != wanted:
            return Superseded(f"the spec asks for something else by now: version {md.version}")
        stalled_since = None if not md.holds("Stalled") else stalled_since if stalled_since is not None else now
        end = ending(md, now - stalled_since if stalled_since is not None else 0.0)
        if end is not None:
            return end
        if now >= until:
            reason, words = words_of(md)
            return TimedOut(f"{reason}: {words}" if reason else words)
        time.sleep(min(AGAIN_SECONDS, max(until - now, 0.05)))
        try:
            raw = cluster.get(DEPLOYMENTS, md.namespace, md.name)
        except NotThere:
            return Superseded(f"{md.key} is gone")
        except Unreachable as failure:
            note(f"{failure}; trying again")
            continue
        md = deployment_of(raw)


def _fields(end: Ending) -> dict[str, str]:
    reason = getattr(end, "reason", None)
    return {"message": end.message, **({"reason": reason} if reason is not None else {})}


def _changes(cluster: Cluster, namespace: str, name: str) -> Iterator[Json | None]:
    """The object now and after each change, for as long as there is one; connections come and go."""
    begun = False
    while True:
        try:
            for raw in cluster.follow(namespace, name):
                begun = True
                yield raw
                if raw is None:
                    return
        except Unreachable as failure:
            if not begun:
                raise
            note(f"{failure}; trying again")
            time.sleep(AGAIN_SECONDS)
        except NotThere:
            if not begun:
                raise
            yield None
            return


def _live(cluster: Cluster, namespace: str, name: str) -> None:
    import threading

    from rich.console import RenderableType
    from rich.live import Live
    from rich.text import Text

    from serin.plugin.status import Seen, render_status, seen

    shown: list[Seen] = []
    lock = threading.Lock()

    def picture() -> RenderableType:
        """Drawn twice a second, so that times go on between two changes."""
        with lock:
            return render_status(shown[-1], datetime.now(UTC)) if shown else Text("")

    with Live(get_renderable=picture, console=console(), refresh_per_second=2, vertical_overflow="visible"):
        for raw in _changes(cluster, namespace, name):
            if raw is None:
                break
            md = deployment_of(raw)
            one = seen(md, [revision_of(found) for found in cluster.revisions(namespace, name)])
            with lock:
                shown[:] = [one]
    note(f"{namespace}/{name} is gone")


def _line(md: Deployment) -> str:
    """What a change is about; numbers that only grow are none."""
    reason, words = words_of(md)
    rollout = md.rollout
    if rollout is None or not md.observed:
        return f"{md.phase}  {reason}: {words}" if reason else f"{standing(md)}  {words}"
    return f"{md.phase}  stage {rollout.stage}, {rollout.weight} %, {rollout.verdict}  {rollout.reason}"
