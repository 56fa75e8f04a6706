"""`kubectl serin`: the commands and their arguments. What each does is imported when it is asked for.

Those that change something are in `kubectl_acts`.

`kubectl serin --help` must come at once, so this module may import typer and nothing else that takes its time: not the
Kubernetes client, pydantic, numpy or rich.
"""

from __future__ import annotations

import gc
import sys
from typing import Annotated, Literal

import typer

from serin.cli.failure import Failure
from serin.cli.kubectl_acts import add_acts
from serin.cli.options import (
    AllNamespaces,
    Context,
    Filename,
    Kubeconfig,
    Name,
    Namespace,
    OptionalName,
    Output,
    Rates,
    Speed,
)
from serin.cli.output import CardFormat, Format, warn

Shell = Literal["bash", "zsh", "fish"]

app = typer.Typer(
    name="kubectl serin",
    help="What Serin does with your models, why, and what it will take.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """Run a command; see `serin.cli.failure` and `serin.plugin.ending` for exit codes."""
    # A thousand ModelDeployments are a million objects and none of them is garbage; looking for some takes its time.
    gc.set_threshold(100_000, 50, 50)
    try:
        app(prog_name="kubectl serin")
    except Failure as failure:
        warn(str(failure), failure.remedy)
        sys.exit(failure.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)


@app.command()
def get(
    name: OptionalName = None,
    namespace: Namespace = None,
    all_namespaces: AllNamespaces = False,
    output: Output = Format.TABLE,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """List ModelDeployments, a line each."""
    from serin.cli.cluster import Cluster
    from serin.cli.reports import get

    get(Cluster.connect(kubeconfig, context), name, namespace, all_namespaces, output)


@app.command()
def status(
    name: OptionalName = None,
    namespace: Namespace = None,
    all_namespaces: AllNamespaces = False,
    output: Output = Format.TABLE,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Show where a rollout stands: revisions, stages, gates, what it waits for. Without NAME: all, worst first."""
    from serin.cli.cluster import Cluster
    from serin.cli.reports import status

    status(Cluster.connect(kubeconfig, context), name, namespace, all_namespaces, output)


@app.command()
def watch(
    name: Name,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Show the status and keep it up to date; into a pipe, a line for each change. Ctrl-C ends it."""
    from serin.cli.cluster import Cluster
    from serin.cli.following import watch

    watch(Cluster.connect(kubeconfig, context), name, namespace)


@app.command()
def wait(
    name: Name,
    timeout: Annotated[
        str, typer.Option("--timeout", metavar="DURATION", help="How long at most, such as 90s, 30m or 4h.")
    ] = "4h",
    version: Annotated[
        str | None,
        typer.Option("--version", metavar="VERSION", help="Insist that the spec asks for this model version."),
    ] = None,
    output: Output = Format.TABLE,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Wait until the rollout ends. Exit code: 0 promoted, 3 rolled back, 4 stalled, 5 superseded, 124 timed out."""
    from serin.cli.cluster import Cluster
    from serin.cli.following import wait

    sys.exit(wait(Cluster.connect(kubeconfig, context), name, namespace, timeout, version, output))


@app.command()
def history(
    name: Name,
    revision: Annotated[
        str | None,
        typer.Argument(metavar="[REVISION]", help="Its decisions: a name, its end, a version, stable or candidate."),
    ] = None,
    output: Output = Format.TABLE,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """List the revisions and what became of each; with REVISION, every decision about it."""
    from serin.cli.cluster import Cluster
    from serin.cli.reports import history

    history(Cluster.connect(kubeconfig, context), name, revision, namespace, output)


@app.command()
def diff(
    name: Name,
    before: Annotated[str, typer.Argument(metavar="[FROM]", help="A revision or version.")] = "stable",
    after: Annotated[
        str | None,
        typer.Argument(metavar="[TO]", help="A revision or version; default: the candidate or the last one."),
    ] = None,
    output: Output = Format.TABLE,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Show what two revisions differ in."""
    from serin.cli.cluster import Cluster
    from serin.cli.reports import diff

    diff(Cluster.connect(kubeconfig, context), name, before, after, namespace, output)


@app.command()
def explain(
    name: Name,
    revision: Annotated[
        str | None, typer.Argument(metavar="[REVISION]", help="A revision or version; default: the last rollout's.")
    ] = None,
    output: Output = Format.TABLE,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Say why a revision failed, or stands where it stands, in words and with the numbers."""
    from serin.cli.cluster import Cluster
    from serin.cli.reports import explain

    explain(Cluster.connect(kubeconfig, context), name, revision, namespace, output)


@app.command()
def report(
    name: Name,
    revision: Annotated[
        str | None, typer.Argument(metavar="[REVISION]", help="A revision or version; default: the last rollout's.")
    ] = None,
    file: Annotated[
        str | None, typer.Option("--file", metavar="FILE", help="Where to write it; default: standard output.")
    ] = None,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Make an HTML page of a revision's rollout, with plots of the evidence; it loads nothing."""
    from serin.cli.cluster import Cluster
    from serin.cli.reports import report

    report(Cluster.connect(kubeconfig, context), name, revision, namespace, file)


@app.command()
def card(
    name: Name,
    revision: Annotated[
        str | None, typer.Argument(metavar="[REVISION]", help="A revision or version; default: the last rollout's.")
    ] = None,
    output: Annotated[CardFormat, typer.Option("--output", "-o", help="How to print it.")] = CardFormat.MARKDOWN,
    file: Annotated[
        str | None, typer.Option("--file", metavar="FILE", help="Where to write it; default: standard output.")
    ] = None,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Make a revision's model card, in the order of Annex IV of the EU's AI Act; what is not known is not stated."""
    from serin.cli.cluster import Cluster
    from serin.cli.reports import card

    card(Cluster.connect(kubeconfig, context), name, revision, namespace, output, file)


@app.command()
def plan(
    name: OptionalName = None,
    filename: Filename = None,
    requests_per_second: Speed = None,
    rate: Rates = None,
    output: Output = Format.TABLE,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    """Say how long a policy takes on some traffic, and how soon it finds a bad version. Default: the built-in one."""
    from serin.cli.forecasting import plan_built_in, plan_of_cluster, plan_of_files

    if filename:
        plan_of_files(filename, name, requests_per_second, rate or [], output)
    elif name is None:
        plan_built_in(requests_per_second, rate or [], output)
    else:
        from serin.cli.cluster import Cluster

        cluster = Cluster.connect(kubeconfig, context)
        plan_of_cluster(cluster, name, namespace, requests_per_second, rate or [], output)


@app.command()
def lint(
    files: Annotated[
        list[str] | None, typer.Argument(metavar="[FILE]...", help="Files or folders; - for standard input.")
    ] = None,
    filename: Filename = None,
    requests_per_second: Speed = None,
    rate: Rates = None,
    scrape_interval: Annotated[
        str, typer.Option("--scrape-interval", metavar="DURATION", help="Between two scrapes of the metrics.")
    ] = "15s",
    preset: Annotated[
        str | None, typer.Option("--preset", metavar="NAME", help="What preset auto stands for in the operator.")
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Fail on warnings too.")] = False,
    output: Output = Format.TABLE,
) -> None:
    """Check manifests offline by the API's rules, and say what they will not do. Exit code 1: would be refused."""
    from serin.cli.forecasting import lint

    sys.exit(
        lint(
            [*(files or []), *(filename or [])],
            scrape=scrape_interval,
            speed=requests_per_second,
            rates=rate or [],
            preset=preset,
            strict=strict,
            form=output,
        )
    )


add_acts(app)


@app.command()
def completion(shell: Annotated[Shell, typer.Argument(help="Whose script.")]) -> None:
    """Print a shell's completion script for `kubectl-serin`; `kubectl serin` needs none, kubectl asks by itself."""
    from serin.cli.completion import SCRIPTS

    print(SCRIPTS[shell], end="")


if __name__ == "__main__":
    main()
