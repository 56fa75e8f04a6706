"""What the files at a uri are, once somebody has looked."""

from serin.api.resource import ApiModel


class PinnedArtifact(ApiModel):
    """What the files at model.uri were when somebody looked."""

    digest: str
    """The digest that every pod of the revision verifies its files against."""
    uri: str | None = None
    """The uri, pinned as far as the source can: a tag became a digest, an alias a version. Pods read
    it in the place of model.uri: what that leads to may change."""
    size_bytes: int | None = None
    """Bytes as delivered."""
    media_type: str | None = None
    """A media type, or "directory"."""
