"""How the files of a model get into its pods, when Serin brings them and not the container itself."""

from typing import Annotated

from pydantic import Field

from serin.api.lists import LIST_ATOMIC
from serin.api.quantities import Seconds
from serin.api.resource import ApiModel
from serin.api.rules import one_of
from serin.api.text import DNS_SUBDOMAIN, Shape

MOUNT_PATH = "/mnt/models"

_PATH = Shape(
    r"^(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+$",
    "must be an absolute path such as /mnt/models: letters, digits, '.', '_' and '-', no part that starts with '.'",
    512,
)
_BYTES = Shape(r"^[1-9][0-9]{0,11}(M|G|T|Mi|Gi|Ti)$", "must be a number of bytes such as 500Mi, 20Gi or 1Ti", 16)


class NamedObject(ApiModel):
    """An object of the same namespace."""

    name: Annotated[str, DNS_SUBDOMAIN]
    """Its name."""


class EnvFrom(ApiModel):
    """A Secret or a ConfigMap whose entries become environment variables."""

    secret_ref: NamedObject | None = None
    """A Secret."""
    config_map_ref: NamedObject | None = None
    """A ConfigMap."""

    RULES = (one_of("secretRef", "configMapRef", noun="an entry of envFrom"),)


class ClaimVolume(ApiModel):
    """A PersistentVolumeClaim."""

    claim_name: Annotated[str, DNS_SUBDOMAIN]
    """The claim's name. Pods on several nodes share it when its access mode is ReadWriteMany."""


class HostPathVolume(ApiModel):
    """A folder of the node."""

    path: Annotated[str, _PATH]
    """The folder. It is made when it is not there; the user that the pod runs as must be allowed to write into it."""


class FetchCache(ApiModel):
    """Where fetched files are kept by their digest, for other pods and for going back."""

    persistent_volume_claim: ClaimVolume | None = None
    """A claim, for all pods that mount it."""
    host_path: HostPathVolume | None = None
    """A folder of the node, for all pods on it. Everybody who may mount it can read every model in it."""
    size_limit: Annotated[str, _BYTES] | None = None
    """Bytes that may be in it, 100Gi when nothing is said; the least recently used goes first."""

    RULES = (one_of("persistentVolumeClaim", "hostPath", noun="cache"),)


class Fetch(ApiModel):
    """How the files at model.uri are brought: by an init container of each pod, verified against model.digest.

    Where model.digest is missing, a Job pins it first, with the same credentials and limits.

    Everything here is part of a revision: a change of it is rolled out.
    """

    mount_path: Annotated[str, _PATH] = MOUNT_PATH
    """Where the container that serves finds the files, read-only; it gets the path as SERIN_MODEL_PATH."""
    size_limit: Annotated[str, _BYTES] | None = None
    """The sizeLimit of the emptyDir that holds the files of one pod."""
    cache: FetchCache | None = None
    """Where files are kept for other pods; without it every new pod asks the store."""
    env_from: Annotated[list[EnvFrom], Field(max_length=8, json_schema_extra=LIST_ATOMIC)] = Field(default_factory=list)
    """Credentials of the store, as environment variables of the init container alone."""
    max_bytes: Annotated[str, _BYTES] | None = None
    """Bytes that the store may deliver, 50Gi when nothing is said."""
    timeout: Seconds | None = None
    """How long one try may take, 1h when nothing is said; the next one goes on from there."""
