"""The cache between processes and over time, and the folder that the model server reads."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
from pathlib import Path
from typing import Any

import pytest

from serin.artifacts import ArtifactError, Cache, Digest, Limits, Reason, fetch, resolve
from serin.artifacts.limits import Deadline
from serin.artifacts.locks import locked

KIB = 1024


def store(tmp_path: Path, name: str, content: bytes) -> tuple[str, Digest, Path]:
    """Put a file on a claim; return its uri, its digest and where claims are."""
    folder = tmp_path / "claims" / "models"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    return f"pvc://models/{name}", Digest.of_hex(hashlib.sha256(content).hexdigest()), folder.parent


def entries(cache: Cache) -> set[str]:
    return {path.name for path in (cache.root / "entries").iterdir()}


def test_the_least_recently_used_goes_first(tmp_path: Path) -> None:
    """Room for two: the one that was used again stays, the one that was not goes."""
    cache = Cache(tmp_path / "cache", 250 * KIB)
    digests = []
    for number in range(3):
        uri, digest, claims = store(tmp_path, f"{number}.bin", bytes([number]) * 100 * KIB)
        fetch(uri, digest, tmp_path / f"into-{number}", cache=cache, claims=claims)
        digests.append(digest)
        # Long ago, and one after the other; what comes now is later.
        record = cache.root / "entries" / digest.hex / "entry.json"
        os.utime(record, (1000 + number, 1000 + number))
        if number == 1:
            fetch("pvc://models/0.bin", digests[0], tmp_path / "again", cache=cache, claims=claims)
    assert entries(cache) == {digests[0].hex, digests[2].hex}


def test_what_is_in_use_is_not_evicted(tmp_path: Path) -> None:
    """A pod copies from an entry while another needs room: the other goes without the cache."""
    cache = Cache(tmp_path / "cache", 150 * KIB)
    first, pinned, claims = store(tmp_path, "a.bin", b"a" * 100 * KIB)
    fetch(first, pinned, tmp_path / "a", cache=cache, claims=claims)
    second, other, _ = store(tmp_path, "b.bin", b"b" * 100 * KIB)
    with cache.reading(pinned, Deadline(10)) as entry:
        assert entry is not None
        fetch(second, other, tmp_path / "b", cache=cache, claims=claims)
    assert entries(cache) == {pinned.hex}
    assert (tmp_path / "b" / "b.bin").exists()


def test_an_artifact_larger_than_the_cache_goes_past_it(tmp_path: Path) -> None:
    """It would only push everything else out."""
    cache = Cache(tmp_path / "cache", 10)
    uri, digest, claims = store(tmp_path, "a.bin", b"a" * 100)
    assert resolve(uri, cache=cache, claims=claims).digest == digest
    fetch(uri, digest, tmp_path / "into", cache=cache, claims=claims)
    assert (tmp_path / "into" / "a.bin").read_bytes() == b"a" * 100
    assert not (cache.root / "entries").exists()


@pytest.mark.parametrize("damage", ["record", "nested", "endless", "file", "missing", "lie"])
def test_a_spoilt_entry_is_found_out_and_replaced(tmp_path: Path, damage: str) -> None:
    """Neither files nor the record are trusted."""
    cache = Cache(tmp_path / "cache", 1 << 20)
    uri, digest, claims = store(tmp_path, "a.bin", b"honest")
    fetch(uri, digest, tmp_path / "first", cache=cache, claims=claims)
    folder = cache.root / "entries" / digest.hex
    file, record = folder / "files" / "a.bin", folder / "entry.json"
    file.chmod(0o644)
    match damage:
        case "record":
            record.write_text("{")
        case "nested":
            record.write_text("[" * 5000)
        case "endless":
            record.write_text(json.dumps(json.loads(record.read_text()) | {"size": float("inf")}))
        case "file":
            file.write_bytes(b"broken")
        case "missing":
            file.unlink()
        case _:
            file.write_bytes(b"a lie")
            lie = json.loads(record.read_text())
            lie["files"][0]["digest"] = "sha256:" + hashlib.sha256(b"a lie").hexdigest()
            record.write_text(json.dumps(lie))
    got = fetch(uri, digest, tmp_path / "second", cache=cache, claims=claims)
    assert (tmp_path / "second" / "a.bin").read_bytes() == b"honest"
    assert got.received == len(b"honest")
    assert fetch(uri, digest, tmp_path / "third", cache=cache, claims=claims).received == 0


@pytest.mark.parametrize("path", ["../escaped", "/escaped", "{root}/escaped", "a.bin/../../escaped", "", 5, ["a"]])
def test_a_record_that_leads_out_of_the_folder_is_spoilt(tmp_path: Path, path: Any) -> None:
    """Another pod may write into the cache, and the name of a single file is not in its digest."""
    cache = Cache(tmp_path / "cache", 1 << 20)
    uri, digest, claims = store(tmp_path, "a.bin", b"honest")
    fetch(uri, digest, tmp_path / "first", cache=cache, claims=claims)
    folder = cache.root / "entries" / digest.hex
    record = json.loads((folder / "entry.json").read_text())
    record["files"][0]["path"] = path.format(root=tmp_path) if isinstance(path, str) else path
    (folder / "escaped").write_bytes(b"honest")
    (folder / "entry.json").write_text(json.dumps(record))
    got = fetch(uri, digest, tmp_path / "into" / "model", cache=cache, claims=claims)
    assert (tmp_path / "into" / "model" / "a.bin").read_bytes() == b"honest"
    assert got.received == len(b"honest")
    assert not list(tmp_path.rglob("escaped")), "the entry has gone, and nothing lies beside the target"


@pytest.mark.parametrize("names", [{"oci://host/x:1": "../escaped"}, {"oci://host/x:1": 5}, ["x"], "x"])
def test_a_record_with_names_that_are_none_is_spoilt(tmp_path: Path, names: Any) -> None:
    """As with paths: what a uri calls its file comes from whoever wrote the record."""
    cache = Cache(tmp_path / "cache", 1 << 20)
    uri, digest, claims = store(tmp_path, "a.bin", b"honest")
    fetch(uri, digest, tmp_path / "first", cache=cache, claims=claims)
    file = cache.root / "entries" / digest.hex / "entry.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"names": names}))
    assert fetch(uri, digest, tmp_path / "second", cache=cache, claims=claims).received == len(b"honest")
    assert fetch(uri, digest, tmp_path / "third", cache=cache, claims=claims).cached


def _fetch_in_a_process(work: Path, number: int, digest: str, results: multiprocessing.Queue[int]) -> None:
    got = fetch(
        "pvc://models/a.bin",
        Digest(digest),
        work / f"into-{number}",
        cache=Cache(work / "cache", 1 << 30),
        claims=work / "claims",
    )
    results.put(got.received)


def test_processes_that_start_together_download_once(tmp_path: Path) -> None:
    """Four replicas on one node: one brings it, three wait for it."""
    content = os.urandom(8 << 20)
    _, digest, _ = store(tmp_path, "a.bin", content)
    context = multiprocessing.get_context("spawn")
    results: multiprocessing.Queue[int] = context.Queue()  # type: ignore[assignment]
    processes = [
        context.Process(target=_fetch_in_a_process, args=(tmp_path, number, str(digest), results))
        for number in range(4)
    ]
    for process in processes:
        process.start()
    received = sorted(results.get(timeout=60) for _ in processes)
    for process in processes:
        process.join(30)
    assert received == [0, 0, 0, len(content)]
    assert all((tmp_path / f"into-{number}" / "a.bin").read_bytes() == content for number in range(4))


def test_waiting_for_a_lock_ends_with_the_time(tmp_path: Path) -> None:
    """Another process may hang with it."""
    with (
        locked(tmp_path / "lock", Deadline(10)),
        pytest.raises(ArtifactError) as error,
        locked(tmp_path / "lock", Deadline(0.3)),
    ):
        pass
    assert error.value.reason is Reason.TIMED_OUT


def test_a_folder_with_something_in_it_is_refused(tmp_path: Path) -> None:
    """What Serin did not put there it does not remove."""
    uri, digest, claims = store(tmp_path, "a.bin", b"a")
    into = tmp_path / "into"
    into.mkdir()
    (into / "mine.txt").write_text("precious")
    with pytest.raises(ArtifactError, match=r"mine\.txt") as error:
        fetch(uri, digest, into, claims=claims)
    assert error.value.field == "--into"
    assert (into / "mine.txt").read_text() == "precious"


def test_a_finished_folder_is_verified_and_left(tmp_path: Path) -> None:
    """An init container that runs again asks nobody; one changed byte, and it does."""
    uri, digest, claims = store(tmp_path, "a.bin", b"model")
    into = tmp_path / "into"
    fetch(uri, digest, into, claims=claims)
    assert fetch(uri, digest, into, claims=tmp_path / "nowhere").received == 0
    (into / "a.bin").write_bytes(b"m0del")
    assert fetch(uri, digest, into, claims=claims).received == 5
    assert (into / "a.bin").read_bytes() == b"model"


@pytest.mark.parametrize("marker", ["", "{", "[]", "[" * 5000])
def test_a_finished_folder_whose_marker_says_nothing_is_filled_anew(tmp_path: Path, marker: str) -> None:
    """The model server may write into its folder, and what stands there then is no reason to end with a traceback."""
    uri, digest, claims = store(tmp_path, "a.bin", b"model")
    into = tmp_path / "into"
    fetch(uri, digest, into, claims=claims)
    (into / ".serin-artifact.json").write_text(marker)
    assert fetch(uri, digest, into, claims=claims).received == 5
    assert fetch(uri, digest, into, claims=tmp_path / "nowhere").received == 0


def test_a_part_whose_note_says_nothing_is_not_gone_on_with(tmp_path: Path) -> None:
    """It begins anew: nobody knows what it is a part of."""
    uri, digest, claims = store(tmp_path, "a.bin", b"model")
    with pytest.raises(ArtifactError):
        fetch(uri, Digest.of_hex("0" * 64), tmp_path / "into", claims=claims)
    folder = tmp_path / "into" / ".serin-artifact-work" / "download" / digest.hex
    for file, text in {
        "files/a.bin": "mo",
        f"notes/{hashlib.sha256(b'a.bin').hexdigest()[:32]}.json": "[" * 5000,
    }.items():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text(text)
    got = fetch(uri, digest, tmp_path / "into", claims=claims)
    assert (got.received, got.resumed) == (5, False)


def test_another_artifact_replaces_the_first(tmp_path: Path) -> None:
    """Nothing of the old one stays beside the new one."""
    one, first, claims = store(tmp_path, "a.bin", b"one")
    two, second, _ = store(tmp_path, "b.bin", b"two")
    fetch(one, first, tmp_path / "into", claims=claims)
    fetch(two, second, tmp_path / "into", claims=claims)
    assert [path.name for path in (tmp_path / "into").glob("[!.]*")] == ["b.bin"]


def test_a_link_out_of_a_claim_is_refused(tmp_path: Path) -> None:
    """A claim is shared; a link in it is somebody's word."""
    _, _, claims = store(tmp_path, "a.bin", b"one")
    (claims / "models" / "out").symlink_to("/etc/hostname")
    with pytest.raises(ArtifactError) as error:
        fetch("pvc://models/out", None, tmp_path / "into", claims=claims)
    assert error.value.reason is Reason.UNSAFE


def test_a_full_volume_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In our words, with what to do."""
    uri, digest, claims = store(tmp_path, "a.bin", b"one")

    def full(*_arguments: object, **_options: object) -> None:
        raise OSError(28, "No space left on device", str(tmp_path / "into" / "a.bin"))

    monkeypatch.setattr("serin.artifacts.fetching.collect", full)
    with pytest.raises(ArtifactError, match="no room left") as error:
        fetch(uri, digest, tmp_path / "into", claims=claims, limits=Limits())
    assert error.value.reason is Reason.TOO_LARGE
