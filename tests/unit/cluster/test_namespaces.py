"""The commands that make and enter namespaces, and what is said where there are none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster import namespaces
from tests.cluster.errors import Unsupported
from tests.cluster.namespaces import Isolation


@pytest.fixture(autouse=True)
def fresh() -> Iterator[None]:
    """Detection is remembered; here each test has a machine of its own."""
    namespaces.detect.cache_clear()
    yield
    namespaces.detect.cache_clear()


def test_only_an_ordinary_user_needs_a_user_namespace() -> None:
    """Root gets none, so that it stays root for the file system."""
    assert "--user" not in Isolation(user_namespace=False).unshare()
    assert "--user" in Isolation(user_namespace=True).unshare()
    assert "--preserve-credentials" in Isolation(user_namespace=True).enter(1, Path("/"))


def test_other_systems_are_pointed_to_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    """MacOS has no namespaces."""
    monkeypatch.setattr("sys.platform", "darwin")
    with pytest.raises(Unsupported, match=r"Linux.*kind"):
        namespaces.detect()


@pytest.mark.parametrize(
    ("program", "package"), [("ip", "iproute2"), ("nsenter", "util-linux"), ("unshare", "util-linux")]
)
def test_a_missing_program_names_its_package(program: str, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message is the command that helps."""
    monkeypatch.setattr("shutil.which", lambda name: None if name == program else f"/bin/{name}")
    with pytest.raises(Unsupported, match=f"'{program}': apt-get install {package}"):
        namespaces.detect()


@pytest.mark.parametrize(
    ("setting", "value", "want"),
    [
        ("kernel/apparmor_restrict_unprivileged_userns", "1", "sysctl kernel.apparmor_restrict"),
        ("kernel/unprivileged_userns_clone", "0", "sysctl kernel.unprivileged_userns_clone=1"),
        ("user/max_user_namespaces", "0", "sysctl user.max_user_namespaces"),
    ],
)
def test_a_refusing_kernel_is_explained(setting: str, value: str, want: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever setting forbids it is named, with the command that allows it."""
    monkeypatch.setattr(namespaces, "_sysctl", lambda name: value if name == setting else None)
    assert want in namespaces._advice(["unshare failed"])
