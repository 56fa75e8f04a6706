"""Whose a ModelRevision is, while its ModelDeployment lives and after."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from serin.api.model_deployment import ModelDeployment
from serin.workloads import desired_revision
from serin.workloads.retention import is_of, may_be_used, retention_patch, was_stable_for
from tests.unit.workloads.builders import deployment

Json = dict[str, Any]


def md(*, retain: bool = False, uid: str = "uid-iris", name: str = "iris") -> ModelDeployment:
    """The ModelDeployment ml/iris in one of its lives."""
    raw = deployment().to_dict()
    raw["metadata"] |= {"uid": uid, "name": name}
    return ModelDeployment.model_validate(raw | {"spec": {**raw["spec"], "retain": retain}})


def made_for(one: ModelDeployment) -> Json:
    """Its revision as it is stored."""
    raw = desired_revision(one)
    raw["metadata"]["resourceVersion"] = "7"
    return raw


def patched(raw: Json, one: ModelDeployment) -> Json:
    """The revision after what retain asks for."""
    after = copy.deepcopy(raw)
    test, *changes = retention_patch(raw, one)
    assert test == {"op": "test", "path": "/metadata/resourceVersion", "value": "7"}
    for change in changes:
        after["metadata"][change["path"].rpartition("/")[2]] = change["value"]
    return after


def test_a_retained_revision_has_no_owner_from_the_start() -> None:
    """A foreground deletion leaves no time to take one off."""
    raw = made_for(md(retain=True))
    assert "ownerReferences" not in raw["metadata"]
    assert raw["metadata"]["annotations"] == {"serin.dev/retained-for": "uid-iris"}
    assert is_of(raw, md()), "pruned like any other"


@pytest.mark.parametrize("retain", [True, False])
def test_changing_retain_makes_of_a_revision_what_it_would_have_been(retain: bool) -> None:
    """Both ways, and then there is nothing left to change."""
    raw = made_for(md(retain=not retain))
    after = patched(raw, md(retain=retain))
    fresh = made_for(md(retain=retain))["metadata"]
    for key in ("ownerReferences", "annotations"):
        assert (after["metadata"].get(key) or None) == fresh.get(key)
    assert retention_patch(after, md(retain=retain)) == []


def test_owners_and_annotations_of_others_stay() -> None:
    raw = made_for(md())
    other = {"uid": "theirs", "kind": "ConfigMap", "name": "x", "apiVersion": "v1"}
    raw["metadata"]["ownerReferences"].append(other)
    raw["metadata"]["annotations"] = {"team": "fraud"}
    after = patched(raw, md(retain=True))["metadata"]
    assert after["ownerReferences"] == [other]
    assert after["annotations"] == {"team": "fraud", "serin.dev/retained-for": "uid-iris"}


@pytest.mark.parametrize("retain", [True, False])
def test_what_another_one_has_left_is_used_but_never_owned(retain: bool) -> None:
    """Neither pruned nor given an owner, or it would go with the second ModelDeployment of that name."""
    left, second = made_for(md(retain=True)), md(retain=retain, uid="uid-second")
    assert may_be_used(left, second)
    assert not is_of(left, second)
    assert retention_patch(left, second) == []


def test_what_is_neither_owned_nor_left_is_somebody_elses() -> None:
    """Of another name, without the annotation, or another one's still."""
    left = made_for(md(retain=True))
    assert not may_be_used(left, md(name="other", uid="2"))
    del left["metadata"]["annotations"]
    assert not may_be_used(left, md())
    owned = made_for(md(uid="uid-first"))
    owned["metadata"]["annotations"] = {"serin.dev/retained-for": "uid-iris"}
    assert not may_be_used(owned, md())


def test_one_that_is_going_is_left_to_go() -> None:
    raw = made_for(md())
    raw["metadata"]["deletionTimestamp"] = "2026-11-28T10:00:00Z"
    assert retention_patch(raw, md(retain=True)) == []


def test_it_was_stable_for_the_one_that_promoted_it_last() -> None:
    """Its status says it; one from before that field was stable for the one that made it, retained since or not."""
    raw = made_for(md())
    assert was_stable_for(raw) is None
    raw["status"] = {"wasStable": True}
    assert was_stable_for(raw) == was_stable_for(patched(raw, md(retain=True))) == "uid-iris"
    raw["status"]["stableFor"] = "uid-second"
    assert was_stable_for(raw) == "uid-second"
