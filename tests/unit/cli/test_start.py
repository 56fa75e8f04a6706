"""What has to come at once: --help, completion, a thousand ModelDeployments."""

from __future__ import annotations

import copy
import subprocess
import sys
import time
from pathlib import Path

import pytest

from serin.cli import completion
from serin.cli.kubectl import app
from tests.unit.cli.api_server import ApiServer
from tests.unit.cli.stories import STORIES

HEAVY = ("kubernetes", "pydantic", "numpy", "rich", "yaml", "asyncio", "aiohttp", "kopf")


def loaded_by(*words: str) -> set[str]:
    """The packages that `kubectl serin WORDS` imports."""
    program = (
        "import sys; sys.argv = ['kubectl-serin', *sys.argv[1:]]\n"
        "from serin.cli.kubectl import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print('LOADED', *sorted(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program, *words], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split()[1:])


@pytest.mark.parametrize("words", [["--help"], []], ids=["--help", "nothing"])
def test_help_loads_nothing_heavy(words: list[str]) -> None:
    """A budget of 300 ms, kept by what is not imported; a clock would measure the machine."""
    loaded = loaded_by(*words)
    assert "typer" in loaded
    assert loaded.isdisjoint(HEAVY)


@pytest.mark.parametrize("words", [["status", "--help"], ["completion", "bash"]], ids=" ".join)
def test_help_of_a_command_loads_only_what_typer_reads_its_options_with(words: list[str]) -> None:
    """That is pydantic, for whatever is one of several words."""
    assert loaded_by(*words) & set(HEAVY) <= {"pydantic"}


def test_reading_loads_neither_the_resources_models_nor_numpy(api: ApiServer, tmp_path: Path) -> None:
    """Objects of a cluster are read as they are; pydantic is there for typer's options."""
    api.add("modeldeployments", STORIES["promoted"]().md)
    loaded = loaded_by("status", "--kubeconfig", api.kubeconfig(tmp_path))
    assert "kubernetes" in loaded
    assert loaded.isdisjoint({"numpy", "kopf", "serin.api.resource"})


def test_an_act_loads_neither_the_resources_models_nor_numpy(api: ApiServer, tmp_path: Path) -> None:
    """Nor anything that draws: what it prints is lines."""
    api.add("modeldeployments", STORIES["awaiting_approval"]().md)
    loaded = loaded_by("approve", "iris", "--no-wait", "--kubeconfig", api.kubeconfig(tmp_path))
    assert "serin.plugin.acts" in loaded
    assert [asked.method for asked in api.asked] == ["GET", "POST", "POST"]
    assert loaded.isdisjoint({"numpy", "kopf", "rich"})


def test_a_thousand_deployments_are_no_slower_than_reading_their_json_a_few_times(
    api: ApiServer, tmp_path: Path
) -> None:
    """Under a second on an idle machine; here in processor time of this process, and generously."""
    from serin.cli.cluster import DEPLOYMENTS, Cluster
    from serin.plugin.overview import overview, render_overview
    from serin.plugin.reading import deployment_of

    story = STORIES["in_a_canary_stage"]()
    for number in range(1000):
        metadata = story.md["metadata"] | {"name": f"iris-{number:04}"}
        api.add("modeldeployments", story.md | {"metadata": metadata})
    raws = Cluster.connect(api.kubeconfig(tmp_path)).objects(DEPLOYMENTS, None)
    began = time.process_time()
    shown = render_overview(overview([deployment_of(raw, details=False) for raw in raws]))
    assert time.process_time() - began < 1.0
    assert shown.plain.startswith("1000 ModelDeployments: 1000 rolling out")


@pytest.mark.parametrize(
    ("words", "want"),
    [
        (["st"], ["status"]),
        (["completion", ""], ["bash", "zsh", "fish"]),
        (["wait", "--ti"], ["--timeout"]),
        (["wait", "--out"], ["--output"]),
    ],
)
def test_completion_knows_commands_options_and_choices(words: list[str], want: list[str]) -> None:
    assert completion.candidates(words) == want


def test_completion_knows_every_command() -> None:
    commands = {command.callback.__name__ for command in app.registered_commands if command.callback is not None}
    assert set(completion.candidates([""])) == commands


def test_names_come_from_the_cluster(api: ApiServer, tmp_path: Path) -> None:
    for name in ("iris", "irony", "churn"):
        md = copy.deepcopy(STORIES["promoted"]().md)
        md["metadata"]["name"] = name
        api.add("modeldeployments", md)
    path = api.kubeconfig(tmp_path)
    assert completion.candidates(["status", "--kubeconfig", path, "ir"]) == ["iris", "irony"]


def test_completion_says_nothing_where_there_is_no_cluster(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("sys.argv", ["kubectl_complete-serin", "status", "--kubeconfig", str(tmp_path / "no"), ""])
    completion.main()
    assert capsys.readouterr() == (":4\n", "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_scripts_ask_the_program_that_kubectl_asks(shell: str) -> None:
    assert "kubectl_complete-serin" in completion.SCRIPTS[shell]


def test_the_script_for_bash_completes(tmp_path: Path) -> None:
    """In a shell of its own, with a program that answers as ours."""
    program = tmp_path / "kubectl_complete-serin"
    program.write_text('#!/bin/sh\nprintf "%s\\n" "asked for [$*]" ":4"\n')
    program.chmod(0o755)
    script = (
        f"PATH={tmp_path}:$PATH\n{completion.SCRIPTS['bash']}\n"
        'COMP_WORDS=(kubectl-serin status ir) COMP_CWORD=2\n_kubectl_serin\nprintf "%s|" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(["bash", "--norc", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "asked for [status ir]|"
