"""The operator has the rights that its code uses, in the chart and in the plain manifests, and no others."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import get_args

from serin.api.rollout_action import ACTOR_WORDS, ActionKind
from serin.controller import kube
from serin.controller.handlers import OWNED, WHOLE
from serin.controller.kube import (
    DEPLOYMENT,
    EVENT,
    GRPC_ROUTE,
    HTTP_ROUTE,
    JOB,
    MODEL_DEPLOYMENT,
    MODEL_REVISION,
    ROLLOUT_ACTION,
    SERVICE,
    Kind,
)
from tests.unit.charts import rights_page
from tests.unit.charts.objects import CHART, installed, load, rights

RULES = rights(load(CHART / "files" / "rules.yaml"))

Right = tuple[str, str, str]


def _of(kinds: Iterable[Kind], *verbs: str, subresource: str = "") -> set[Right]:
    return {(kind.group, kind.plural + subresource, verb) for kind in kinds for verb in verbs}


ROUTES = (HTTP_ROUTE, GRPC_ROUTE)
APPLIED = (SERVICE, DEPLOYMENT, *ROUTES)

# Every request that the controller makes, by method and kind as the code writes them, and the rights it takes.
# Watches are not here: `handlers` says them.
CALLS: dict[str, set[Right]] = {
    "get(kind": _of((MODEL_REVISION, JOB, *APPLIED), "get"),  # whose is it? - and what a deletion leaves
    "get(LEASE": set(),  # see LEASE
    "list(kind": _of((*WHOLE, *OWNED), "list"),
    "create(MODEL_REVISION": _of([MODEL_REVISION], "create"),
    "create(ROLLOUT_ACTION": _of([ROLLOUT_ACTION], "create"),  # only ever tried: is the admission policy in force?
    "create(JOB": _of([JOB], "create"),
    "create(EVENT": _of([EVENT], "create"),
    "create(LEASE": set(),
    "apply(kind": _of(APPLIED, "patch", "create"),  # the API server asks for both where nothing is yet
    "patch(kind": _of(APPLIED, "patch"),
    "patch(MODEL_DEPLOYMENT": _of([MODEL_DEPLOYMENT], "patch"),  # the finalizer, set and taken off
    "patch(MODEL_REVISION": _of([MODEL_REVISION], "patch"),  # its owner, where spec.retain changes
    "patch(ROLLOUT_ACTION": _of([ROLLOUT_ACTION], "patch"),  # whose garbage it is
    "replace(ROLLOUT_ACTION": _of([ROLLOUT_ACTION], "update", subresource="/status"),
    "replace(MODEL_DEPLOYMENT": _of([MODEL_DEPLOYMENT], "update", subresource="/status"),
    "replace(MODEL_REVISION": _of([MODEL_REVISION], "update", subresource="/status"),
    "replace(LEASE": set(),
    "delete(DEPLOYMENT": _of([DEPLOYMENT], "delete"),
    "delete(JOB": _of([JOB], "delete"),
    "delete(MODEL_REVISION": _of([MODEL_REVISION], "delete"),
    "delete(ROLLOUT_ACTION": _of([ROLLOUT_ACTION], "delete"),
    "delete(ROUTE_KINDS": _of(ROUTES, "delete"),
}
BLOCKED_OWNERS = _of([MODEL_DEPLOYMENT], "update", subresource="/finalizers")  # blockOwnerDeletion in what we make
ORPHANED = _of(APPLIED, "delete")  # to take an owner off, where OwnerReferencesPermissionEnforcement is on
WATCHES = _of((*WHOLE, *OWNED), "list", "watch")
LEASE = {("coordination.k8s.io", "leases", verb) for verb in ("create", "get", "update")}
KINDS_THAT_COME_LATER = {("apiextensions.k8s.io", "customresourcedefinitions", verb) for verb in ("list", "watch")}


def test_the_rights_are_those_that_are_used() -> None:
    """Nothing is missing and nothing is left over."""
    assert WATCHES.union(BLOCKED_OWNERS, ORPHANED, *CALLS.values()) == RULES


def test_every_request_of_the_controller_is_looked_at() -> None:
    """A new kind of request has to be written down in CALLS, with the rights it takes."""
    source = "".join(path.read_text() for path in Path(kube.__file__).parent.glob("*.py"))
    assert set(re.findall(r"kube\.((?:get|list|create|apply|patch|replace|delete)\(\w+)", source)) == CALLS.keys()


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


def test_the_page_lists_what_is_granted() -> None:
    """docs/security.md, each with what it is for; `used` there is held against an audit log by tests/e2e/rights."""
    page = rights_page.table()
    assert page.granted == RULES | KINDS_THAT_COME_LATER | LEASE
    assert page.granted - page.used == BLOCKED_OWNERS | _of([SERVICE], "delete")
    assert page.used <= page.granted
    assert page.everywhere_only == KINDS_THAT_COME_LATER
    assert page.without_reason == ()


def test_users_get_no_right_to_what_serin_writes() -> None:
    """Revisions are read only, and nobody gets a status."""
    found = installed()
    edit = rights(found["ClusterRole", "serin-edit"]["rules"])
    written = {"modeldeployments", "modeldeployments/scale", "rolloutpolicies", "rolloutactions"}
    acts = {f"modeldeployments/{act}" for act in ("abort", "retry", "rollback")}
    assert {resource for _, resource, _ in edit} == written | acts
    view = rights(found["ClusterRole", "serin-view"]["rules"])
    assert {verb for _, _, verb in view} == {"get", "list", "watch"}


def test_only_an_approver_approves_and_promotes() -> None:
    """Every act has a right of its own; those on a person's word alone are in no role that people have anyway."""
    found = installed()
    every = {f"modeldeployments/{act.lower()}" for act in get_args(ActionKind)}
    approver = found["ClusterRole", "serin-approver"]
    granted = {resource for _, resource, verb in rights(approver["rules"]) if verb == "create"}
    assert granted == every | {"rolloutactions"}
    assert not [label for label in approver["metadata"]["labels"] if "aggregate" in label]
    for name in ("serin", "serin-edit", "serin-view"):
        others = {resource for _, resource, _ in rights(found["ClusterRole", name]["rules"])}
        assert not others & {"modeldeployments/approve", "modeldeployments/promote"}, name


def test_the_policy_begins_with_the_words_that_the_operator_listens_for() -> None:
    """By them it knows that the policy is in force, and that not something else said no."""
    spec = installed()["ValidatingAdmissionPolicy", "serin-actions"]["spec"]
    actor, act = spec["validations"]
    assert actor["message"].startswith(ACTOR_WORDS)
    assert actor["messageExpression"].startswith(f"'{ACTOR_WORDS}")
    assert actor["reason"] == act["reason"] == "Forbidden"
    assert spec["failurePolicy"] == "Fail"
    assert installed()["ValidatingAdmissionPolicyBinding", "serin-actions"]["spec"] == {
        "policyName": "serin-actions",
        "validationActions": ["Deny"],
    }
