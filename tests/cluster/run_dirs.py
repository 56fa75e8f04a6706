"""Where a cluster keeps its files, and who may throw them away.

    <temp>/serin-cluster-<uid>/<name>.lock     held while the cluster lives
    <temp>/serin-cluster-<uid>/<name>/         kubeconfigs, logs, data; gone after `down`

The lock is a file lock that the launcher passes on to `unshare`, so the kernel holds it until the last
process of the cluster is dead, and releases it after kill -9 as well. A folder without a held lock is
therefore rubbish, whatever happened, and the next `up` of any name sweeps it.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tempfile
import time
from pathlib import Path

from tests.cluster.errors import ClusterError, NameTaken
from tests.cluster.settings import CONTROL_SOCKET

_SOCKET_PATH_LENGTH_MAX = 107  # sockaddr_un


def base_dir() -> Path:
    """The folder of all clusters of this user."""
    return Path(tempfile.gettempdir()) / f"serin-cluster-{os.getuid()}"


def run_dir_of(name: str) -> Path:
    """The folder of one cluster."""
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?", name):
        raise ClusterError(f"cluster name {name!r} is not a short DNS label (a-z, 0-9, '-')")
    path = base_dir() / name
    if len(str(path / CONTROL_SOCKET)) > _SOCKET_PATH_LENGTH_MAX:
        raise ClusterError(f"{path} is too long a path for a socket; set TMPDIR to a shorter folder")
    return path


def claim(name: str) -> tuple[Path, int]:
    """Take a name: sweep what dead clusters left, return a fresh run dir and the descriptor of its lock.

    Raises:
        NameTaken: A cluster of this name is running.
    """
    run_dir = run_dir_of(name)
    base_dir().mkdir(mode=0o700, exist_ok=True)
    if base_dir().stat().st_uid != os.getuid():
        raise ClusterError(f"{base_dir()} belongs to somebody else")
    sweep()
    lock = _try_lock(run_dir, seconds_max=2.0)  # a killed cluster needs a moment to die
    if lock is None:
        raise NameTaken(f"a cluster named {name!r} is running; see 'python -m tests.cluster status'")
    shutil.rmtree(run_dir, ignore_errors=True)
    run_dir.mkdir(mode=0o755)
    return run_dir, lock


def sweep() -> list[str]:
    """Remove the folders of dead clusters; return their names."""
    swept = []
    for run_dir in base_dir().iterdir():
        if not run_dir.is_dir():
            continue
        lock = _try_lock(run_dir)
        if lock is not None:
            shutil.rmtree(run_dir, ignore_errors=True)
            os.close(lock)
            swept.append(run_dir.name)
    return swept


def is_alive(name: str) -> bool:
    """Whether any process of a cluster of this name is left."""
    run_dir = run_dir_of(name)
    if not _lock_file(run_dir).exists():
        return False
    lock = _try_lock(run_dir)
    if lock is None:
        return True
    os.close(lock)
    return False


def names() -> list[str]:
    """The clusters that are alive."""
    if not base_dir().is_dir():
        return []
    return sorted(path.name for path in base_dir().iterdir() if path.is_dir() and is_alive(path.name))


def _lock_file(run_dir: Path) -> Path:
    return run_dir.with_name(run_dir.name + ".lock")


def _try_lock(run_dir: Path, seconds_max: float = 0) -> int | None:
    deadline = time.monotonic() + seconds_max
    descriptor = os.open(_lock_file(run_dir), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            if time.monotonic() >= deadline:
                os.close(descriptor)
                return None
            time.sleep(0.02)
        else:
            return descriptor
