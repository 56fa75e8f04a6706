"""What the chart grants is what the operator asks for, over everything that it can do."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from tests.cluster import Cluster, ClusterError
from tests.e2e.lifecycle.world import NAMESPACE
from tests.e2e.rights.audit import Right, words
from tests.e2e.rights.conftest import Told
from tests.unit.charts import rights_page
from tests.unit.charts.helm import NAMESPACE as HOME

Json = dict[str, Any]

FINALIZERS: Right = ("serin.dev", "modeldeployments/finalizers", "update")
SERVICES: Right = ("", "services", "delete")


def test_no_request_lacks_a_right(told: Told) -> None:
    """Else one is missing in the chart. What is refused is only what the operator asks in order to be refused."""
    assert told.log.entries
    assert words(told.log.lacking) == []
    assert {entry["objectRef"]["resource"] for entry in told.log.probes} == {"rolloutactions"}


def test_every_right_is_used(told: Told) -> None:
    """Else the chart grants something for nothing. The two that no log shows are tried below."""
    assert told.granted == told.log.asked.keys() | {FINALIZERS, SERVICES}
    assert not told.log.asked.keys() & {FINALIZERS, SERVICES}, "they can be seen now: take them off the exceptions"


def test_the_page_says_what_is_used(told: Told) -> None:
    """The table of docs/security.md, for whoever has to approve an installation."""
    page = rights_page.table()
    absent = page.everywhere_only if told.namespaces else frozenset()
    assert page.granted - absent == told.granted
    assert page.used - absent == told.log.asked.keys()


def test_what_it_may_do_ends_where_it_has_to_look(told: Told) -> None:
    """With `namespaces` there is no ClusterRole, and nothing is asked outside them but the operator's own Lease."""
    bound = {(role["kind"], role["metadata"].get("namespace", "")) for role in told.roles}
    everywhere = [] if told.namespaces else [("ClusterRole", "")]
    assert bound == {*everywhere, ("Role", HOME), *(("Role", one) for one in told.namespaces)}
    asked = {where for where, resource in told.log.places if (where, resource) != (HOME, "leases")}
    assert asked == {NAMESPACE} | ({""} if not told.namespaces else set())


def test_the_uninstallation_leaves_the_models_and_no_right(told: Told) -> None:
    """Not even a resourceVersion changes."""
    before, after = told.models
    assert len(before) == 2
    assert after == before
    assert told.roles_left == []


def test_without_the_right_to_finalizers_nothing_can_be_made(cluster: Cluster, told: Told) -> None:
    """Where OwnerReferencesPermissionEnforcement is on: all that Serin makes blocks its owner's deletion."""
    (revision,) = _get(cluster, "modelrevisions", "--selector", "serin.dev/deployment=changes")["items"]
    metadata = {key: revision["metadata"][key] for key in ("labels", "ownerReferences")}
    raw = json.dumps({**revision, "metadata": {**metadata, "name": "another", "namespace": NAMESPACE}})
    create = ("create", "--dry-run=server", "--validate=false", "-f", "-")
    cluster.kubectl(*create, _somebody(cluster, told, told.granted), input=raw)
    with pytest.raises(ClusterError, match="cannot set blockOwnerDeletion"):
        cluster.kubectl(*create, _somebody(cluster, told, told.granted - {FINALIZERS}), input=raw)


def test_without_the_right_to_delete_services_no_orphan_is_left(cluster: Cluster, told: Told) -> None:
    """The same plugin: the deletion of a ModelDeployment with deletionPolicy Orphan would never end."""
    operations = json.dumps([{"op": "replace", "path": "/metadata/ownerReferences", "value": []}])
    patch = ("patch", "service", "changes-a", "--namespace", NAMESPACE, "--dry-run=server", "--type=json")
    cluster.kubectl(*patch, "-p", operations, _somebody(cluster, told, told.granted))
    with pytest.raises(ClusterError, match="cannot set an ownerRef on a resource you can't delete"):
        cluster.kubectl(*patch, "-p", operations, _somebody(cluster, told, told.granted - {SERVICES}))


def _get(cluster: Cluster, *words: str) -> Json:
    found: Json = json.loads(cluster.kubectl("get", "--namespace", NAMESPACE, "-o", "json", *words))
    return found


def _somebody(cluster: Cluster, told: Told, granted: set[Right]) -> str:
    """The option that makes kubectl somebody who has just these rights, where the operator has them."""
    name = f"somebody-{uuid.uuid4().hex[:8]}"
    group = "rbac.authorization.k8s.io"
    rules = [{"apiGroups": [where], "resources": [what], "verbs": [verb]} for where, what, verb in sorted(granted)]
    scope = "" if told.namespaces else "Cluster"
    within = {"namespace": NAMESPACE} if told.namespaces else {}
    head: Json = {"apiVersion": f"{group}/v1", "metadata": {"name": name, **within}}
    cluster.apply(
        [
            {**head, "kind": f"{scope}Role", "rules": rules},
            {
                **head,
                "kind": f"{scope}RoleBinding",
                "roleRef": {"apiGroup": group, "kind": f"{scope}Role", "name": name},
                "subjects": [{"apiGroup": group, "kind": "User", "name": name}],
            },
        ]
    )
    return f"--as={name}"
