"""Arguments that several commands share, in the words of kubectl."""

from __future__ import annotations

from typing import Annotated

import typer

from serin.cli.output import Format

Namespace = Annotated[
    str | None,
    typer.Option("--namespace", "-n", metavar="NAME", help="The namespace; default: the context's."),
]
AllNamespaces = Annotated[bool, typer.Option("--all-namespaces", "-A", help="All namespaces.")]
Context = Annotated[str | None, typer.Option("--context", metavar="NAME", help="A context of the kubeconfig.")]
Kubeconfig = Annotated[str | None, typer.Option("--kubeconfig", metavar="FILE", help="How to reach the cluster.")]
Output = Annotated[Format, typer.Option("--output", "-o", help="How to print it.")]

Filename = Annotated[
    list[str] | None,
    typer.Option("--filename", "-f", metavar="FILE", help="A manifest or a folder of them; may be repeated."),
]
Speed = Annotated[
    float | None,
    typer.Option("--requests-per-second", metavar="NUMBER", help="Of stable and candidate together."),
]
Rates = Annotated[
    list[str] | None,
    typer.Option(
        "--rate", metavar="[GATE=]PERCENT", help="Stable's share of bad requests, such as 0.5% or slow=2%; else 0.1%."
    ),
]


def complete_name(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of ModelDeployments that begin so."""
    from serin.cli.completion import names

    return names(ctx.params, incomplete)


Name = Annotated[
    str, typer.Argument(metavar="NAME", help="The ModelDeployment.", autocompletion=complete_name, show_default=False)
]
OptionalName = Annotated[
    str | None,
    typer.Argument(metavar="[NAME]", help="A ModelDeployment.", autocompletion=complete_name, show_default=False),
]
