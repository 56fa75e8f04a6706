"""What the operator's account may do, as a real API server sees it: what the rules say, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.cluster import Cluster, ClusterError
from tests.unit.charts.helm import NAMESPACE, rendered, values
from tests.unit.charts.objects import CHART, Json, documents, load, rights

Right = tuple[str, str, str]

RULES = rights(load(CHART / "files" / "rules.yaml"))
LATER = {("apiextensions.k8s.io", "customresourcedefinitions", verb) for verb in ("list", "watch")}
LEASE = {("coordination.k8s.io", "leases", verb) for verb in ("create", "get", "update")}
EVERYBODY = "system:authenticated"
RBAC = "rbac.authorization.k8s.io/v1"


def _granted(cluster: Cluster, account: str, namespace: str) -> set[Right]:
    """The rules that hold for an account in a namespace, less those of everybody who is logged in."""
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace},
    }
    groups = [
        f"--as-group={group}" for group in ("system:serviceaccounts", f"system:serviceaccounts:{NAMESPACE}", EVERYBODY)
    ]
    user = f"--as=system:serviceaccount:{NAMESPACE}:{account}"
    answer = cluster.kubectl(
        "create", "--validate=false", "-o", "json", "-f", "-", user, *groups, input=json.dumps(review)
    )
    found: list[Json] = json.loads(answer)["status"]["resourceRules"]
    return rights(found)


@pytest.fixture
def everybodys(cluster: Cluster) -> set[Right]:
    """What an account has that nobody gave anything."""
    return _granted(cluster, "nobody", NAMESPACE)


@pytest.fixture(params=["cluster-wide", "namespaced"])
def namespaces(request: pytest.FixtureRequest, cluster: Cluster) -> Iterator[list[str] | None]:
    """The chart's roles, in both modes; None for all namespaces."""
    namespaced = request.param == "namespaced"
    made = documents(rendered(*(("--values", values("namespaced")) if namespaced else ())))
    roles = [one for one in made if one and one["apiVersion"] == RBAC]
    assert roles
    cluster.apply(roles)
    yield ["ml", "shop"] if namespaced else None
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": roles})
    cluster.kubectl("delete", "-f", "-", input=text)


def test_the_account_has_the_rights_of_the_rules(
    cluster: Cluster, namespaces: list[str] | None, everybodys: set[Right]
) -> None:
    """In the watched namespaces those of files/rules.yaml, with all namespaces also new kinds; elsewhere nothing."""
    for namespace in ("ml", "shop"):
        wanted = RULES | (LATER if namespaces is None else set())
        assert _granted(cluster, "serin", namespace) - everybodys == wanted
    elsewhere = _granted(cluster, "serin", "default") - everybodys
    assert elsewhere == (RULES | LATER if namespaces is None else set())


def test_the_lease_is_the_only_thing_of_its_own_namespace(
    cluster: Cluster, namespaces: list[str] | None, everybodys: set[Right]
) -> None:
    """And of the Leases only one by name, but for `create`."""
    granted = _granted(cluster, "serin", NAMESPACE) - everybodys
    assert granted == LEASE | (RULES | LATER if namespaces is None else set())
    user = f"--as=system:serviceaccount:{NAMESPACE}:serin"
    ask = ("auth", "can-i", "update", "--namespace", NAMESPACE, user)
    assert cluster.kubectl(*ask, "leases/serin").strip() == "yes"
    with pytest.raises(ClusterError, match=r"leases/another.*no$"):
        cluster.kubectl(*ask, "leases/another")
