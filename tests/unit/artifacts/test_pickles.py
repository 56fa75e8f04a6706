"""Which files can run code when they are loaded."""

from __future__ import annotations

import io
import json
import pickle
import tarfile
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
import skops.io
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from serin.artifacts import ArtifactError, Cache, Policy, Reason, fetch, resolve
from serin.artifacts.digest import digest_of_file
from serin.artifacts.opcodes import runs_code
from serin.artifacts.pickles import Damaged, Pickle, look_for_pickle

SYSTEM = b"cos\nsystem\n(S'id'\ntR."
ROOT = Path(__file__).parents[3]


def npy_behind_spaces(descr: str, spaces: int, version: int = 1) -> bytes:
    """An array of one element whose header says its type only after many spaces."""
    header = (" " * spaces + f"{{'descr': {descr}, 'fortran_order': False, 'shape': (1,), }}\n").encode()
    return b"\x93NUMPY" + bytes([version, 0]) + len(header).to_bytes(2 if version == 1 else 4, "little") + header


def torch_like() -> bytes:
    """A checkpoint: a zip with a pickle and raw storages."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({}, protocol=2))
        archive.writestr("archive/data/0", bytes(64))
    return out.getvalue()


def npy(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, array, allow_pickle=True)
    return out.getvalue()


def npz(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.savez(out, weights=array)
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "want"),
    [
        ("model.pkl", b"anything", True),
        ("model.JOBLIB", b"anything", True),
        ("model.pt", b"anything", True),
        *((f"protocol-{number}.bin", pickle.dumps([1], protocol=number), True) for number in (2, 3, 4, 5)),
        ("pytorch_model.bin", torch_like(), True),
        ("weights.npy", npy(np.array([[1], "a"], dtype=object)), True),
        ("weights.npy", npy(np.zeros(3)), False),
        ("weights.npz", npz(np.zeros(3)), False),
        ("weights.npz", npz(np.array([[1], "a"], dtype=object)), True),
        ("damaged.bin", b"PK\x03\x04 and then nothing", True),
        ("model.safetensors", b"\x08\x00\x00\x00\x00\x00\x00\x00{}      ", False),
        ("model.onnx", b"\x08\x07\x12\x07pytorch", False),
        ("model.ubj", b"{L\x00\x00", False),
        ("MLmodel", b"flavors: {}", False),
        ("empty.bin", b"", False),
    ],
)
def test_files_are_told_by_name_or_content(tmp_path: Path, name: str, content: bytes, want: bool) -> None:
    """`.bin` can be anything, so what is in it decides."""
    (tmp_path / name).write_bytes(content)
    found = look_for_pickle(tmp_path / name)
    assert found == ((Damaged() if name == "damaged.bin" else Pickle()) if want else None)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(SYSTEM, id="system"),
        pytest.param(b"csubprocess\ncheck_output\n((lS'id'\natR.", id="check_output"),
        pytest.param(b"(S'id'\nios\nsystem\n.", id="instance"),
        pytest.param(b"(cos\nsystem\nS'id'\no.", id="object"),
        pytest.param(b"N0" + SYSTEM, id="nothing first"),
        pytest.param(b"I1\n0" + SYSTEM, id="a number first"),
        pytest.param(b"I  0x1\0 what loaders pass over\n0" + SYSTEM, id="a number of a kind first"),
        pytest.param(b"F1e5\n0" + SYSTEM, id="a fraction first"),
        pytest.param(b"Vany words\n0" + SYSTEM, id="words first"),
        pytest.param(b"V" + b"w" * 200_000 + b"\n0" + SYSTEM, id="a long line first"),
        pytest.param(b"I" + b" " * 9000 + b"1\n0" + SYSTEM, id="a number behind spaces first"),
        pytest.param(b"S'\xff'\n0" + SYSTEM, id="what is no ASCII first"),
        pytest.param(b"B" + (200_000).to_bytes(4, "little") + bytes(200_000) + b"0" + SYSTEM, id="bytes first"),
        pytest.param(b"N0" * 70_000 + SYSTEM, id="nothing very often"),
        pytest.param(b"N." + SYSTEM, id="the second of two"),
        pytest.param(b"(NN1" + SYSTEM, id="a mark first"),
        pytest.param(b"(1" + SYSTEM + b"and what is not read", id="something behind it"),
        pytest.param(SYSTEM[:-1] + b"\xff", id="no end, but called by then"),
        pytest.param(b"\x80\x01" + SYSTEM, id="declared as protocol 1"),
        pytest.param(b"X\x02\0\0\0osX\x06\0\0\0system\x93X\x02\0\0\0id\x85R.", id="names from strings"),
        pytest.param(b"cos\nsystem\np0\n0g0\n(S'id'\ntR.", id="by way of the memo"),
        pytest.param(b"csys\npath\nV/tmp\na.", id="adds to the path"),
        pytest.param(npy_behind_spaces("'|O'", 700), id="array of objects"),
        pytest.param(npy_behind_spaces("[('a', '<f4'), ('b', 'O')]", 0), id="array with a field of objects"),
        pytest.param(npy_behind_spaces("'|O'", 700, version=3), id="array of objects, version 3"),
        pytest.param(npy_behind_spaces("'<f4'", 70_000, version=2), id="array with a header that nobody writes"),
        pytest.param(npy_behind_spaces("(", 0), id="array with a header that is none"),
    ],
)
@pytest.mark.parametrize("name", ["model.onnx", "weights.bin", "within.npz"])
def test_a_pickle_under_another_name_is_one_whatever_comes_first(tmp_path: Path, name: str, content: bytes) -> None:
    """Bytes that a loader passes over before the call hide nothing."""
    path = tmp_path / name
    if name == "within.npz":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("weights", content)
    else:
        path.write_bytes(content)
    assert look_for_pickle(path) == Pickle()


_PIECES = [
    *(b"cos\nsystem\n", b"cm\nf\n", b"(", b")", b"N", b"0", b"1", b"2", b"t", b"l", b"d", b"]", b"}", b"R", b"b", b"o"),
    *(
        b"a",
        b"e",
        b"s",
        b"u",
        b".",
        b"im\nf\n",
        b"\x81",
        b"\x85",
        b"\x86",
        b"\x93",
        b"\x94",
        b"p0\n",
        b"g0\n",
        b"q\x01",
    ),
    *(b"h\x01", b"h\x00", b"I01\n", b"L5L\n", b"F1.5\n", b"S'id'\n", b"Vid\n", b"U\x01m", b"X\x01\0\0\0f", b"\x80\x00"),
    *(b"\x8c\x01f", b"K\x05", b"\x8a\x01\x05", b"\x92", b"\x8f", b"\x90", b"\x91", b"C\x01f", b"Pid\n", b"text\n"),
]


class _Called(BaseException):
    """The loader has called what the pickle named."""


class _Named:
    """Calls with letters, one each, are let through: that is what a word does as arguments, and labels are words."""

    def __new__(cls, *arguments: object, **_more: object) -> object:
        if arguments and all(isinstance(one, str) and len(one) == 1 for one in arguments):
            return object.__new__(cls)
        raise _Called

    def __setstate__(self, state: object) -> None:
        if not isinstance(state, str):
            raise _Called


@given(st.lists(st.sampled_from(_PIECES), max_size=14))
def test_whatever_a_loader_would_call_is_found(pieces: list[bytes]) -> None:
    """Both loaders of Python are asked, with a harmless class for every name."""
    content = b"".join(pieces)
    for base in (pickle.Unpickler, pickle._Unpickler):  # type: ignore[attr-defined]

        class Loader(base):  # type: ignore[misc, valid-type]
            def find_class(self, _module: str, _name: str) -> object:
                return _Named

        try:
            Loader(io.BytesIO(content)).load()
        except _Called:
            assert runs_code(io.BytesIO(content), len(content)), content
        except Exception:  # noqa: BLE001  a loader may end as it likes
            continue


DATA = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(DATA, st.integers(0, 5), st.sampled_from([b"", b"N0", b"I1\n0", b"(1", b"Vx\n."]))
def test_every_pickle_is_found_whatever_its_protocol(data: object, protocol: int, before: bytes) -> None:
    """One of plain data, too: nobody has looked into what follows it."""
    content = before + pickle.dumps(data, protocol=protocol)
    assert runs_code(io.BytesIO(content), len(content))


@given(st.lists(st.from_regex(r"[A-Za-z.(][a-zA-Z0-9 .,'()-]{1,12}", fullmatch=True), max_size=30))
def test_lists_of_words_are_no_pickles(words: list[str]) -> None:
    """Labels and vocabularies, a word a line: `cat` and `dog` are a name in a module to a loader."""
    content = "".join(f"{word}\n" for word in words).encode()
    assert not runs_code(io.BytesIO(content), len(content))


def safetensors(size: int) -> bytes:
    """A file whose header has exactly so many bytes."""
    header = json.dumps(
        {"__metadata__": {"format": "pt"}, "layer.0": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}
    )
    return size.to_bytes(8, "little") + header.ljust(size).encode() + np.arange(4, dtype="<f4").tobytes()


def test_no_length_of_a_safetensors_header_is_a_pickle() -> None:
    """A file begins with that number, and 640 is how protocol 2 declares itself."""
    for size in range(128, 9000, 8):
        content = safetensors(size)
        assert not runs_code(io.BytesIO(content), len(content)), size


@pytest.mark.parametrize("suffix", [".md", ".py", ".yaml", ".json", ".txt", ".toml", ".css", ".in", ".lua"])
def test_the_texts_of_this_repository_are_no_pickles(suffix: str) -> None:
    """Real files of the kinds that lie beside a model."""
    paths = [
        path for folder in ("docs", "operator", "manifests", "tests") for path in (ROOT / folder).rglob(f"*{suffix}")
    ]
    paths += ROOT.glob(f"*{suffix}")
    assert [path for path in paths if look_for_pickle(path)] == []


def test_archives_and_skops_files_are_no_pickles(tmp_path: Path) -> None:
    """Real ones: tar plain and packed, zip, an estimator in skops."""
    for name in ("config", "Vocabulary", "(model", "cat", "N"):
        (tmp_path / name).write_text("labels\n")
    made = []
    for mode in ("", "gz", "bz2", "xz"):
        for member in ("config", "Vocabulary", "(model", "cat", "N"):
            path = tmp_path / f"{member}.tar{mode}"
            with tarfile.open(path, f"w:{mode}") as archive:  # type: ignore[call-overload]
                archive.add(tmp_path / member, member)
            made.append(path)
    with zipfile.ZipFile(tmp_path / "packed.bin", "w", zipfile.ZIP_DEFLATED) as packed:
        for member in ("config", "Vocabulary", "(model", "cat"):
            packed.write(tmp_path / member, member)
    x = np.arange(20.0).reshape(10, 2)
    skops.io.dump(LogisticRegression().fit(x, x[:, 0] > 9), tmp_path / "model.skops")
    made += [tmp_path / "packed.bin", tmp_path / "model.skops"]
    assert [path for path in made if look_for_pickle(path)] == []


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b'\x08\x08\x12\x07skl2onnx\x1a\x061.17.0:\x10\n\x0e\n\x01x\x12\x01y\x1a\x01n"\x03Add', id="ONNX"),
        pytest.param(b"GGUF\x03\0\0\0" + (291).to_bytes(8, "little") + bytes(64), id="GGUF"),
        pytest.param(b"\x1c\0\0\0TFL3" + bytes(64), id="TFLite"),
        pytest.param(b"\x89HDF\r\n\x1a\n" + bytes(64), id="HDF5"),
        pytest.param(b"\x89PNG\r\n\x1a\n" + bytes(64), id="PNG"),
        pytest.param(b"cache\nbuild\n.git\n", id="a list of files to ignore"),
        pytest.param(b"cat\ndog\nRabbit\nant\nbird\n", id="labels"),
        pytest.param(b"car\nbus\nVan\nRover\nboat\nant\n", id="labels with an argument"),
        pytest.param(b"(none)\n" * 9, id="brackets"),
        pytest.param(npy_behind_spaces("'<f4'", 700) + bytes(4), id="array of numbers behind spaces"),
        pytest.param(npy(np.zeros(2, dtype=[("größe", "<f4")])), id="array with names of version 3"),
    ],
)
def test_other_files_are_no_pickles(tmp_path: Path, content: bytes) -> None:
    """A false alarm is a model that cannot be deployed."""
    (tmp_path / "model.bin").write_bytes(content)
    assert look_for_pickle(tmp_path / "model.bin") is None


def test_memory_does_not_depend_on_what_a_file_says_of_itself(tmp_path: Path) -> None:
    """A string of a gigabyte is passed over, a line of 100 MB is read in pieces."""
    path = tmp_path / "model.bin"
    for start, size in ((b"X\0\0\0\x3f", 1 << 30), (b"V", 100 << 20)):
        with path.open("wb") as file:
            file.write(start)
            file.truncate(size)
            file.seek(0x3F000000 + 5)
            file.write(b"0" + SYSTEM)
        tracemalloc.start()
        found = look_for_pickle(path)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert found
        assert peak < 4 << 20


@pytest.fixture
def claims(tmp_path: Path) -> Path:
    """A claim with a checkpoint whose name says nothing, and the same in a zip."""
    folder = tmp_path / "claims" / "models"
    folder.mkdir(parents=True)
    (folder / "model.bin").write_bytes(torch_like())
    with zipfile.ZipFile(folder / "packed.zip", "w") as archive:
        archive.write(folder / "model.bin", "deep/model.bin")
    return folder.parent


@pytest.mark.parametrize("path", ["model.bin", "packed.zip"])
def test_an_unpinned_pickle_is_refused_unless_the_policy_allows_it(tmp_path: Path, claims: Path, path: str) -> None:
    """A digest that Serin found out itself pins nothing: nobody vouches for what it found."""
    uri = f"pvc://models/{path}"
    digest = digest_of_file(claims / "models" / path)
    for number, (pin, trusted) in enumerate([(None, True), (digest, False)]):
        with pytest.raises(ArtifactError, match="safetensors") as error:
            fetch(uri, pin, tmp_path / f"refused-{number}", trusted=trusted, claims=claims)
        assert error.value.reason is Reason.UNSAFE
        assert not list((tmp_path / f"refused-{number}").glob("[!.]*"))
    fetch(uri, digest, tmp_path / "pinned", claims=claims)
    fetch(uri, digest, tmp_path / "allowed", trusted=False, policy=Policy(pickles=True), claims=claims)
    assert list((tmp_path / "pinned").rglob("model.bin"))
    assert list((tmp_path / "allowed").rglob("model.bin"))


def test_where_a_uri_led_when_it_was_resolved_vouches_for_nothing(tmp_path: Path, claims: Path) -> None:
    """It is read in the place of the uri, and says where a branch was moved to; only the uri's writer can vouch."""
    digest = digest_of_file(claims / "models" / "model.bin")
    resolved = {"trusted": False, "resolved_uri": "pvc://models/model.bin", "claims": claims}
    with pytest.raises(ArtifactError) as error:
        fetch("hf://acme/iris@main", digest, tmp_path / "refused", **resolved)
    assert error.value.reason is Reason.UNSAFE
    fetch(f"hf://acme/iris@{'0' * 40}", digest, tmp_path / "commit", **resolved)
    assert list((tmp_path / "commit").rglob("model.bin")), "this uri names content itself, so its writer vouches"


def test_resolve_refuses_what_its_name_gives_away(tmp_path: Path) -> None:
    """Before it is downloaded."""
    folder = tmp_path / "claims" / "models"
    folder.mkdir(parents=True)
    (folder / "model.pkl").write_bytes(b"\x80\x04N.")
    with pytest.raises(ArtifactError) as error:
        resolve("pvc://models/model.pkl", claims=folder.parent)
    assert error.value.reason is Reason.UNSAFE
    assert resolve("pvc://models/model.pkl", policy=Policy(pickles=True), claims=folder.parent).size == 4


def _member(path: Path, method: int) -> bytearray:
    """A zip with the beginning of a pickle: None, which is dropped, again and again."""
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("weights", b"\x80\x04" + b"N0" * 1000)
    return bytearray(path.read_bytes())


@pytest.mark.parametrize("damage", ["cut off", "spoilt", "without a name"])
def test_a_zip_that_cannot_be_looked_into_is_refused_like_one_with_a_pickle(tmp_path: Path, damage: str) -> None:
    """Whatever zipfile raises of it: another program may read what it cannot. It is said that nobody can tell."""
    path = tmp_path / "claims" / "models" / "model.bin"
    path.parent.mkdir(parents=True)
    match damage:
        case "cut off":
            raw = _member(path, zipfile.ZIP_STORED)
            at = raw.rfind(b"PK\x01\x02")
            raw[at + 20 : at + 28] = (1 << 20).to_bytes(4, "little") * 2  # the size that the table claims
        case "spoilt":
            raw = _member(path, zipfile.ZIP_LZMA)
            raw[45:60] = b"\xff" * 15
        case _:
            raw = _member(path, zipfile.ZIP_STORED).replace(b"weights", b"\0eights")
    path.write_bytes(raw)
    assert look_for_pickle(path) == Damaged()
    with pytest.raises(ArtifactError, match="cannot be read as one, so nobody can tell") as error:
        fetch("pvc://models/model.bin", None, tmp_path / "into", claims=tmp_path / "claims")
    assert (error.value.reason, error.value.field) == (Reason.UNSAFE, "spec.model.digest")


@pytest.mark.parametrize("way", ["fetch", "resolve"])
def test_a_zip_of_too_many_members_is_refused_for_their_number(tmp_path: Path, way: str) -> None:
    """No pickle was found, so none is spoken of; smaller zips help, or a digest. Its name says nothing of a zip."""
    claims = tmp_path / "claims"
    (claims / "models").mkdir(parents=True)
    with zipfile.ZipFile(claims / "models" / "many.bin", "w") as archive:
        for number in range(100_001):
            archive.writestr(zipfile.ZipInfo(str(number)), b"")
    uri = "pvc://models/many.bin"

    def ask() -> object:
        if way == "fetch":
            return fetch(uri, None, tmp_path / "into", claims=claims)
        return resolve(uri, claims=claims, cache=Cache(tmp_path / "cache", 1 << 30))

    with pytest.raises(ArtifactError, match=r"has 100001 members and is looked .* several smaller zips") as error:
        ask()
    assert (error.value.reason, error.value.field) == (Reason.UNSAFE, "spec.model.digest")
    assert "can run code" not in error.value.message
    fetch(uri, digest_of_file(claims / "models" / "many.bin"), tmp_path / "pinned", claims=claims)
