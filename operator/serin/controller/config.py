"""The operator's configuration file: what an administrator decides, and no resource may.

    metricSources:
    - {name: default, url: "http://prometheus.monitoring:9090", preset: traefik}
    statusSeconds: 30
    artifacts: {image: "registry.example/serin-artifacts:1"}

A resource names a metric source and never a URL: the operator opens no address that a user gave.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from serin.metrics.source import MetricSource
from serin.workloads.fetch import Fetcher


class InvalidConfig(ValueError):
    """The configuration file cannot be used; the text names each field and says what is wrong."""


class _Section(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, extra="forbid", frozen=True, use_attribute_docstrings=True
    )


class LeaderElection(_Section):
    """Which Lease makes a leader."""

    enabled: bool = True
    """Off only for a single process that is run by hand."""
    namespace: str = "serin-system"
    """Where the Lease is."""
    name: str = "serin"
    """The Lease's name."""
    lease_seconds: Annotated[float, Field(gt=0)] = 15.0
    """A leader that has not renewed for so long may be replaced."""
    renew_seconds: Annotated[float, Field(gt=0)] = 10.0
    """A leader that could not renew for so long stops leading."""
    retry_seconds: Annotated[float, Field(gt=0)] = 2.0
    """Between two renewals."""

    @model_validator(mode="after")
    def _one_leader_at_a_time(self) -> LeaderElection:
        # A leader stops after renewSeconds without a renewal, and another one takes over after leaseSeconds. A leader
        # that is frozen for so long must find itself late when it thaws, before it acts.
        if not self.lease_seconds > self.renew_seconds > self.retry_seconds:
            raise ValueError("leaseSeconds must be above renewSeconds, and that above retrySeconds")
        return self


class Listen(_Section):
    """Where /healthz, /readyz and /metrics are answered."""

    host: str = "0.0.0.0"  # noqa: S104 - a pod is asked by the kubelet from outside
    """The address to listen on."""
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    """The port; 0 answers nowhere."""


class Artifacts(_Section):
    """What fetches models for `spec.model.fetch`, in the user's pods and never in the operator."""

    image: Annotated[str, Field(min_length=1)]
    """An image with this version of Serin and its extra `artifacts`."""
    command: Annotated[list[str], Field(min_length=1)] = Field(default_factory=lambda: ["serin"])
    """What runs Serin in that image."""
    allow_http: bool = False
    """Whether http:// is good enough, for a store within the cluster."""
    allow_pickles: bool = False
    """Whether files that run code when they are loaded may come from a uri that nobody has pinned by a digest."""

    def fetcher(self) -> Fetcher:
        """Return the same for those that know no configuration."""
        return Fetcher(self.image, tuple(self.command), self.allow_http, self.allow_pickles)


class Config(_Section):
    """The whole file."""

    metric_sources: list[MetricSource] = Field(default_factory=list)
    """The Prometheus servers that resources may name."""
    gateway_reload_seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 5.0
    """How long the gateway takes at most to act on a changed weight; a slot is not scaled down before."""
    status_seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 30.0
    """Between two updates of the numbers in a status; changes of stage, weight and conditions are written at once."""
    resync_seconds: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 3600.0
    """How often everything is listed and looked at again, whatever the watches said."""
    workers: Annotated[int, Field(ge=1, le=256)] = 16
    """How many ModelDeployments are looked at side by side."""
    evaluation_image: Annotated[str, Field(min_length=1)] | None = None
    """The image of validate stages' Jobs: Serin with the extra `evaluate`. None where every stage brings its own."""
    namespaces: list[str] = Field(default_factory=list)
    """The namespaces to watch; empty for all."""
    leader_election: LeaderElection = LeaderElection()
    """Which Lease makes a leader."""
    listen: Listen = Listen()
    """Where health and metrics are answered."""
    artifacts: Artifacts | None = None
    """What fetches models; without it a resource with spec.model.fetch is refused."""

    @model_validator(mode="after")
    def _sources_differ(self) -> Config:
        names = [source.name for source in self.metric_sources]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"metricSources: the name {twice[0]} is there twice")
        return self


def load_config(path: Path) -> Config:
    """Read the file.

    Raises:
        InvalidConfig: it is not there, is no YAML, or a field is wrong.
    """
    try:
        raw: Any = yaml.safe_load(path.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InvalidConfig(f"{path}: {error}") from error
    except RecursionError as error:
        raise InvalidConfig(f"{path}: it is nested too deep") from error
    if raw is not None and not isinstance(raw, dict):
        raise InvalidConfig(f"{path}: must be a YAML object, for instance with metricSources")
    try:
        return Config.model_validate(raw or {})
    except ValidationError as error:
        faults = [": ".join([*(_where(fault["loc"])), fault["msg"]]) for fault in error.errors()]
        raise InvalidConfig(f"{path}: " + "; ".join(faults)) from error


def _where(location: tuple[int | str, ...]) -> list[str]:
    return [".".join(map(str, location))] if location else []
