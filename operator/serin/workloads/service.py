"""The Services in front of a model.

```
<deployment>-a  <deployment>-b   permanent: a revision takes a slot by the label of its pods
<deployment>                     the in-cluster address: the slot that stable has, moved when a bake ends
```

A port belongs to the content of a revision, so two revisions may listen on different ones while a route knows
one number. Each slot therefore lists every port that anybody may use and sends all of them to the port of the
revision behind it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from serin.api import names
from serin.api.model_deployment import ModelDeployment
from serin.api.names import LABEL_DEPLOYMENT, LABEL_SLOT, Slot
from serin.workloads.ownership import object_metadata


def slot_service(
    md: ModelDeployment, slot: Slot, *, target_port: int | None = None, ports: Iterable[int] = ()
) -> dict[str, Any]:
    """Return the Service of one slot.

    Args:
        md: The deployment.
        slot: Which of the two.
        target_port: Where the revision in the slot listens, when that is not the port of the present spec.
        ports: Further ports that a route or a client may still use, those of the other revision above all.
    """
    return _service(md, names.slot_service(md.metadata.name, slot), slot, {LABEL_SLOT: slot}, target_port, ports)


def stable_service(
    md: ModelDeployment, slot: Slot, *, target_port: int | None = None, ports: Iterable[int] = ()
) -> dict[str, Any]:
    """Return the Service that is the in-cluster address, pointing to the slot that stable has."""
    return _service(md, names.stable_service(md.metadata.name), slot, {}, target_port, ports)


def _service(
    md: ModelDeployment,
    name: str,
    slot: Slot,
    labels: dict[str, str],
    target_port: int | None,
    ports: Iterable[int],
) -> dict[str, Any]:
    serving = md.spec.serving
    target = target_port or serving.port
    main = "grpc" if serving.protocol == "grpc" else "http"
    others = sorted({target, *ports} - {serving.port})
    entries = [(main, serving.port), *((f"{main}-{port}", port) for port in others)]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": object_metadata(md, name, labels),
        "spec": {
            "selector": {LABEL_DEPLOYMENT: md.metadata.name, LABEL_SLOT: slot},
            "ports": [
                {
                    "name": entry,
                    "port": port,
                    "targetPort": target,
                    "protocol": "TCP",
                    # A gateway speaks HTTP/1.1 to a backend unless told otherwise, which gRPC does not
                    # survive.
                    **({"appProtocol": "kubernetes.io/h2c"} if main == "grpc" else {}),
                }
                for entry, port in entries
            ],
        },
    }
