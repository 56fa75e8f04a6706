"""The commands against an API server over loopback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from serin.cli import acts, following, kubectl
from tests.unit.cli.api_server import ApiServer, serving
from tests.unit.cli.stories import STORIES, Story

Run = Callable[..., int]


@pytest.fixture
def api() -> Iterator[ApiServer]:
    """An API server with nothing in it."""
    with serving() as server:
        yield server


@pytest.fixture
def run(api: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`kubectl serin ...`; the exit code comes back."""
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setattr(following, "AGAIN_SECONDS", 0.1)
    monkeypatch.setattr(acts, "AGAIN_SECONDS", 0.01)
    path = api.kubeconfig(tmp_path)

    def call(*words: str, kubeconfig: str | None = path) -> int:
        """kubeconfig: None for commands that have no such option."""
        more = ["--kubeconfig", kubeconfig] if kubeconfig else []
        monkeypatch.setattr("sys.argv", ["kubectl-serin", *words, *more])
        with pytest.raises(SystemExit) as ended:
            kubectl.main()
        code = ended.value.code
        assert code is None or isinstance(code, int)
        return code or 0

    return call


def hold(api: ApiServer, name: str) -> Story:
    """Put a story into the cluster."""
    story = STORIES[name]()
    api.add("modeldeployments", story.md)
    api.add("modelrevisions", *story.revisions)
    return story
