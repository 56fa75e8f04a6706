"""Become a container: the stand-in for runc.

    python -I -S .../launch.py <instructions.json>

Enters the pod's network namespace, makes a mount namespace and a host name of its own, mounts, and then
becomes the container's command, so that its pid is the container's. Runs for every start of a container and
therefore imports next to nothing.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.cluster.agent import mounts
else:
    # The package's own __init__ would load half of the cluster.
    sys.path.insert(0, str(Path(__file__).parent))
    import mounts

COULD_NOT_START = 128
"""The exit code runc's callers report for a command that could not be started."""


def main() -> None:
    """Follow the instructions, or say in log and termination message why not."""
    instructions = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    try:
        _prepare(instructions)
        os.execvpe(instructions["command"][0], instructions["command"], instructions["env"])
    except OSError as error:
        message = f"could not start {instructions['command'][0]!r}: {error}"
        print(message, file=sys.stderr)
        Path(instructions["message_file"]).write_text(message, encoding="utf-8")
        os._exit(COULD_NOT_START)


def _prepare(instructions: dict[str, Any]) -> None:
    mounts.die_with_parent(signal.SIGKILL)
    mounts.enter(instructions["network"], mounts.CLONE_NEWNET)
    mounts.unshare(mounts.CLONE_NEWNS | mounts.CLONE_NEWUTS)
    mounts.make_private()
    mounts.set_hostname(instructions["hostname"])
    done: list[str] = []
    # Shorter paths first: /data before /data/cache, which may lie in it.
    for volume in sorted(instructions["mounts"], key=lambda volume: len(volume["target"])):
        target = os.path.realpath(volume["target"])
        mounts.make_room(target, directory=Path(volume["source"]).is_dir(), ours=done)
        mounts.bind(volume["source"], target, read_only=volume["read_only"])
        done.append(target)
    os.environ["PATH"] = instructions["env"].get("PATH", os.defpath)
    os.chdir(instructions["cwd"])


main()
