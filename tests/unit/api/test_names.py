"""Names: those of revisions fit everywhere and tell contents apart."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from serin.api.names import DEPLOYMENT_NAME_MAX, REVISION_NAME_MAX, SLOTS, other, revision_name, slot_service

_DEPLOYMENTS = st.from_regex(r"[a-z]([-a-z0-9]{0,38}[a-z0-9])?", fullmatch=True)
_VERSIONS = st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._+-]{0,61}[A-Za-z0-9])?", fullmatch=True)


def test_a_revision_is_named_after_deployment_version_and_content() -> None:
    """People can read the version, and the hash tells contents apart."""
    assert re.fullmatch(r"iris-2-1-0-rc1-[a-z0-9]{5}", revision_name("iris", "2.1.0-RC1", "sha256:00"))


@given(_DEPLOYMENTS, _VERSIONS, st.text())
def test_a_revision_name_is_a_label_value_with_room_for_a_suffix(deployment: str, version: str, content: str) -> None:
    """Jobs and Services can be named after it, and labels hold it, for every accepted name and version."""
    name = revision_name(deployment, version, content)
    assert len(deployment) <= DEPLOYMENT_NAME_MAX
    assert len(name) <= REVISION_NAME_MAX
    assert re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])?", name)
    assert name.startswith(f"{deployment}-")


@given(_DEPLOYMENTS, _VERSIONS)
def test_a_revision_name_is_never_a_slot_service(deployment: str, version: str) -> None:
    """`iris-a` is a Service; no revision of iris is called so."""
    assert revision_name(deployment, version, "x") not in {slot_service(deployment, slot) for slot in SLOTS}


def test_other_contents_give_other_names() -> None:
    """A thousand contents of one version have a thousand names, give or take a birthday."""
    names = {revision_name("iris", "2", f"sha256:{number}") for number in range(1000)}
    assert len(names) >= 999


def test_a_slot_has_another() -> None:
    """Two slots take turns."""
    assert [other(slot) for slot in SLOTS] == ["b", "a"]
