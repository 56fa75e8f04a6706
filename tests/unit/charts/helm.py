"""Helm itself: one that fits is used, else it is built once into the cache of the local cluster's programs.

No wheel carries the program, so it comes from its Go module, which `tests/cluster/gomod/helm` pins with hashes.
What it renders is compared byte for byte, so another minor version does not fit.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path

from tests.cluster import gobuild, tools
from tests.cluster.pins import KUBERNETES, GoTool
from tests.unit.charts.objects import CHART

VERSION = "4.1.4"
TOOL = GoTool(
    "helm",
    "helm",
    "helm.sh/helm/v4/cmd/helm",
    VERSION,
    f"-X helm.sh/helm/v4/internal/version.version=v{VERSION}",
)
NAMESPACE = "serin-system"
VALUES = Path(__file__).parent / "values"
SETS = sorted(VALUES.glob("*.yaml"))


@cache
def program() -> Path:
    """Where Helm is, after it was built if it had to be."""
    built = tools.cache_dir() / f"{TOOL.module}-{VERSION}" / TOOL.name
    if built.is_file():
        return built
    installed = shutil.which(TOOL.name)
    if installed and _fits(Path(installed)):
        return Path(installed)
    return gobuild.build([TOOL], tools.cache_dir(), go=tools.ensure(["go"])["go"])[TOOL.name]


def helm(*arguments: str | Path, kubeconfig: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run it, with nothing of the caller's own configuration and no cluster but the given one."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("HELM_", "KUBE"))}
    return subprocess.run(
        [program(), *arguments],
        env=environment | {"KUBECONFIG": str(kubeconfig or os.devnull)},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def template(*arguments: str | Path, release: str = "serin") -> subprocess.CompletedProcess[str]:
    """What an installation under this name would apply."""
    return helm(
        *("template", release, CHART, "--namespace", NAMESPACE, "--kube-version", KUBERNETES),
        *arguments,
    )


@cache
def rendered(*arguments: str | Path, release: str = "serin") -> str:
    """The same, of values that must do."""
    done = template(*arguments, release=release)
    assert done.returncode == 0, done.stderr
    return done.stdout


def values(name: str) -> Path:
    """One of the value sets that stand for how people install."""
    return VALUES / f"{name}.yaml"


def refused(*arguments: str | Path) -> str:
    """What Helm says to values that must not do."""
    done = template(*arguments)
    assert done.returncode != 0, "these values should have been refused"
    return done.stderr


def _fits(found: Path) -> bool:
    done = subprocess.run([found, "version", "--short"], capture_output=True, text=True, check=False, timeout=20)
    version = tools.parse_version(done.stdout)
    return version is not None and ".".join(map(str, version[:2])) == VERSION.rpartition(".")[0]


if __name__ == "__main__":
    print(program())
