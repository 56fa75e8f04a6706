"""Names of Services, as a cluster's DNS would give them for headless ones: the addresses of their ready pods.

Nothing routes to a ClusterIP in here, and no DNS server runs. But every look-up of a pod reads its /etc/hosts first,
and the agent writes that file, as a kubelet does. So the ready endpoints stand there, too:

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
    """Keeps the files; one for the whole node.

    All of it happens on the agent's one thread between two awaits, so no container starts with names that are old.
    """

    def __init__(self, api: Api, run_dir: Path) -> None:
        """`run_dir` is the cluster's, with a folder for each container of each pod."""
        self._api, self._run_dir = api, run_dir
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
        names = self._run_dir / NAMES_FILE
        names.write_text("".join(f"{line}\n" for line in lines(self._slices.values())))
        for hosts in self._run_dir.glob("pods/*/*/hosts"):
            head = hosts.read_text().partition(MARK)[0]
            _rewrite(hosts, hosts_text(head, self._run_dir))


MARK = "# Services\n"
NAMES_FILE = "services"


def hosts_text(head: str, run_dir: Path) -> str:
    """What a container's /etc/hosts says: its own names, and those of Services as they are now."""
    names = run_dir / NAMES_FILE
    return f"{head}{MARK}{names.read_text() if names.exists() else ''}"


def _rewrite(path: Path, text: str) -> None:
    """In place, for it is mounted: another file under its name would not be seen."""
    content = text.encode()
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.pwrite(descriptor, content, 0)
        os.ftruncate(descriptor, len(content))
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
