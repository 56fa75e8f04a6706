"""Furnish the new namespaces: a root that the cluster may write to, a bridge for pods.

Runs once, as the first thing process 1 does.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.cluster.agent import mounts
from tests.cluster.settings import NODE_ADDRESS, POD_PREFIX_LENGTH

BRIDGE = "cni0"
_BRIDGE_MAC = "02:00:0a:f4:00:fe"
"""Fixed: a bridge takes the lowest address of its ports, so each new pod could change it under the others."""


def furnish(run_dir: Path) -> None:
    """Make the root and the network; nothing of it is visible outside."""
    mounts.make_private()
    scratch = run_dir / "root"
    scratch.mkdir()
    mounts.replace_root(str(scratch))
    # Pods mount their termination log in /dev and their token below /run; `ip netns` keeps its files there.
    for directory in ("/dev", "/run"):
        mounts.mirror(directory)
    Path("/dev/termination-log").touch()
    _silence_dns(run_dir)
    Path("/run/netns").mkdir(exist_ok=True)
    ip(
        "link set lo up",
        f"link add {BRIDGE} address {_BRIDGE_MAC} type bridge",
        f"addr add {NODE_ADDRESS}/{POD_PREFIX_LENGTH} dev {BRIDGE}",
        f"link set {BRIDGE} up",
    )


def _silence_dns(run_dir: Path) -> None:
    """Have every look-up fail at once.

    The machine's name server cannot be reached from in here, and programs that look up their own address at
    start (Python's http.server does) would hang for ten seconds. Nothing listens on 127.0.0.1:53, so they are
    refused instead.
    """
    ours = run_dir / "resolv.conf"
    ours.write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    theirs = os.path.realpath("/etc/resolv.conf")
    mounts.make_room(theirs, directory=False, ours=[])
    mounts.bind(str(ours), theirs)


def ip(*commands: str) -> None:
    """Several `ip` commands in one process."""
    done = subprocess.run(["ip", "-batch", "-"], input="\n".join(commands), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise OSError(f"ip {commands}: {done.stderr.strip()}")
