"""s3 against a server that checks signatures."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from serin.artifacts import ArtifactError, Cache, Limits, Reason, fetch, resolve
from serin.artifacts.digest import Digest, digest_of_files
from tests.integration.artifacts.bucket_server import SECRET, Bucket, bucket_served
from tests.integration.artifacts.processes import free_port
from tests.integration.artifacts.web_server import Site

WEIGHTS = os.urandom(5 << 20)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket]:
    """A bucket named models on an S3-compatible server."""
    with bucket_served(tmp_path_factory.mktemp("s3"), "models", looks_each_time=True) as bucket:
        yield bucket


@pytest.fixture
def bucket(served: Bucket, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """The same, with the credentials in the environment."""
    for name, value in served.environment.items():
        monkeypatch.setenv(name, value)
    return served


def test_an_object_is_one_file(bucket: Bucket, tmp_path: Path) -> None:
    """Its digest is what sha256sum says of it."""
    bucket.put("iris/2/model.onnx", WEIGHTS)
    found = resolve("s3://models/iris/2/model.onnx")
    assert found.digest == Digest.of_hex(hashlib.sha256(WEIGHTS).hexdigest())
    assert found.size == len(WEIGHTS)
    fetch(found.uri, found.digest, tmp_path)
    assert (tmp_path / "model.onnx").read_bytes() == WEIGHTS


def test_a_prefix_is_a_folder(bucket: Bucket, tmp_path: Path) -> None:
    """With or without the slash; a neighbour whose name only starts alike is not part of it."""
    files = {"model.onnx": WEIGHTS, "conf/labels.txt": b"a\nb\n"}
    for path, content in files.items():
        bucket.put(f"iris/3/{path}", content)
    bucket.put("iris/30/other.onnx", b"not this one")
    want = digest_of_files({path: Digest.of_hex(hashlib.sha256(body).hexdigest()) for path, body in files.items()})
    assert resolve("s3://models/iris/3").digest == want
    fetch("s3://models/iris/3/", want, tmp_path)
    found = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert {path for path in found if not path.startswith(".serin-artifact")} == set(files)


@pytest.mark.parametrize("uri", ["s3://models/odd/a%20b%23c+d.onnx", "s3://models/odd%20one/"])
def test_a_pinned_uri_can_be_read_like_the_one_that_was_given(bucket: Bucket, tmp_path: Path, uri: str) -> None:
    """Pods read it in the place of the other; what a uri escapes stays escaped."""
    bucket.put("odd/a b#c+d.onnx", b"weights")
    bucket.put("odd one/model.onnx", b"weights")
    found = resolve(uri)
    fetch(uri, found.digest, tmp_path, resolved_uri=found.uri)
    assert [path.read_bytes() for path in tmp_path.rglob("*.onnx")] == [b"weights"]


def test_a_killed_download_of_a_folder_goes_on(bucket: Bucket, tmp_path: Path) -> None:
    """What was whole stays. This server has no proper ranges, so the file that was half comes anew."""
    bucket.put("iris/4/a.bin", WEIGHTS)
    bucket.put("iris/4/b.bin", WEIGHTS[: 1 << 20])
    pinned = resolve("s3://models/iris/4/").digest
    cache = Cache(tmp_path / "cache", 1 << 30)
    fetch("s3://models/iris/4/", pinned, tmp_path / "first", cache=cache)
    halve(cache, pinned, "b.bin", 1000)
    got = fetch("s3://models/iris/4/", pinned, tmp_path / "second", cache=cache)
    assert got.resumed
    assert got.received == 1 << 20
    assert (tmp_path / "second" / "b.bin").read_bytes() == WEIGHTS[: 1 << 20]


def test_half_an_object_is_gone_on_with(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Against a server with proper ranges: only the other half is sent, under the condition that nothing changed."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", site.url(""))
    monkeypatch.setenv("AWS_SKIP_SIGNATURE", "true")
    site.put("/models/model.onnx", WEIGHTS)
    pinned = resolve("s3://models/model.onnx").digest
    cache = Cache(tmp_path / "cache", 1 << 30)
    fetch("s3://models/model.onnx", pinned, tmp_path / "first", cache=cache)
    halve(cache, pinned, "model.onnx", 2 << 20)
    site.sent = 0
    got = fetch("s3://models/model.onnx", pinned, tmp_path / "second", cache=cache)
    assert (got.resumed, site.sent) == (True, len(WEIGHTS) - (2 << 20))
    assert any("if-match" in {key.lower() for key in headers} for _, _, headers in site.seen)
    assert (tmp_path / "second" / "model.onnx").read_bytes() == WEIGHTS


def halve(cache: Cache, digest: Digest, name: str, left: int) -> None:
    """Make of an entry what a kill in the middle leaves."""
    work = cache.root / "partial" / digest.hex
    (cache.root / "entries" / digest.hex).rename(work)
    (work / "entry.json").unlink()
    half = work / "files" / name
    half.chmod(0o644)
    os.truncate(half, left)


def test_a_tampered_object_is_refused(bucket: Bucket, tmp_path: Path) -> None:
    """Somebody wrote another object under the key after the digest was pinned."""
    bucket.put("iris/5/model.onnx", WEIGHTS)
    pinned = resolve("s3://models/iris/5/model.onnx").digest
    bucket.put("iris/5/model.onnx", b"tampered")
    with pytest.raises(ArtifactError) as error:
        fetch("s3://models/iris/5/model.onnx", pinned, tmp_path)
    assert error.value.reason is Reason.DIGEST_MISMATCH


@pytest.mark.parametrize("uri", ["s3://models/none", "s3://models/none/", "s3://nobucket/iris"])
def test_what_is_not_there_is_not_found(bucket: Bucket, tmp_path: Path, uri: str) -> None:
    """Neither an object nor a prefix nor a bucket."""
    with pytest.raises(ArtifactError) as error:
        fetch(uri, None, tmp_path, limits=Limits(seconds_max=10))
    assert error.value.reason is Reason.ARTIFACT_NOT_FOUND


def test_a_wrong_secret_is_refused_and_never_printed(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message says how credentials are given, and neither the key nor the signature."""
    bucket.put("iris/6", b"model")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong-" + SECRET)
    with pytest.raises(ArtifactError, match="AWS_SHARED_CREDENTIALS_FILE") as error:
        fetch("s3://models/iris/6", None, tmp_path, limits=Limits(seconds_max=10))
    assert error.value.reason is Reason.ACCESS_DENIED
    assert SECRET not in str(error.value)


def test_credentials_may_be_in_a_file(bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a Secret is mounted."""
    bucket.put("iris/7", b"model")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    file = tmp_path / "credentials"
    file.write_text(f"[default]\naws_access_key_id = ann\naws_secret_access_key = {SECRET}\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    assert resolve("s3://models/iris/7").size == 5


def test_a_server_that_is_gone_is_unavailable(bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless the cache has it: then nobody asks."""
    bucket.put("iris/8", b"model")
    cache = Cache(tmp_path / "cache", 1 << 30)
    pinned = resolve("s3://models/iris/8", cache=cache).digest
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(ArtifactError) as error:
        fetch("s3://models/iris/8", pinned, tmp_path / "a", limits=Limits(seconds_max=3))
    assert error.value.reason in {Reason.SOURCE_UNAVAILABLE, Reason.TIMED_OUT}
    assert fetch("s3://models/iris/8", pinned, tmp_path / "b", cache=cache).received == 0
