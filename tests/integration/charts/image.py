"""The image without a builder: the Dockerfile's own commands, run in a folder that stands for its root.

What a builder does beside them is little: it copies the files that are named, and keeps what the last stage copies.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from tests.unit.charts.objects import ROOT

ENVIRONMENT = Path("opt/serin")


def build(root: Path) -> Path:
    """Run the first stage below `root`; what the last stage keeps of it is returned."""
    source = root / "src"
    source.mkdir()
    # The base image has a Python of its own, which the tools that make the wheel are installed into.
    base = root / "base"
    subprocess.run([sys.executable, "-m", "venv", base], check=True, timeout=120)
    for word, rest in _stages()[0]:
        match word:
            case "COPY":
                *paths, target = shlex.split(rest)
                for path in paths:
                    _copy(ROOT / path, source / target, into=target.endswith("/") or len(paths) > 1)
            case "RUN":
                _run(rest.replace("/opt/serin", f"{root}/opt/serin").replace("/dist", f"{root}/dist"), source, base)
            case _:
                pass  # FROM, WORKDIR and ENV say what is done here
    return root / ENVIRONMENT


def variables() -> dict[str, str]:
    """What the last stage sets; a PATH would only be needed to find the entry point."""
    assigned = [word for instruction, rest in _stages()[1] if instruction == "ENV" for word in shlex.split(rest)]
    found = dict(word.split("=", 1) for word in assigned)
    del found["PATH"]
    return found


def _stages() -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    lines = (ROOT / "Dockerfile").read_text().replace("\\\n", " ").splitlines()
    words = [(word, rest) for word, _, rest in (line.partition(" ") for line in lines) if word.isupper()]
    starts = [at for at, (word, _) in enumerate(words) if word == "FROM"]
    return words[starts[0] + 1 : starts[1]], words[starts[1] + 1 :]


def _copy(path: Path, target: Path, *, into: bool) -> None:
    if path.is_dir():
        shutil.copytree(path, target, ignore=shutil.ignore_patterns("__pycache__"))
        return
    if into:
        target.mkdir(parents=True, exist_ok=True)
        target /= path.name
    shutil.copy(path, target)


def _run(command: str, cwd: Path, base: Path) -> None:
    # Neither this process's environment nor anything that it says about Python.
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "VIRTUAL_ENV"))}
    environment = kept | {"PATH": f"{base}/bin:{os.environ['PATH']}", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    done = subprocess.run(
        ["sh", "-ec", command], cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"


def start(environment: Path, *arguments: str | Path, log: Path) -> subprocess.Popen[bytes]:
    """Its entry point as a pod runs it: the image's user, which has no name, on a root file system that is read only.

    Nothing is passed on of the caller's environment. The one folder to write to stands for the pod's volume at /tmp.
    """
    scratch = log.with_name("scratch")
    scratch.mkdir()
    words = shlex.join(str(word) for word in (environment / "bin" / "serin", "run", *arguments))
    assigned = shlex.join(f"{key}={value}" for key, value in {**variables(), "TMPDIR": scratch}.items())
    script = (
        f"mount -t tmpfs tmpfs {shlex.quote(str(scratch))} && mount -o remount,bind,ro / && "
        f"exec unshare --user --map-user=65532 --map-group=65532 -- env -i -C / {assigned} {words}"
    )
    with log.open("wb") as output:
        return subprocess.Popen(
            ["unshare", "--user", "--map-root-user", "--mount", "--", "sh", "-c", script], stdout=output, stderr=output
        )
