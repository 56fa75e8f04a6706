"""Folders of a mounted claim: every file is known, or nothing is."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from serin.artifacts import ArtifactError, Reason, fetch


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A folder with a file on a claim."""
    folder = tmp_path / "claims" / "models" / "iris"
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(b"x")
    return folder


def _refused(folder: Path) -> ArtifactError:
    with pytest.raises(ArtifactError) as error:
        fetch("pvc://models/iris", None, folder.parents[2] / "into", claims=folder.parents[1])
    return error.value


@pytest.mark.parametrize("target", ["loop", "absent", "../../../outside"])
def test_a_link_that_is_no_file_of_the_claim_is_unsafe(model: Path, target: str) -> None:
    """One to itself, one to nothing, one out of it: in words and not by a traceback."""
    (model.parents[2] / "outside").write_bytes(b"secret")
    (model / "loop").symlink_to(target)
    assert _refused(model).reason is Reason.UNSAFE


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder of the test's own that everybody may enter, which those of pytest are not."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        yield Path(name)


@contextmanager
def nobody() -> Iterator[None]:
    """Rights count for everybody but root."""
    me = os.geteuid()
    if me == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(me)


def test_a_folder_that_may_not_be_read_is_no_smaller_artifact(public: Path) -> None:
    """Its files would be missing in silence, and the digest would be pinned without them."""
    folder = public / "claims" / "models" / "iris"
    weights = folder / "weights"
    weights.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(b"x")
    (weights / "part").write_bytes(b"y")
    weights.chmod(0)
    with nobody():
        assert _refused(folder).reason is Reason.ACCESS_DENIED
    weights.chmod(0o700)
