"""oci against the reference registry."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from serin.artifacts import ArtifactError, Cache, Limits, Policy, Reason, fetch, resolve
from serin.artifacts.digest import Digest, digest_of_files
from tests.integration.artifacts.registry import Registry, registry

HTTP = Policy(plain_http=True)
TITLE = "org.opencontainers.image.title"
_ANN = "ann:$2b$04$cCN.bjzRYvC1mMuWlSyqLuARlxIK.1l4Nuf4RuMeB2MDifV6lZoiO"
"""A line of htpasswd: ann, and the bcrypt hash of s3cret."""
WEIGHTS = bytes(range(256)) * 4096


@pytest.fixture(scope="module")
def open_registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A registry that lets everybody in."""
    with registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


def titled(name: str, content: bytes) -> dict[str, object]:
    return {"content": content, "annotations": {TITLE: name}}


def test_a_tag_is_pinned_without_reading_a_layer(open_registry: Registry, tmp_path: Path) -> None:
    """The manifest vouches for the layers; what is fetched later is held against it."""
    pushed = open_registry.push("iris", "2", [titled("model.onnx", WEIGHTS), titled("conf/labels.txt", b"a\nb\n")])
    found = resolve(f"oci://{open_registry.host}/iris:2", policy=HTTP)
    assert found.uri == f"oci://{open_registry.host}/iris@{pushed}"
    files = {"model.onnx": WEIGHTS, "conf/labels.txt": b"a\nb\n"}
    assert found.digest == digest_of_files(
        {path: Digest.of_hex(hashlib.sha256(body).hexdigest()) for path, body in files.items()}
    )
    fetch(found.uri, found.digest, tmp_path, policy=HTTP)
    assert (tmp_path / "model.onnx").read_bytes() == WEIGHTS
    assert (tmp_path / "conf" / "labels.txt").read_bytes() == b"a\nb\n"


def test_a_tag_that_moved_does_not_match_what_was_pinned(open_registry: Registry, tmp_path: Path) -> None:
    """By the tag it is refused; by the pinned uri the old content is still there."""
    open_registry.push("moving", "latest", [titled("model.onnx", b"one")])
    found = resolve(f"oci://{open_registry.host}/moving", policy=HTTP)
    open_registry.push("moving", "latest", [titled("model.onnx", b"two")])
    with pytest.raises(ArtifactError) as error:
        fetch(f"oci://{open_registry.host}/moving", found.digest, tmp_path / "a", policy=HTTP)
    assert error.value.reason is Reason.DIGEST_MISMATCH
    fetch(found.uri, found.digest, tmp_path / "b", policy=HTTP)
    assert (tmp_path / "b" / "model.onnx").read_bytes() == b"one"


def test_a_new_pod_gets_the_files_of_a_tag_that_moved_by_the_uri_that_was_resolved(
    open_registry: Registry, tmp_path: Path
) -> None:
    """The registry keeps what the tag meant."""
    uri = f"oci://{open_registry.host}/resolved"
    open_registry.push("resolved", "latest", [titled("model.onnx", b"one")])
    found = resolve(uri, policy=HTTP)
    open_registry.push("resolved", "latest", [titled("model.onnx", b"two")])
    fetch(uri, found.digest, tmp_path / "a", policy=HTTP, trusted=False, resolved_uri=found.uri)
    assert (tmp_path / "a" / "model.onnx").read_bytes() == b"one"


def test_a_folder_that_was_pushed_as_a_tar_is_unpacked(open_registry: Registry, tmp_path: Path) -> None:
    """As ORAS pushes folders."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        member = tarfile.TarInfo("tokenizer/vocab.txt")
        member.size = 5
        archive.addfile(member, io.BytesIO(b"words"))
    folder = {
        "content": packed.getvalue(),
        "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
        "annotations": {TITLE: "tokenizer", "io.deis.oras.content.unpack": "true"},
    }
    open_registry.push("folder", "1", [titled("model.onnx", WEIGHTS), folder])
    cache = Cache(tmp_path / "cache", 1 << 30)
    for into, through in ((tmp_path / "a", None), (tmp_path / "b", cache)):
        fetch(f"oci://{open_registry.host}/folder:1", None, into, policy=HTTP, cache=through)
        assert (into / "tokenizer" / "vocab.txt").read_bytes() == b"words"
        assert (into / "model.onnx").read_bytes() == WEIGHTS


def test_a_layer_that_the_cache_has_from_elsewhere_comes_under_its_own_title(tmp_path: Path) -> None:
    """Only the manifest says it, so that is asked for, and no layer; once, because the cache then knows it."""
    cache = Cache(tmp_path / "cache", 1 << 30)
    digest = Digest.of_hex(hashlib.sha256(WEIGHTS).hexdigest())
    claims = tmp_path / "claims"
    (claims / "models").mkdir(parents=True)
    (claims / "models" / "claimed.bin").write_bytes(WEIGHTS)
    received: list[int] = []

    def names_of(uri: str) -> list[str]:
        into = tmp_path / f"into-{len(received)}"
        received.append(fetch(uri, digest, into, policy=HTTP, cache=cache, claims=claims).received)
        return [path.name for path in into.glob("[!.]*")]

    with registry(tmp_path) as running:
        for repository, title in {"one": "one.onnx", "two": "two.onnx", "three": "three.onnx"}.items():
            running.push(repository, "1", [titled(title, WEIGHTS)])
        one, two, three = (f"oci://{running.host}/{repository}:1" for repository in ("one", "two", "three"))
        assert names_of(one) == ["one.onnx"]
        assert names_of(two) == ["two.onnx"]
        assert names_of("pvc://models/claimed.bin") == ["claimed.bin"]
    # Now nobody answers, and what was asked once needs nobody.
    assert names_of(one) == ["one.onnx"]
    assert names_of(two) == ["two.onnx"]
    with pytest.raises(ArtifactError) as error:
        fetch(three, digest, tmp_path / "three", policy=HTTP, cache=cache, limits=Limits(seconds_max=3))
    assert error.value.reason is Reason.SOURCE_UNAVAILABLE
    assert not list((tmp_path / "three").glob("[!.]*"))
    # An older version wrote no names; a model that it kept comes as it did.
    record = cache.root / "entries" / digest.hex / "entry.json"
    older = json.loads(record.read_text())
    del older["names"]
    record.write_text(json.dumps(older))
    assert names_of(two) == ["one.onnx"]
    assert received == [len(WEIGHTS), 0, 0, 0, 0, 0]


def test_a_layer_that_the_cache_has_from_a_claim_comes_under_its_title(open_registry: Registry, tmp_path: Path) -> None:
    """And a tag that means other content by now is no answer."""
    cache = Cache(tmp_path / "cache", 1 << 30)
    content = b"claimed first"
    digest = Digest.of_hex(hashlib.sha256(content).hexdigest())
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "claimed.bin").write_bytes(content)
    fetch("pvc://models/claimed.bin", digest, tmp_path / "a", cache=cache, claims=tmp_path)
    uri = f"oci://{open_registry.host}/pushed:1"
    open_registry.push("pushed", "1", [titled("other.onnx", b"other")])
    with pytest.raises(ArtifactError) as error:
        fetch(uri, digest, tmp_path / "b", policy=HTTP, cache=cache)
    assert error.value.reason is Reason.DIGEST_MISMATCH
    open_registry.push("pushed", "1", [titled("conf/model.onnx", content)])
    assert fetch(uri, digest, tmp_path / "c", policy=HTTP, cache=cache).cached
    assert (tmp_path / "c" / "conf" / "model.onnx").read_bytes() == content
    assert not (tmp_path / "c" / "claimed.bin").exists()


def test_a_layer_that_was_changed_in_the_store_is_refused(open_registry: Registry, tmp_path: Path) -> None:
    """The registry itself serves other bytes under the digest."""
    content = b"the honest model"
    open_registry.push("tampered", "1", [titled("model.onnx", content)])
    name = hashlib.sha256(content).hexdigest()
    (open_registry.store / "docker/registry/v2/blobs/sha256" / name[:2] / name / "data").write_bytes(
        b"a tampered model"
    )
    with pytest.raises(ArtifactError) as error:
        fetch(f"oci://{open_registry.host}/tampered:1", None, tmp_path, policy=HTTP)
    assert error.value.reason is Reason.DIGEST_MISMATCH


def test_pickles_need_a_tag_to_be_replaced_by_a_digest(open_registry: Registry, tmp_path: Path) -> None:
    """A tag vouches for nothing; a digest in the uri is somebody's word."""
    pushed = open_registry.push("pickled", "1", [titled("model.pkl", b"\x80\x04N.")])
    with pytest.raises(ArtifactError) as error:
        resolve(f"oci://{open_registry.host}/pickled:1", policy=HTTP)
    assert error.value.reason is Reason.UNSAFE
    uri = f"oci://{open_registry.host}/pickled@{pushed}"
    found = resolve(uri, policy=HTTP)
    fetch(uri, found.digest, tmp_path / "digest", policy=HTTP, trusted=False)
    assert (tmp_path / "digest" / "model.pkl").exists()
    with pytest.raises(ArtifactError) as error:
        fetch(
            f"oci://{open_registry.host}/pickled:1",
            found.digest,
            tmp_path / "tag",
            policy=HTTP,
            trusted=False,
            resolved_uri=found.uri,
        )
    assert error.value.reason is Reason.UNSAFE, "the digest in the uri is what the tag meant, and nobody's word"


@pytest.mark.parametrize("repository", ["none", "iris"])
def test_what_is_not_there_is_not_found(open_registry: Registry, repository: str, tmp_path: Path) -> None:
    """Neither a repository nor a tag."""
    with pytest.raises(ArtifactError) as error:
        fetch(f"oci://{open_registry.host}/{repository}:none", None, tmp_path, policy=HTTP)
    assert error.value.reason is Reason.ARTIFACT_NOT_FOUND


def test_a_login_comes_from_the_docker_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused without it, with what to do; let in with it; and the password is in no message."""
    with registry(tmp_path, _ANN) as closed:
        closed.push("iris", "1", [titled("model.onnx", WEIGHTS)])
        uri = f"oci://{closed.host}/iris:1"
        for password in (None, "wrong-s3cret", "s3cret"):
            auths = {}
            if password:
                auths[closed.host] = {"auth": base64.b64encode(f"ann:{password}".encode()).decode()}
            home = tmp_path / f"home-{password}"
            home.mkdir()
            (home / "config.json").write_text(json.dumps({"auths": auths}))
            monkeypatch.setenv("DOCKER_CONFIG", str(home))
            if password == "s3cret":
                fetch(uri, None, tmp_path / "into", policy=HTTP)
                continue
            with pytest.raises(ArtifactError, match="DOCKER_CONFIG") as error:
                resolve(uri, policy=HTTP)
            assert error.value.reason is Reason.ACCESS_DENIED
            assert "s3cret" not in str(error.value)
    assert (tmp_path / "into" / "model.onnx").read_bytes() == WEIGHTS
