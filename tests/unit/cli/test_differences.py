"""`diff`: one difference is one line."""

from __future__ import annotations

import copy
from typing import Any

from serin.plugin.differences import Difference, differences
from tests.unit.cli.stories import STORIES

Raw = dict[str, Any]


def revision() -> Raw:
    """A raw ModelRevision."""
    return copy.deepcopy(STORIES["promoted"]().revisions[0])


def container(raw: Raw) -> Raw:
    """Its container."""
    found: Raw = raw["spec"]["serving"]["template"]["spec"]["containers"][0]
    return found


def test_a_revision_is_like_itself_whatever_became_of_it() -> None:
    other = revision()
    other["status"] = {"verdict": "Rejected"}
    other["spec"] |= {"contentHash": "sha256:other", "scheme": 9}
    assert differences(revision(), other).fields == ()


def test_files_that_differ_behind_one_uri_are_a_difference() -> None:
    """Nobody wrote a digest, and the tag was moved between two labels: what a Job or a poll found is all that tells."""
    before, after, polled = revision(), revision(), revision()
    for one, digest in ((before, "sha256:aa"), (after, "sha256:bb")):
        one["spec"]["model"] = {"name": "iris", "uri": "oci://registry.example/iris:best"}
        one["status"] = {"artifact": {"digest": digest}}
    polled["spec"] |= {"model": before["spec"]["model"], "polled": {"digest": "sha256:cc"}}
    (found,) = differences(before, after).fields
    assert found == Difference("model.digest", "sha256:aa", "sha256:bb")
    assert Difference("model.digest", "sha256:aa", "sha256:cc") in differences(before, polled).fields


def test_an_entry_in_front_of_the_others_is_one_difference() -> None:
    other = revision()
    container(other)["env"].insert(0, {"name": "CACHE", "value": "1"})
    at = "serving.template.spec.containers[model].env[CACHE]"
    assert differences(revision(), other).fields == (Difference(at, None, {"name": "CACHE", "value": "1"}),)


def test_a_list_without_names_is_compared_by_place() -> None:
    before, after = revision(), revision()
    container(before)["args"] = ["--threads", "4"]
    container(after)["args"] = ["--threads", "8", "--fast"]
    at = "serving.template.spec.containers[model].args"
    assert differences(before, after).fields == (
        Difference(f"{at}[1]", "4", "8"),
        Difference(f"{at}[2]", None, "--fast"),
    )


def test_what_one_side_does_not_have_is_shown_as_it_was_written() -> None:
    other = revision()
    container(other)["ports"] = [{"name": "http", "containerPort": 8080}]
    (found,) = differences(revision(), other).fields
    assert found.before is None
    assert found.after == [{"name": "http", "containerPort": 8080}]


def test_a_field_that_is_false_is_not_one_that_is_missing() -> None:
    other = revision()
    container(other)["tty"] = False
    (found,) = differences(revision(), other).fields
    assert (found.before, found.after) == (None, False)
