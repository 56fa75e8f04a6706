"""The commands of `kubectl serin` that change something, and their arguments; as light to import as `kubectl`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from serin.cli.options import Context, Kubeconfig, Name, Namespace, Output
from serin.cli.output import Format

if TYPE_CHECKING:
    from serin.api.rollout_action import ActionKind

Why = Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Why, for the record.")]
About = Annotated[
    str | None,
    typer.Option(
        "--revision",
        metavar="REVISION",
        help="Insist on it: a name, its end, a version, stable or candidate; default: what the status says.",
    ),
]
Stage = Annotated[
    str | None, typer.Option("--stage", metavar="NAME", help="Insist on the stage; default: the one that waits.")
]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until the operator has answered.")]
Patience = Annotated[
    str, typer.Option("--timeout", metavar="DURATION", help="How long to wait at most, such as 90s, 30m or 4h.")
]


def add_acts(app: typer.Typer) -> None:
    """Add them to the others."""
    for command in (approve, abort, promote, retry, rollback, pause, resume):
        app.command()(command)


def approve(
    name: Name,
    reason: Why = None,
    revision: About = None,
    stage: Stage = None,
    wait: Wait = True,
    timeout: Patience = "1m",
    output: Output = Format.TABLE,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Approve the stage that waits for people. Exit code of all acts: 0 done, 3 refused, 5 over, 124 no answer."""
    _act("Approve", name, reason, revision, wait, timeout, output, namespace, context, kubeconfig, stage)


def abort(
    name: Name,
    reason: Why = None,
    revision: About = None,
    wait: Wait = True,
    timeout: Patience = "1m",
    output: Output = Format.TABLE,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Take the candidate back, without a verdict about it: it may be asked for again."""
    _act("Abort", name, reason, revision, wait, timeout, output, namespace, context, kubeconfig)


def promote(
    name: Name,
    reason: Why = None,
    revision: About = None,
    wait: Wait = True,
    timeout: Patience = "1m",
    output: Output = Format.TABLE,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Skip the stages, approvals and windows that are left; never past a failed gate."""
    _act("Promote", name, reason, revision, wait, timeout, output, namespace, context, kubeconfig)


def retry(
    name: Name,
    reason: Why = None,
    revision: About = None,
    wait: Wait = True,
    timeout: Patience = "1m",
    output: Output = Format.TABLE,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Give the revision that the spec asks for another attempt, with new evidence."""
    _act("Retry", name, reason, revision, wait, timeout, output, namespace, context, kubeconfig)


def rollback(
    name: Name,
    reason: Why = None,
    revision: About = None,
    wait: Wait = True,
    timeout: Patience = "1m",
    output: Output = Format.TABLE,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Take the candidate back and remember it as rejected; without one, go back behind the stable revision."""
    _act("Rollback", name, reason, revision, wait, timeout, output, namespace, context, kubeconfig)


def pause(name: Name, namespace: Namespace = None, context: Context = None, kubeconfig: Kubeconfig = None) -> None:
    """Keep the rollout where it is (spec.rollout.paused). It can still roll back."""
    from serin.cli.cluster import Cluster
    from serin.cli.pausing import set_paused

    set_paused(Cluster.connect(kubeconfig, context), name, namespace, paused=True)


def resume(name: Name, namespace: Namespace = None, context: Context = None, kubeconfig: Kubeconfig = None) -> None:
    """Let a paused rollout go on."""
    from serin.cli.cluster import Cluster
    from serin.cli.pausing import set_paused

    set_paused(Cluster.connect(kubeconfig, context), name, namespace, paused=False)


def _act(
    action: ActionKind,
    name: str,
    reason: str | None,
    revision: str | None,
    wait: bool,
    timeout: str,
    output: Format,
    namespace: str | None,
    context: str | None,
    kubeconfig: str | None,
    stage: str | None = None,
) -> None:
    from serin.cli.acts import act
    from serin.cli.cluster import Cluster

    sys.exit(
        act(
            Cluster.connect(kubeconfig, context),
            action,
            name,
            namespace,
            revision=revision,
            stage=stage,
            reason=reason,
            wait=wait,
            timeout=timeout,
            form=output,
        )
    )
