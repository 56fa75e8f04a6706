"""The node object: what the scheduler believes about this machine."""

from __future__ import annotations

import datetime as dt
import platform

from tests.cluster.agent.status import instant
from tests.cluster.api import MERGE, Api, ApiError, Object
from tests.cluster.settings import NODE_ADDRESS, NODE_NAME

_RESOURCES = {"cpu": "64", "memory": "256Gi", "ephemeral-storage": "100Gi", "pods": "5000"}
"""Far more than there is: requests are bookkeeping here. Tests that want a full node ask for more than this."""


async def register(api: Api, gpus: int) -> None:
    """Create the node, say that it is ready, and let pods onto it."""
    path = f"/api/v1/nodes/{NODE_NAME}"
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    labels = {
        "kubernetes.io/hostname": NODE_NAME,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": architecture,
    }
    node: Object = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": NODE_NAME, "labels": labels}}
    try:
        await api.request("POST", "/api/v1/nodes", node)
    except ApiError as error:
        if error.status != 409:  # it is there after a restart of the agent
            raise
    resources = _RESOURCES | ({"nvidia.com/gpu": str(gpus)} if gpus else {})
    now = instant(dt.datetime.now(dt.UTC))
    status: Object = {
        "capacity": resources,
        "allocatable": resources,
        "addresses": [
            {"type": "InternalIP", "address": NODE_ADDRESS},
            {"type": "Hostname", "address": NODE_NAME},
        ],
        "conditions": [
            {
                "type": kind,
                "status": value,
                "reason": reason,
                "lastHeartbeatTime": now,
                "lastTransitionTime": now,
            }
            for kind, value, reason in (
                ("MemoryPressure", "False", "KubeletHasSufficientMemory"),
                ("DiskPressure", "False", "KubeletHasNoDiskPressure"),
                ("PIDPressure", "False", "KubeletHasSufficientPID"),
                ("Ready", "True", "KubeletReady"),
            )
        ],
    }
    await api.patch(f"{path}/status", {"status": status}, MERGE)
    # Admission marks every new node as not ready, and the controller that would clear that is switched off.
    await api.patch(path, {"spec": {"taints": None}}, MERGE)
