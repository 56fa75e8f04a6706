"""Names of Services, as a cluster's DNS would give them for headless ones: the addresses of their ready pods.

Nothing routes to a ClusterIP in here, and no DNS server runs. But every look-up of a pod reads /etc/hosts first, and
all pods see the cluster's own. So the agent writes the ready endpoints there, under the names that a cluster's DNS has:

    10.244.0.7 iris-a.ml.svc iris-a.ml.svc.cluster.local

The port has to be the pods' own, as it is where a Service's port and targetPort are the same.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.cluster.api import Api, Object

_SLICES = "/apis/discovery.k8s.io/v1/endpointslices"
_SERVICE = "kubernetes.io/service-name"


class Names:
    """Keeps the file; one for the whole node."""

    def __init__(self, api: Api, hosts: Path) -> None:
        """`hosts` is what pods see as /etc/hosts; what it begins with stays."""
        self._api, self._hosts = api, hosts
        self._head = hosts.read_text()
        self._slices: dict[tuple[str, str], Object] = {}

    async def run(self) -> None:
        """Watch for ever."""
        async for kind, item in self._api.list_and_watch(_SLICES):
            match kind:
                case "RESTART":
                    self._slices.clear()
                    continue
                case "LISTED":
                    pass
                case "DELETED":
                    self._slices.pop(_key(item), None)
                case _:
                    self._slices[_key(item)] = item
            self._write()

    def _write(self) -> None:
        text = (self._head + "".join(f"{line}\n" for line in lines(self._slices.values()))).encode()
        # In place, for it is mounted: another file under its name would not be seen.
        descriptor = os.open(self._hosts, os.O_WRONLY)
        try:
            os.pwrite(descriptor, text, 0)
            os.ftruncate(descriptor, len(text))
        finally:
            os.close(descriptor)


def lines(slices: Iterable[Mapping[str, object]]) -> list[str]:
    """The lines of /etc/hosts for these EndpointSlices: one for each ready address of a Service."""
    found = set()
    for one in slices:
        metadata: Object = one["metadata"]  # type: ignore[assignment]
        service = (metadata.get("labels") or {}).get(_SERVICE)
        if service is None:
            continue
        name = f"{service}.{metadata['namespace']}.svc"
        endpoints: list[Object] = one.get("endpoints") or []  # type: ignore[assignment]
        for endpoint in endpoints:
            if (endpoint.get("conditions") or {}).get("ready", True):
                found |= {f"{address} {name} {name}.cluster.local" for address in endpoint.get("addresses") or ()}
    return sorted(found)


def _key(item: Object) -> tuple[str, str]:
    return item["metadata"]["namespace"], item["metadata"]["name"]
