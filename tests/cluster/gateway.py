"""The objects that make Traefik a Gateway: the Gateway API's CRDs, a GatewayClass and a Gateway.

Applied while the other parts start, and before Traefik, which gives up on kinds it does not find.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import yaml

from tests.cluster.api import Api, Object
from tests.cluster.settings import GATEWAY_PORT, Settings

GATEWAY_CLASS = "traefik"
GATEWAY = "gw"
_CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
_GROUP = "/apis/gateway.networking.k8s.io/v1"
_POLL_SECONDS = 0.05


def load_crds(settings: Settings) -> list[Object]:
    """Parse the CRDs; half a second, best spent while the API server starts."""
    # libyaml's loader where PyYAML was built with it; the one in Python takes ten times as long.
    loader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return [yaml.load(Path(file).read_text(), Loader=loader) for file in settings.gateway_crds]


async def apply(api: Api, crds: list[Object]) -> None:
    """Apply the CRDs side by side, wait until they are served, then the two objects."""
    await asyncio.gather(*(_apply_crd(api, crd) for crd in crds))
    gateway_class: Object = {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "GatewayClass",
        "metadata": {"name": GATEWAY_CLASS},
        "spec": {"controllerName": "traefik.io/gateway-controller"},
    }
    gateway: Object = {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": GATEWAY, "namespace": "default"},
        "spec": {
            "gatewayClassName": GATEWAY_CLASS,
            "listeners": [
                {
                    "name": "web",
                    "protocol": "HTTP",
                    "port": GATEWAY_PORT,  # Traefik finds the entry point by its port
                    "allowedRoutes": {"namespaces": {"from": "All"}},
                }
            ],
        },
    }
    await api.apply(f"{_GROUP}/gatewayclasses/{GATEWAY_CLASS}", gateway_class)
    await api.apply(f"{_GROUP}/namespaces/default/gateways/{GATEWAY}", gateway)


async def _apply_crd(api: Api, crd: Object) -> None:
    path = f"{_CRDS}/{crd['metadata']['name']}"
    await api.apply(path, crd)
    while True:
        conditions = (await api.get(path)).get("status", {}).get("conditions") or []
        if any(c["type"] == "Established" and c["status"] == "True" for c in conditions):
            return
        await asyncio.sleep(_POLL_SECONDS)
