"""The operator has the rights that its code uses, in the chart and in the plain manifests, and no others."""

from __future__ import annotations

from serin.controller import kube
from serin.controller.handlers import OWNED, WHOLE
from serin.controller.kube import Kind
from tests.unit.charts.objects import CHART, installed, load, rights

RULES = rights(load(CHART / "files" / "rules.yaml"))

# What controller.apply, deletion, events and lease ask for. Lists and watches are not here: `handlers` says them.
WRITES = {
    ("serin.dev", "modeldeployments", "patch"),  # the finalizer, set and taken off
    ("serin.dev", "modeldeployments/status", "update"),
    ("serin.dev", "modeldeployments/finalizers", "update"),  # blockOwnerDeletion in what we make
    ("serin.dev", "modelrevisions", "get"),  # one of that name is there already: whose is it?
    ("serin.dev", "modelrevisions", "create"),
    ("serin.dev", "modelrevisions", "delete"),  # pruning
    ("serin.dev", "modelrevisions/status", "update"),
    *(("apps", "deployments", verb) for verb in ("get", "create", "patch", "delete")),
    *(("", "services", verb) for verb in ("get", "create", "patch")),
    *(("gateway.networking.k8s.io", "httproutes", verb) for verb in ("get", "create", "patch")),
    *(("gateway.networking.k8s.io", "grpcroutes", verb) for verb in ("get", "create", "patch")),
    ("events.k8s.io", "events", "create"),
}
WATCHES = {(kind.group, kind.plural, verb) for kind in (*WHOLE, *OWNED) for verb in ("list", "watch")}
LEASE = {("coordination.k8s.io", "leases", verb) for verb in ("create", "get", "update")}
KINDS_THAT_COME_LATER = {("apiextensions.k8s.io", "customresourcedefinitions", verb) for verb in ("list", "watch")}


def test_the_rights_are_those_that_are_used() -> None:
    """Nothing is missing and nothing is left over."""
    assert RULES == WATCHES | WRITES


def test_every_kind_that_the_client_knows_is_in_the_rights() -> None:
    """A kind that is added to the client needs a rule."""
    kinds = [value for value in vars(kube).values() if isinstance(value, Kind)]
    assert kinds
    ruled = {(group, resource) for group, resource, _ in RULES | LEASE}
    assert {(kind.group, kind.plural) for kind in kinds} <= ruled


def test_no_right_is_to_everything() -> None:
    """No star, no Secret, nothing that makes rights."""
    for group, resource, verb in RULES:
        assert "*" not in (group, resource, verb)
        assert resource != "secrets"
        assert group != "rbac.authorization.k8s.io"


def test_the_plain_manifests_give_the_same_rights() -> None:
    """With what watching all namespaces needs besides, and the Lease in the operator's own namespace."""
    found = installed()
    assert rights(found["ClusterRole", "serin"]["rules"]) == RULES | KINDS_THAT_COME_LATER
    assert rights(found["Role", "serin-lease"]["rules"]) == LEASE
    assert found["ClusterRole", "serin"]["rules"][:-1] == load(CHART / "files" / "rules.yaml")


def test_users_get_no_right_to_what_serin_writes() -> None:
    """Revisions are read only, and nobody gets a status."""
    found = installed()
    edit = rights(found["ClusterRole", "serin-edit"]["rules"])
    assert {resource for _, resource, _ in edit} == {"modeldeployments", "modeldeployments/scale", "rolloutpolicies"}
    view = rights(found["ClusterRole", "serin-view"]["rules"])
    assert {verb for _, _, verb in view} == {"get", "list", "watch"}
