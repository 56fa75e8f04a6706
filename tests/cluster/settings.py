"""What one cluster is made of: the launcher writes it down, the supervisor and the node agent read it."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

NODE_NAME = "local"
NODE_ADDRESS = "10.244.0.254"
"""The bridge: the node as pods see it. Endpoints refuse loopback addresses, so everything listens here too."""
POD_PREFIX_LENGTH = 16

API_PORT = 6443
ETCD_PORT = 2379
PROMETHEUS_PORT = 9090
GATEWAY_PORT = 8000
TRAEFIK_METRICS_PORT = 8082

CONTROL_SOCKET = "control.sock"
"""In the run dir: takes requests while the cluster runs."""

AgentMode = Literal["processes", "fake"]
AuditLevel = Literal["Metadata", "RequestResponse"]
"""Who asked for what and what came of it, or the objects as well."""
COMPONENTS = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "agent",
    "traefik",
    "prometheus",
)
"""Everything, in the order of a start."""
API_ONLY = ("etcd", "kube-apiserver")
"""A bare control plane: enough to validate objects, up in a few seconds."""

USERS = ("admin", "agent", "traefik", "prometheus")
"""Each has a token of its own, so that managedFields and the audit log tell who wrote what. All are masters:
what a test wants refused it asks with `kubectl --as=somebody`."""


@dataclass(frozen=True)
class Forward:
    """A listening socket of the host whose connections end inside the cluster."""

    descriptor: int
    port: int


@dataclass(frozen=True)
class Settings:
    """One cluster. Paths are the same inside and outside."""

    name: str
    run_dir: str
    tools: dict[str, str]
    tokens: dict[str, str]
    components: tuple[str, ...] = COMPONENTS
    agent_mode: AgentMode = "processes"
    scrape_interval_seconds: float = 1.0
    gpus: int = 0
    audit: AuditLevel | None = None
    admission_plugins: tuple[str, ...] = ()
    restart_delay_seconds: float = 1.0
    gateway_crds: tuple[str, ...] = ()
    forwards: tuple[Forward, ...] = field(default=())

    @property
    def path(self) -> Path:
        """The run dir as a path."""
        return Path(self.run_dir)

    @property
    def api_url(self) -> str:
        """The API server, from anywhere inside, pods included."""
        return f"https://{NODE_ADDRESS}:{API_PORT}"

    def save(self) -> Path:
        """Write the settings into the run dir, for the processes inside; they hold tokens."""
        path = self.path / "settings.json"
        path.touch(mode=0o600)
        path.write_text(json.dumps(dataclasses.asdict(self), indent=2))
        return path

    @staticmethod
    def load(path: str | Path) -> Settings:
        """Read what `save` wrote."""
        raw = json.loads(Path(path).read_text())
        raw["components"] = tuple(raw["components"])
        raw["admission_plugins"] = tuple(raw["admission_plugins"])
        raw["gateway_crds"] = tuple(raw["gateway_crds"])
        raw["forwards"] = tuple(Forward(**forward) for forward in raw["forwards"])
        return Settings(**raw)
