"""A fetch that the cache cannot serve: written to cache and target at once, hashed once, and ended by no cache."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from serin.artifacts import ArtifactError, Cache, Digest, Limits, Reason, fetch, resolve
from serin.artifacts.collect import collect
from serin.artifacts.limits import Deadline
from serin.artifacts.source import Body, Offer, RemoteFile

MODEL = os.urandom(1 << 20)
DIGEST = Digest.of_hex(hashlib.sha256(MODEL).hexdigest())
URI = "pvc://models/model.bin"


@pytest.fixture
def claims(tmp_path: Path) -> Path:
    """Where the model is."""
    folder = tmp_path / "claims" / "models"
    folder.mkdir(parents=True)
    (folder / "model.bin").write_bytes(MODEL)
    return folder.parent


class Told:
    """A source of one file in two halves, between which something happens."""

    def __init__(self, between: Path | None = None, broken: bool = False) -> None:
        self._between, self._broken = between, broken
        self.file = RemoteFile("model.bin", "here", len(MODEL), validator="one")
        self.asked: list[int] = []

    def look(self) -> Offer:
        """One file."""
        return Offer("told://model.bin", (self.file,), True, "application/octet-stream")

    @contextmanager
    def open(self, _file: RemoteFile, offset: int) -> Iterator[Body]:
        """Give the rest of it."""
        self.asked.append(offset)
        yield Body(offset, self._chunks(offset))

    def _chunks(self, offset: int) -> Iterator[bytes]:
        half = len(MODEL) // 2
        if offset < half:
            yield MODEL[offset:half]
        if self._broken:
            raise ArtifactError(Reason.ACCESS_DENIED, "no more")
        if self._between is not None:
            self._between.write_bytes(b"x" * half)
        yield MODEL[max(offset, half) :]


def bring(source: Told, folder: Path | None, keep: Path | None) -> bool:
    """Collect what a source has; return whether it was kept."""
    return collect(source, source.look(), folder, Limits(), Deadline(30), DIGEST, keep=keep).kept


def test_what_others_write_into_the_cache_on_the_way_reaches_no_target(tmp_path: Path) -> None:
    """The target's bytes are those that were hashed: the kept ones are never read back."""
    kept = tmp_path / "keep" / "files" / "model.bin"
    assert bring(Told(between=kept), tmp_path / "into", tmp_path / "keep")
    assert (tmp_path / "into" / "files" / "model.bin").read_bytes() == MODEL
    assert kept.read_bytes() != MODEL


_READS = """
import sys
from pathlib import Path
from serin.artifacts import Cache, Digest, fetch
work, uri, digest = Path(sys.argv[1]), sys.argv[2], Digest(sys.argv[3])
def tell(event, arguments):
    if event == "open" and str(arguments[0]).endswith("model.bin") and "r" in str(arguments[1]):
        print(Path(arguments[0]).relative_to(work).parts[0], flush=True)
sys.addaudithook(tell)
for name in ("first", "second"):
    fetch(uri, digest, work / name, cache=Cache(work / "cache", 1 << 30), claims=work / "claims")
    print("done", flush=True)
"""


def test_what_a_call_has_written_and_hashed_it_does_not_read_again(tmp_path: Path, claims: Path) -> None:
    """The first reads its source alone, the second the cache alone; by what Python's audit hooks see opened."""
    command = [sys.executable, "-c", _READS, str(claims.parent), URI, DIGEST]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == ["claims", "done", "cache", "done"]


def test_a_model_server_that_writes_into_its_file_writes_into_no_other(tmp_path: Path, claims: Path) -> None:
    """Nor into the cache's, as it would by a link, after the first fetch and after the second."""
    cache = Cache(tmp_path / "cache", 1 << 30)
    for name, want_cached in (("first", False), ("second", True), ("third", True)):
        got = fetch(URI, DIGEST, tmp_path / name, cache=cache, claims=claims)
        assert got.cached == want_cached
        model = tmp_path / name / "model.bin"
        assert model.read_bytes() == MODEL
        with model.open("r+b") as opened:
            opened.write(b"changed")


@pytest.mark.parametrize(
    ("target", "cache", "want"),
    [(0, 0, 0), (3, 7, 7), (7, 3, 7), (7, 0, 7), (0, 7, 7), (5, 5, 5)],
)
def test_the_longer_part_is_gone_on_with_and_both_are_whole_then(
    tmp_path: Path, target: int, cache: int, want: int
) -> None:
    """A pod that was deleted leaves the cache's part, a cache that was emptied the target's."""
    places = {"into": target, "keep": cache}
    for name, eighths in places.items():
        if eighths:
            with pytest.raises(ArtifactError):
                bring(Told(broken=True), tmp_path / name, None)
            (tmp_path / name / "files" / "model.bin").write_bytes(MODEL[: len(MODEL) * eighths // 8])
    source = Told()
    assert bring(source, tmp_path / "into", tmp_path / "keep")
    assert source.asked == [len(MODEL) * want // 8]
    for name in places:
        assert (tmp_path / name / "files" / "model.bin").read_bytes() == MODEL
    # And what is whole in one of them comes from nowhere else.
    shutil.rmtree(tmp_path / "into")
    assert bring(source, tmp_path / "into", tmp_path / "keep")
    assert len(source.asked) == 1
    assert (tmp_path / "into" / "files" / "model.bin").read_bytes() == MODEL


@pytest.mark.parametrize("where", ["into", "keep"])
def test_a_part_that_was_spoilt_is_found_out_and_comes_anew(tmp_path: Path, where: str) -> None:
    """Whichever of the two it was."""
    with pytest.raises(ArtifactError):
        bring(Told(broken=True), tmp_path / where, None)
    (tmp_path / where / "files" / "model.bin").write_bytes(b"x" * 1000)
    source = Told()
    assert bring(source, tmp_path / "into", tmp_path / "keep")
    assert source.asked == [1000, 0]
    for name in ("into", "keep"):
        assert (tmp_path / name / "files" / "model.bin").read_bytes() == MODEL


def test_other_content_than_pinned_stays_in_neither(tmp_path: Path, claims: Path) -> None:
    """Not in the cache, where another pod would go on with it, and not in the target."""
    cache = Cache(tmp_path / "cache", 1 << 30)
    with pytest.raises(ArtifactError) as error:
        fetch(URI, Digest.of_hex("0" * 64), tmp_path / "into", cache=cache, claims=claims)
    assert error.value.reason is Reason.DIGEST_MISMATCH
    found = [path for path in tmp_path.rglob("model.bin") if path.is_file()]
    assert found == [claims / "models" / "model.bin"]


def test_what_a_killed_call_left_in_the_target_makes_room_for_what_the_cache_has(tmp_path: Path, claims: Path) -> None:
    """Another pod was faster; the volume may not hold both."""
    cache = Cache(tmp_path / "cache", 1 << 30)
    fetch(URI, DIGEST, tmp_path / "other", cache=cache, claims=claims)
    part = tmp_path / "into" / ".serin-artifact-work" / "download" / DIGEST.hex / "files" / "model.bin"
    part.parent.mkdir(parents=True)
    part.write_bytes(MODEL[:1000])
    (cache.root / "entries" / DIGEST.hex / "files" / "model.bin").chmod(0o644)
    (cache.root / "entries" / DIGEST.hex / "files" / "model.bin").write_bytes(b"spoilt")
    # The source has gone, too, so that the call ends where the copy does.
    with pytest.raises(ArtifactError):
        fetch(URI, DIGEST, tmp_path / "into", cache=cache, claims=tmp_path / "nowhere")
    assert not part.exists()


def test_a_kill_at_any_instant_leaves_nothing_that_looks_finished_and_is_not(tmp_path: Path, claims: Path) -> None:
    """By kill -9 before each change of a file; the next call always ends well, and leaves nothing behind."""
    command = [sys.executable, "-m", "tests.unit.artifacts.kills", str(tmp_path), URI, DIGEST]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    seen = [json.loads(line) for line in done.stdout.splitlines()]
    assert [it["died"] for it in seen] == [True] * (len(seen) - 1) + [False]
    # Both of them are begun and not finished, one is and the other not, and both are.
    assert {(it["kept"], it["finished"]) for it in seen} == {(None, False), (DIGEST, False), (DIGEST, True)}
    for it in seen:
        assert it["placed"] in {None, DIGEST}
        assert it["finished"] <= (it["placed"] == DIGEST)
        assert (it["again"], it["placed again"], it["kept again"]) == (0, DIGEST, DIGEST), done.stderr
        assert it["files"] == [".serin-artifact-lock", ".serin-artifact.json", "model.bin"]
        assert it["partial"] == []


@pytest.mark.parametrize("fault", ["no folder", "locks", "partial", "notes", "entries"])
def test_a_cache_that_cannot_be_written_ends_no_fetch_and_no_resolve(tmp_path: Path, claims: Path, fault: str) -> None:
    """Something lies where its folders would be; the model comes without it, and comes once."""
    cache = Cache(tmp_path / "cache", 1 << 30)
    in_the_way = {"no folder": cache.root, "notes": cache.root / "partial" / DIGEST.hex / "notes"}
    file = in_the_way.get(fault, cache.root / fault)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    assert resolve(URI, cache=cache, claims=claims).digest == DIGEST
    got = fetch(URI, DIGEST, tmp_path / "into", cache=cache, claims=claims)
    assert (tmp_path / "into" / "model.bin").read_bytes() == MODEL
    assert got.size == len(MODEL)
    assert not list(cache.root.glob("partial/*/files/*")), "what is not kept takes no room"


_ON_VOLUMES = """
set -e
mount -t tmpfs -o size={room} none {cache}
{python} -m serin artifact fetch {uri} --into {work}/first --digest {digest} --cache {cache} --claims {claims}
mount -o remount,ro {cache}
{python} -m serin artifact fetch {uri} --into {work}/second --digest {digest} --cache {cache} --claims {claims}
du --apparent-size --bytes {cache} | tail -1
"""


def has_namespaces() -> bool:
    """Whether whoever runs this may mount something that only he sees."""
    mount = ["unshare", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"]
    try:
        return subprocess.run(mount, capture_output=True, check=False, timeout=30).returncode == 0
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not has_namespaces(), reason="needs a mount namespace of its own")
@pytest.mark.parametrize("room", ["700k", "8k", "64m"])
def test_a_volume_that_is_full_or_read_only_ends_no_fetch(tmp_path: Path, claims: Path, room: str) -> None:
    """Full in the middle of the model, full from the start, and large enough; then it may only be read."""
    cache = tmp_path / "cache"
    cache.mkdir()
    script = _ON_VOLUMES.format(
        room=room, cache=cache, python=sys.executable, uri=URI, work=tmp_path, digest=DIGEST, claims=claims
    )
    command = ["unshare", "--map-root-user", "--mount", "sh", "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    first, second, left = done.stdout.splitlines()
    assert [json.loads(line)["outcome"] for line in (first, second)] == ["fetched", "fetched"]
    fits = room == "64m"
    assert [json.loads(line)["received"] for line in (first, second)] == [len(MODEL), 0 if fits else len(MODEL)]
    assert (int(left.split()[0]) > len(MODEL)) == fits
    for name in ("first", "second"):
        assert (tmp_path / name / "model.bin").read_bytes() == MODEL
