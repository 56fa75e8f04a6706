"""A process inside the cluster, handled from outside like `subprocess.Popen`."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from types import TracebackType
from typing import IO, Self

from tests.cluster.namespaces import only_child


class Process:
    """A running command. Signals reach the command itself, not the `nsenter` that brought it in."""

    def __init__(self, enterer: subprocess.Popen[bytes]) -> None:
        self._enterer = enterer
        self._pid = only_child(enterer)

    @property
    def pid(self) -> int:
        """The command's pid, as this side of the namespaces sees it."""
        return self._pid or self._enterer.pid

    @property
    def stdin(self) -> IO[bytes] | None:
        """The command's standard input, when it was asked for as a pipe."""
        return self._enterer.stdin

    @property
    def stdout(self) -> IO[bytes] | None:
        """The command's standard output, when it was asked for as a pipe."""
        return self._enterer.stdout

    @property
    def stderr(self) -> IO[bytes] | None:
        """The command's standard error, when it was asked for as a pipe."""
        return self._enterer.stderr

    @property
    def returncode(self) -> int | None:
        """The exit code if it is known to have ended; negative: the signal that ended it."""
        return self._enterer.returncode

    def poll(self) -> int | None:
        """The exit code, or None while it runs."""
        return self._enterer.poll()

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end; raises subprocess.TimeoutExpired."""
        return self._enterer.wait(timeout)

    def communicate(self, data: bytes | None = None, timeout: float | None = None) -> tuple[bytes, bytes]:
        """Send input, read output to the end; as in `subprocess`."""
        return self._enterer.communicate(data, timeout)

    def send_signal(self, number: int) -> None:
        """Send a signal to the command; nothing happens when it has ended."""
        if self._pid is not None and self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, number)

    def terminate(self) -> None:
        """SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL: no clean-up of any kind in the command."""
        self.send_signal(signal.SIGKILL)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        self.wait()
