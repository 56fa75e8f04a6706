"""Reports that outlive their Job: in a bucket of a server that checks signatures, and in a claim's folder."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import obstore
import pytest
from obstore.exceptions import PermissionDeniedError

from serin.artifacts.buckets import open_store
from serin.artifacts.limits import Deadline
from serin.artifacts.uri import BucketPlace
from serin.cli.report_place import ReportPlace, keep_report
from tests.integration.artifacts.bucket_server import SECRET, Bucket, bucket_served
from tests.integration.artifacts.processes import free_port

Shelf = tuple[str, Path, Path]
NAME = "ml/iris/iris-2-x7k2p.1.holdout"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket]:
    with bucket_served(tmp_path_factory.mktemp("s3"), "reports") as bucket:
        yield bucket


@pytest.fixture
def bucket(served: Bucket, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    for name, value in served.environment.items():
        monkeypatch.setenv(name, value)
    return served


def files(words: str) -> dict[str, str]:
    return {"report.json": json.dumps({"says": words}), "report.html": f"<p>{words}</p>"}


def place(
    uri: str, claims: Path = Path("/nowhere"), *, name: str = NAME, keep: int = 20, seconds: float = 20.0
) -> ReportPlace:
    return ReportPlace(uri, name, keep, claims, seconds)


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.fixture(params=["s3", "pvc"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def shelf(kind: str, bucket: Bucket, tmp_path: Path, request: pytest.FixtureRequest) -> Shelf:
    """The uri, the folder that it means, and where claims are mounted; each test has a prefix of its own."""
    prefix = request.node.name.partition("[")[0]
    if kind == "s3":
        return f"s3://reports/{prefix}", bucket.folder / prefix, tmp_path
    (tmp_path / "claims" / "kept").mkdir(parents=True)
    return f"pvc://kept/{prefix}", tmp_path / "claims" / "kept" / prefix, tmp_path / "claims"


def test_both_files_are_there_and_the_digest_is_that_of_the_json(shelf: Shelf) -> None:
    """Under the name of namespace, deployment, revision, attempt and stage."""
    uri, folder, claims = shelf
    kept = keep_report(place(uri, claims), files("0.97"))
    content = (folder / NAME / "report.json").read_bytes()
    assert kept.place == f"{uri}/{NAME}/report.json"
    assert kept.digest == f"sha256:{hashlib.sha256(content).hexdigest()}"
    assert kept.trouble is None
    assert names(folder) == [f"{NAME}/report.html", f"{NAME}/report.json"]


def test_a_job_that_runs_again_writes_over_its_own(shelf: Shelf) -> None:
    """So it counts once, and the page is of the same run as the JSON."""
    uri, folder, claims = shelf
    for words in ("first", "second"):
        keep_report(place(uri, claims), files(words))
    assert names(folder) == [f"{NAME}/report.html", f"{NAME}/report.json"]
    assert "second" in (folder / NAME / "report.json").read_text()
    assert "second" in (folder / NAME / "report.html").read_text()


def _written_in_2001(shelf: Shelf, name: str, seconds: int) -> None:
    uri, folder, claims = shelf
    at = 1_000_000_000 + seconds
    if uri.startswith("pvc"):
        keep_report(place(uri, claims, name=name), files("old"))
        for file in (folder / name).iterdir():
            os.utime(file, (at, at))
        return
    for name_of_file, words in files("old").items():
        # This server takes the time of an object from the client that tells it.
        key = f"{uri.removeprefix('s3://reports/')}/{name}/{name_of_file}"
        obstore.put(bucket_client(), key, words.encode(), attributes={"mtime": str(at)})


def bucket_client() -> Any:
    return open_store(BucketPlace("s3", "reports", ""), Deadline(60.0))


def test_the_newest_stay_and_the_own_one_whatever_the_clocks_say(shelf: Shelf) -> None:
    """Reports of other deployments, and what is no report, are nobody's business here."""
    uri, folder, claims = shelf
    for number in range(1, 5):
        _written_in_2001(shelf, f"ml/iris/iris-{number}.1.holdout", number)
    keep_report(place(uri, claims, name="ml/iris-of-others/a.1.holdout"), files("theirs"))
    for stranger in ("notes.txt", "iris-0/report.json.bak", "of-mine/data.csv"):
        (folder / "ml/iris" / stranger).parent.mkdir(parents=True, exist_ok=True)
        (folder / "ml/iris" / stranger).write_text("mine")
    kept = keep_report(place(uri, claims, keep=3, name="ml/iris/iris-1.1.holdout"), files("again, and by an old clock"))
    assert kept.trouble is None
    reports = [name for name in names(folder) if name.endswith("report.json")]
    assert reports == [
        "ml/iris-of-others/a.1.holdout/report.json",
        *(f"ml/iris/iris-{number}.1.holdout/report.json" for number in (1, 3, 4)),
    ]
    assert {"ml/iris/notes.txt", "ml/iris/iris-0/report.json.bak", "ml/iris/of-mine/data.csv"} <= set(names(folder))
    assert not (folder / "ml/iris/iris-2.1.holdout/report.html").exists()


_DIES = """
import os, sys
from pathlib import Path
import obstore
from serin.cli.report_place import ReportPlace, keep_report
from serin.evaluate import output

def die(*_arguments, **_more):
    os.kill(os.getpid(), 9)

put, left = obstore.put, int(sys.argv[3])
def put_or_die(store, key, content, **more):
    global left
    left -= 1
    return put(store, key, content, **more) if left >= 0 else die()

obstore.put = put_or_die
if left == 1:
    Path.unlink = die             # after the new folder is whole, before the first file of the old one is gone
else:
    output.os.fsync = die         # in the middle of the first file
place = ReportPlace(sys.argv[1], sys.argv[4], 20, Path(sys.argv[2]), 20.0)
keep_report(place, {"report.json": "{}", "report.html": "new"})
"""


@pytest.mark.parametrize("writes", [0, 1])
def test_a_job_that_is_killed_in_the_middle_leaves_a_whole_report_after_it_runs_again(
    shelf: Shelf, writes: int
) -> None:
    """By kill -9 before the first and before the second file; what it left is not a second report."""
    uri, folder, claims = shelf
    keep_report(place(uri, claims), files("of an earlier try"))
    killed = subprocess.run([sys.executable, "-c", _DIES, uri, str(claims), str(writes), NAME], check=False, timeout=60)
    assert killed.returncode == -9
    assert "earlier" in (folder / NAME / "report.json").read_text(), "the JSON is the old one or the new one, and whole"
    kept = keep_report(place(uri, claims, keep=1), files("last"))
    assert kept.trouble is None
    assert names(folder) == [f"{NAME}/report.html", f"{NAME}/report.json"]
    content = (folder / NAME / "report.json").read_bytes()
    assert kept.digest == f"sha256:{hashlib.sha256(content).hexdigest()}"


def test_a_removal_that_was_broken_off_goes_on_with_the_next_report(bucket: Bucket) -> None:
    """Of the old one only the JSON is left; it is found, and goes."""
    keep_report(place("s3://reports/broken", name="ml/iris/iris-1.1.holdout"), files("old"))
    obstore.delete(bucket_client(), "broken/ml/iris/iris-1.1.holdout/report.html")
    keep_report(place("s3://reports/broken", keep=1), files("new"))
    assert names(bucket.folder / "broken") == [f"{NAME}/report.html", f"{NAME}/report.json"]


def test_a_store_that_refuses_is_said_with_what_to_do_and_no_secret(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong-" + SECRET)
    kept = keep_report(place("s3://reports/refused"), files("x"))
    assert (kept.place, kept.digest) == (None, None)
    assert str(kept.trouble).startswith("the report was not stored: AccessDenied: s3://reports refused access; give")
    assert SECRET not in str(kept.trouble)


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("s3://nobucket/ml", "ArtifactNotFound: s3://nobucket is not there; make it, or correct the uri"),
        ("pvc://absent/ml", "ArtifactNotFound: claim absent is not mounted at"),
        ("https://reports.example.com/ml", "is neither a bucket nor a claim"),
        ("ftp://reports/ml", "UnsupportedScheme: the scheme 'ftp' is not supported"),
        ("pvc://kept/../etc", "Unsafe: the path of a pvc uri must not have"),
        ("pvc://kept/out", "Unsafe: pvc://kept/out holds a link out of its claim"),
        ("pvc://kept/file", "SourceUnavailable: "),
    ],
)
def test_a_place_that_is_none_is_named(bucket: Bucket, tmp_path: Path, uri: str, words: str) -> None:
    """Nothing is written elsewhere."""
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "out").symlink_to(tmp_path)
    (tmp_path / "kept" / "file").write_text("no folder")
    kept = keep_report(place(uri, tmp_path), files("x"))
    assert kept.place is None
    assert words in str(kept.trouble)
    assert not list(tmp_path.rglob("report.*"))


def test_a_report_that_is_there_is_said_to_be_though_old_ones_stay(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No right to remove, or to list: the next Job tries again."""
    uri, folder, claims = shelf
    keep_report(place(uri, claims, name="ml/iris/iris-1.1.holdout"), files("old"))

    def refuse(*_arguments: object, **_more: object) -> None:
        raise PermissionDeniedError("no") if uri.startswith("s3") else PermissionError(13, "Permission denied")

    with monkeypatch.context() as no_right:
        no_right.setattr(obstore, "delete", refuse)
        no_right.setattr(Path, "iterdir", refuse)
        kept = keep_report(place(uri, claims, keep=1), files("new"))
    assert kept.place == f"{uri}/{NAME}/report.json"
    assert str(kept.trouble).startswith("older reports were not removed: ")
    assert "denied" in str(kept.trouble).lower()
    assert "new" in (folder / NAME / "report.json").read_text()
    assert keep_report(place(uri, claims, keep=1), files("newer")).trouble is None
    assert names(folder) == [f"{NAME}/report.html", f"{NAME}/report.json"]


def test_a_store_that_is_gone_is_given_up_in_time(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    kept = keep_report(place("s3://reports/gone", seconds=1.0), files("x"))
    assert kept.place is None
    assert str(kept.trouble).startswith("the report was not stored: SourceUnavailable: s3://reports does not answer")
