"""A metric source as the operator's configuration names it. Resources name a source, never a URL.

What stores of Prometheus data do differently is data here (`DIALECTS`), not branches elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, HttpUrl, model_validator
from pydantic.alias_generators import to_camel

from serin.metrics.presets import preset_named
from serin.metrics.promql import equals
from serin.metrics.snapshot import Grid

__all__ = ["DIALECTS", "Dialect", "MetricSource", "SourceKind"]

SourceKind = Literal["prometheus", "thanos", "mimir", "victoriametrics"]


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a kind of store wants to be asked so that its answer is whole.

    params: sent with every query.
    single_replica: sent too when the source's matchers name one replica; else `params` let the store
        deduplicate.
    settle_scrapes, settle_seconds: default of settle is so many scrape intervals plus so many seconds.
    tenant_header: where the tenant goes; None when it does not go into a header.
    """

    params: Mapping[str, str] = field(default_factory=dict)
    single_replica: Mapping[str, str] = field(default_factory=dict)
    settle_scrapes: float = 2
    settle_seconds: float = 0
    tenant_header: str | None = None


DIALECTS: Mapping[SourceKind, Dialect] = {
    "prometheus": Dialect(),
    # partial_response is on by default: a store that is away would look like fewer requests. Replicas of a
    # pair are scraped at different times, so raw counters of both would count twice: one by matcher, or
    # deduplicated.
    "thanos": Dialect(
        params={"partial_response": "false", "max_source_resolution": "0s", "dedup": "true"},
        single_replica={"dedup": "false"},
        settle_scrapes=4,
        tenant_header="THANOS-TENANT",
    ),
    "mimir": Dialect(settle_scrapes=4, tenant_header="X-Scope-OrgID"),
    # search.latencyOffset hides the newest 30 s. The tenant is part of the URL's path.
    "victoriametrics": Dialect(params={"nocache": "1", "deny_partial_response": "1"}, settle_seconds=30),
}


def _known_preset(name: str) -> str:
    return preset_named(name).name


class MetricSource(BaseModel):
    """One entry of `metricSources` in the operator's configuration file."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        populate_by_name=True,
        use_attribute_docstrings=True,
    )

    name: Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)] = "default"
    """How policies call it (`metrics.source`)."""
    url: HttpUrl
    """Base address, to which /api/v1/query is added."""
    kind: SourceKind = "prometheus"
    """What answers there."""
    preset: Annotated[str, AfterValidator(_known_preset)] = "traefik"
    """The preset that a policy's `auto` stands for."""
    interval_seconds: Annotated[float, Field(ge=1, le=600, multiple_of=1)] = 15.0
    """Between two readings; whole seconds, so that every instant is exact."""
    scrape_interval_seconds: Annotated[float, Field(ge=0.5, le=300)] = 15.0
    """Between two scrapes of the targets. Too small a value makes metrics look stale."""
    settle_seconds: Annotated[float, Field(ge=0, le=600)] | None = None
    """How long after a scrape its samples are surely visible; by default by kind, from 2 scrape intervals."""
    lookback_seconds: Annotated[float, Field(gt=0, le=3600)] | None = None
    """How far back an ordinary query reaches; by default interval + 5 scrape intervals."""
    timeout_seconds: Annotated[float, Field(gt=0, le=120)] = 10.0
    """For an answer. Connecting may take at most 3 s of it."""
    headers: dict[str, str] = Field(default_factory=dict)
    """Sent with every query."""
    tenant: Annotated[str, Field(min_length=1, max_length=150)] | None = None
    """Tenant of a shared store (Mimir, Thanos)."""
    matchers: dict[Annotated[str, Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$")], str] = Field(default_factory=dict)
    """Labels that every series of interest has: one replica of a pair, a cluster, the gateway's namespace."""
    bearer_token_file: Path | None = None
    """File with a token, read anew for every query because it may be rotated."""
    ca_file: Path | None = None
    """Certificates that the source's own is checked against; by default those of the system."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        least = self.interval_seconds + 4 * self.scrape_interval_seconds
        if self.lookback_seconds is not None and self.lookback_seconds < least:
            raise ValueError(f"lookbackSeconds must be at least interval + 4 scrape intervals = {least:g}")
        if self.tenant and not self.dialect.tenant_header:
            raise ValueError(f"{self.kind} takes no tenant in a header; put it into the URL or into headers")
        return self

    @property
    def dialect(self) -> Dialect:
        """What is particular about this kind of store."""
        return DIALECTS[self.kind]

    @property
    def grid(self) -> Grid:
        """The times that all rollouts of this source share."""
        scrape, dialect = self.scrape_interval_seconds, self.dialect
        settle = dialect.settle_scrapes * scrape + dialect.settle_seconds
        return Grid(
            interval=self.interval_seconds,
            settle=settle if self.settle_seconds is None else self.settle_seconds,
            scrape=scrape,
            lookback=self.lookback_seconds or self.interval_seconds + 5 * scrape,
        )

    @property
    def params(self) -> dict[str, str]:
        """Form fields that go with every query."""
        return {**self.dialect.params, **(self.dialect.single_replica if self.matchers else {})}

    @property
    def extra_matchers(self) -> tuple[str, ...]:
        """`matchers` as PromQL."""
        return tuple(equals(label, value) for label, value in sorted(self.matchers.items()))

    @property
    def all_headers(self) -> dict[str, str]:
        """`headers` and the tenant's."""
        header = self.dialect.tenant_header
        return {**self.headers, **({header: self.tenant} if header and self.tenant else {})}
