"""Build Go programs into the cache, once for all processes that want them at the same time.

A build from nothing takes minutes, so it says that it is still at it, holds a file lock (two pytest runs
may start together) and moves each finished program into place by rename: a killed build leaves nothing
that looks finished.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.cluster.errors import ToolMissing
from tests.cluster.pins import GoTool

_GO_MODULES = Path(__file__).parent / "gomod"
_SECONDS_BETWEEN_PROGRESS = 30


def say(text: str) -> None:
    """One line of progress; stdout belongs to the command's own answer."""
    print(f"cluster: {text}", file=sys.stderr, flush=True)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a file lock; the kernel gives it back even after kill -9."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def build(tools: Sequence[GoTool], cache: Path, *, go: Path) -> dict[str, Path]:
    """Build those of the programs that nobody has built meanwhile; one `go build` for each module."""
    built: dict[str, Path] = {}
    for module in dict.fromkeys(tool.module for tool in tools):
        wanted = [tool for tool in tools if tool.module == module]
        folder = cache / f"{module}-{wanted[0].version}"
        with locked(folder.with_name(folder.name + ".lock")):
            missing = [tool for tool in wanted if not (folder / tool.name).is_file()]
            if missing:
                _build_module(missing, folder, go)
        built |= {tool.name: folder / tool.name for tool in wanted}
    return built


def copy_from_module(module: str, inside: str, target: Path, *, go: Path) -> None:
    """Copy a folder of a Go module into the cache."""
    with locked(target.with_name(target.name + ".lock")):
        if target.is_dir():
            return
        say(f"fetching {module}")
        done = subprocess.run(
            [go, "mod", "download", "-json", module],
            cwd=tempfile.gettempdir(),
            env=_environment(go),
            stdout=subprocess.PIPE,
            text=True,
            check=False,
        )
        answer = json.loads(done.stdout or "{}")
        if "Dir" not in answer:
            raise ToolMissing(f"Go module {module} could not be fetched: {answer.get('Error', 'no answer')}")
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            copy = Path(scratch) / target.name
            shutil.copytree(Path(answer["Dir"]) / inside, copy, copy_function=shutil.copyfile)
            copy.chmod(0o755)  # the module cache is read-only, and so would be its copy
            copy.rename(target)


def _build_module(tools: Sequence[GoTool], folder: Path, go: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    names = ", ".join(tool.name for tool in tools)
    say(f"building {names} {tools[0].version} with {go}; from nothing this takes minutes, and only once")
    started = time.monotonic()
    with _scratch(folder) as scratch:
        process = subprocess.Popen(
            [
                *(go, "build", "-mod=readonly", "-buildvcs=false", "-trimpath"),
                *("-ldflags", f"-s -w {tools[0].stamp}".strip()),
                *("-o", f"{scratch}/"),
                *(tool.package for tool in tools),
            ],
            cwd=_GO_MODULES / tools[0].module,
            env=_environment(go),
        )
        while True:
            try:
                code = process.wait(_SECONDS_BETWEEN_PROGRESS)
                break
            except subprocess.TimeoutExpired:
                say(f"still building {names} ({time.monotonic() - started:.0f} s)")
            except BaseException:
                process.kill()
                raise
        if code != 0:
            raise ToolMissing(f"'go build' of {names} failed with exit code {code}; its own words are above")
        for tool in tools:
            (scratch / _program_name(tool)).replace(folder / tool.name)
    say(f"built {names} in {time.monotonic() - started:.0f} s")


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    """A folder beside the final one; a fixed name under the lock, so that a killed build's rubbish goes too."""
    scratch = folder.with_name(folder.name + ".part")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _program_name(tool: GoTool) -> str:
    """What `go build` calls a program: the last part of the package that is not a major version."""
    parts = tool.package.split("/")
    return parts[-2] if parts[-1].startswith("v") and parts[-1][1:].isdigit() else parts[-1]


def _environment(go: Path) -> dict[str, str]:
    """The caller's environment, less what would change which code is built or how."""
    environment = {key: value for key, value in os.environ.items() if key not in {"GOFLAGS", "GOWORK"}}
    return environment | {
        "CGO_ENABLED": "0",
        "GOWORK": "off",
        "GOFLAGS": "",
        "PATH": f"{go.parent}:{os.environ['PATH']}",
    }
