"""A network namespace, an address and a cable to the bridge for each pod."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from tests.cluster.interior import BRIDGE
from tests.cluster.settings import NODE_ADDRESS, POD_PREFIX_LENGTH

_NAMESPACE_FILES = "/run/netns"
_FIRST, _LAST = 10, 127 * 256 - 1
_FIRST_FAKE, _LAST_FAKE = 128 * 256, 255 * 256 - 1


@dataclass(frozen=True)
class PodNetwork:
    """Where a pod is on the network."""

    ip: str
    name: str

    @property
    def namespace(self) -> str:
        """The file that stands for the namespace and keeps it alive."""
        return f"{_NAMESPACE_FILES}/{self.name}"


class Addresses:
    """Hands out addresses in a circle, so that a late request to a dead pod does not meet a new one."""

    def __init__(self, first: int, last: int) -> None:
        self._first, self._last = first, last
        self._next = first
        self._taken: set[int] = set()

    def take(self) -> str:
        """An address that no pod has."""
        for _ in range(self._last - self._first + 1):
            number, self._next = self._next, self._next + 1 if self._next < self._last else self._first
            # .0 and .255 are fine on a /16, but they look like mistakes.
            if number not in self._taken and number % 256 not in (0, 255):
                self._taken.add(number)
                return f"10.244.{number // 256}.{number % 256}"
        raise RuntimeError("every pod address is taken")

    def give_back(self, ip: str) -> None:
        """The pod is gone."""
        _, _, high, low = (int(part) for part in ip.split("."))
        self._taken.discard(high * 256 + low)


def real_addresses() -> Addresses:
    """For pods that run; the bridge itself, 10.244.0.254, is left out by the range's shape."""
    addresses = Addresses(_FIRST, _LAST)
    addresses._taken.add(254)
    return addresses


def fake_addresses() -> Addresses:
    """For pods that are only said to run; nothing answers there."""
    return Addresses(_FIRST_FAKE, _LAST_FAKE)


async def create(ip: str) -> PodNetwork:
    """Make a pod's namespace and connect it."""
    number = "".join(f"{int(part):02x}" for part in ip.split(".")[2:])
    pod = PodNetwork(ip, f"pod{number}")
    await _ip(
        f"netns add {pod.name}",
        f"link add veth{number} type veth peer name eth0 netns {pod.name}",
        f"link set veth{number} master {BRIDGE} up",
    )
    await _ip(
        "link set lo up",
        f"addr add {ip}/{POD_PREFIX_LENGTH} dev eth0",
        "link set eth0 up",
        f"route add default via {NODE_ADDRESS}",
        namespace=pod.namespace,
    )
    return pod


async def remove(pod: PodNetwork) -> None:
    """Cut the cable at once (a namespace may linger while something is open in it) and forget the namespace."""
    await _ip(f"link del veth{pod.name.removeprefix('pod')}", f"netns del {pod.name}", force=True)


async def _ip(*commands: str, namespace: str | None = None, force: bool = False) -> None:
    """Run several commands in one `ip`; process starts are most of a pod's cost.

    Not by `ip -n`, which mounts a new /sys, and that an ordinary user may not do.
    """
    process = await asyncio.create_subprocess_exec(
        *(("nsenter", f"--net={namespace}") if namespace else ()),
        *("ip", *(["-force"] if force else []), "-batch", "-"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await process.communicate("\n".join(commands).encode() + b"\n")
    if process.returncode != 0 and not force:
        raise OSError(f"ip {commands}: {errors.decode().strip()}")
