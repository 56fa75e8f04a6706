"""Whatever the API server makes of what we apply, a second look has nothing to write.

The pods here use every sort of field that it rewrites: quantities, ports, defaults, zeros, probes, volumes.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest

from serin.api.names import LABEL_DEPLOYMENT
from serin.controller.apply import Writer
from serin.controller.cache import Cache
from serin.controller.config import Config
from serin.controller.deletion import Deletion
from serin.controller.handlers import OWNED, WHOLE
from serin.controller.kube import DEPLOYMENT, HTTP_ROUTE, MODEL_DEPLOYMENT, MODEL_REVISION, POD, SERVICE, Kube
from serin.controller.memory import Key
from serin.controller.reconcile import Reconciler
from serin.controller.sync import Sync
from serin.controller.telemetry import Telemetry
from tests.unit.api.builders import deployment

Json = dict[str, Any]
CONFIG = Config.model_validate(
    {"metricSources": [{"name": "default", "url": "http://prometheus.example:9090"}], "gatewayReloadSeconds": 0}
)

CONTAINER: Json = {
    "name": "model",
    "image": "registry.example/iris:2",
    "args": [],
    "env": [{"name": "EMPTY", "value": ""}, {"name": "MODEL", "value": "iris"}],
    "ports": [{"containerPort": 8080}, {"containerPort": 9090, "name": "metrics"}],
    "resources": {
        "requests": {"cpu": "1500m", "memory": "1024Mi", "nvidia.com/gpu": 1},
        "limits": {"cpu": 2, "memory": "2Gi", "nvidia.com/gpu": "1"},
    },
    "readinessProbe": {"httpGet": {"path": "/ready", "port": "metrics"}, "initialDelaySeconds": 0},
    "volumeMounts": [{"name": "cache", "mountPath": "/cache", "readOnly": False}],
    "securityContext": {"runAsUser": 0, "capabilities": {"drop": ["ALL"]}},
}
PODS: Json = {
    "metadata": {"annotations": {"a": ""}, "labels": {"team": "ml"}},
    "spec": {
        "containers": [CONTAINER, {"name": "sidecar", "image": "s", "stdin": False}],
        "initContainers": [{"name": "fetch", "image": "f", "restartPolicy": "Always"}],
        "volumes": [{"name": "cache", "emptyDir": {"sizeLimit": "1024Mi"}}, {"name": "none", "emptyDir": {}}],
        "terminationGracePeriodSeconds": 0,
        "tolerations": [{"key": "gpu", "operator": "Exists"}],
        "topologySpreadConstraints": [
            {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": {}}
        ],
        "securityContext": {},
        "hostNetwork": False,
    },
}


class Quiet:
    """Neither metrics nor Events in these tests."""

    def want(self, *_: object) -> None:
        """Nothing is measured."""

    def drop(self, *_: object) -> None:
        """Nothing was."""

    def take(self, *_: object) -> tuple[()]:
        """Nothing came."""
        return ()

    def tell(self, *_: object) -> None:
        """Nobody is told."""


class Looker:
    """A reconciler on a real API server, its cache filled by lists; it counts what is written."""

    def __init__(self, kube: Kube, namespace: str, config: Config = CONFIG) -> None:
        self.kube, self.cache, self.key = kube, Cache(), (namespace, "iris")
        self.writes: Counter[str] = Counter()
        kube.on_request = self._count
        self.woken: list[Key] = []
        self.sync = Sync(kube, self.cache, [namespace], self.woken.append)
        quiet: Any = Quiet()
        self.reconciler = Reconciler(
            self.cache,
            Writer(kube, self.cache, config),
            Deletion(kube, self.cache),
            quiet,
            quiet,
            Telemetry(),
            config,
            lambda _key, _seconds: None,
        )

    def _count(self, verb: str, resource: str) -> None:
        if verb != "GET":
            self.writes[f"{verb} {resource}"] += 1

    async def look(self) -> Counter[str]:
        """See what is there, look once, and return what was written."""
        self.sync.done = False
        await self.sync.until_done()  # a CRD that was just made answers 429 for a moment
        self.writes.clear()
        await self.reconciler.look(self.key)
        return Counter(self.writes)

    def again(self) -> Looker:
        """The same after a restart: nothing is remembered."""
        return Looker(self.kube, self.key[0])


def md(namespace: str, version: str = "1", **spec: Any) -> Json:
    """A ModelDeployment with everything in its template."""
    raw = deployment(model={"name": "iris", "version": version}, serving={"port": 8080, "template": PODS}, **spec)
    raw["metadata"]["namespace"] = namespace
    return raw


async def test_a_second_look_writes_nothing(kube: Kube, namespace: str) -> None:
    """Though every object was rewritten by the API server."""
    await kube.create(MODEL_DEPLOYMENT, md(namespace))
    looker = Looker(kube, namespace)
    assert await looker.look() == {
        "POST modelrevisions": 1,
        "PUT modeldeployments": 1,
        "PATCH services": 2,
        "PATCH deployments": 1,
        "PATCH httproutes": 1,
    }
    assert await looker.look() == {}
    # A restart forgets when the status was written: the words of a start that goes on are brought up to date, once.
    assert await looker.again().look() == {"PUT modeldeployments": 1}
    assert await looker.again().look() == {}


async def test_a_restart_beside_what_is_healthy_writes_nothing(kube: Kube, namespace: str) -> None:
    """A version that serves: promoted by one look, and nothing is written after it, by whatever process."""
    stages = [{"name": "all", "canary": {"weight": 50, "soak": "1s"}}]
    await kube.create(MODEL_DEPLOYMENT, md(namespace, rollout={"stages": stages}))
    looker = Looker(kube, namespace)
    await looker.look()
    (pods, *_), _ = await kube.list(DEPLOYMENT, namespace, LABEL_DEPLOYMENT)
    labels = pods["spec"]["template"]["metadata"]["labels"]
    container = {"name": "model", "image": "i"}
    pod = await kube.create(
        POD,
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "p", "namespace": namespace, "labels": labels},
            "spec": {"containers": [container], "serviceAccountName": "none", "automountServiceAccountToken": False},
        },
    )
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": "2020-01-01T00:00:00Z"}
    pod["status"] = {"phase": "Running", "conditions": [ready]}
    await kube.replace(POD, pod, "status")
    assert await looker.look() == {"PUT modeldeployments": 1, "PATCH services": 1, "PUT modelrevisions": 1}
    assert await looker.look() == {}
    assert await looker.again().look() == {}


@pytest.mark.parametrize("kind", [DEPLOYMENT, SERVICE, HTTP_ROUTE], ids=lambda kind: kind.name)
async def test_what_others_write_into_an_object_of_ours_is_put_back_in_one_write(
    kube: Kube, namespace: str, kind: Any
) -> None:
    """A field that we set; and one that we never set is left to them."""
    await kube.create(MODEL_DEPLOYMENT, md(namespace))
    looker = Looker(kube, namespace)
    await looker.look()
    (first, *_), _ = await kube.list(kind, namespace, LABEL_DEPLOYMENT)
    path, value, own = {
        "Deployment": ("/spec/replicas", 7, "/spec/minReadySeconds"),
        "Service": ("/spec/selector/serin.dev~1slot", "c", "/spec/sessionAffinityConfig"),
        "HTTPRoute": ("/spec/rules/0/backendRefs/0/weight", 55, ""),
    }[kind.name]
    name = first["metadata"]["name"]
    await kube.patch(kind, namespace, name, [{"op": "replace", "path": path, "value": value}])
    assert await looker.look() == {f"PATCH {kind.plural}": 1}
    assert await looker.look() == {}
    if kind is DEPLOYMENT:
        await kube.patch(kind, namespace, name, [{"op": "add", "path": own, "value": 3}])
        assert await looker.look() == {}
        live = await kube.get(kind, namespace, name)
        assert live["spec"]["minReadySeconds"] == 3


async def test_a_field_that_the_template_gives_up_is_taken_away(kube: Kube, namespace: str) -> None:
    """By ownership of the apply: the Service's second port, when the spec's port changes back."""
    await kube.create(MODEL_DEPLOYMENT, md(namespace))
    looker = Looker(kube, namespace)
    await looker.look()
    live = await kube.get(MODEL_DEPLOYMENT, namespace, "iris")
    live["spec"]["traffic"]["httpRoute"].pop("hostnames")
    await kube.replace(MODEL_DEPLOYMENT, live)
    writes = await looker.look()
    assert writes["PATCH httproutes"] == 1
    route = await kube.get(HTTP_ROUTE, namespace, "iris")
    assert "hostnames" not in route["spec"]
    assert await looker.again().look() == {}


async def test_stable_that_serves_costs_no_write(kube: Kube, namespace: str) -> None:
    """The status of a Deployment moves as pods come and go; ours does not unless it says something else."""
    await kube.create(MODEL_DEPLOYMENT, md(namespace))
    looker = Looker(kube, namespace)
    await looker.look()
    (pods, *_), _ = await kube.list(DEPLOYMENT, namespace, LABEL_DEPLOYMENT)
    for number in (1, 2):
        pods["status"] = {"observedGeneration": 1, "replicas": number, "updatedReplicas": number}
        pods = await kube.replace(DEPLOYMENT, pods, "status")
        assert await looker.look() == {}


async def test_an_operator_with_another_image_restarts_no_fetched_model(kube: Kube, namespace: str) -> None:
    """Neither at its start nor when it scales; without a ready pod its own image fetches."""
    before, after = (
        Config.model_validate({**CONFIG.model_dump(by_alias=True), "artifacts": {"image": image}})
        for image in ("fetch:1", "fetch:2")
    )
    raw = md(namespace)
    cache = {"hostPath": {"path": "/var/cache/models"}, "sizeLimit": "1024Mi"}
    fetch = {"cache": cache, "sizeLimit": "2048Mi", "envFrom": [{"secretRef": {"name": "store"}}]}
    raw["spec"]["model"] |= {"uri": "pvc://models/iris", "digest": f"sha256:{'0' * 64}", "fetch": fetch}
    await kube.create(MODEL_DEPLOYMENT, raw)
    looker = Looker(kube, namespace, before)
    assert (await looker.look())["PATCH deployments"] == 1
    assert await looker.look() == {}

    async def live() -> tuple[Json, str]:
        (found, *_), _ = await kube.list(DEPLOYMENT, namespace, LABEL_DEPLOYMENT)
        return found, found["spec"]["template"]["spec"]["initContainers"][0]["image"]

    async def set_ready(number: int) -> None:
        deployment, _ = await live()
        deployment["status"] = {"observedGeneration": 1, "replicas": 1, "readyReplicas": number}
        await kube.replace(DEPLOYMENT, deployment, "status")

    await set_ready(1)
    template = (await live())[0]["spec"]["template"]
    assert "PATCH deployments" not in await Looker(kube, namespace, after).look()
    patch = [{"op": "replace", "path": "/spec/serving/replicas", "value": 3}]
    await kube.patch(MODEL_DEPLOYMENT, namespace, "iris", patch)
    assert (await Looker(kube, namespace, after).look())["PATCH deployments"] == 1
    scaled, image = await live()
    assert (scaled["spec"]["replicas"], image) == (3, "fetch:1")
    assert scaled["spec"]["template"] == template
    assert "PATCH deployments" not in await Looker(kube, namespace, after).look()
    await set_ready(0)
    assert (await Looker(kube, namespace, after).look())["PATCH deployments"] == 1
    assert (await live())[1] == "fetch:2"
    assert "PATCH deployments" not in await Looker(kube, namespace, after).look()


async def test_a_deployment_that_vanished_unseen_is_made_again(kube: Kube, namespace: str) -> None:
    """A resync sees what no watch told."""
    await kube.create(MODEL_DEPLOYMENT, md(namespace))
    looker = Looker(kube, namespace)
    await looker.look()
    (revision, *_), _ = await kube.list(MODEL_REVISION, namespace)
    await kube.delete(DEPLOYMENT, namespace, revision["metadata"]["name"])
    for _ in range(50):
        if not (await kube.list(DEPLOYMENT, namespace))[0]:
            break
        await asyncio.sleep(0.05)
    assert await looker.look() == {"PATCH deployments": 1}


async def test_every_kind_that_is_read_is_listed(kube: Kube, namespace: str) -> None:
    """A look that read a kind which nobody watches would see it once and never again."""
    assert {kind.name for kind in (*OWNED, *WHOLE)} == {
        "ModelDeployment",
        "ModelRevision",
        "RolloutPolicy",
        "RolloutAction",
        "Deployment",
        "Service",
        "Pod",
        "Job",
        "HTTPRoute",
        "GRPCRoute",
    }
    looker = Looker(kube, namespace)
    await looker.sync.until_done()
    assert looker.woken == []
