"""Which model it is: name, version, files, where it came from, and what people should know about it."""

from typing import Annotated

from pydantic import AfterValidator, Field

from serin.api.fetch import Fetch
from serin.api.lists import LIST_SET, unique_values
from serin.api.quantities import Seconds
from serin.api.resource import ApiModel
from serin.api.rules import Rule
from serin.api.text import Shape

_Words = Annotated[str, Field(max_length=4096)]
_Reference = Annotated[str, Field(max_length=2048)]


POLL_SECONDS_MIN = 60.0


class Lineage(ApiModel):
    """Where the model came from, for the record."""

    data: _Reference | None = None
    """The training data: a URI or the name and version of a data set."""
    code: _Reference | None = None
    """The training code: a repository and commit."""
    parameters: Annotated[
        dict[str, Annotated[str, Field(max_length=1024)]],
        Field(max_length=100),
    ] = Field(default_factory=dict)
    """Training parameters worth knowing, as text."""
    run: _Reference | None = None
    """The training run in an experiment tracker: a URI or an id."""


class Card(ApiModel):
    """What people should know about the model. Changing it starts no rollout."""

    intended_use: _Words | None = None
    """What the model is for."""
    limitations: _Words | None = None
    """What it must not be used for, and where it is known to be weak."""
    owners: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=253)]],
        Field(max_length=16, json_schema_extra=LIST_SET),
        AfterValidator(unique_values),
    ] = Field(default_factory=list)
    """Who answers for it: people or teams."""
    runbook: (
        Annotated[str, Shape(r"^https?://[^\s]+$", "must be a link that starts with https:// or http://", 2048)] | None
    ) = None
    """A link to what to do when it misbehaves."""


class Model(ApiModel):
    """Which model, and which version of it."""

    name: Annotated[
        str,
        Shape(
            r"^[A-Za-z0-9]([A-Za-z0-9._/-]*[A-Za-z0-9])?$",
            "must be letters, digits, '.', '_', '/' and '-', with a letter or digit at both ends",
        ),
    ]
    """The model's name. The container gets it as SERIN_MODEL_NAME."""
    version: Annotated[
        str,
        Shape(
            r"^[A-Za-z0-9]([A-Za-z0-9._+-]*[A-Za-z0-9])?$",
            "must be letters, digits, '.', '_', '+' and '-', at most 63, with a letter or digit at both ends",
            63,
        ),
    ]
    """The version, as text: quote numbers. A new version makes a new revision. The container gets it as
    SERIN_MODEL_VERSION."""
    uri: (
        Annotated[
            str,
            Shape(
                r"^[a-z][a-z0-9+.-]*:/[^\s]+$",
                "must be a URI with a scheme such as s3://bucket/iris/2 or models:/iris/2",
                2048,
            ),
        ]
        | None
    ) = None
    """Where the model's files are, when the image does not hold them. The container gets it as
    SERIN_MODEL_URI and fetches them itself, unless fetch is there."""
    digest: (
        Annotated[
            str,
            Shape(r"^sha256:[0-9a-f]{64}$", "must be sha256: and 64 hexadecimal digits in lower case", 71),
        ]
        | None
    ) = None
    """The digest that the files at uri must have. The container gets it as SERIN_MODEL_DIGEST."""
    fetch: Fetch | None = None
    """Lets an init container bring the files at uri, verified against digest, before the model server starts.
    Without a digest a Job finds it out once, before the first pod, and the revision keeps it in status.artifact.
    Without fetch nothing is brought."""
    poll_interval: Seconds | None = None
    """How often a Job looks whether uri, a tag or an alias say, means other files by now, while no rollout runs. If so
    they are rolled out as a new revision of the same version. At least a minute; without it a uri is asked once. It
    starts no rollout itself."""
    lineage: Lineage | None = None
    """Where the model came from, for the record."""
    card: Card | None = None
    """What people should know about the model."""

    RULES = (
        Rule(
            cel="!has(self.digest) || has(self.uri)",
            message="digest needs uri: it pins the files at model.uri; pin an image by its own digest in the template",
            holds=lambda model: model.digest is None or model.uri is not None,
            field="digest",
        ),
        Rule(
            cel="!has(self.fetch) || has(self.uri)",
            message="fetch needs uri: it brings the files at model.uri",
            holds=lambda model: model.fetch is None or model.uri is not None,
            field="fetch",
        ),
        Rule(
            cel="!has(self.pollInterval) || (has(self.fetch) && !has(self.digest))",
            message="pollInterval needs fetch, and no digest: a digest says which files are meant once and for all",
            holds=lambda model: model.poll_interval is None or (model.fetch is not None and model.digest is None),
            field="pollInterval",
        ),
        Rule(
            cel="!has(self.pollInterval) || duration(self.pollInterval) >= duration('1m')",
            message="pollInterval must be 1m or longer: each poll is a Job",
            holds=lambda model: model.poll_interval is None or model.poll_interval.seconds >= POLL_SECONDS_MIN,
            field="pollInterval",
        ),
        Rule(
            cel="!has(self.uri) || !self.uri.matches('^[a-z][a-z0-9+.-]*://[^/@]*:[^/@]*@')",
            message="uri must not hold a password; give the pod's service account the right to read it, or "
            "use a Secret",
            holds=lambda model: model.uri is None or not _holds_password(model.uri),
            field="uri",
        ),
    )


def _holds_password(uri: str) -> bool:
    authority = uri.partition("://")[2].partition("/")[0]
    user, at, _ = authority.partition("@")
    return bool(at) and ":" in user
