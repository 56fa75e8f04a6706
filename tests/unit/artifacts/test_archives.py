"""Archives, most of them hostile."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from serin.artifacts import ArtifactError, Limits, Reason
from serin.artifacts.archives import unpack
from serin.artifacts.limits import Deadline

Make = Callable[[Path], None]


def tar(*members: tuple[tarfile.TarInfo, bytes], mode: str = "w:gz") -> Make:
    """A tar with these members."""

    def make(path: Path) -> None:
        with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
            for member, content in members:
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))

    return make


def entry(name: str, content: bytes = b"x", **how: object) -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(name)
    for key, value in how.items():
        setattr(member, key, value)
    return member, content


def zipped(*members: tuple[str, bytes], attributes: int = 0) -> Make:
    """A zip with these members."""

    def make(path: Path) -> None:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members:
                info = zipfile.ZipInfo(name)
                info.external_attr = attributes << 16
                info.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(info, content)

    return make


def unpacked(make: Make, folder: Path, **limits: float) -> dict[str, bytes]:
    """Unpack into a new folder, and return what is in it."""
    archive, into = folder / "archive", folder / "into"
    into.mkdir()
    make(archive)
    unpack(archive, into, Limits(**limits), Deadline(60))  # type: ignore[arg-type]
    return {path.relative_to(into).as_posix(): path.read_bytes() for path in into.rglob("*") if path.is_file()}


PLAIN = {"model/weights.bin": b"w" * 3000, "model/conf/labels.txt": b"a\nb\n", "long/" + "n" * 150: b"long"}


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
@pytest.mark.parametrize("form", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT])
def test_an_honest_tar_is_unpacked(tmp_path: Path, mode: str, form: int) -> None:
    """Every packing and both dialects, with names that need an extra header."""

    def make(path: Path) -> None:
        with tarfile.open(path, mode, format=form) as archive:  # type: ignore[call-overload]
            folder = tarfile.TarInfo("model")
            folder.type = tarfile.DIRTYPE
            archive.addfile(folder)
            for name, content in PLAIN.items():
                member, _ = entry("./" + name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))

    assert unpacked(make, tmp_path) == PLAIN


def test_an_honest_zip_is_unpacked(tmp_path: Path) -> None:
    """As every tool writes them."""
    assert unpacked(zipped(*PLAIN.items()), tmp_path) == PLAIN


@pytest.mark.parametrize(
    "make",
    [
        tar(entry("/etc/evil")),
        tar(entry("../evil")),
        tar(entry("a/../../evil")),
        tar(entry("link", b"", type=tarfile.SYMTYPE, linkname="/etc"), entry("link/evil")),
        tar(entry("link", b"", type=tarfile.SYMTYPE, linkname="inside")),
        tar(entry("hard", b"", type=tarfile.LNKTYPE, linkname="../../evil")),
        tar(entry("device", b"", type=tarfile.CHRTYPE)),
        tar(entry("fifo", b"", type=tarfile.FIFOTYPE)),
        tar(entry("twice"), entry("twice")),
        tar(entry("file"), entry("file/below")),
        tar(entry(".serin-artifact.json")),
        zipped(("/etc/evil", b"x")),
        zipped(("../evil", b"x")),
        zipped(("link", b"/etc"), attributes=0o120777),
    ],
)
def test_an_archive_that_wants_out_is_refused(tmp_path: Path, make: Make) -> None:
    """And nothing lies outside of the folder afterwards."""
    with pytest.raises(ArtifactError) as error:
        unpacked(make, tmp_path)
    assert error.value.reason is Reason.UNSAFE
    assert {path.name for path in tmp_path.iterdir()} == {"archive", "into"}
    assert not [path for path in tmp_path.rglob("*") if path.is_symlink()]


@pytest.mark.parametrize("make", [tar(entry("zeros", bytes(64 << 20))), zipped(("zeros", bytes(64 << 20)))])
def test_a_bomb_is_stopped_by_its_ratio(tmp_path: Path, make: Make) -> None:
    """64 MiB of zeros in 64 KiB; 16 MiB are written before it is noticed."""
    with pytest.raises(ArtifactError) as error:
        unpacked(make, tmp_path)
    assert error.value.reason is Reason.UNSAFE
    assert (tmp_path / "into" / "zeros").stat().st_size <= 17 << 20


@pytest.mark.parametrize("make", [tar(entry("a", b"x" * 2000)), zipped(("a", b"x" * 2000))])
@pytest.mark.parametrize(("limit", "fits"), [(1999, False), (2000, True)])
def test_unpacked_bytes_are_limited(tmp_path: Path, make: Make, limit: int, fits: bool) -> None:
    """One below, and at."""
    if fits:
        unpacked(make, tmp_path, unpacked_bytes_max=limit)
        return
    with pytest.raises(ArtifactError) as error:
        unpacked(make, tmp_path, unpacked_bytes_max=limit)
    assert error.value.reason is Reason.TOO_LARGE


@pytest.mark.parametrize(
    "make", [tar(*(entry(str(n)) for n in range(11))), zipped(*((str(n), b"") for n in range(11)))]
)
@pytest.mark.parametrize(("limit", "fits"), [(10, False), (11, True)])
def test_members_are_limited(tmp_path: Path, make: Make, limit: int, fits: bool) -> None:
    """One below, and at."""
    if fits:
        assert len(unpacked(make, tmp_path, files_max=limit)) == 11
        return
    with pytest.raises(ArtifactError) as error:
        unpacked(make, tmp_path, files_max=limit)
    assert error.value.reason is Reason.TOO_LARGE


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE])
def test_a_header_that_claims_gigabytes_costs_no_memory(tmp_path: Path, kind: bytes) -> None:
    """Tarfile reads names and extended headers in one piece; a claim of a gigabyte must not be believed."""

    def make(path: Path) -> None:
        member = tarfile.TarInfo("././@LongLink")
        member.type = kind
        member.size = 1 << 30
        with gzip.open(path, "wb") as out:
            out.write(member.tobuf(tarfile.GNU_FORMAT))
            for _ in range(64):
                out.write(bytes(1 << 20))

    tracemalloc.start()
    try:
        with pytest.raises(ArtifactError) as error:
            unpacked(make, tmp_path)
        assert tracemalloc.get_traced_memory()[1] < 40 << 20
    finally:
        tracemalloc.stop()
    assert error.value.reason is Reason.UNSAFE


def test_a_table_of_contents_that_claims_too_much_is_not_read(tmp_path: Path) -> None:
    """Zipfile would read it in one piece."""

    def make(path: Path) -> None:
        zipped(("a", b"x"))(path)
        raw = bytearray(path.read_bytes())
        at = raw.rfind(b"PK\x05\x06")
        raw[at + 8 : at + 20] = struct.pack("<HHLL", 1, 1, 1 << 30, 0)
        path.write_bytes(raw)

    with pytest.raises(ArtifactError) as error:
        unpacked(make, tmp_path)
    assert error.value.reason is Reason.TOO_LARGE


@pytest.mark.parametrize("content", [b"", b"not an archive", b"PK\x03\x04", b"\x1f\x8b\x08\x00", b"\x28\xb5\x2f\xfd"])
def test_damage_is_said_and_not_passed_on(tmp_path: Path, content: bytes) -> None:
    """Whatever the library would raise."""
    with pytest.raises(ArtifactError) as error:
        unpacked(lambda path: path.write_bytes(content) and None, tmp_path)
    assert error.value.reason is Reason.UNSAFE


def test_a_name_in_a_zip_that_is_no_text_is_damage(tmp_path: Path) -> None:
    """Its flag says UTF-8, and its bytes are none: zipfile raises what it raises of no other damage."""

    def make(path: Path) -> None:
        zipped(("\u00fc", b"x"))(path)
        path.write_bytes(path.read_bytes().replace("\u00fc".encode(), b"\xff\xfe"))

    with pytest.raises(ArtifactError) as error:
        unpacked(make, tmp_path)
    assert error.value.reason is Reason.UNSAFE


def test_a_record_of_an_extended_header_with_a_length_beyond_64_bits_is_damage(tmp_path: Path) -> None:
    """Tarfile takes the length as a place to look at."""

    def make(path: Path) -> None:
        record = b"9" * 30 + b" path=x\n"
        member = tarfile.TarInfo("x")
        member.type, member.size = tarfile.XHDTYPE, len(record)
        path.write_bytes(member.tobuf(tarfile.USTAR_FORMAT) + record.ljust(512, b"\0") + bytes(1024))

    with pytest.raises(ArtifactError) as error:
        unpacked(make, tmp_path)
    assert error.value.reason is Reason.UNSAFE
