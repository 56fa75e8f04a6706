"""ModelRevision: one model version with one serving template, immutable, and what became of it."""

import hashlib
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from serin.api.artifact import PinnedArtifact
from serin.api.lists import LIST_ATOMIC
from serin.api.model_deployment import Model, ModelDeploymentSpec, Port, Protocol
from serin.api.names import API_VERSION
from serin.api.pod_template import FrozenPodTemplate
from serin.api.resource import ApiModel, ObjectMeta, Timestamp
from serin.api.rules import Rule

SCHEME = 1
"""The way in which content is hashed. A revision keeps the scheme it was made with, and is compared by that
one: an operator with a newer scheme starts no rollout."""

RECORD_MAX = 100

RevisionVerdict = Literal["Pending", "Stable", "Rejected", "Superseded", "Aborted", "Failed"]
"""The verdicts that this version writes. The status takes any word: a newer operator may write more, and neither
an older CRD nor an older operator must choke on them."""


class RevisionServing(ApiModel):
    """The part of spec.serving that makes a revision."""

    port: Port
    """The port of the container that answers inference requests."""
    protocol: Protocol = "open-inference"
    """What the server speaks."""
    template: FrozenPodTemplate | None = None
    """The pod template as the user wrote it. None for a Service that was taken over."""


class ModelRevisionSpec(ApiModel):
    """What the revision is. It never changes."""

    deployment: str
    """The name of the ModelDeployment that it belongs to."""
    model: Model
    """Which model, and which version of it."""
    serving: RevisionServing
    """How it is served."""
    polled: PinnedArtifact | None = None
    """What a poll has found at model.uri, if that is why there is this revision."""
    content_hash: str
    """The hash of what makes a revision: the model's name, version, uri, digest and fetch, template, port and
    protocol, and the digest that a poll has found."""
    scheme: int = SCHEME
    """The way in which the content was hashed."""

    RULES = (
        Rule(
            cel="self == oldSelf",
            message="spec of a ModelRevision never changes; change the ModelDeployment, and a new revision is made",
            holds=None,
        ),
    )


class RecordedReport(ApiModel):
    """The report of a validation."""

    place: str | None = None
    """Where its JSON is; the page with plots is beside it. None when it could not be stored."""
    digest: str | None = None
    """The SHA-256 of the JSON."""
    trouble: str | None = None
    """What went wrong with storing it, in a sentence. It never touches the verdict."""


class MeasuredGate(ApiModel):
    """What a gate of a validation has measured, on the data that decided it."""

    name: str
    """The gate's name."""
    verdict: str
    """What it decided: pass, fail or undecided."""
    metric: str | None = None
    """What was measured."""
    limit: str | None = None
    """What it is held against, in words: at least 0.9."""
    scope: str | None = None
    """Which rows decided, where that are not all of them."""
    value: float | None = None
    """The measure."""
    low: float | None = None
    """The lower end of its interval."""
    high: float | None = None
    """The upper end of its interval."""


class RecordEntry(ApiModel):
    """One line of the decision record."""

    at: Timestamp
    """When it was decided."""
    attempt: int = 1
    """The attempt that it belongs to."""
    event: str
    """What was decided: Started, Advanced, Held, Promoted, RolledBack and so on."""
    stage: str | None = None
    """The stage's name."""
    weight: int | None = None
    """The candidate's share of the traffic in percent, after it."""
    reason: str | None = None
    """Why, in one word."""
    message: str = ""
    """Why, in a sentence, with the numbers."""
    actor: str | None = None
    """The person behind it, if there was one."""
    report: RecordedReport | None = None
    """Of a validation: what became of its report."""
    measured: Annotated[list[MeasuredGate], Field(json_schema_extra=LIST_ATOMIC)] = Field(default_factory=list)
    """Of a validation: its gates with their numbers."""
    numbers: dict[str, Any] | None = None
    """What the gates had seen."""


class ModelRevisionStatus(ApiModel):
    """What became of the revision."""

    observed_generation: int = -1
    """The metadata.generation that this status is about; -1 until Serin has seen the object."""
    verdict: str = "Pending"
    """Pending, Stable (was promoted; status.stable of the ModelDeployment says which one serves now), Rejected
    (failed its trial), Superseded, Aborted, or Failed (the first revision, never ready)."""
    artifact: PinnedArtifact | None = None
    """What a resolve Job has pinned, once and for all; None where spec.model.digest does, or nothing is fetched."""
    was_stable: bool = False
    """Whether it was stable once; then going back to it needs no trial."""
    stable_for: str | None = None
    """The uid of the ModelDeployment that it was stable for last. To another one, of the same name perhaps, it is
    a new version that needs a trial."""
    attempts: int = 0
    """How often it was tried."""
    verdict_reason: str | None = None
    """Why, in one word."""
    verdict_message: str | None = None
    """Why, in a sentence, with the numbers."""
    record: Annotated[list[RecordEntry], Field(max_length=RECORD_MAX, json_schema_extra=LIST_ATOMIC)] = Field(
        default_factory=list
    )
    """The last 100 decisions, oldest first."""
    record_totals: dict[str, int] = Field(default_factory=dict)
    """How many decisions of each event there were, those included that the record no longer holds."""
    evidence: dict[str, Any] | None = None
    """The state of the tests at the end. Serin's own: do not edit."""

    RULES = (
        Rule(
            cel="!has(oldSelf.artifact) || (has(self.artifact) && self.artifact == oldSelf.artifact)",
            message="status.artifact never changes once it is written: pods were made to fetch these files",
            holds=None,
        ),
    )


class ModelRevision(ApiModel):
    """A ModelRevision is one version of a model with one pod template.

    It is immutable, made by Serin and owned by its ModelDeployment. Its status keeps what was decided about
    it and why.
    """

    api_version: str = API_VERSION
    kind: Literal["ModelRevision"] = "ModelRevision"
    metadata: ObjectMeta
    spec: ModelRevisionSpec
    """What the revision is. It never changes."""
    status: ModelRevisionStatus = ModelRevisionStatus()
    """What became of it. Written by Serin."""


def content_hash(spec: ModelDeploymentSpec | ModelRevisionSpec, scheme: int = SCHEME, polled: str | None = None) -> str:
    """Return the hash of what makes a revision.

    Two specs have the same hash exactly when going from one to the other needs no rollout. Replicas, card,
    lineage, traffic and rollout are not in it. Absent and null are the same, and so are a default of `fetch` and its
    absence: a field that a later version adds changes no hash. Which image fetches is the operator's affair.

    polled: the digest that a poll has found, None for the spec as it is written.

    Raises:
        ValueError: the scheme is newer than this operator.
    """
    if scheme != SCHEME:
        raise ValueError(f"content was hashed by scheme {scheme}; this operator knows {SCHEME}")
    model, serving = spec.model, spec.serving
    fetch = model.fetch
    if polled is None and isinstance(spec, ModelRevisionSpec) and spec.polled is not None:
        polled = spec.polled.digest
    content = {
        "model": {
            "name": model.name,
            "version": model.version,
            "uri": model.uri,
            "digest": model.digest,
            "fetch": fetch.model_dump(mode="json", by_alias=True, exclude_defaults=True) if fetch is not None else None,
        },
        "serving": {"template": serving.template, "port": serving.port, "protocol": serving.protocol},
        "polled": polled,
    }
    return f"sha256:{hashlib.sha256(_canonical(content)).hexdigest()}"


def tried_content(spec: ModelDeploymentSpec | ModelRevisionSpec) -> str:
    """Return the hash of what a trial is about: `content_hash` without the version, which is a mere label.

    Nor does it matter where the files come from, for it is meant for those that a digest pins.
    """
    model = spec.model.model_copy(update={"version": "", "uri": None})
    found = {"polled": None} if isinstance(spec, ModelRevisionSpec) else {}
    return content_hash(spec.model_copy(update={"model": model, **found}))


def _canonical(content: Mapping[str, Any]) -> bytes:
    return json.dumps(_without_null(content), sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _without_null(value: Any) -> Any:
    match value:
        case dict():
            return {key: _without_null(item) for key, item in value.items() if item is not None}
        case list():
            return [_without_null(item) for item in value]
        case _:
            return value
