"""The operator, made to die at a chosen write.

    python -m tests.e2e.resilience.crashing ORDER WRITES run --config ... --kubeconfig ...

WRITES gets a line for every request that changes the cluster: its number, the verb, the path. ORDER is a file
that may hold `{"id": "...", "when": "before" | "after", "at": n}`: the process then ends as by kill -9 before the
n-th write is sent, or after it was answered and before anybody has looked at the answer. Counting starts anew with
each id. Leases and Events are not counted: they hold nothing that a rollout depends on.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

When = Literal["before", "after"]
CRASHED = 9


@dataclass(frozen=True, slots=True)
class Crash:
    """One order: die before or after the n-th write from now on, counted from 1."""

    id: str
    when: When
    at: int

    def __str__(self) -> str:
        """Return it as words."""
        return f"{self.when} write {self.at}"


class Saboteur:
    """Counts writes, writes them down, and carries out the order."""

    def __init__(self, order: Path, writes: Path) -> None:
        self._order, self._writes = order, writes
        self._id: str | None = None
        self._count = 0

    def before(self, method: str, path: str) -> None:
        """A write is about to be sent."""
        order = self._read()
        if order.get("id") != self._id:
            self._id, self._count = order.get("id"), 0
        self._count += 1
        with self._writes.open("a") as file:
            file.write(f"{self._count} {method} {path}\n")
        self._maybe_die("before", order)

    def after(self) -> None:
        """A write was answered."""
        self._maybe_die("after", self._read())

    def _maybe_die(self, when: When, order: dict[str, Any]) -> None:
        if order.get("when") == when and order.get("at") == self._count and order.get("id") == self._id:
            os._exit(CRASHED)

    def _read(self) -> dict[str, Any]:
        try:
            order: dict[str, Any] = json.loads(self._order.read_text())
        except (FileNotFoundError, ValueError):
            return {}
        return order


def changes_something(method: str, path: str) -> bool:
    """Say whether a request is one of the writes that are counted."""
    return method != "GET" and "/leases" not in path and "/events" not in path


def main() -> int:
    """Put the saboteur between the operator and the API server, and run the operator."""
    order, writes, *arguments = sys.argv[1:]
    # A test that is killed must not leave its operators behind.
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)

    from serin.cli.main import main as serin
    from serin.controller.kube import Kube

    saboteur = Saboteur(Path(order), Path(writes))
    request = Kube._request

    async def watched(self: Kube, method: str, path: str, **more: Any) -> Any:
        if not changes_something(method, path):
            return await request(self, method, path, **more)
        saboteur.before(method, path)
        try:
            return await request(self, method, path, **more)
        finally:
            saboteur.after()

    Kube._request = watched  # type: ignore[method-assign]
    return serin(arguments)


if __name__ == "__main__":
    sys.exit(main())
