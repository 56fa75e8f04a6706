"""What a Job says at its end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serin.artifacts import ArtifactError, Digest, Reason, Resolved
from serin.artifacts.report import exit_code, message
from serin.cli.artifact import _bytes
from serin.cli.main import main

SHA = Digest("sha256:" + "0" * 64)


@given(st.text(max_size=6000), st.sampled_from(Reason))
def test_a_message_is_json_of_at_most_4096_bytes(text: str, reason: Reason) -> None:
    """Kubernetes would cut it in the middle, and nobody could read it."""
    said = message(ArtifactError(reason, text))
    assert len(said.encode()) <= 4096
    read = json.loads(said)
    assert read["reason"] == reason.value
    assert text.startswith(read["message"].rstrip("…")) or read["message"] == text


def test_a_digest_is_never_cut() -> None:
    """Of a result only the uri may be."""
    read = json.loads(message(Resolved("s3://b/" + "k" * 9000, SHA, 1, "directory")))
    assert (read["outcome"], read["digest"], read["size"]) == ("resolved", SHA, 1)


@pytest.mark.parametrize(
    ("outcome", "want"),
    [
        (Resolved("s3://b/k", SHA, 1, "directory"), 0),
        (ArtifactError(Reason.DIGEST_MISMATCH, "no"), 1),
        (ArtifactError(Reason.UNSAFE, "no"), 1),
        (ArtifactError(Reason.TIMED_OUT, "no"), 75),
        (ArtifactError(Reason.SOURCE_UNAVAILABLE, "no"), 75),
    ],
)
def test_the_exit_code_tells_what_may_pass_by_itself(outcome: Resolved | ArtifactError, want: int) -> None:
    """A podFailurePolicy goes by it."""
    assert exit_code(outcome) == want


def test_the_reasons_are_a_closed_set() -> None:
    """A new one needs a line in docs/artifacts.md, and the operator must know it."""
    page = (Path(__file__).parents[3] / "docs" / "artifacts.md").read_text()
    assert {reason.value for reason in Reason if f"| {reason.value} |" in page} == {reason.value for reason in Reason}


def test_the_command_tells_kubernetes_and_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same line on stdout and in the termination message; a sentence on stderr."""
    log = tmp_path / "termination-log"
    code = main(["artifact", "resolve", "ftp://host/model", "--termination-log", str(log)])
    said = capsys.readouterr()
    assert code == 1
    assert json.loads(log.read_text()) == json.loads(said.out)
    assert json.loads(said.out)["reason"] == "UnsupportedScheme"
    assert "supported are https" in said.err


@pytest.mark.parametrize(("text", "want"), [("2Gi", 2 << 30), ("500M", 500_000_000), ("1000", 1000), ("1Ti", 1 << 40)])
def test_bytes_are_written_as_kubernetes_writes_them(text: str, want: int) -> None:
    """2G and 2Gi are different numbers."""
    assert _bytes(text) == want
