"""Somebody who reads the pages and types what stands there, in a folder that looks like a checkout.

    reader.types("docs/quickstart.md", "kubectl serin explain iris")     what it printed
    with reader.watching("README.md", "kubectl get md --watch") as said: ...
    reader.untyped()                                                     what was left out

A command is found by its page and its beginning. What a page can only give an example of (`iris-3-4d9gr`, `<name>`) is
replaced by what is there, by `names`.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.cluster import Cluster
from tests.unit.charts.helm import program
from tests.unit.docs.pages import PAGES, ROOT, blocks, name

ELSEWHERE = ("docs/install.md",)
"""Typed by tests/integration/charts/test_page.py, on a cluster that nobody installed anything on."""
_ENDLESS = re.compile(r"--watch\b|\bserin watch\b")
_SECONDS_MAX = 120.0


class Reader:
    """Types commands.

    Args:
        cluster: Where kubectl leads.
        folder: Where commands are typed; made when it is not there.
    """

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self.folder = folder / "checkout"
        self.names: dict[str, str] = {}
        self._typed: set[str] = set()
        programs = {"kubectl": Path(cluster.state.kubectl), "helm": program()}
        programs["kubectl-serin"] = Path(sys.executable).with_name("kubectl-serin")
        _links(folder / "bin", programs)
        _links(self.folder, {one: ROOT / one for one in ("charts", "manifests")})
        self._environment = {key: value for key, value in os.environ.items() if not key.startswith(("HELM_", "KUBE"))}
        self._environment |= {
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT / "operator"),
            "KUBECONFIG": str(cluster.kubeconfig),
        }

    def types(self, page: str, begins: str, *, code: int = 0, kubeconfig: Path | None = None) -> str:
        """Type a command to its end and return what it printed; one that has no end, until it has shown the object.

        Args:
            page: Where it stands.
            begins: Its beginning; on the page there is one command that begins like this.
            code: The exit code that it has to end with.
            kubeconfig: Somebody else's.
        """
        command = self._find(page, begins)
        if _ENDLESS.search(command):
            with self._started(command) as said:
                return until(said, lambda: len(said().splitlines()) > ("kubectl get" in command))
        environment = self._environment | ({"KUBECONFIG": str(kubeconfig)} if kubeconfig else {})
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS_MAX,
        )
        assert done.returncode == code, f"{page}: {command}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    @contextlib.contextmanager
    def watching(self, page: str, begins: str) -> Iterator[Callable[[], str]]:
        """Type a command that does not end; what it has printed so far."""
        with self._started(self._find(page, begins)) as said:
            until(said, lambda: said() != "")
            yield said

    def types_the_rest_of(self, folder: str) -> None:
        """Type what nobody has typed yet of the pages below a folder."""
        for page, command in self.untyped():
            if page.startswith(folder) and command not in self._typed:
                self.types(page, command)

    def untyped(self) -> list[tuple[str, str]]:
        """Every command that was not typed, as (page, command), but for those whose page says why nobody can."""
        return sorted({one for one in _commands() if one[1] not in self._typed})

    @contextlib.contextmanager
    def _started(self, command: str) -> Iterator[Callable[[], str]]:
        said = self.folder / "said"
        with said.open("wb") as out:
            started = subprocess.Popen(
                ["bash", "-c", f"exec {command}"], cwd=self.folder, env=self._environment, stdout=out, stderr=out
            )
        try:
            yield said.read_text
            assert started.poll() is None, f"{command} has ended: {said.read_text()}"
        finally:
            started.send_signal(signal.SIGINT)
            started.wait(10)

    def _find(self, page: str, begins: str) -> str:
        found = {command for where, command in _commands() if where == page and command.startswith(begins)}
        exact = {command for command in found if command == begins}
        assert len(exact or found) == 1, f"{page} has {len(found)} commands that begin with {begins!r}"
        (command,) = exact or found
        self._typed.add(command)
        return self.put(command)

    def put(self, text: str) -> str:
        """A text of a page, with what is there in the place of its examples."""
        for example, real in self.names.items():
            text = text.replace(example, real)
        return text


def until(said: Callable[[], str], holds: Callable[[], bool]) -> str:
    """Wait for what a command is to print, and return all of it."""
    deadline = time.monotonic() + _SECONDS_MAX
    while not holds():
        assert time.monotonic() < deadline, f"not within {_SECONDS_MAX:.0f} s; so far:\n{said()}"
        time.sleep(0.2)
    return said()


def _links(folder: Path, targets: dict[str, Path]) -> None:
    folder.mkdir()
    for called, target in targets.items():
        (folder / called).symlink_to(target)


def _commands() -> list[tuple[str, str]]:
    pages = [page for page in PAGES if name(page) not in ELSEWHERE]
    return [
        (name(page), command)
        for page in pages
        for block in blocks(page)
        if not block.not_run
        for command in block.commands
    ]
