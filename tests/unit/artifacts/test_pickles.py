"""Which files can run code when they are loaded."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from serin.artifacts import ArtifactError, Policy, Reason, fetch, resolve
from serin.artifacts.digest import digest_of_file
from serin.artifacts.pickles import is_pickle


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
    assert is_pickle(tmp_path / name) == want


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
