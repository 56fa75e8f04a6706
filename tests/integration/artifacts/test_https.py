"""https against a server with ranges that counts bytes."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import os
import tarfile
from pathlib import Path

import pytest

from serin.artifacts import ArtifactError, Cache, Digest, Limits, Policy, Reason, fetch, resolve
from tests.integration.artifacts.web_server import Site, serving

HTTP = Policy(plain_http=True)
MODEL = os.urandom(3 << 20)


def digest_of(content: bytes) -> Digest:
    return Digest.of_hex(hashlib.sha256(content).hexdigest())


def tar_of(content: bytes) -> bytes:
    """An archive of one file."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        member = tarfile.TarInfo("weights.bin")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return out.getvalue()


def reason_of(error: pytest.ExceptionInfo[ArtifactError]) -> Reason:
    return error.value.reason


def test_a_file_comes_over_tls_and_has_the_digest_that_sha256sum_prints(secure_site: Site, tmp_path: Path) -> None:
    """The whole way with nothing allowed that is not the default."""
    url = secure_site.put("/iris/model.onnx", MODEL)
    found = resolve(url)
    got = fetch(url, found.digest, tmp_path)
    assert (tmp_path / "model.onnx").read_bytes() == MODEL
    assert found.digest == digest_of(MODEL)
    assert (found.size, got.received) == (len(MODEL), len(MODEL))


def test_a_certificate_that_nobody_trusts_is_refused(certificate: Path, tmp_path: Path) -> None:
    """And it is said what to do."""
    with serving(certificate) as site, pytest.raises(ArtifactError, match="not trusted") as error:
        fetch(site.put("/model", MODEL), None, tmp_path, limits=Limits(seconds_max=20))
    assert reason_of(error) is Reason.SOURCE_UNAVAILABLE


def test_a_broken_transfer_goes_on_where_it_broke(site: Site, tmp_path: Path) -> None:
    """Each byte is sent about once, although the connection was cut twice."""
    url = site.put("/model.onnx", MODEL, break_after=[1 << 20, 1 << 20])
    fetch(url, digest_of(MODEL), tmp_path, policy=HTTP)
    assert (tmp_path / "model.onnx").read_bytes() == MODEL
    ranges = [headers.get("Range") for command, _, headers in site.seen if command == "GET"]
    assert len(ranges) == 3
    assert ranges[0] is None
    assert None not in ranges[1:]
    assert site.sent < len(MODEL) + (1 << 20)


def test_an_archive_that_its_server_calls_encoded_comes_as_it_is(site: Site, tmp_path: Path) -> None:
    """As Apache does with AddEncoding; anything else that comes encoded is not the file that was asked for."""
    packed = gzip.compress(MODEL)
    url = site.put("/model.bin.gz", packed, encoding="x-gzip", break_after=[1 << 20])
    fetch(url, digest_of(packed), tmp_path / "whole", policy=HTTP)
    assert (tmp_path / "whole" / "model.bin.gz").read_bytes() == packed
    for path, encoding in (("/model.bin", "gzip"), ("/model.bin.gz", "br")):
        with pytest.raises(ArtifactError, match="compresses the file although it was asked not to"):
            fetch(site.put(path, packed, encoding=encoding), digest_of(packed), tmp_path / "other", policy=HTTP)


def test_an_earlier_calls_part_is_gone_on_with_if_the_etag_is_the_same(site: Site, tmp_path: Path) -> None:
    """What a killed call leaves is what one leaves that ran out of tries."""
    url = site.put("/model.onnx", MODEL, break_after=[2 << 20, *[0] * 8])
    limits = Limits(seconds_max=3)
    with pytest.raises(ArtifactError) as error:
        fetch(url, None, tmp_path, policy=HTTP, limits=limits)
    assert reason_of(error) in {Reason.TIMED_OUT, Reason.SOURCE_UNAVAILABLE}
    site.sent, site.pages["/model.onnx"].break_after = 0, []
    got = fetch(url, None, tmp_path, policy=HTTP)
    assert got.resumed
    assert site.sent <= 1 << 20
    assert (tmp_path / "model.onnx").read_bytes() == MODEL


def test_a_part_of_other_content_is_thrown_away(site: Site, tmp_path: Path) -> None:
    """The ETag changed between two calls: half of one model and half of another is no model."""
    url = site.put("/model.onnx", MODEL, break_after=[2 << 20, *[0] * 8])
    with pytest.raises(ArtifactError):
        fetch(url, None, tmp_path, policy=HTTP, limits=Limits(seconds_max=3))
    other = os.urandom(len(MODEL))
    site.put("/model.onnx", other)
    got = fetch(url, None, tmp_path, policy=HTTP)
    assert not got.resumed
    assert (tmp_path / "model.onnx").read_bytes() == other


def test_content_that_changes_under_a_transfer_is_never_joined(site: Site, tmp_path: Path) -> None:
    """A server that does not know If-Range gives the end of the new content; its ETag tells."""
    other = os.urandom(len(MODEL))
    url = site.put("/model.onnx", MODEL, break_after=[2 << 20], conditions=False, then=other)
    fetch(url, None, tmp_path, policy=HTTP)
    assert (tmp_path / "model.onnx").read_bytes() == other


def test_without_an_etag_a_pinned_part_is_tried_and_the_digest_tells(site: Site, tmp_path: Path) -> None:
    """The part was of other content: it is found out at the end, and the file is read once more from the start."""
    url = site.put("/model.onnx", MODEL, etag="", break_after=[2 << 20, *[0] * 8])
    other = os.urandom(len(MODEL))
    with pytest.raises(ArtifactError):
        fetch(url, digest_of(other), tmp_path, policy=HTTP, limits=Limits(seconds_max=3))
    site.put("/model.onnx", other, etag="")
    fetch(url, digest_of(other), tmp_path, policy=HTTP)
    assert (tmp_path / "model.onnx").read_bytes() == other


def test_a_server_without_ranges_is_read_from_the_start(site: Site, tmp_path: Path) -> None:
    """It answers 200 and everything to a request for the rest."""
    url = site.put("/model.onnx", MODEL, ranges=False, break_after=[1 << 20])
    fetch(url, digest_of(MODEL), tmp_path, policy=HTTP)
    assert (tmp_path / "model.onnx").read_bytes() == MODEL


def test_a_server_without_head_is_asked_for_one_byte(site: Site) -> None:
    """As with addresses that are signed for GET only."""
    found = resolve(site.put("/model.onnx", MODEL, head=False), policy=HTTP)
    assert found.size == len(MODEL)


def test_other_content_than_pinned_is_refused_and_not_kept(site: Site, tmp_path: Path) -> None:
    """A tampered artifact never reaches the folder that the model server reads."""
    url = site.put("/model.onnx", b"tampered")
    with pytest.raises(ArtifactError, match="find out who changed") as error:
        fetch(url, digest_of(MODEL), tmp_path, policy=HTTP)
    assert reason_of(error) is Reason.DIGEST_MISMATCH
    assert error.value.field == "spec.model.digest"
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.read_bytes() == b"tampered"]


@pytest.mark.parametrize(
    ("page", "want"),
    [
        ({"status": 404}, Reason.ARTIFACT_NOT_FOUND),
        ({"status": 403}, Reason.ACCESS_DENIED),
        ({"status": 503}, Reason.SOURCE_UNAVAILABLE),
        ({"status": 418}, Reason.SOURCE_UNAVAILABLE),
        ({"location": "ftp://127.0.0.1/model"}, Reason.UNSAFE),
    ],
)
def test_each_answer_has_its_reason(site: Site, tmp_path: Path, page: dict[str, object], want: Reason) -> None:
    """What a server can say, and what Serin calls it."""
    with pytest.raises(ArtifactError) as error:
        fetch(site.put("/model", b"", **page), None, tmp_path, policy=HTTP, limits=Limits(seconds_max=2))
    # 503 is tried again until the time is over.
    assert reason_of(error) in ({want, Reason.TIMED_OUT} if page.get("status") == 503 else {want})


def test_https_never_becomes_http(secure_site: Site, site: Site, tmp_path: Path) -> None:
    """A redirect to plain http would give up what https is for."""
    plain = site.put("/model.onnx", MODEL)
    with pytest.raises(ArtifactError, match="from https to http") as error:
        fetch(secure_site.put("/model.onnx", b"", location=plain), None, tmp_path, policy=HTTP)
    assert reason_of(error) is Reason.UNSAFE
    assert site.seen == []


def test_a_credential_stays_with_its_host(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The token is for the server that the uri names, not for where it redirects to."""
    token = tmp_path / "token"
    token.write_text("s3cret\n")
    monkeypatch.setenv("SERIN_HTTP_TOKEN_FILE", str(token))
    with serving() as other:
        target = other.put("/model.onnx", MODEL)
        url = site.put("/model.onnx", b"", location=target, authorization="Bearer s3cret")
        fetch(url, digest_of(MODEL), tmp_path / "into", policy=HTTP)
        assert all("Authorization" not in headers for _, _, headers in other.seen)
    assert all(headers["Authorization"] == "Bearer s3cret" for _, _, headers in site.seen)


def test_a_netrc_file_logs_in(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As for every other HTTP program."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login ann password s3cret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    basic = "Basic " + base64.b64encode(b"ann:s3cret").decode()
    assert resolve(site.put("/model.onnx", MODEL, authorization=basic), policy=HTTP).digest == digest_of(MODEL)


def test_a_slow_drip_ends_when_the_time_is_over(site: Site, tmp_path: Path) -> None:
    """One byte now and then keeps every read alive; only the deadline ends it."""
    url = site.put("/model.onnx", MODEL, seconds_between_bytes=0.02)
    with pytest.raises(ArtifactError) as error:
        fetch(url, None, tmp_path, policy=HTTP, limits=Limits(seconds_max=1))
    assert reason_of(error) is Reason.TIMED_OUT


@pytest.mark.parametrize("honest", [True, False])
def test_too_many_bytes_are_refused(site: Site, tmp_path: Path, honest: bool) -> None:
    """Before the first byte when the server says the size, and at the limit when it does not."""
    url = site.put("/model.onnx", MODEL)
    limits = Limits(bytes_max=1 << 20)
    if not honest:
        site.pages["/model.onnx"].head = False
        site.pages["/model.onnx"].ranges = False
    with pytest.raises(ArtifactError) as error:
        fetch(url, None, tmp_path, policy=HTTP, limits=limits)
    assert reason_of(error) is Reason.TOO_LARGE
    if honest:
        assert site.sent == 0


def test_three_replicas_and_a_go_back_download_one_artifact(site: Site, tmp_path: Path) -> None:
    """Counted at the server: resolve, three replicas, another model, and back again after the store is gone."""
    cache = Cache(tmp_path / "cache", 1 << 30)
    url = site.put("/v1/model.onnx", MODEL)
    pinned = resolve(url, policy=HTTP, cache=cache).digest
    for replica in range(3):
        fetch(url, pinned, tmp_path / f"replica-{replica}", policy=HTTP, cache=cache)
    assert site.sent == len(MODEL)
    del site.pages["/v1/model.onnx"]
    got = fetch(url, pinned, tmp_path / "replica-0", policy=HTTP, cache=cache)
    back = fetch(url, pinned, tmp_path / "back", policy=HTTP, cache=cache)
    assert (got.received, back.received, back.cached) == (0, 0, True)
    assert (tmp_path / "back" / "model.onnx").read_bytes() == MODEL


def test_the_same_content_under_another_name_comes_under_that_name(site: Site, tmp_path: Path) -> None:
    """The cache knows it already; what the model server looks for is what its own uri says."""
    cache = Cache(tmp_path / "cache", 1 << 30)
    packed = tar_of(MODEL)
    for number, (name, files) in enumerate({"one.tar": ["weights.bin"], "two.bin": ["two.bin"]}.items()):
        got = fetch(site.put(f"/{name}", packed), digest_of(packed), tmp_path / str(number), policy=HTTP, cache=cache)
        assert got.cached == (number > 0)
        found = (tmp_path / str(number)).iterdir()
        assert [path.name for path in found if not path.name.startswith(".serin")] == files
    assert site.sent == len(packed)


@pytest.fixture
def spoilt(site: Site, tmp_path: Path) -> tuple[str, Cache]:
    """A cache whose one entry has been written into."""
    cache = Cache(tmp_path / "cache", 1 << 30)
    url = site.put("/model.onnx", MODEL)
    fetch(url, digest_of(MODEL), tmp_path / "first", policy=HTTP, cache=cache)
    (file,) = (tmp_path / "cache" / "entries").rglob("model.onnx")
    file.chmod(0o644)
    file.write_bytes(b"x" + MODEL[1:])
    site.sent = 0
    return url, cache


def test_a_spoilt_entry_is_found_out_and_fetched_again(site: Site, tmp_path: Path, spoilt: tuple[str, Cache]) -> None:
    """The cache is never trusted: one wrong byte costs a download."""
    url, cache = spoilt
    for name, want_sent in (("second", len(MODEL)), ("third", len(MODEL))):
        fetch(url, digest_of(MODEL), tmp_path / name, policy=HTTP, cache=cache)
        assert (tmp_path / name / "model.onnx").read_bytes() == MODEL
        assert site.sent == want_sent


def test_messages_hold_no_query(site: Site, tmp_path: Path) -> None:
    """Where a uri is printed, what might be a secret is left out."""
    with pytest.raises(ArtifactError) as error:
        fetch(site.url("/model?stamp=hush"), None, tmp_path, policy=HTTP)
    assert "hush" not in str(error.value)
