"""hf against a small part that answers as the Hub's API does: not tested against the real service."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.artifacts.web_server import Page, Site

COMMIT = "a" * 40
WEIGHTS = b"weights" * 50_000
FILES = {"config.json": b"{}", "onnx/model.onnx": WEIGHTS}


@pytest.fixture
def hub(site: Site) -> Site:
    """A repository org/iris at one commit, its large file known by its SHA-256."""
    siblings = [
        {"rfilename": path, "size": len(body), "blobId": hashlib.sha1(body).hexdigest()}
        | (
            {"lfs": {"sha256": hashlib.sha256(body).hexdigest(), "size": len(body), "pointerSize": 1}}
            if body is WEIGHTS
            else {}
        )
        for path, body in FILES.items()
    ]
    info = json.dumps({"id": "org/iris", "modelId": "org/iris", "sha": COMMIT, "siblings": siblings}).encode()
    for revision in ("main", COMMIT):
        site.pages[f"/api/models/org/iris/revision/{revision}?blobs=true"] = Page(info, media="application/json")
    for path, body in FILES.items():
        site.pages[f"/org/iris/resolve/{COMMIT}/{path}"] = Page(body)
    return site


def artifact(hub: Site, *arguments: str, **environment: str) -> dict[str, object]:
    """Run the command in a process of its own: the library reads its environment when it is imported."""
    done = subprocess.run(
        [sys.executable, "-c", "import sys; from serin.cli.main import main; sys.exit(main())", "artifact", *arguments],
        env={"PYTHONPATH": "operator", "HF_ENDPOINT": hub.url(""), "PATH": "/usr/bin:/bin"} | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stdout, done.stderr
    return dict(json.loads(done.stdout))


def test_a_branch_is_pinned_to_its_commit_and_fetched(hub: Site, tmp_path: Path) -> None:
    """All files of the commit, with the digest of their listing."""
    got = artifact(hub, "fetch", "hf://org/iris", "--into", str(tmp_path), "--timeout", "30")
    assert got["uri"] == f"hf://org/iris@{COMMIT}"
    for path, body in FILES.items():
        assert (tmp_path / path).read_bytes() == body


def test_one_large_file_is_resolved_without_reading_it(hub: Site) -> None:
    """The Hub knows its SHA-256."""
    found = artifact(hub, "resolve", "hf://org/iris@main/onnx/model.onnx")
    assert found["digest"] == "sha256:" + hashlib.sha256(WEIGHTS).hexdigest()
    assert not [path for command, path, _ in hub.seen if "resolve" in path]


def test_a_token_goes_to_the_hub_and_into_no_message(hub: Site) -> None:
    """Given by the environment, sent with the question, and not printed when it is refused."""
    hub.pages["/api/models/org/iris/revision/main?blobs=true"] = Page(status=403)
    said = artifact(hub, "resolve", "hf://org/iris", "--timeout", "10", HF_TOKEN="hf_s3cret")
    assert said["reason"] == "AccessDenied"
    assert "s3cret" not in str(said)
    assert hub.seen[0][2].get("authorization", hub.seen[0][2].get("Authorization")) == "Bearer hf_s3cret"


def test_a_repository_that_is_not_there_is_not_found(hub: Site) -> None:
    """The Hub says so with 401 or 404 and a header."""
    said = artifact(hub, "resolve", "hf://org/none", "--timeout", "10")
    assert said["reason"] == "ArtifactNotFound"
