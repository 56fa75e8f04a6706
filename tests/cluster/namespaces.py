"""The namespaces a cluster lives in, seen from outside: how to make them and how to enter them.

    launcher (pytest, or `python -m tests.cluster up`)
    └── unshare --net --mount --pid [--user]
        └── supervisor: process 1 of the pid namespace
            ├── etcd, kube-apiserver, ... and the node agent with every pod
            └── whatever `Cluster.popen` and `shell` brought in

Everything that belongs to the cluster is in one pid namespace. When its process 1 dies, however it dies,
the kernel kills the rest and the other namespaces go with the last process in them: there is nothing to
clean up, so nothing can be forgotten.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.cluster.errors import Unsupported

_PACKAGES = {"unshare": "util-linux", "nsenter": "util-linux", "ip": "iproute2"}
_CHILD_WAIT_SECONDS = 10.0


@dataclass(frozen=True)
class Isolation:
    """How this machine lets us make namespaces: as root, or as an ordinary user inside a user namespace."""

    user_namespace: bool

    def unshare(self) -> list[str]:
        """The command prefix that starts process 1 of a new cluster.

        `--kill-child` also ends the cluster when somebody kills the unshare process itself.
        """
        user = ["--user", "--map-root-user"] if self.user_namespace else []
        return ["unshare", *user, "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--"]

    def enter(self, supervisor_pid: int, cwd: Path) -> list[str]:
        """The command prefix that runs something inside a cluster.

        Entering a mount namespace leaves the working directory at its root, hence `env -C`.
        """
        user = ["--user", "--preserve-credentials"] if self.user_namespace else []
        return [
            *("nsenter", "--target", str(supervisor_pid), *user, "--net", "--mount", "--pid", "--"),
            *("env", "-C", str(cwd)),
        ]


@cache
def detect() -> Isolation:
    """Find out how namespaces can be made here.

    Raises:
        Unsupported: They cannot, with the reason and what to do about it.
    """
    if not sys.platform.startswith("linux"):
        raise Unsupported("the local cluster needs Linux namespaces; on other systems use kind, see docs")
    # Debian keeps `ip` in /usr/sbin, which is not on every user's PATH.
    os.environ["PATH"] = os.pathsep.join(dict.fromkeys([*os.environ["PATH"].split(os.pathsep), "/usr/sbin", "/sbin"]))
    for program, package in _PACKAGES.items():
        if shutil.which(program) is None:
            raise Unsupported(f"the local cluster needs '{program}': apt-get install {package}")
    refusals = []
    for isolation in (Isolation(user_namespace=False), Isolation(user_namespace=True)):
        if not isolation.user_namespace and os.geteuid() != 0:
            continue
        done = subprocess.run([*isolation.unshare(), "true"], capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return isolation
        refusals.append(done.stderr.strip())
    raise Unsupported(_advice(refusals))


def _advice(refusals: list[str]) -> str:
    said = "; ".join(refusals)
    hints = []
    if _sysctl("kernel/apparmor_restrict_unprivileged_userns") == "1":
        hints.append("AppArmor restricts them: sysctl kernel.apparmor_restrict_unprivileged_userns=0")
    if _sysctl("kernel/unprivileged_userns_clone") == "0":
        hints.append("they are off for ordinary users: sysctl kernel.unprivileged_userns_clone=1")
    if _sysctl("user/max_user_namespaces") == "0":
        hints.append("their number is limited to 0: sysctl user.max_user_namespaces=10000")
    if Path("/.dockerenv").exists():
        hints.append("in Docker, run the container with --privileged")
    hint = " or ".join(hints) or "run as root, or on a kernel that allows user namespaces"
    return f"the kernel refuses to make namespaces ({said}); {hint}; or use kind, see docs"


def _sysctl(name: str) -> str | None:
    try:
        return Path("/proc/sys", name).read_text().strip()
    except OSError:
        return None


def only_child(process: subprocess.Popen[str] | subprocess.Popen[bytes]) -> int | None:
    """The pid, as seen from here, of the process that `unshare` or `nsenter` forked.

    Both fork, because a process never changes its own pid namespace, and then only wait; signals meant for
    the program have to go to that child.

    Returns:
        None when the parent has ended, so that there is no child to speak of.
    """
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    deadline = time.monotonic() + _CHILD_WAIT_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            return None
        try:
            pids = children.read_text().split()
        except OSError:
            return None
        if pids:
            return int(pids[0])
        time.sleep(0.002)
    raise Unsupported(f"{process.args!r} started nothing within {_CHILD_WAIT_SECONDS:.0f} s")
