"""What a digest is of."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serin.artifacts import ArtifactError, Digest, Reason
from serin.artifacts.digest import check_paths, digest_of_file, digest_of_files

NAME = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="/\\"), min_size=1
).filter(lambda name: name not in {".", ".."} and len(name.encode()) < 200 and not name.startswith(".serin-artifact"))


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="no sha256sum here")
def test_a_folders_digest_can_be_computed_without_serin(tmp_path: Path) -> None:
    """The command of the documentation, on names that sort differently by letters and by bytes."""
    files = ["B.txt", "a.txt", "a/b.txt", "a b.txt", "ä.txt", "a-b/c.txt", "Z/y/x"]
    for number, name in enumerate(files):
        (tmp_path / name.replace("a/", "d/")).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name.replace("a/", "d/")).write_bytes(b"x" * number)
    said = subprocess.run(
        "find . -type f -printf '%P\\0' | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum",
        shell=True,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()[0]
    ours = digest_of_files(
        {path.relative_to(tmp_path).as_posix(): digest_of_file(path) for path in tmp_path.rglob("*") if path.is_file()}
    )
    assert ours.hex == said


@given(st.dictionaries(NAME, st.binary(max_size=8), min_size=1, max_size=4), NAME, st.binary(max_size=8))
def test_another_name_or_content_is_another_digest(files: dict[str, bytes], name: str, content: bytes) -> None:
    """Two different folders never have one listing."""
    import hashlib

    def digests(of: dict[str, bytes]) -> dict[str, Digest]:
        return {path: Digest.of_hex(hashlib.sha256(body).hexdigest()) for path, body in of.items()}

    changed = files | {name: content}
    assert (digest_of_files(digests(files)) == digest_of_files(digests(changed))) == (files == changed)


@given(st.lists(NAME, min_size=1, max_size=3).map("/".join))
def test_ordinary_names_are_allowed(path: str) -> None:
    """Whatever the language."""
    check_paths([path])


@pytest.mark.parametrize(
    "paths",
    [
        *(["/etc/passwd"], ["../up"], ["a/../../up"], ["a//b"], ["./a"], [""], ["a\nb"], ["a\\b"], ["a", "a"]),
        *(["a", "a/b"], ["x" * 256], [".serin-artifact.json"], ["\ud800"], ["a\x7f"]),
    ],
)
def test_names_that_could_do_harm_are_refused(paths: list[str]) -> None:
    """Before anything is written."""
    with pytest.raises(ArtifactError) as error:
        check_paths(paths)
    assert error.value.reason is Reason.UNSAFE


@pytest.mark.parametrize("text", ["", "sha256:", "sha256:" + "0" * 63, "sha256:" + "A" * 64, "md5:" + "0" * 64])
def test_a_digest_has_one_form(text: str) -> None:
    """Two spellings of one digest would be two entries of a cache."""
    with pytest.raises(ValueError, match="sha256"):
        Digest(text)
