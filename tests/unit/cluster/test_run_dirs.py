"""Who may throw a cluster's files away."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.cluster import run_dirs
from tests.cluster.errors import ClusterError, NameTaken


@pytest.fixture(autouse=True)
def base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temp folder of our own."""
    folder = tmp_path / "base"
    monkeypatch.setattr(run_dirs, "base_dir", lambda: folder)
    monkeypatch.setattr(run_dirs, "_SOCKET_PATH_LENGTH_MAX", 4096)
    return folder


def test_a_name_is_taken_while_its_lock_is_held() -> None:
    """A second cluster of one name is refused, and possible again once the first is gone."""
    run_dir, lock = run_dirs.claim("one")
    assert run_dir.is_dir()
    with pytest.raises(NameTaken):
        run_dirs.claim("one")
    assert run_dirs.names() == ["one"]
    os.close(lock)
    _, lock = run_dirs.claim("one")
    os.close(lock)


def test_what_the_dead_left_is_swept() -> None:
    """A folder whose lock nobody holds goes with the next start of any cluster; a living one stays."""
    dead, lock = run_dirs.claim("dead")
    (dead / "file").touch()
    os.close(lock)
    alive, lock_alive = run_dirs.claim("alive")
    assert not dead.exists()
    assert run_dirs.sweep() == []
    assert alive.exists()
    os.close(lock_alive)


@pytest.mark.parametrize("name", ["", "UPPER", "a/b", "..", "-a", "a" * 41])
def test_names_are_labels(name: str) -> None:
    """A name becomes a folder and part of a context's name."""
    with pytest.raises(ClusterError, match="short DNS label"):
        run_dirs.run_dir_of(name)


def test_long_temp_folders_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A unix socket's path has a limit, better told before the start than after."""
    monkeypatch.setattr(run_dirs, "_SOCKET_PATH_LENGTH_MAX", 20)
    with pytest.raises(ClusterError, match="set TMPDIR"):
        run_dirs.run_dir_of("one")
