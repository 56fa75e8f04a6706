"""`python -m tests.unit.artifacts.kills FOLDER URI DIGEST`: a fetch through a cache, killed before each thing it does.

The child asks Python's audit hooks before each change of a file; at the nth it kills itself as the kernel would. Prints
a line of JSON for each n: what the kill left, and what the next call made of it.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from serin.artifacts import Cache, Digest, Fetched, fetch

_CHANGES = {"open", "os.chmod", "os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.truncate", "os.utime"}


def main(root: Path, uri: str, digest: Digest) -> None:
    """Kill at the first change, the second, and so on, until a call comes through."""
    number, died = 0, True
    while died:
        number += 1
        work = root / "work"
        shutil.rmtree(work, ignore_errors=True)
        status = _in_a_child(lambda work=work, number=number: _fetch(root, work, uri, digest, number))  # type: ignore[misc]
        died = os.WIFSIGNALED(status)
        left: dict[str, object] = {
            "died": died,
            "finished": (work / "into" / ".serin-artifact.json").exists(),
            "placed": _digest(work / "into" / "model.bin"),
            "kept": _digest(work / "cache" / "entries" / digest.hex / "files" / "model.bin"),
        }
        again = _in_a_child(lambda work=work: _fetch(root, work, uri, digest, 0))  # type: ignore[misc]
        cache = work / "cache"
        left |= {
            "again": os.waitstatus_to_exitcode(again),
            "placed again": _digest(work / "into" / "model.bin"),
            "kept again": _digest(cache / "entries" / digest.hex / "files" / "model.bin"),
            "files": sorted(path.name for path in (work / "into").iterdir()),
            "partial": [path.name for path in (cache / "partial").iterdir()],
        }
        print(json.dumps(left), flush=True)


def _fetch(root: Path, work: Path, uri: str, digest: Digest, kill_at: int) -> Fetched:
    seen = 0

    def kill(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal seen
        if event in _CHANGES and str(arguments[0]).startswith(str(work)):
            seen += 1
            if seen == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(kill)
    return fetch(uri, digest, work / "into", cache=Cache(work / "cache", 1 << 30), claims=root / "claims")


def _in_a_child(act: Callable[[], Fetched]) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            act()
        except BaseException as error:  # noqa: BLE001  whatever it is, the child must not go on as its parent
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    return os.waitpid(pid, 0)[1]


def _digest(path: Path) -> str | None:
    return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}" if path.is_file() else None


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], Digest(sys.argv[3]))
