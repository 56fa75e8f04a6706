"""What else happens to a ModelDeployment than the trial of a candidate, each with the way to see that it is over.

An act begins at rest or in a canary that lasts, is one change by a user, and ends at rest. Two of the same act come to
equal scenes, whatever died on the way.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from tests.demo.stage import condition, promoted, settled
from tests.e2e.resilience.candidates import CANDIDATES
from tests.e2e.resilience.stub_stage import POLICY, StubStage, policy

Json = dict[str, Any]

LONG = "long"
_PATH = "/apis/serin.dev/v1alpha1/namespaces/{0.namespace}/modeldeployments/{0.name}"
_DIGEST = "sha256:" + "ab" * 32
_PINNED = {"outcome": "resolved", "uri": "https://models.example.com/iris.tar.gz", "digest": _DIGEST, "size": 7}
_SAY = f"echo '{json.dumps(_PINNED)}' > /dev/termination-log"
FETCHER = {"image": "demo.local/artifacts", "command": ["sh", "-c", _SAY]}
"""In place of the program that looks for files: it always finds the same."""


@dataclass(frozen=True, slots=True)
class Act:
    """One kind.

    Attributes:
        before: Brings the ModelDeployment to where the act begins, with the operator running.
        happens: What the user does.
        over: Whether it looks over; whether all is in its place, the scene says.
    """

    before: Callable[[StubStage], Awaitable[None]]
    happens: Callable[[StubStage], Awaitable[None]]
    over: Callable[[StubStage], bool]


def policies(namespace: str) -> list[Json]:
    """The policy that goes on for ever; those of the candidates are there already."""
    stages = [{"name": "long", "canary": {"weight": 10, "soak": "30m"}}]
    return [policy(namespace, LONG, stages=stages, timeouts={"progress": "2h"})]


async def _nothing(stage: StubStage) -> None:
    """It is not there yet."""


async def _applied(stage: StubStage, version: str, **spec: Any) -> None:
    md = stage.model(version)
    md["spec"] |= spec
    await stage.apply(md)


async def _promote(stage: StubStage, version: str) -> None:
    CANDIDATES["good"].begin(stage)
    await stage.apply(stage.model(version))
    await stage.until_ended(version)


async def _two_served(stage: StubStage) -> None:
    await stage.first()
    await _promote(stage, "2")


async def _three_served(stage: StubStage) -> None:
    await _two_served(stage)
    await _promote(stage, "3")


def _in_canary(**spec: Any) -> Callable[[StubStage], Awaitable[None]]:
    async def begin(stage: StubStage) -> None:
        await _applied(stage, "1", **spec)
        await stage.until(lambda md: promoted(md, "1") and settled(md), seconds=60, what=f"{stage.name}: version 1")
        CANDIDATES["good"].begin(stage)
        stage.policy_name = LONG
        await _applied(stage, "2", **spec)
        await stage.until(
            lambda md: (md["status"].get("rollout") or {}).get("stage") == "long" and stage.shares[-1].b == 10,
            seconds=60,
            what=f"{stage.name}: version 2 has 10 %",
        )

    return begin


async def _in_canary_of_a_guest(stage: StubStage) -> None:
    """The route is somebody else's, who keeps it when the ModelDeployment goes."""
    refs = [{"name": f"{stage.name}-{slot}", "port": 8080, "weight": weight} for slot, weight in (("a", 100), ("b", 0))]
    spec = {"hostnames": [f"{stage.name}.example.com"], "rules": [{"backendRefs": refs}]}
    spec["parentRefs"] = [{"name": "gw", "namespace": "default"}]
    metadata = {"name": stage.name, "namespace": stage.namespace}
    kind = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute"}
    await stage.apply({**kind, "metadata": metadata, "spec": spec})
    await _in_canary(traffic={"httpRoute": {"ref": {"name": stage.name}}})(stage)


async def _first(stage: StubStage) -> None:
    await stage.apply(stage.model("1"))


async def _first_validated(stage: StubStage) -> None:
    stage.policy_name = CANDIDATES["validated"].policy_name
    await stage.apply(stage.model("1"))


async def _first_refused(stage: StubStage) -> None:
    stage.policy_name = CANDIDATES["refused"].policy_name
    await stage.apply(stage.model("1"))


async def _first_pinned(stage: StubStage) -> None:
    md = stage.model("1")
    md["spec"]["model"] |= {"uri": _PINNED["uri"], "fetch": {}}
    await stage.apply(md)


async def _back(stage: StubStage) -> None:
    await stage.apply(stage.model("1"))


async def _superseded(stage: StubStage) -> None:
    stage.policy_name = POLICY
    await stage.apply(stage.model("3"))


async def _limited(stage: StubStage) -> None:
    await _applied(stage, "3", revisionHistoryLimit=0)


async def _retained(stage: StubStage) -> None:
    await _applied(stage, "2", retain=True)


async def _deleted(stage: StubStage) -> None:
    await stage.api.request("DELETE", _PATH.format(stage), {"propagationPolicy": "Background"})


def _serves(version: str) -> Callable[[StubStage], bool]:
    return lambda stage: promoted(stage.deployment, version)


def _stalled(stage: StubStage) -> bool:
    return condition(stage.deployment, "Stalled").get("reason") == "FirstRevisionFailing"


def _gone(stage: StubStage) -> bool:
    return not stage.deployment


ACTS = {
    "first": Act(_nothing, _first, _serves("1")),
    "first-validated": Act(_nothing, _first_validated, _serves("1")),
    "first-refused": Act(_nothing, _first_refused, _stalled),
    "first-pinned": Act(_nothing, _first_pinned, _serves("1")),
    "back": Act(_two_served, _back, _serves("1")),
    "superseded": Act(_in_canary(), _superseded, _serves("3")),
    "limited": Act(_three_served, _limited, _serves("3")),
    "retained": Act(_two_served, _retained, _serves("2")),
    "deleted": Act(_in_canary_of_a_guest, _deleted, _gone),
    "orphaned": Act(_in_canary(deletionPolicy="Orphan"), _deleted, _gone),
}
