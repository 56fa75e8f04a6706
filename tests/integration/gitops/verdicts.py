"""What kstatus and Argo CD's Lua say of objects: their own Go code in a small program, built once into the cache."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.cluster import gobuild, tools
from tests.cluster.pins import GoTool
from tests.unit.gitops.lua import HEALTH, Health

MODULE = Path(gobuild.__file__).parent / "gomod" / "gitops"
KSTATUS = "0.37.2"


class Verdicts(NamedTuple):
    """What each of the two says."""

    kstatus: Health
    argo: Health


def verdicts(objects: Sequence[Mapping[str, Any]]) -> list[Verdicts]:
    """Ask about all of them in one go."""
    lines = "".join(f"{json.dumps(one)}\n" for one in objects)
    done = subprocess.run([_program(), HEALTH], input=lines, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return [
        Verdicts(*(Health(found[tool]["status"], found[tool]["message"]) for tool in ("kstatus", "argo")))
        for found in map(json.loads, done.stdout.splitlines())
    ]


def _program() -> Path:
    """Another source is another program: its hash is part of the folder's name."""
    source = b"".join((MODULE / name).read_bytes() for name in ("main.go", "go.mod"))
    version = f"{KSTATUS}-{hashlib.sha256(source).hexdigest()[:12]}"
    tool = GoTool("gitops", "gitops", "serin.dev/cluster/gitops", version)
    built = tools.cache_dir() / f"gitops-{version}" / tool.name
    if built.is_file():
        return built
    return gobuild.build([tool], tools.cache_dir(), go=tools.ensure(["go"])["go"])[tool.name]
