"""What can be refused at apply is: each with the field and with what to do."""

from __future__ import annotations

import json

import pytest

from tests.cluster import Cluster, ClusterError
from tests.unit.api.bad_resources import BAD, BAD_ACTIONS, Bad
from tests.unit.api.builders import Raw, deployment, deployment_with_plan, policy, revision


def _dry_run(cluster: Cluster, raw: Raw, *flags: str) -> str:
    return cluster.kubectl("apply", "--dry-run=server", "--validate=strict", "-f", "-", *flags, input=json.dumps(raw))


@pytest.mark.parametrize("bad", [*BAD, *BAD_ACTIONS], ids=lambda bad: bad.name)
def test_a_bad_resource_is_refused_in_words(cluster: Cluster, bad: Bad) -> None:
    """The field and what to do are in what kubectl prints."""
    with pytest.raises(ClusterError) as refusal:
        _dry_run(cluster, bad.raw())
    assert bad.field in str(refusal.value)
    assert (bad.server_words or bad.words) in str(refusal.value)


@pytest.mark.parametrize("good", [deployment, deployment_with_plan, policy, revision])
def test_what_is_spoilt_above_is_good_before(cluster: Cluster, good: object) -> None:
    """The table proves something only because its bases are accepted."""
    assert callable(good)
    assert "created (server dry run)" in _dry_run(cluster, good())


@pytest.mark.parametrize("flags", [(), ("--server-side",)], ids=["client-side", "server-side"])
def test_a_field_that_does_not_exist_is_refused(cluster: Cluster, flags: tuple[str, ...]) -> None:
    """A typo in a field's name is not pruned in silence."""
    raw = deployment()
    raw["spec"]["rolout"] = {"paused": True}
    with pytest.raises(ClusterError, match=r"rolout"):
        _dry_run(cluster, raw, *flags)


def test_a_fault_at_one_field_is_not_drowned_by_its_neighbours(cluster: Cluster) -> None:
    """A margin that is no number gets its own words, and no rule that would compare it complains as well."""
    raw = deployment_with_plan()
    raw["spec"]["rollout"]["gates"][0]["compare"]["margin"]["plus"] = "1%"
    with pytest.raises(ClusterError) as refusal:
        _dry_run(cluster, raw)
    assert "type conversion error" not in str(refusal.value)
    assert "tolerance" not in str(refusal.value)
