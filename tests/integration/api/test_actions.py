"""Who may act, and in whose name: the admission policy and the roles of the manifests on a real API server.

People are service accounts with tokens of their own; nothing is impersonated.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

import pytest

from serin.api.rollout_action import ACTOR_WORDS
from serin.controller.actions import Actions
from serin.controller.cache import Cache
from serin.controller.kube import Kube
from serin.controller.memory import Memory
from tests.cluster import Cluster, ClusterError
from tests.integration.api.conftest import Api
from tests.unit.api.builders import action, deployment
from tests.unit.charts.objects import installed

Json = dict[str, Any]
ROLES = ("serin-view", "serin-edit", "serin-approver")
POLICY = "ValidatingAdmissionPolicy"
SECONDS_MAX = 30.0


@dataclass(frozen=True)
class Person:
    """Somebody with a token."""

    api: Api
    name: str
    token: str

    def act(self, kind: str = "Abort", **spec: Any) -> Json:
        """Make a RolloutAction, and return what is stored.

        Raises:
            ClusterError: the API server refuses it.
        """
        raw = action(f"act-{time.monotonic_ns()}", **{"action": kind, "stage": None, "actor": self.name, **spec})
        raw["spec"] = {name: value for name, value in raw["spec"].items() if value is not None}
        raw["metadata"]["namespace"] = self.api.namespace
        answer = self.kubectl("create", "-o", "json", "-f", "-", text=json.dumps(raw))
        stored: Json = json.loads(answer)
        return stored

    def refused(self, kind: str, **spec: Any) -> str:
        """Make one that must be refused, and return the words."""
        with pytest.raises(ClusterError) as refusal:
            self.act(kind, **spec)
        return str(refusal.value)

    def kubectl(self, *arguments: str, text: str | None = None) -> str:
        """Run kubectl as this person."""
        return self.api.kubectl(f"--token={self.token}", *arguments, text=text)


@pytest.fixture(scope="module")
def roles(cluster: Cluster) -> None:
    """The roles of the manifests."""
    found = installed()
    cluster.apply([found["ClusterRole", name] for name in ROLES])


@pytest.fixture
def people(api: Api, roles: None) -> dict[str, Person]:
    """Ann edits, bob approves, cleo looks on, dora approves this one ModelDeployment only, eve has no role."""

    def person(name: str, role: str | None) -> Person:
        api.kubectl("create", "serviceaccount", name)
        if role is not None:
            account = f"--serviceaccount={api.namespace}:{name}"
            api.kubectl("create", "rolebinding", name, f"--clusterrole={role}", account)
        token = api.kubectl("create", "token", name).strip()
        return Person(api, f"system:serviceaccount:{api.namespace}:{name}", token)

    named = {"ann": "serin-edit", "bob": "serin-approver", "cleo": "serin-view", "eve": None}
    found = {name: person(name, role) for name, role in named.items()}
    found["dora"] = person("dora", None)
    rules = [
        {"apiGroups": ["serin.dev"], "resources": ["rolloutactions"], "verbs": ["create"]},
        {
            "apiGroups": ["serin.dev"],
            "resources": ["modeldeployments/approve"],
            "resourceNames": ["iris"],
            "verbs": ["create"],
        },
    ]
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": "iris-approver"},
        "rules": rules,
    }
    api.kubectl("create", "-f", "-", text=json.dumps(role))
    api.kubectl("create", "rolebinding", "dora", "--role=iris-approver", f"--serviceaccount={api.namespace}:dora")
    return found


@pytest.fixture
def policy(cluster: Cluster, people: dict[str, Person]) -> None:
    """The admission policy of the manifests, once it is in force; it stays for the tests after."""
    found = installed()
    cluster.apply([found[kind, "serin-actions"] for kind in (POLICY, f"{POLICY}Binding")])
    deadline = time.monotonic() + SECONDS_MAX
    while time.monotonic() < deadline:
        try:
            people["ann"].act(actor="somebody else")
        except ClusterError as error:
            if ACTOR_WORDS in str(error):
                return
        time.sleep(0.2)
    raise AssertionError("the admission policy never came into force")


async def _verified(cluster: Cluster, api: Api, raw: Json) -> bool:
    """What the operator makes of an action."""
    kube = await Kube.connect(str(cluster.kubeconfig))
    try:
        cache, memory = Cache(), Memory()
        cache.put("RolloutAction", raw)
        await Actions(kube, cache).verify((api.namespace, "iris"), memory)
        return memory.verified[raw["metadata"]["uid"]]
    finally:
        await kube.close()


async def test_without_the_policy_the_operator_believes_nobody(
    cluster: Cluster, api: Api, people: dict[str, Person]
) -> None:
    """First, for the policy stays: everybody with the right to create may write any name, and it is noticed."""
    raw = people["ann"].act(actor="the boss")
    assert not await _verified(cluster, api, raw)
    assert len(json.loads(api.kubectl("get", "ra", "-o", "json"))["items"]) == 1, "a try leaves nothing behind"


@pytest.mark.usefixtures("policy")
async def test_with_the_policy_the_operator_believes_what_came_through(
    cluster: Cluster, api: Api, people: dict[str, Person]
) -> None:
    """It tries a forged one itself."""
    assert await _verified(cluster, api, people["bob"].act("Approve"))


@pytest.mark.usefixtures("policy")
def test_nobody_acts_in_anothers_name(people: dict[str, Person]) -> None:
    """Not even who has every right to the act; and the refusal says whose name it should be."""
    for kind in ("Approve", "Abort"):
        words = people["bob"].refused(kind, actor=people["ann"].name)
        assert f"{ACTOR_WORDS}, {people['bob'].name}" in words
    assert people["bob"].act("Approve")["spec"]["actor"] == people["bob"].name


@pytest.mark.usefixtures("policy")
def test_each_act_takes_a_right_of_its_own(people: dict[str, Person]) -> None:
    """Who edits takes back and tries again; approving and promoting is the approver's."""
    for kind in ("Abort", "Rollback", "Retry"):
        people["ann"].act(kind)
    for kind in ("Approve", "Promote"):
        words = people["ann"].refused(kind)
        assert f"spec.action: {people['ann'].name} may not {kind.lower()} iris" in words
        assert f"it takes the right to create modeldeployments/{kind.lower()}" in words
    for kind in ("Approve", "Abort", "Promote", "Retry", "Rollback"):
        people["bob"].act(kind)


@pytest.mark.usefixtures("policy")
def test_without_a_role_nothing_is_done(people: dict[str, Person]) -> None:
    """By RBAC already, before any policy."""
    for name in ("cleo", "eve"):
        words = people[name].refused("Approve")
        assert 'cannot create resource "rolloutactions"' in words, name


@pytest.mark.usefixtures("policy")
def test_an_approver_can_be_for_one_model_deployment_alone(people: dict[str, Person]) -> None:
    """By resourceNames of the right to the act."""
    people["dora"].act("Approve", deployment="iris")
    assert "may not approve shop" in people["dora"].refused("Approve", deployment="shop")


@pytest.mark.usefixtures("policy")
def test_an_action_never_changes(api: Api, people: dict[str, Person]) -> None:
    """Whoever asks, by whatever patch; and nobody but its writer writes a status when it is made."""
    raw = people["bob"].act("Approve")
    name = raw["metadata"]["name"]
    for spec in ({"action": "Promote"}, {"actor": "the boss"}, {"reason": "another"}, {"stage": "bake"}):
        with pytest.raises(ClusterError, match="spec of a RolloutAction never changes"):
            api.patch("ra", name, {"spec": spec})
    with pytest.raises(ClusterError):
        api.patch("ra", name, {"spec": None})
    with pytest.raises(ClusterError, match="forbidden"):
        people["bob"].kubectl("patch", "ra", name, "--type=merge", "-p", '{"status":{"phase":"Done"}}')
    forged = action("forged", status=None)
    forged["spec"] = {**raw["spec"]}
    forged["status"] = {"phase": "Done", "reason": "Approved"}
    text = json.dumps(forged | {"metadata": {"name": "forged", "namespace": api.namespace}})
    stored = json.loads(people["bob"].kubectl("create", "-o", "json", "-f", "-", text=text))
    assert (stored.get("status") or {}).get("phase", "Pending") == "Pending"


def test_columns_say_who_did_what(api: Api, people: dict[str, Person]) -> None:
    """`kubectl get ra`, and one that has no answer yet is Pending."""
    api.apply(deployment())
    raw = people["bob"].act("Approve")
    status = {"status": {"phase": "Done", "reason": "Approved", "message": "stage sign-off: approval 1 of 1"}}
    header, row = api.kubectl("get", "ra").splitlines()
    assert header.split() == "NAME DEPLOYMENT ACTION REVISION ACTOR PHASE REASON AGE".split()  # noqa: SIM905
    assert row.split()[5] == "Pending"
    api.patch("ra", raw["metadata"]["name"], status, "--subresource=status")
    _, row = api.kubectl("get", "ra").splitlines()
    assert row.split()[1:7] == ["iris", "Approve", "iris-2-abcde", people["bob"].name, "Done", "Approved"]
