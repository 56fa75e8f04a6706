"""Completion: `kubectl_complete-serin` answers kubectl, and the shells for who calls `kubectl-serin` itself.

kubectl runs a program of that name from the PATH for what stands behind `kubectl serin`, and expects one candidate a
line and `:4` at the end (no file names). Whatever goes wrong, it says nothing: a half-written command is no place for
an error.
"""

from __future__ import annotations

import contextlib
import io
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from serin.cli.failure import Failure

NO_FILES = ":4"
_PROGRAM = "kubectl-serin"
_VARIABLE = "_KUBECTL_SERIN_COMPLETE"

SCRIPTS = {
    "bash": """\
_kubectl_serin() {
    local IFS=$'\\n'
    COMPREPLY=($(kubectl_complete-serin "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null | grep -v '^:'))
}
complete -F _kubectl_serin kubectl-serin
""",
    "zsh": """\
#compdef kubectl-serin
_kubectl_serin() {
    compadd -- ${(f)"$(kubectl_complete-serin "${(@)words[2,CURRENT]}" 2>/dev/null | grep -v '^:')"}
}
compdef _kubectl_serin kubectl-serin
""",
    "fish": """\
function _kubectl_serin
    kubectl_complete-serin (commandline -opc)[2..] (commandline -ct) 2>/dev/null | string match -v ':*'
end
complete -c kubectl-serin -f -a '(_kubectl_serin)'
""",
}
"""For the shells themselves; under kubectl nothing is needed but kubectl's own completion."""


def main() -> None:
    """`kubectl_complete-serin WORD ...`, the last one unfinished."""
    for candidate in candidates(sys.argv[1:] or [""]):
        print(candidate)
    print(NO_FILES)


def candidates(words: Sequence[str]) -> list[str]:
    """What the last word may become."""
    import typer

    from serin.cli.kubectl import app

    # Only an app that offers to install completion can complete; ours has a command for that instead.
    able = typer.Typer(add_completion=True, rich_markup_mode=None)
    able.registered_commands = app.registered_commands
    line = shlex.join([_PROGRAM, *words])
    os.environ |= {_VARIABLE: "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(words))}
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit, Failure):
        able(prog_name=_PROGRAM)
    return [line for line in said.getvalue().splitlines() if line and not line.endswith("-completion")]


def names(parameters: Mapping[str, Any], incomplete: str) -> list[str]:
    """Names of ModelDeployments that begin so; none when the cluster cannot be asked."""
    try:
        from serin.cli.cluster import DEPLOYMENTS, Cluster

        cluster = Cluster.connect(parameters.get("kubeconfig"), parameters.get("context"))
        found = cluster.objects(DEPLOYMENTS, parameters.get("namespace") or cluster.namespace)
    except Failure:
        return []
    every = (str(raw["metadata"]["name"]) for raw in found)
    return sorted(name for name in every if name.startswith(incomplete))
