"""Which of the programs already on a machine are used."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cluster import gobuild, pins, tools


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("Kubernetes v1.35.0\n", (1, 35, 0)),
        ("Client Version: v1.36.4\nKustomize Version: v5.8.1\n", (1, 36, 4)),
        ("etcd Version: 3.6.14\nGit SHA: Not provided\nGo Version: go1.26.8\n", (3, 6, 14)),
        ("prometheus, version 2.42.0+ds (branch: debian/sid)", (2, 42, 0)),
        ("go version go1.26.8 linux/amd64", (1, 26, 8)),
        ("go version go1.26 linux/amd64", (1, 26)),
        ("Client Version: v1.32.4-dispatcher", (1, 32, 4)),
        ("no version at all", None),
    ],
)
def test_versions_are_read(text: str, want: tuple[int, ...] | None) -> None:
    """The version is found in what each program prints."""
    assert tools.parse_version(text) == want


@pytest.mark.parametrize(
    ("name", "version", "want"),
    [
        ("kube-apiserver", (1, 35, 7), True),
        ("kube-apiserver", (1, 34, 9), False),
        ("kube-scheduler", (1, 36, 0), False),
        ("kubectl", (1, 33, 0), False),
        ("kubectl", (1, 34, 0), True),
        ("kubectl", (1, 36, 4), True),
        ("kubectl", (1, 37, 0), False),
        ("etcd", (3, 5, 1), False),
        ("etcd", (3, 6, 0), True),
        ("etcd", (3, 7, 3), True),
        ("prometheus", (2, 42, 0), False),
        ("prometheus", (3, 4, 0), False),
        ("prometheus", (3, 5, 2), True),
        ("traefik", (3, 6, 1), False),
        ("traefik", (3, 7, 15), True),
        ("go", (1, 24, 11), False),
        ("go", (1, 25), True),
        ("etcd", None, False),
    ],
)
def test_fitting_versions(name: str, version: tuple[int, ...] | None, want: bool) -> None:
    """Kubernetes programs match by minor version, kubectl within one, the others from a version on."""
    assert tools.fits(name, version) == want


def program(folder: Path, name: str, says: str) -> Path:
    """A program that prints its version."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine on which nothing is installed: all places are below the returned folder."""
    monkeypatch.setattr("sys.executable", str(tmp_path / "venv" / "python"))
    monkeypatch.setenv("SERIN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path / "assets"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'path'}:/usr/bin:/bin")
    return tmp_path


def test_a_fitting_program_in_the_assets_is_used(places: Path) -> None:
    """Envtest's API server does, when it is of the pinned minor version."""
    there = program(places / "assets", "kube-apiserver", "Kubernetes v1.35.4")
    assert tools.find("kube-apiserver") == there


def test_an_old_program_is_passed_over(places: Path) -> None:
    """The first place with a fitting version wins, not the first place."""
    program(places / "assets", "etcd", "etcd Version: 3.5.1")
    there = program(places / "path", "etcd", "etcd Version: 3.6.2")
    assert tools.find("etcd") == there


def test_the_environments_own_program_comes_first(places: Path) -> None:
    """A wheel's copy beside Python is the project's own pin."""
    program(places / "path", "kubectl", "Client Version: v1.35.0")
    there = program(places / "venv", "kubectl", "Client Version: v1.36.4")
    assert tools.find("kubectl") == there


def test_a_built_program_is_trusted_by_its_folder(places: Path) -> None:
    """What lies in the cache under its version is not asked for it."""
    there = program(places / "cache" / f"etcd-{pins.ETCD}", "etcd", "would take long")
    assert tools.find("etcd") == there


def test_pins_and_go_modules_agree() -> None:
    """The version in a cache path is the one that `go build` builds."""
    folder = Path(gobuild.__file__).parent / "gomod"
    for tool in pins.GO_TOOLS.values():
        text = (folder / tool.module / "go.mod").read_text()
        assert tool.package in text
    kubernetes = (folder / "kubernetes" / "go.mod").read_text()
    assert f"k8s.io/kubernetes v{pins.KUBERNETES}" in kubernetes
    staged = set(re.findall(r"=> k8s\.io/\S+ (\S+)", kubernetes))
    assert staged == {f"v0.{pins.KUBERNETES.partition('.')[2]}"}
    assert f"go.etcd.io/etcd/server/v3 v{pins.ETCD}" in (folder / "etcd" / "go.mod").read_text()
    # Prometheus 3.5.0 is v0.305.0 as a Go module.
    major, minor, patch = pins.PROMETHEUS.split(".")
    assert f"v0.{major}{int(minor):02}.{patch}" in (folder / "prometheus" / "go.mod").read_text()
