"""Where the reports of validate stages are kept after their Jobs are gone."""

from typing import Annotated

from pydantic import Field

from serin.api.fetch import EnvFrom
from serin.api.lists import LIST_ATOMIC
from serin.api.resource import ApiModel
from serin.api.text import Shape

_PLACE = Shape(
    r"^(pvc://[a-z0-9]([a-z0-9.-]*[a-z0-9])?|(s3|gs|az)://[a-z0-9]([a-z0-9._-]*[a-z0-9])?)"
    r"(/[A-Za-z0-9_=-][A-Za-z0-9._=-]*)+/?$",
    "must be s3://bucket/prefix, gs://bucket/prefix, az://container/prefix or pvc://claim/folder: letters, digits, "
    "'.', '_', '=' and '-', no part that starts with '.'",
    200,
)


class ReportPlace(ApiModel):
    """Where the Job of a validate stage puts its report: JSON, and a page with plots.

    The verdict does not depend on it: a report that cannot be stored is said in the answer, with the reason.
    """

    uri: Annotated[str, _PLACE]
    """The folder: s3://, gs:// or az:// with a bucket and a prefix, or pvc:// with a claim of the same namespace, which
    the Job mounts, and a folder in it. Below it a report is NAMESPACE/DEPLOYMENT/REVISION.ATTEMPT.STAGE/report.json."""
    keep: Annotated[int, Field(ge=1, le=1000)] = 20
    """How many reports of a ModelDeployment stay there, 1 to 1000, the newest; the Job removes the others after it has
    written its own."""
    env_from: Annotated[list[EnvFrom], Field(max_length=8, json_schema_extra=LIST_ATOMIC)] = Field(default_factory=list)
    """Credentials of the store, as environment variables of the container evaluate."""
