"""The content hash: what makes a new revision, and what does not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from serin.api.model_deployment import ModelDeployment
from serin.api.model_revision import SCHEME, ModelRevisionSpec, content_hash
from serin.api.parse import parse_model_deployment
from serin.workloads import desired_revision
from serin.workloads.resolve import Artifact
from tests.unit.api.builders import deployment

TEMPLATE: dict[str, Any] = {
    "metadata": {"labels": {"team": "a"}},
    "spec": {"containers": [{"name": "model", "image": "i:2", "env": [{"name": "A", "value": "1"}]}]},
}


def _hash(spec: Mapping[str, Any] | None = None, **model: Any) -> str:
    raw = deployment(serving={"port": 8080, "template": TEMPLATE})
    raw["spec"] |= spec or {}
    raw["spec"]["model"] |= model
    parsed = parse_model_deployment(raw)
    assert isinstance(parsed, ModelDeployment), parsed
    return content_hash(parsed.spec)


def test_the_hash_of_a_known_content_never_changes() -> None:
    """An operator upgrade that changed it would roll out every model anew; a new way needs a new SCHEME."""
    assert SCHEME == 1
    assert _hash() == "sha256:37bd3f3f1e3fd49a5421ece046d76c865a5ce5fd9f46357a4167c19491f1ebcf"


@pytest.mark.parametrize(
    "changed",
    [
        {"version": "3"},
        {"name": "rose"},
        {"uri": "s3://b/i"},
        {"uri": "s3://b/i", "digest": "sha256:" + "0" * 64},
        {"uri": "s3://b/i", "digest": "sha256:" + "0" * 64, "fetch": {}},
    ],
)
def test_another_model_is_another_content(changed: dict[str, Any]) -> None:
    """Name, version, uri and digest count, and whether and how the files are fetched."""
    assert _hash(**changed) != _hash()


@pytest.mark.parametrize(
    "serving",
    [
        {"port": 8081, "template": TEMPLATE},
        {"port": 8080, "protocol": "http", "template": TEMPLATE},
        {"port": 8080, "template": TEMPLATE | {"metadata": {"labels": {"team": "b"}}}},
        {"port": 8080, "template": {"spec": {"containers": [{"name": "model", "image": "i:3"}]}}},
    ],
)
def test_another_way_of_serving_is_another_content(serving: dict[str, Any]) -> None:
    """Port, protocol and everything in the template count."""
    assert _hash({"serving": serving}) != _hash()


@pytest.mark.parametrize(
    "spec",
    [
        {"serving": {"port": 8080, "replicas": 7, "template": TEMPLATE}},
        {"serving": {"port": 8080, "protocol": "open-inference", "template": TEMPLATE}},
        {"serving": {"port": 8080, "template": {"spec": TEMPLATE["spec"], "metadata": TEMPLATE["metadata"]}}},
        {"serving": {"port": 8080, "template": TEMPLATE, "existing": {"service": "old"}}},
        {"traffic": {"httpRoute": {"ref": {"name": "shop"}}}},
        {"rollout": {"paused": True}},
        {"revisionHistoryLimit": 3, "deletionPolicy": "Orphan"},
    ],
)
def test_what_starts_no_rollout_is_not_in_it(spec: dict[str, Any]) -> None:
    """Replicas, written-out defaults, the order of keys, traffic and rollout do not count."""
    assert _hash(spec) == _hash()


def test_card_and_lineage_are_not_in_it() -> None:
    """Documentation can be mended at any time."""
    assert _hash(card={"owners": ["ann"]}, lineage={"run": "7"}) == _hash()


def test_a_revision_has_the_hash_of_its_deployment() -> None:
    """A stored revision can be checked against its own hash."""
    raw = deployment(serving={"port": 8080, "template": TEMPLATE})
    spec = ModelRevisionSpec.model_validate(
        {
            "deployment": "iris",
            "model": raw["spec"]["model"],
            "serving": raw["spec"]["serving"],
            "contentHash": _hash(),
        }
    )
    assert content_hash(spec, spec.scheme) == _hash()


def test_null_is_absent() -> None:
    """The API server drops nulls, so they cannot mean anything."""
    template = {"metadata": TEMPLATE["metadata"], "spec": TEMPLATE["spec"] | {"hostname": None}}
    assert _hash({"serving": {"port": 8080, "template": template}}) == _hash()


def test_a_scheme_from_the_future_is_refused() -> None:
    """An older operator must not take its ignorance for a change."""
    parsed = parse_model_deployment(deployment())
    assert isinstance(parsed, ModelDeployment)
    with pytest.raises(ValueError, match="this operator knows 1"):
        content_hash(parsed.spec, 2)


def test_what_a_poll_has_found_is_another_content_and_how_often_it_asks_is_none() -> None:
    """Two finds are two revisions; switching polling on or off starts no rollout."""
    floating: dict[str, Any] = {"uri": "s3://b/i", "fetch": {}}
    assert _hash(**floating, pollInterval="10m") == _hash(**floating)
    raw = deployment(serving={"port": 8080, "template": TEMPLATE})
    raw["spec"]["model"] |= floating
    md = parse_model_deployment(raw)
    assert isinstance(md, ModelDeployment)
    one, two = (Artifact(f"sha256:{digit * 64}") for digit in "12")
    made = [desired_revision(md, found)["spec"] for found in (None, one, two)]
    hashes = {spec["contentHash"] for spec in made}
    assert len(hashes) == 3
    for spec in made:
        assert content_hash(ModelRevisionSpec.model_validate(spec)) == spec["contentHash"]
    elsewhere = Artifact(one.digest, "s3://mirror/i", 7)
    assert desired_revision(md, elsewhere)["spec"]["contentHash"] == made[1]["contentHash"], "its digest alone counts"
