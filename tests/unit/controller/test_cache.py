"""What the cache believes: the newest, once, and nothing that is gone."""

from __future__ import annotations

from typing import Any

from serin.api.names import FIELD_MANAGER, LABEL_DEPLOYMENT
from serin.controller.cache import TOMBSTONES_MAX, Cache

Json = dict[str, Any]


def pod(version: int, *, name: str = "p", namespace: str = "ml", uid: str = "1", owner: str = "iris") -> Json:
    """An object as a watch brings it."""
    labels = {LABEL_DEPLOYMENT: owner} if owner else {}
    metadata = {"name": name, "namespace": namespace, "uid": uid, "resourceVersion": str(version), "labels": labels}
    return {"metadata": metadata}


def test_an_event_older_than_what_is_here_is_dropped() -> None:
    """A write puts its result in at once; the watch brings what was before it afterwards."""
    cache = Cache()
    assert cache.put("Pod", pod(7))
    assert not cache.put("Pod", pod(5))
    assert not cache.put("Pod", pod(7)), "the same again is no news"
    kept = cache.get("Pod", "ml", "p")
    assert kept is not None
    assert kept["metadata"]["resourceVersion"] == "7"


def test_versions_are_numbers_and_not_texts() -> None:
    """9 is older than 10."""
    cache = Cache()
    cache.put("Pod", pod(9))
    assert cache.put("Pod", pod(10))


def test_late_news_of_a_deleted_object_does_not_bring_it_back() -> None:
    """A list that was begun before the deletion may end after it."""
    cache = Cache()
    cache.put("Pod", pod(5))
    assert cache.remove("Pod", pod(8))
    assert not cache.put("Pod", pod(6))
    assert cache.get("Pod", "ml", "p") is None


def test_a_new_object_of_the_name_is_another_one() -> None:
    """Its uid differs, whatever is remembered of the old one."""
    cache = Cache()
    cache.put("Pod", pod(5))
    cache.remove("Pod", pod(8))
    assert cache.put("Pod", pod(9, uid="2"))


def test_the_late_deletion_of_a_namesake_leaves_the_new_one() -> None:
    """The new one was seen first."""
    cache = Cache()
    cache.put("Pod", pod(5))
    cache.put("Pod", pod(9, uid="2"))
    assert not cache.remove("Pod", pod(8))
    assert cache.get("Pod", "ml", "p") is not None


def test_what_is_remembered_of_the_dead_is_bounded() -> None:
    """A cluster that makes and deletes pods for years does not fill the memory."""
    cache = Cache()
    for number in range(TOMBSTONES_MAX + 10):
        cache.remove("Pod", pod(number + 1, uid=str(number)))
    assert len(cache._gone) == TOMBSTONES_MAX


def test_objects_are_found_by_the_deployment_that_they_belong_to() -> None:
    """By kind, namespace and label, in the order of their names."""
    cache = Cache()
    for name in ("c", "a", "b"):
        cache.put("Pod", pod(1, name=name))
    cache.put("Pod", pod(1, name="other", owner="shop"))
    cache.put("Pod", pod(1, name="elsewhere", namespace="dev"))
    cache.put("Service", pod(1, name="s"))
    assert [one["metadata"]["name"] for one in cache.owned("Pod", "ml", "iris")] == ["a", "b", "c"]


def test_the_index_follows_the_label() -> None:
    """An object that changes hands belongs to the new owner only."""
    cache = Cache()
    cache.put("Pod", pod(1))
    cache.put("Pod", pod(2, owner="shop"))
    assert cache.owned("Pod", "ml", "iris") == []
    assert len(cache.owned("Pod", "ml", "shop")) == 1
    cache.remove("Pod", pod(3, owner="shop"))
    assert cache.owned("Pod", "ml", "shop") == []


def test_what_a_list_no_longer_holds_is_dropped() -> None:
    """A deletion that no watch told of."""
    cache = Cache()
    cache.put("Pod", pod(3, name="gone"))
    cache.put("Pod", pod(3, name="there"))
    assert cache.forget_absent("Pod", [], {("ml", "there")}, 10) == [("ml", "gone")]
    assert cache.get("Pod", "ml", "gone") is None
    assert cache.owned("Pod", "ml", "iris")[0]["metadata"]["name"] == "there"


def test_what_is_newer_than_the_list_stays() -> None:
    """It was made while the list was on its way."""
    cache = Cache()
    cache.put("Pod", pod(11, name="new"))
    assert cache.forget_absent("Pod", [], set(), 10) == []


def test_a_list_of_one_namespace_says_nothing_of_the_others() -> None:
    """An operator of two namespaces lists them one after the other."""
    cache = Cache()
    cache.put("Pod", pod(3, namespace="dev"))
    assert cache.forget_absent("Pod", ["ml"], set(), 10) == []


def test_what_is_taken_out_is_a_copy() -> None:
    """Whoever changes it changes nothing here."""
    cache = Cache()
    cache.put("Pod", pod(1))
    one = cache.get("Pod", "ml", "p")
    assert one is not None
    one["metadata"]["name"] = "changed"
    again = cache.get("Pod", "ml", "p")
    assert again is not None
    assert again["metadata"]["name"] == "p"


def test_of_managed_fields_only_those_are_kept_that_we_applied() -> None:
    """`differs` needs ours, nobody needs the others', and they are half of an object."""
    cache = Cache()
    obj = pod(1)
    ours = {"manager": FIELD_MANAGER, "operation": "Apply", "fieldsV1": {}}
    obj["metadata"]["managedFields"] = [ours, {"manager": "kubelet", "operation": "Update"}]
    cache.put("Pod", obj)
    kept = cache.get("Pod", "ml", "p")
    assert kept is not None
    assert kept["metadata"]["managedFields"] == [ours]
