"""What goes wrong is said as an error of the closed set, or of the usage; never as a traceback."""

from __future__ import annotations

import json
import os
import shutil
import socket
import zipfile
from pathlib import Path

import pytest

from serin.artifacts import ArtifactError, Limits, Reason, fetch, resolve
from serin.artifacts.errors import Interrupted, unavailable
from serin.artifacts.limits import Deadline
from serin.artifacts.transfer import persistently
from serin.cli.main import main
from serin.workloads.fetching import failure
from serin.workloads.jobs import LABEL_CONTAINER
from serin.workloads.resolve import resolution


@pytest.mark.parametrize("key", ["../k", "a/../k", "a/./k", "a//k", "a%0Ak", "a%7Fk", "%2e%2e/k"])
def test_a_key_that_no_store_takes_is_refused(key: str) -> None:
    """Before a store is asked, and with what is wrong with it."""
    with pytest.raises(ArtifactError, match="a key must not have") as error:
        resolve(f"s3://bucket/{key}")
    assert error.value.reason is Reason.UNSUPPORTED_SCHEME


@pytest.mark.parametrize("host", ["x" * 70 + ".invalid", "a..invalid", ".invalid"])
def test_a_host_that_cannot_be_one_is_said_to_be_none(host: str) -> None:
    """No label of a name may have more than 63 letters."""
    with pytest.raises(ArtifactError, match="not a usable address") as error:
        resolve(f"https://{host}/x")
    assert error.value.reason is Reason.SOURCE_UNAVAILABLE


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(("--timeout", value) for value in ("nan", "-1", "0", "inf", "soon")),
        *(("--max-unpacked-ratio", value) for value in ("nan", "0")),
        *(("--max-files", value) for value in ("0", "-1", "many")),
        *((option, "0") for option in ("--cache-bytes", "--max-bytes", "--max-unpacked-bytes")),
    ],
)
def test_a_limit_that_lets_nothing_through_is_a_mistake_of_usage(
    option: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Said with the option's name, before anything is done."""
    with pytest.raises(SystemExit) as ended:
        main(["artifact", "resolve", "https://host/x", f"{option}={value}"])
    assert ended.value.code == 2
    assert f"argument {option}: must be" in capsys.readouterr().err


def test_who_does_not_answer_is_named_even_if_the_time_ends_before_the_last_try() -> None:
    """A larger limit would not help where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"https://127.0.0.1:{taken.getsockname()[1]}/x"
        with pytest.raises(ArtifactError, match="does not answer") as error:
            resolve(url, limits=Limits(seconds_max=1.0))
    assert error.value.reason is Reason.SOURCE_UNAVAILABLE


def test_time_that_runs_out_in_the_middle_of_a_transfer_is_still_late() -> None:
    """Then more of it helps."""
    clock = iter(range(0, 100, 9))

    def act() -> None:
        raise Interrupted(unavailable("the source", "broke the transfer off"))

    with pytest.raises(ArtifactError) as error:
        persistently(Deadline(5.0, lambda: float(next(clock))), act)
    assert error.value.reason is Reason.TIMED_OUT


def test_a_pipe_on_a_claim_is_no_empty_folder(tmp_path: Path) -> None:
    """It would be waited for until somebody writes into it."""
    (tmp_path / "models").mkdir()
    os.mkfifo(tmp_path / "models" / "pipe")
    with pytest.raises(ArtifactError, match="neither a file nor a folder") as error:
        resolve("pvc://models/pipe", claims=tmp_path)
    assert error.value.reason is Reason.UNSAFE


def test_what_an_honest_archive_can_do_is_said_to_who_writes_the_resource(tmp_path: Path) -> None:
    """No field of `fetch` sets the ratio, so its option alone would be no help."""
    (tmp_path / "models").mkdir()
    with zipfile.ZipFile(tmp_path / "models" / "zeros.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(20 << 20))
    with pytest.raises(ArtifactError, match="unpacked or in a plain tar") as error:
        fetch("pvc://models/zeros.zip", None, tmp_path / "into", claims=tmp_path)
    assert (error.value.reason, error.value.field) == (Reason.UNSAFE, "spec.model.uri")


@pytest.mark.parametrize("packed", [False, True])
def test_too_many_files_are_refused_with_what_helps_in_a_resource(tmp_path: Path, packed: bool) -> None:
    """No field of `fetch` sets the number, so to raise it is no way out there; another archive inside is one file."""
    folder = tmp_path / "models" / "index"
    folder.mkdir(parents=True)
    for number in range(3):
        (folder / f"{number}.bin").touch()
    if packed:
        shutil.make_archive(str(folder), "zip", folder)
    uri = "pvc://models/index.zip" if packed else "pvc://models/index"
    limits = Limits(files_max=2)
    with pytest.raises(ArtifactError, match=r"leave out what .* or put many small files into one") as error:
        fetch(uri, None, tmp_path / "into", claims=tmp_path, limits=limits)
    assert (error.value.reason, error.value.field) == (Reason.TOO_LARGE, "spec.model.uri")
    inner = tmp_path / "models" / "better"
    inner.mkdir()
    shutil.make_archive(str(inner / "files"), "zip", folder)
    fetch("pvc://models/better", None, tmp_path / "into", claims=tmp_path, limits=limits)
    assert [path.name for path in (tmp_path / "into").glob("[!.]*")] == ["files.zip"]


def test_an_archive_that_unpacks_to_too_much_is_refused_with_what_helps_in_a_resource(tmp_path: Path) -> None:
    """As with the ratio: no field sets it, and unpacked files are under `maxBytes`, which is one."""
    (tmp_path / "models").mkdir()
    with zipfile.ZipFile(tmp_path / "models" / "one.zip", "w") as archive:
        archive.writestr("one", bytes(2000))
    with pytest.raises(ArtifactError, match="put the files there unpacked, where maxBytes") as error:
        fetch(
            "pvc://models/one.zip",
            None,
            tmp_path / "into",
            claims=tmp_path,
            limits=Limits(unpacked_bytes_max=1999),
        )
    assert (error.value.reason, error.value.field) == (Reason.TOO_LARGE, "spec.model.uri")


@pytest.mark.parametrize("text", ["[" * 4000, '{"a":' * 4000])
def test_an_answer_that_is_nested_without_end_is_no_answer(text: str) -> None:
    """A container may say what it likes; the operator reads it."""
    with pytest.raises(RecursionError):
        json.loads(text)
    said = failure({"message": text, "exitCode": 1}, "pod p1")
    assert said is not None
    assert said.state == "unavailable"
    pod = {
        "metadata": {"name": "p", "labels": {"serin.dev/job": "j"}, "creationTimestamp": "2026-11-21T09:00:00Z"},
        "status": {"containerStatuses": [{"name": "c", "state": {"terminated": {"exitCode": 0, "message": text}}}]},
    }
    labels = {LABEL_CONTAINER: "c"}
    job = {
        "metadata": {"name": "j", "labels": labels},
        "status": {"conditions": [{"type": "Complete", "status": "True"}]},
    }
    assert getattr(resolution("j", job, [pod]), "state", None) == "unavailable"
