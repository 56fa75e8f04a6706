"""The image cannot be built everywhere; what can be checked of the Dockerfile without building is checked."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from importlib.metadata import requires
from pathlib import Path

from packaging.requirements import Requirement

from serin.cli.main import _parser
from tests.unit.charts.objects import ROOT, installed

DOCKERFILE = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
IGNORED = (ROOT / ".dockerignore").read_text().splitlines()


def _instructions(name: str) -> list[str]:
    return [rest for word, _, rest in (line.partition(" ") for line in DOCKERFILE.splitlines()) if word == name]


def _copied() -> list[str]:
    """What is copied from the repository, not from another stage."""
    lines = [shlex.split(line) for line in _instructions("COPY")]
    return [path for words in lines if not words[0].startswith("--from") for path in words[:-1]]


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
HADOLINT = Path(sys.executable).parent / "hadolint"


def _hadolint(text: str) -> subprocess.CompletedProcess[str]:
    command = [HADOLINT, "--no-color", "--failure-threshold=style", "-"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=60)


def test_hadolint_has_nothing_to_say() -> None:
    """Its mildest remark counts; one that there is reason for is made."""
    text = (ROOT / "Dockerfile").read_text()
    assert _hadolint(text).stdout == ""
    assert "DL3042" in _hadolint(text.replace(" PIP_NO_CACHE_DIR=1", "")).stdout


def test_the_image_is_made_in_two_stages() -> None:
    """Of the first one only the environment is kept: no compiler, no source, no pip, no list of hashes."""
    assert _instructions("FROM") == ["python:${PYTHON}-slim AS build", "python:${PYTHON}-slim"]
    last = DOCKERFILE.rpartition("\nFROM ")[2].splitlines()
    assert [line for line in last if line.startswith(("COPY", "ADD", "RUN"))] == [
        "COPY --from=build /opt/serin /opt/serin"
    ]
    assert "pip uninstall --yes --quiet pip setuptools" in DOCKERFILE


def test_the_base_has_a_python_that_the_package_takes() -> None:
    """The oldest one, which the locked requirements are resolved for."""
    version = dict(line.split("=") for line in _instructions("ARG"))["PYTHON"]
    assert PROJECT["requires-python"] == f">={version}"


def test_the_labels_are_those_of_the_package() -> None:
    """Registries show them."""
    labels = dict(word.split("=", 1) for word in shlex.split(_instructions("LABEL")[0]))
    assert labels["org.opencontainers.image.title"] == PROJECT["name"]
    assert labels["org.opencontainers.image.description"] == PROJECT["description"]
    assert labels["org.opencontainers.image.licenses"] == PROJECT["license"]


def test_what_is_copied_is_there() -> None:
    """And .dockerignore lets it pass."""
    assert IGNORED[1] == "*"
    let_pass = [line.removeprefix("!") for line in IGNORED if line.startswith("!")]
    for path in _copied():
        assert (ROOT / path).exists(), path
        assert any(fnmatch(path, f"{one}*") for one in let_pass), path


def test_the_wheel_needs_nothing_that_is_not_copied() -> None:
    """Files that pyproject.toml names must be there when the wheel is made."""
    needed = {PROJECT["readme"], *PROJECT["license-files"], "pyproject.toml", "operator"}
    assert needed <= set(_copied())


def test_the_entry_point_is_a_command_of_the_package() -> None:
    """`serin run`, with the arguments that the Deployment gives."""
    assert _instructions("ENTRYPOINT") == ['["serin", "run"]']
    assert PROJECT["scripts"]["serin"] == "serin.cli.main:main"
    arguments = installed()["Deployment", "serin"]["spec"]["template"]["spec"]["containers"][0]["args"]
    assert str(_parser().parse_args(["run", *arguments]).config) == "/etc/serin/config.yaml"


def test_everything_is_installed_by_its_hash() -> None:
    """Every install from outside checks hashes; the wheel is our own."""
    installs = [part for part in re.split(r"&&|\n", DOCKERFILE) if "pip install" in part]
    assert installs
    for command in installs:
        assert "--require-hashes" in command or "--no-index" in command, command


def test_the_image_of_jobs_has_what_their_programs_need_and_what_was_tried() -> None:
    """All of the extras, in the versions that the tests ran with."""
    assert dict(line.split("=") for line in _instructions("ARG"))["REQUIREMENTS"] == "requirements/run.txt"

    def locked(name: str) -> dict[str, str]:
        lines = (ROOT / "requirements" / name).read_text().splitlines()
        return dict(re.findall(r"^([a-z0-9-]+)(?:\[[a-z,]+\])?==(\S+)", line)[0] for line in lines if "==" in line[:80])

    jobs, dev = locked("jobs.txt"), locked("dev.txt")
    extras = PROJECT["optional-dependencies"]
    wanted = {Requirement(line).name for extra in ("evaluate", "artifacts") for line in extras[extra]}
    assert wanted <= jobs.keys()
    assert {name: version for name, version in jobs.items() if dev.get(name) != version} == {}


def test_the_tools_that_make_the_wheel_are_all_named() -> None:
    """With --require-hashes a missing one stops the build: hatchling's own dependencies change from time to time."""
    found = re.search(r"\^\(([a-z|-]+)\)==", DOCKERFILE)
    assert found is not None
    named = set(found[1].split("|"))
    needed = [Requirement(line) for line in requires("hatchling") or ()]
    wanted = {one.name for one in needed if one.marker is None or one.marker.evaluate({"python_version": "3.11"})}
    assert named == wanted | {"hatchling"}
    locked = (ROOT / "requirements" / "dev.txt").read_text()
    assert [name for name in sorted(named) if not re.search(rf"^{name}==", locked, re.MULTILINE)] == []


def test_nobody_is_root() -> None:
    """By number, because Kubernetes cannot check a name."""
    assert _instructions("USER") == ["65532:65532"]
