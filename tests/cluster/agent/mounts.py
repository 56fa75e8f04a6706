"""Mounts and namespaces by system call, and the trick that makes room for a mount anywhere.

A mount needs a directory to sit on, and making one on the host's file system would leave it there (or be
refused to an ordinary user). So where one is needed, the directory above is *mirrored*: covered by an empty
tmpfs in which every entry of the covered directory is mounted again. The mirror looks the same, and new
entries in it are the cluster's own.

Standard library only, and no import from this package: `launch.py` runs without it.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

MIRROR = "serin-mirror"
"""The source that /proc/self/mountinfo shows for our tmpfs, by which it is told from the host's."""

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 32, 4096, 16384, 1 << 18
_LOCKED_FLAGS = MS_NOSUID | MS_NODEV | MS_NOEXEC  # a user namespace may not drop them in a remount
CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWNET = 0x20000, 0x4000000, 0x40000000
MNT_DETACH = 2
PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None, use_errno=True)


def _check(result: int, what: str) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")


def mount(source: str, target: str, kind: str | None, flags: int) -> None:
    """Attach a file system."""
    done = _libc.mount(os.fsencode(source), os.fsencode(target), kind and kind.encode(), ctypes.c_ulong(flags), None)
    _check(done, f"mount {source} on {target}")


def bind(source: str, target: str, *, read_only: bool = False) -> None:
    """Show a file or directory, with what is mounted below it, at a second place."""
    mount(source, target, None, MS_BIND | MS_REC)
    if read_only:
        kept = os.statvfs(target).f_flag & _LOCKED_FLAGS
        mount("none", target, None, MS_REMOUNT | MS_BIND | MS_RDONLY | kept)


def make_private() -> None:
    """Keep every later mount in this mount namespace to itself."""
    mount("none", "/", None, MS_REC | MS_PRIVATE)


def unshare(flags: int) -> None:
    """Leave namespaces for new ones."""
    _check(_libc.unshare(ctypes.c_int(flags)), "unshare")


def enter(namespace: str, kind: int) -> None:
    """Enter the namespace that a file stands for, by setns(2)."""
    descriptor = os.open(namespace, os.O_RDONLY | os.O_CLOEXEC)
    _check(_libc.setns(descriptor, ctypes.c_int(kind)), f"enter {namespace}")
    os.close(descriptor)


def set_hostname(name: str) -> None:
    """Change the host name of this UTS namespace; Python before 3.14 has no function for it."""
    raw = name.encode()[:64]
    _check(_libc.sethostname(raw, ctypes.c_size_t(len(raw))), "sethostname")


def die_with_parent(signal_number: int) -> None:
    """Have the kernel send this process a signal when its parent ends."""
    _check(_libc.prctl(PR_SET_PDEATHSIG, ctypes.c_ulong(signal_number), 0, 0, 0), "prctl")


def replace_root(scratch: str) -> None:
    """Make the root of this mount namespace a mirror of the host's root.

    The tmpfs becomes the root first and is filled from the old root afterwards: filled in place, it would
    contain itself.
    """
    mount(MIRROR, scratch, "tmpfs", 0)
    old = Path(scratch, ".host")
    old.mkdir()
    _check(_libc.pivot_root(os.fsencode(scratch), os.fsencode(old)), "pivot_root")
    os.chdir("/")
    _fill("/.host", "/", skip=frozenset({".host"}))
    Path("/").chmod(0o755)
    _check(_libc.umount2(b"/.host", MNT_DETACH), "unmount the old root")
    Path("/.host").rmdir()


def mirror(directory: str) -> None:
    """Cover a directory by a tmpfs that shows the same entries."""
    below = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        mode = Path(directory).stat().st_mode & 0o7777
        mount(MIRROR, directory, "tmpfs", 0)
        Path(directory).chmod(mode)
        _fill(f"/proc/self/fd/{below}", directory)
    finally:
        os.close(below)


def _fill(source: str, target: str, skip: frozenset[str] = frozenset()) -> None:
    for entry in os.scandir(source):
        place = Path(target, entry.name)
        if entry.name in skip:
            continue
        if entry.is_symlink():
            place.symlink_to(Path(entry.path).readlink())
            continue
        if entry.is_dir(follow_symlinks=False):
            place.mkdir()
        else:
            place.touch()
        try:
            bind(entry.path, str(place))
        except PermissionError:
            continue  # an ordinary user may not look into it outside either


def make_room(path: str, *, directory: bool, ours: list[str]) -> None:
    """Have a file or directory at `path` to mount on, without touching the host's file system.

    Args:
        path: The mount point to be.
        directory: Whether it shall be a directory.
        ours: Mount points of this container's own volumes, in which directories may simply be made.
    """
    target = Path(os.path.realpath(path))
    if target.exists():
        return
    above = next(parent for parent in target.parents if parent.exists())
    if not any(above == Path(place) or Path(place) in above.parents for place in ours) and not _is_mirror(above):
        mirror(str(above))
    (target if directory else target.parent).mkdir(parents=True, exist_ok=True)
    if not directory:
        target.touch()


def _is_mirror(path: Path) -> bool:
    device = path.stat().st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields = line.split()
        separator = fields.index("-")
        if fields[2] == wanted:
            return fields[separator + 2] == MIRROR
    return False
